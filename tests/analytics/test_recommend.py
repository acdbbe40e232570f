from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from analytics.recommend import (
    Method,
    evaluate_recommendations,
    recommend,
)
from core.errors import DataError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TEA, CUP, POT, SOAP, TOWEL = 1, 2, 3, 4, 5


def bought(*rows):
    """(customer, order, product, days ago)"""
    table = pd.DataFrame(
        rows, columns=["customer_id", "order_id", "product_id", "days_ago"]
    )
    ages = pd.to_timedelta(table.pop("days_ago"), unit="D")
    return table.assign(ordered_at=pd.Timestamp(NOW) - ages)


# Tea drinkers buy tea, cup and pot; others soap and towel. Customer 10 has tea alone.
SHOP = bought(
    *[
        (customer, customer * 10, product, 40)
        for customer in (1, 2, 3)
        for product in (TEA, CUP, POT)
    ],
    *[
        (customer, customer * 10, product, 50)
        for customer in (4, 5, 6, 7)
        for product in (SOAP, TOWEL)
    ],
    (10, 100, TEA, 5),
    (7, 71, SOAP, 10),
)


def products(table, customer):
    return table.loc[table["customer_id"] == customer, "product_id"].tolist()


def test_the_own_past_is_ordered_by_how_often_and_how_lately():
    past = bought(
        (1, 11, TEA, 0), (1, 12, TEA, 365), (1, 13, CUP, 0), (1, 14, POT, 730)
    )

    table = recommend(past, NOW, method="own")

    # Each purchase counts 0.5 per year of age: tea 1 + 0.5, cup 1, pot 0.25.
    assert table["product_id"].tolist() == [TEA, CUP, POT]
    assert table["score"].tolist() == pytest.approx([1.5, 1.0, 0.25])
    assert table["rank"].tolist() == [1, 2, 3]


def test_the_reason_for_a_repeat_is_the_share_of_orders():
    past = bought((1, 11, TEA, 0), (1, 12, TEA, 9), (1, 13, CUP, 0), (1, 14, POT, 3))

    first = recommend(past, NOW, method="own").iloc[0]

    assert first["reason"] == "bought_before"
    assert first["reason_share"] == 0.5
    assert pd.isna(first["reason_product_id"])


def test_similar_products_come_with_whom_they_go():
    table = recommend(SHOP, NOW, method="item", new_only=True, customers=[10])

    assert set(table["product_id"]) == {CUP, POT}
    assert set(table["reason"]) == {"goes_with"}
    assert set(table["reason_product_id"]) == {TEA}
    # Four bought tea, three of them a cup.
    assert table["reason_share"].tolist() == [0.75, 0.75]


def test_popular_products_are_those_of_the_last_30_days():
    table = recommend(SHOP, NOW, method="popular", customers=[1])

    # Customers 10 and 7 bought in that time: tea one, soap the other.
    assert table["product_id"].tolist() == [SOAP, TEA]
    assert table["reason"].tolist() == ["popular", "bought_before"]
    assert table["reason_share"].tolist() == [0.5, 1.0]


def test_a_blend_puts_the_own_past_first_and_fills_up():
    table = recommend(SHOP, NOW, 5, customers=[10])

    assert products(table, 10)[0] == TEA
    assert set(products(table, 10)[1:3]) == {CUP, POT}
    assert table["reason"].tolist()[3:] == ["popular"]


def test_a_stranger_gets_what_sells():
    table = recommend(SHOP, NOW, customers=[999])

    assert products(table, 999)[:2] == [SOAP, TEA]
    assert set(table["reason"]) == {"popular"}


@pytest.mark.parametrize("method", ["own", "item"])
def test_a_stranger_gets_nothing_from_a_past_that_is_not_there(method):
    assert recommend(SHOP, NOW, method=method, customers=[999]).empty


def test_without_recent_sales_the_order_of_all_times_counts():
    table = recommend(SHOP, NOW + timedelta(days=300), customers=[999])

    assert products(table, 999)[0] == SOAP
    assert table["reason_share"].isna().all()


def test_only_what_may_be_offered_is_offered():
    table = recommend(SHOP, NOW, among=[CUP, TOWEL])

    assert set(table["product_id"]) == {CUP, TOWEL}


def test_new_only_never_repeats_a_purchase():
    table = recommend(SHOP, NOW, new_only=True)

    pairs = table.merge(SHOP, on=["customer_id", "product_id"])
    assert pairs.empty
    assert "bought_before" not in set(table["reason"])


def test_later_purchases_are_not_known():
    table = recommend(SHOP, NOW - timedelta(days=45), method="own")

    assert sorted(table["customer_id"].unique()) == [4, 5, 6, 7]


def test_a_product_twice_in_an_order_counts_once():
    past = bought((1, 11, TEA, 0), (1, 11, TEA, 0), (1, 12, CUP, 0))

    assert recommend(past, NOW, method="own")["score"].tolist() == [1.0, 1.0]


def test_rows_without_a_customer_or_product_are_left_out():
    past = bought((1, 11, TEA, 0), (None, 12, CUP, 0), (1, 13, None, 0))

    assert recommend(past, NOW)["product_id"].tolist() == [TEA]


def test_parts_of_the_customers_get_the_same_as_all_at_once(monkeypatch):
    whole = recommend(SHOP, NOW)

    monkeypatch.setattr("analytics.recommend.CELLS_AT_ONCE", 1)

    pd.testing.assert_frame_equal(recommend(SHOP, NOW), whole)


def test_nothing_bought_gives_an_empty_table_with_the_columns():
    table = recommend(SHOP.iloc[:0], NOW)

    assert table.empty
    assert table.dtypes.astype(str).to_dict()["reason_product_id"] == "Int64"


@pytest.mark.parametrize(("n", "method"), [(0, "blend"), (1, "magic")])
def test_impossible_wishes_are_refused(n, method):
    with pytest.raises(ValueError, match=r"at least 1|magic"):
        recommend(SHOP, NOW, n, method)


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="`order_id`"):
        recommend(SHOP.drop(columns="order_id"), NOW)


# Customer 1 bought tea and cup, then tea and pot; customer 2 soap, then towel.
SPLIT = bought(
    (1, 1, TEA, 50), (1, 1, CUP, 50), (2, 2, SOAP, 50),
    (1, 3, TEA, 5), (1, 3, POT, 5), (2, 4, TOWEL, 5), (3, 5, TEA, 5),
)  # fmt: skip


def test_recall_and_ndcg_are_as_worked_by_hand():
    quality = evaluate_recommendations(SPLIT, NOW - timedelta(days=30), 60, 2, ["own"])

    own = quality[(quality["method"] == "own") & (quality["products"] == "all")].iloc[0]
    # Of customer 1's two products tea is met, at rank 1; of customer 2's nothing.
    assert own["customers"] == 2
    assert own["recall"] == pytest.approx((1 / 2 + 0) / 2)
    assert own["ndcg"] == pytest.approx(1 / (1 + 1 / np.log2(3)) / 2)


def test_popularity_is_always_measured_beside():
    quality = evaluate_recommendations(SPLIT, NOW - timedelta(days=30), 60, 2, ["own"])

    assert set(quality["method"]) == {"own", "popular"}


def test_nobody_to_measure_on_gives_no_number():
    quality = evaluate_recommendations(SPLIT, NOW, 60, 2)

    assert set(quality["customers"]) == {0}
    assert quality["recall"].isna().all()


def test_real_purchases_are_met_better_than_by_what_sells(data_set):
    path = data_set("online_retail/online_retail_to_2011-09-09.csv.gz")
    lines = pd.read_csv(path, dtype={"InvoiceNo": "str"}, parse_dates=["InvoiceDate"])
    sold = lines[(lines["Quantity"] > 0) & lines["CustomerID"].notna()]
    purchases = pd.DataFrame(
        {
            "customer_id": sold["CustomerID"],
            "order_id": sold["InvoiceNo"],
            "product_id": pd.factorize(sold["StockCode"])[0],
            "ordered_at": sold["InvoiceDate"].dt.tz_localize("UTC"),
        }
    )

    quality = evaluate_recommendations(
        purchases, datetime(2011, 6, 9, tzinfo=UTC), methods=[Method.OWN, Method.BLEND]
    )

    recall = quality.set_index(["method", "products"])["recall"]
    assert recall["blend", "all"] > 1.04 * recall["own", "all"]
    assert recall["own", "all"] > 2 * recall["popular", "all"]
    assert recall["blend", "new"] > 1.2 * recall["popular", "new"]
