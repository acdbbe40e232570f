"""The language of `where:`: three-valued, with the place of each mistake."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from content.where import (
    Among,
    And,
    Between,
    Comparator,
    Comparison,
    Field,
    FieldKind,
    Not,
    Or,
    evaluate,
    fields_of,
    matches,
    parse,
)
from core.errors import CampaignError

NOW = datetime(2026, 3, 15, 10, tzinfo=UTC)
FIELDS = {
    "orders_count": FieldKind.NUMBER,
    "city": FieldKind.TEXT,
    "last_order_on": FieldKind.DATE,
    "subscribed": FieldKind.BOOLEAN,
}
ORDERS = Field("orders_count", FieldKind.NUMBER)
CITY = Field("city", FieldKind.TEXT)
ROW = {
    "orders_count": 3,
    "city": "Berlin",
    "last_order_on": date(2026, 3, 1),
    "subscribed": True,
}


def test_and_binds_tighter_than_or():
    one, two, three = (Comparison(ORDERS, Comparator.EQUAL, n) for n in (1, 2, 3))

    found = parse("orders_count = 1 or orders_count = 2 and orders_count == 3", FIELDS)

    assert found == Or((one, And((two, three))))


def test_values_become_those_of_their_field():
    assert parse("city in ('Berlin', \"Bonn\")", FIELDS) == Among(
        CITY, ("Berlin", "Bonn")
    )
    assert parse("orders_count between 1 and 2.5", FIELDS) == Between(
        ORDERS, 1, Decimal("2.5")
    )


def test_not_in_is_the_opposite_of_in():
    assert parse("city not in ('Bonn')", FIELDS) == Not(Among(CITY, ("Bonn",)))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("orders_count = 3", True),
        ("orders_count <> 3", False),
        ("orders_count >= 3 and city = 'Berlin'", True),
        ("(orders_count < 3 or city = 'Berlin') and not subscribed", False),
        ("subscribed", True),
        ("subscribed = false", False),
        ("orders_count between 3 and 5", True),
        ("orders_count not between 3 and 5", False),
        ("city in ('Bonn', 'Berlin')", True),
        ("last_order_on >= '2026-03-01'", True),
        ("last_order_on < '2026-03-01'", False),
        # 1 March 00:00 to 15 March 10:00 UTC: 14 whole days.
        ("days_since(last_order_on) = 14", True),
        ("days_since(last_order_on) > 14", False),
        ("city is null", False),
        ("city is not null", True),
    ],
)
def test_evaluates(condition, expected):
    assert evaluate(parse(condition, FIELDS), ROW, NOW) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("city = 'Berlin'", None),
        ("city != 'Berlin'", None),
        ("not city = 'Berlin'", None),
        ("city in ('Berlin')", None),
        ("days_since(last_order_on) > 3", None),
        # Kleene: one sure part decides.
        ("city = 'Berlin' and orders_count = 0", False),
        ("city = 'Berlin' or orders_count = 3", True),
        ("city = 'Berlin' and orders_count = 3", None),
        ("city = 'Berlin' or orders_count = 0", None),
        ("city is null", True),
    ],
)
def test_null_is_unknown(condition, expected):
    found = evaluate(parse(condition, FIELDS), {"orders_count": 3}, NOW)

    assert found is expected


def test_unknown_is_not_a_match():
    assert not matches(parse("city != 'Berlin'", FIELDS), {"city": None}, NOW)


@pytest.mark.parametrize(
    ("condition", "column", "word", "hint"),
    [
        ("orders_cout > 3", 1, "orders_cout", "`orders_count`"),
        ("city = 'x' and\n citi = 'y'", 17, "citi", "`city`"),
        ("days_since(city) > 3", 12, "city", ""),
        ("orders_count > '3'", 16, "'3'", ""),
        ("city = Berlin", 8, "Berlin", "'Berlin'"),
        ("city > 'B'", 6, ">", ""),
        ("city = null", 8, "null", "is null"),
        ("last_order_on > '2026-13-01'", 17, "'2026-13-01'", ""),
        ("orders_count >", 15, "the end", ""),
        ("orders_count = 3 city", 18, "city", ""),
        ("(orders_count = 3", 18, "the end", ""),
        ("orders_count = 3; drop", 17, "; drop", ""),
        ("__import__('os') = 1", 1, "__import__", ""),
        ("", 1, "the end", ""),
    ],
)
def test_mistakes_name_column_and_nearest_word(condition, column, word, hint):
    with pytest.raises(CampaignError) as caught:
        parse(condition, FIELDS, file="campaign.yaml", line=7)

    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("campaign.yaml", 7)
    assert (problem.column, problem.value) == (column, word)
    assert hint in (problem.hint or "")


def test_deep_nesting_is_refused():
    with pytest.raises(CampaignError, match="levels"):
        parse("(" * 1000 + "subscribed" + ")" * 1000, FIELDS)


def test_tells_which_fields_it_reads():
    condition = parse("subscribed and not (city = 'x' or city is null)", FIELDS)

    assert fields_of(condition) == {"subscribed", "city"}
