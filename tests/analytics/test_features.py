from datetime import UTC, datetime

import pandas as pd
import pytest

from analytics.features import (
    FEATURES,
    customer_features,
    high_income,
    rfm_scores,
    rfm_table,
)
from core.errors import DataError

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def order(order_id, customer_id, day, amount):
    kind = "sale" if amount >= 0 else "return"
    return (order_id, customer_id, pd.Timestamp(day, tz="UTC"), float(amount), kind)


def orders(*rows):
    columns = ["order_id", "customer_id", "ordered_at", "amount", "kind"]
    return pd.DataFrame(list(rows), columns=columns)


# Customer 1: two sales and a return; 2: one sale on the data date; 3: a return alone;
# 4: nothing; and an order without a customer, and one after the data date.
ORDERS = orders(
    order(10, 1, "2026-02-21", 100),
    order(11, 1, "2026-05-22", 50),
    order(12, 1, "2026-05-25", -30),
    order(13, 2, "2026-06-01", 80),
    order(14, 3, "2026-05-01", -20),
    order(15, None, "2026-05-01", 999),
    order(16, 2, "2026-06-02", 999),
)
# The same as sums: customer 1 bought 10 units in the two sales, at 5 off.
TOTALS = pd.DataFrame(
    [
        (1, 2, 1, 150.0, 30.0, 5.0, 10, 150.0, "2026-02-21", "2026-05-22"),
        (2, 1, 0, 80.0, 0.0, 0.0, 8, 80.0, "2026-06-01", "2026-06-01"),
        (3, 0, 1, 0.0, 20.0, 0.0, 0, 0.0, None, None),
    ],
    columns=[
        *("customer_id", "sales_count", "returns_count", "sales", "returns"),
        *("discount", "units", "units_amount", "first_sale_at", "last_sale_at"),
    ],
)
for moment in ("first_sale_at", "last_sale_at"):
    TOTALS[moment] = pd.to_datetime(TOTALS[moment], utc=True)
CUSTOMERS = pd.DataFrame(
    {
        "customer_id": [1, 2, 3, 4],
        "birth_date": pd.to_datetime(["1986-06-01", None, "2000-01-01", None]),
        "income": [40_000.0, None, 90_000.0, None],
    }
)
FEEDBACK = pd.DataFrame(
    {
        "customer_id": [1, 1, 2, 1],
        "answered_at": pd.to_datetime(
            ["2026-05-01", "2026-05-02", None, "2026-06-03"], utc=True
        ),
        "score": [5, 2, None, 1],
    }
)
CONVERSATIONS = pd.DataFrame(
    {
        "customer_id": [1, 1, 1, 4, 4],
        "opened_at": pd.to_datetime(
            ["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-01", "2026-07-01"],
            utc=True,
        ),
    }
)
EVENTS = pd.DataFrame(
    {
        "customer_id": [1, 4],
        "events_count": [7, 1],
        "last_event_at": pd.to_datetime(["2026-05-30", "2026-06-01"], utc=True),
    }
)
# Customer 1 has orders, so that what a file says of them is not needed.
FIGURES = pd.DataFrame(
    {
        "customer_id": [1, 4],
        "purchase_count": [99.0, 6.0],
        "purchase_days": [999.0, 90.0],
        "average_price": [9.0, 12.5],
        "as_of": pd.to_datetime(["2026-05-02", "2026-05-02"], utc=True),
    }
)
TABLES = (CUSTOMERS, TOTALS, FEEDBACK, CONVERSATIONS, EVENTS, FIGURES)


@pytest.fixture
def features():
    return customer_features(*TABLES, asof=NOW)


# 2026-02-21 to 2026-06-01 12:00 is 100 whole days: 2 sales / (100 / 30) = 0.6. 10 units
# for 150, so 15 each, and 2 x 15 = 30. Returned 30 of 150 sold.
@pytest.mark.parametrize(
    ("feature", "value"),
    [
        ("recency_days", 10),
        ("frequency", 2),
        ("monetary_value", 75.0),
        ("total_spent", 150.0),
        ("net_spent", 120.0),
        ("tenure_days", 100),
        ("purchase_frequency", 0.6),
        ("short_history", False),
        ("average_price", 15.0),
        ("purchase_value", 30.0),
        ("returns_ratio", 0.2),
        ("discount_ratio", 5 / 155),
        ("figures_supplied", False),
        ("age", 40.0),
        ("income", 40_000.0),
        ("csi", 3.5),
        ("ratings_count", 2),
        ("contacts_count", 3),
        ("contacts_per_order", 1.5),
        ("events_count", 7),
        ("last_event_days", 2),
    ],
)
def test_the_features_of_a_customer_worked_by_hand(features, feature, value):
    assert features.loc[1, feature] == pytest.approx(value, abs=0.001)


def test_a_first_purchase_today_counts_as_one_day_and_is_flagged(features):
    assert features.loc[2, "purchase_frequency"] == 30.0
    assert features.loc[2, "short_history"]


def test_returns_without_a_sale_give_a_negative_net_and_no_recency(features):
    assert features.loc[3, ["total_spent", "net_spent"]].tolist() == [0.0, -20.0]
    assert features.loc[3, "frequency"] == 0
    assert features.loc[3, ["recency_days", "returns_ratio"]].isna().all()


def test_a_customer_without_orders_is_there_with_missing_values():
    nothing = [*TABLES[:5], FIGURES.iloc[:0]]

    features = customer_features(*nothing, asof=NOW)

    assert features.loc[4, ["frequency", "contacts_count"]].tolist() == [0, 1]
    assert features.loc[4, ["recency_days", "csi", "contacts_per_order"]].isna().all()
    assert not features["figures_supplied"].any()


# 6 purchases in 90 days are 2 per 30; 6 x 12.50 is 75; told on 2026-05-02.
@pytest.mark.parametrize(
    ("feature", "value"),
    [
        ("figures_supplied", True),
        ("figures_age_days", 30),
        ("frequency", 6),
        ("purchase_frequency", 2.0),
        ("tenure_days", 90),
        ("short_history", False),
        ("monetary_value", 12.5),
        ("average_price", 12.5),
        ("purchase_value", 75.0),
        ("total_spent", 75.0),
        ("net_spent", 75.0),
    ],
)
def test_supplied_figures_stand_in_where_there_is_no_order(features, feature, value):
    assert features.loc[4, feature] == value


def test_supplied_figures_tell_nothing_of_the_last_purchase(features):
    assert features.loc[4, ["recency_days", "returns_ratio"]].isna().all()
    assert features.loc[1:3, "figures_age_days"].isna().all()


def test_part_of_supplied_figures_is_part_of_the_features():
    told = FIGURES.assign(purchase_days=None, average_price=None)

    features = customer_features(*TABLES[:5], told, asof=NOW)

    assert features.loc[4, "frequency"] == 6
    unknown = ["purchase_frequency", "average_price", "total_spent"]
    assert features.loc[4, unknown].isna().all()


def test_the_columns_and_dtypes_are_as_announced(features):
    assert features.dtypes.astype(str).to_dict() == FEATURES
    assert features.index.tolist() == [1, 2, 3, 4]


def test_empty_tables_give_an_empty_table_with_the_same_columns():
    result = customer_features(*(table.iloc[:0] for table in TABLES), asof=NOW)

    assert result.empty
    assert result.dtypes.astype(str).to_dict() == FEATURES


def test_customers_without_any_orders_or_contacts_are_kept():
    tables = [table.iloc[:0] for table in TABLES[1:]]

    result = customer_features(CUSTOMERS, *tables, asof=NOW)

    assert result["frequency"].tolist() == [0, 0, 0, 0]
    assert result["total_spent"].tolist() == [0, 0, 0, 0]


def test_rfm_holds_customers_with_a_sale_only():
    rfm = rfm_table(ORDERS, NOW)

    assert rfm.to_dict("index") == {
        1: {
            "recency_days": 10,
            "frequency": 2,
            "monetary_value": 75.0,
            "total_spent": 150.0,
            "net_spent": 120.0,
        },
        2: {
            "recency_days": 0,
            "frequency": 1,
            "monetary_value": 80.0,
            "total_spent": 80.0,
            "net_spent": 80.0,
        },
    }


def test_rfm_of_no_orders_is_an_empty_table():
    rfm = rfm_table(ORDERS.iloc[:0], NOW)

    assert rfm.columns.tolist() == [
        "recency_days",
        "frequency",
        "monetary_value",
        "total_spent",
        "net_spent",
    ]
    assert rfm.empty


def test_scores_are_fifths_and_equal_values_are_scored_alike():
    rfm = pd.DataFrame(
        {
            "recency_days": [1, 2, 3, 4, 5],
            "frequency": [9, 1, 1, 1, 1],
            "total_spent": [50.0, 40.0, 30.0, 20.0, 10.0],
        }
    )

    scores = rfm_scores(rfm)

    # Four share places 1 to 4 of 5: the mean place 2.5 is the third fifth.
    assert scores["rfm_score"].tolist() == ["555", "434", "333", "232", "131"]


def test_high_income_leaves_out_whom_we_do_not_know(features):
    assert high_income(features, 50_000).tolist() == [False, False, True, False]


def test_a_moment_without_a_time_zone_is_refused():
    with pytest.raises(DataError, match="time zone"):
        rfm_table(ORDERS, datetime(2026, 6, 1))  # noqa: DTZ001


def test_order_times_without_a_time_zone_are_refused():
    naive = ORDERS.assign(ordered_at=ORDERS["ordered_at"].dt.tz_localize(None))

    with pytest.raises(DataError, match=r"orders\.ordered_at"):
        rfm_table(naive, NOW)
