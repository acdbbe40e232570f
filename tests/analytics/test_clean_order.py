from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from analytics.clean_order import (
    clean_lines,
    clean_orders,
    clean_products,
    order_words,
    outlying,
    repeated_orders,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def order(**fields):
    plain = {
        "order_id": 1,
        "customer_id": 3,
        "kind": "sale",
        "ordered_at": NOW - timedelta(days=3),
        "set_aside": None,
        "total": 10.0,
        "units_max": 2.0,
    }
    return pd.DataFrame([plain | fields])


def found(frame):
    return [(each.field, each.after, each.rule) for each in clean_orders(frame, NOW)]


def test_a_plain_order_is_left_alone():
    assert found(order()) == []


def test_an_order_of_the_future_is_set_aside():
    assert found(order(ordered_at=NOW + timedelta(days=2))) == [
        ("ordered_at", None, "order_in_future")
    ]


def test_a_clock_that_is_ahead_makes_no_future():
    assert found(order(ordered_at=NOW + timedelta(hours=14))) == []


def test_an_order_whose_day_has_come_counts_again():
    [(field, after, rule)] = found(order(set_aside="order_in_future"))

    assert (field, rule) == ("ordered_at", "order_date_come")
    assert after.startswith("2026-05-29")


@pytest.mark.parametrize(
    "fields",
    [
        {"units_max": -2.0},
        {"total": -10.0, "units_max": 1.0},
    ],
)
def test_what_is_negative_is_a_return(fields):
    assert found(order(**fields)) == [("kind", "return", "return_kind")]


def test_a_return_stays_one():
    assert found(order(kind="return", total=-10.0, units_max=-1.0)) == []


def taken(*rows):
    columns = ["order_id", "customer_id", "seconds", "lines"]
    frame = pd.DataFrame(rows, columns=columns)
    at = [NOW + timedelta(seconds=each) for each in frame["seconds"]]
    return frame.assign(ordered_at=at)


def test_the_same_order_within_a_minute_is_flagged():
    [flag] = repeated_orders(taken((1, 3, 0, "a"), (2, 3, 40, "a")))

    assert (flag.record_id, flag.after, flag.rule) == (2, "1", "order_repeated_flagged")


@pytest.mark.parametrize(
    "second",
    [
        (2, 3, 61, "a"),  # later
        (2, 4, 10, "a"),  # another customer
        (2, 3, 10, "b"),  # other lines
    ],
)
def test_another_order_is_no_repetition(second):
    assert repeated_orders(taken((1, 3, 0, "a"), second)) == []


def test_the_order_of_lines_does_not_matter():
    columns = ["order_id", "product_id", "quantity", "amount_minor"]
    lines = [(1, 7, 1, 100), (1, 8, 2, 300), (2, 8, 2, 300), (2, 7, 1, 100)]

    words = order_words(pd.DataFrame(lines, columns=columns))

    assert words[1] == words[2] == "7:1:100 8:2:300"


def seen(*rows):
    return pd.DataFrame(rows, columns=["product", "value", "count"])


def test_a_quantity_far_from_the_usual_is_an_outlier():
    # The median is ln 6, the spread 1 at least: 5 spreads above lies 6 e^5 = 890.
    usual = [(7, 6, 30), (7, 12, 10), (7, 880, 1), (7, 900, 1), (7, -900, 1)]

    assert outlying(seen(*usual), 5.0)["value"].tolist() == [900, -900]


def test_a_product_that_was_bought_once_is_judged_by_all():
    usual = [(7, 6, 30), (8, 80_000, 1)]

    assert outlying(seen(*usual), 5.0)["product"].tolist() == [8]


def test_small_quantities_are_no_outliers():
    assert outlying(seen((7, 1, 30), (7, 400, 1)), 5.0, 500).empty


def test_products_of_pallets_have_pallets():
    assert outlying(seen((7, 5000, 30), (8, 5, 300)), 5.0).empty


def test_nothing_has_no_outliers():
    assert outlying(seen(), 5.0).empty


def test_lines_without_a_price_are_flagged():
    lines = pd.DataFrame(
        {
            "order_id": [1, 1],
            "line_no": [2, 3],
            "customer_id": pd.array([3, None], dtype="Int64"),
            "amount": [0.0, -4.5],
        }
    )

    flags = clean_lines(lines)

    assert [(each.field, each.before, each.rule) for each in flags] == [
        ("lines.2.amount", "0", "line_free_flagged"),
        ("lines.3.amount", "-4.5", "line_negative_flagged"),
    ]
    assert [each.customer_id for each in flags] == [3, None]


@pytest.mark.parametrize(
    ("code", "name", "is_fee"),
    [
        ("POST", "Post", True),
        ("X1", "DOTCOM POSTAGE", True),
        ("X2", "运费", True),
        ("X3", "Versandkosten Inland", True),
        ("X4", "NEXT DAY CARRIAGE", True),
        ("85168B", "BLACK CARRIAGE CLOCK", False),
        ("85123A", "Postcard rack", False),
        ("POSTER", "A poster", False),
    ],
)
def test_a_product_that_is_a_fee_is_flagged(code, name, is_fee):
    product = {"product_id": [1], "code": [code], "name": [name], "price": [2.0]}

    rules = [each.rule for each in clean_products(pd.DataFrame(product))]

    assert rules == ["product_is_fee_flagged"] * is_fee


def test_a_product_that_costs_nothing_is_flagged():
    product = {"product_id": [1], "code": ["A"], "name": ["Cup"], "price": [0.0]}

    [flag] = clean_products(pd.DataFrame(product))

    assert flag.rule == "product_price_flagged"
