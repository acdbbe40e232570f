"""The language of `where:`: three-valued, with the place of each mistake."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from content.condition import (
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
)
from content.where import parse
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


# --- values that nobody declared ------------------------------------------------------

OPEN = {"attributes.*": FieldKind.OPEN, "city": FieldKind.TEXT}
ATTRIBUTES = {
    "points": "1250",
    "plan": "gold",
    "renews": "2026-03-10",
    "opened": "2026-03-10T08:00:00+01:00",
    "vip": "yes",
    "code": "007",
    "Shoe size": "42.5",
    "会员": "金",
    "empty": "",
    "years": 7,
}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # A number: the text is read as one.
        ("attributes.points > 999", True),
        ("attributes.points between 1000 and 1250", True),
        ("attributes.points = 1250.0", True),
        ("attributes.years >= 7", True),
        ("attributes.code = 7", True),
        # A text stays as it was written.
        ("attributes.code = '7'", False),
        ("attributes.plan = 'gold'", True),
        ("attributes.plan in ('silver', 'gold')", True),
        ("attributes.plan in ('silver', 'bronze')", False),
        # A date, and days since it.
        ("attributes.renews < '2026-03-11'", True),
        ("attributes.opened = '2026-03-10'", True),
        ("days_since(attributes.renews) = 5", True),
        ("attributes.vip = true", True),
        ("attributes.'Shoe size' > 42", True),
        ("attributes.会员 = '金'", True),
        # What can't be compared is unknown, and so is its opposite.
        ("attributes.plan > 3", None),
        ("not (attributes.plan > 3)", None),
        ("attributes.plan in (3, 4)", None),
        ("attributes.points > '2026-01-01'", None),
        ("attributes.plan = false", None),
        ("days_since(attributes.plan) > 3", None),
        ("attributes.nothing = 'gold'", None),
        ("attributes.nothing is null", True),
        ("attributes.empty is null", True),
        ("attributes.plan is not null", True),
    ],
)
def test_an_open_value_is_read_as_what_it_is_compared_with(words, expected):
    condition = parse(words, OPEN)

    assert evaluate(condition, {"attributes": ATTRIBUTES}, NOW) is expected


def test_a_customer_without_any_open_values_is_unknown():
    assert evaluate(parse("attributes.plan = 'gold'", OPEN), {}, NOW) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("attributes.plan > 'gold'", "order is among numbers, or dates"),
        ("attributes.plan between 'a' and 'b'", "order is among numbers, or dates"),
        ("attributes.plan", "a comparison"),
        ("attribute.plan = 'gold'", "unknown field"),
        ("attributes = 'gold'", "unknown field"),
    ],
)
def test_an_open_field_that_can_not_be_compared_so_is_refused(words, message):
    with pytest.raises(CampaignError, match=message):
        parse(words, OPEN)


def test_the_fields_of_a_condition_have_their_bare_names():
    condition = parse("attributes.'Shoe size' > 42 and city = 'Bonn'", OPEN)

    assert fields_of(condition) == {"attributes.Shoe size", "city"}
