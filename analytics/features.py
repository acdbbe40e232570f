"""What is known of each customer as numbers: purchases, person, service."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from analytics.frame import empty_table, moment, require_columns, times

DAYS_PER_MONTH = 30
DAYS_PER_YEAR = 365.2425
SHORT_HISTORY_DAYS = 30

# Every feature with its dtype: a float is missing (NaN) where nothing is known.
FEATURES = {
    "recency_days": "float64",
    "frequency": "int64",
    "monetary_value": "float64",
    "total_spent": "float64",
    "net_spent": "float64",
    "tenure_days": "float64",
    "purchase_frequency": "float64",
    "short_history": "bool",
    "average_price": "float64",
    "purchase_value": "float64",
    "returns_ratio": "float64",
    "age": "float64",
    "income": "float64",
    "csi": "float64",
    "ratings_count": "int64",
    "contacts_count": "int64",
    "contacts_per_order": "float64",
}
RFM = {
    "recency_days": "int64",
    "frequency": "int64",
    "monetary_value": "float64",
    "total_spent": "float64",
    "net_spent": "float64",
}


def rfm_table(orders: pd.DataFrame, asof: datetime) -> pd.DataFrame:
    """Recency, frequency and monetary value, one row per customer with a sale.

    Parameters
    ----------
    orders : one row per order: customer_id (int64, may be missing), ordered_at
        (datetime64, UTC), amount (float, major units of one currency; negative for a
        return), kind ("sale" or "return")
    asof : aware; orders after it are ignored

    Returns
    -------
    DataFrame indexed by customer_id (int64, ascending): recency_days (int64, whole
    days since the last sale, >= 0), frequency (int64, sales, >= 1), monetary_value
    (float, mean amount of a sale), total_spent (float, all sales), net_spent (float,
    sales less returns; negative where what came back was bought before the data
    begin). A sale of amount 0 counts. Orders without a customer are left out.
    Empty input gives an empty table.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone

    References
    ----------
    Fader, Hardie and Lee (2005), "RFM and CLV". There `frequency` counts repeat
    purchases and recency runs from the first to the last; here both mean what
    segmentation means by them.
    """
    known = _orders_until(orders, asof)
    sales = known[known["kind"] == "sale"]
    if sales.empty:
        return empty_table(RFM, "customer_id")
    by_customer = sales.groupby("customer_id")
    recency = _days_until(by_customer["ordered_at"].max(), asof)
    net = known.groupby("customer_id")["amount"].sum()
    table = pd.DataFrame(
        {
            "recency_days": recency,
            "frequency": by_customer.size(),
            "monetary_value": by_customer["amount"].mean(),
            "total_spent": by_customer["amount"].sum(),
            "net_spent": net.reindex(recency.index),
        }
    )
    return table.astype(RFM)


def rfm_scores(rfm: pd.DataFrame) -> pd.DataFrame:
    """Quintiles of recency, frequency and spending, 5 being best.

    Parameters
    ----------
    rfm : as `rfm_table` returns it

    Returns
    -------
    DataFrame with the same index: r_score, f_score, m_score (int64, 1..5; total_spent
    decides m) and rfm_score (str, "111" to "555"). Equal values get equal scores, so
    that fifths are unequal where many customers are alike. Empty input, empty table.

    References
    ----------
    Hughes (1994), "Strategic Database Marketing". Quintiles compare customers with
    each other: the same customer may change score because others did.
    """
    scores = pd.DataFrame(
        {
            "r_score": _fifth(-rfm["recency_days"]),
            "f_score": _fifth(rfm["frequency"]),
            "m_score": _fifth(rfm["total_spent"]),
        }
    )
    digits = [scores[column].astype(str) for column in scores.columns]
    scores["rfm_score"] = digits[0] + digits[1] + digits[2]
    return scores


def customer_features(
    customers: pd.DataFrame,
    orders: pd.DataFrame,
    lines: pd.DataFrame,
    feedback: pd.DataFrame,
    conversations: pd.DataFrame,
    *,
    asof: datetime,
) -> pd.DataFrame:
    """All features, one row per customer of `customers`.

    Parameters
    ----------
    customers : customer_id (int64, unique), birth_date (datetime64 or date, may be
        missing), income (float, major units a year, may be missing)
    orders : order_id (int64), customer_id, ordered_at, amount, kind as in `rfm_table`
    lines : order_id, quantity (int; negative in returns), amount (float, of the line)
    feedback : customer_id, answered_at (datetime64, UTC; NaT unanswered), score (1..5)
    conversations : customer_id, opened_at (datetime64, UTC); one row per contact
    asof : aware; everything after it is ignored

    Returns
    -------
    DataFrame indexed by customer_id with the columns and dtypes of `FEATURES`:

    - recency_days, frequency, monetary_value, total_spent, net_spent as in
      `rfm_table`; without a sale frequency and total_spent are 0, net_spent is 0 or
      less, the other two are missing
    - tenure_days: whole days since the first sale
    - purchase_frequency: frequency / (tenure_days / 30), sales per 30 days; a tenure
      of 0 counts as 1 day; short_history is true below 30 days, where it exaggerates
    - average_price: amount per unit over the lines of sales
    - purchase_value: frequency x average_price, an index of the seeds, not revenue
    - returns_ratio: amount returned / amount sold (>= 0, may pass 1)
    - age in years (fraction), income as given
    - csi: mean score (1..5); ratings_count; contacts_count; contacts_per_order:
      contacts / frequency, missing without a sale

    Missing stays missing (NaN); nothing is filled in. Empty `customers` gives an
    empty table with these columns.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    require_columns(customers, "customers", ["customer_id", "birth_date", "income"])
    index = pd.Index(customers["customer_id"], dtype="int64", name="customer_id")
    person = pd.DataFrame(
        {
            "age": _age(customers["birth_date"], asof).to_numpy(),
            "income": customers["income"].astype("float64").to_numpy(),
        },
        index=index,
    )
    parts = [
        person,
        _purchases(orders, lines, asof),
        _service(feedback, conversations, asof),
    ]
    table = pd.concat([part.reindex(index) for part in parts], axis=1)
    counts = [
        "frequency",
        "total_spent",
        "net_spent",
        "ratings_count",
        "contacts_count",
    ]
    table[counts] = table[counts].fillna(0)
    table["short_history"] = table["tenure_days"] < SHORT_HISTORY_DAYS
    table["contacts_per_order"] = table["contacts_count"] / table["frequency"].where(
        table["frequency"] > 0
    )
    return table[list(FEATURES)].astype(FEATURES)


def high_income(features: pd.DataFrame, threshold: float) -> pd.Series[bool]:
    """Who earns more than the threshold.

    Parameters
    ----------
    features : as `customer_features` returns it
    threshold : major units a year, like income

    Returns
    -------
    Series of bool with the same index; false where income is missing.
    """
    return features["income"] > threshold


def _orders_until(orders: pd.DataFrame, asof: datetime) -> pd.DataFrame:
    columns = ["customer_id", "ordered_at", "amount", "kind"]
    require_columns(orders, "orders", columns)
    ordered_at = times(orders, "orders", "ordered_at")
    kept = orders["customer_id"].notna() & (ordered_at <= moment(asof))
    known = orders.loc[kept].assign(ordered_at=ordered_at[kept])
    return known.astype({"customer_id": "int64", "amount": "float64"})


def _days_until(moments: pd.Series[pd.Timestamp], asof: datetime) -> pd.Series[int]:
    return (moment(asof) - moments).dt.days


def _fifth(values: pd.Series[float]) -> pd.Series[int]:
    place = values.rank(method="average", pct=True)
    return pd.Series(np.ceil(place * 5), index=values.index).astype("int64")


def _age(birth_dates: pd.Series[pd.Timestamp], asof: datetime) -> pd.Series[float]:
    born = pd.to_datetime(birth_dates)
    today = moment(asof).tz_localize(None).normalize()
    return (today - born).dt.days / DAYS_PER_YEAR


def _purchases(
    orders: pd.DataFrame, lines: pd.DataFrame, asof: datetime
) -> pd.DataFrame:
    require_columns(orders, "orders", ["order_id"])
    known = _orders_until(orders, asof)
    table = rfm_table(orders, asof)
    sums = known.groupby(["kind", "customer_id"])["amount"].sum()
    sold = sums.get("sale", pd.Series(dtype="float64"))
    returned = sums.get("return", pd.Series(dtype="float64"))
    # A customer may have returns alone: net_spent is below 0, the rest missing.
    table = table.reindex(table.index.union(returned.index).astype("int64"))
    back = returned.reindex(table.index).fillna(0.0).abs()
    table["net_spent"] = table["total_spent"].fillna(0.0) - back
    table["returns_ratio"] = back / sold.where(sold > 0).reindex(table.index)
    sales = known[known["kind"] == "sale"]
    first = sales.groupby("customer_id")["ordered_at"].min()
    table["tenure_days"] = _days_until(first, asof).reindex(table.index)
    months = table["tenure_days"].clip(lower=1) / DAYS_PER_MONTH
    table["purchase_frequency"] = table["frequency"] / months
    table["average_price"] = _average_price(sales, lines).reindex(table.index)
    table["purchase_value"] = table["frequency"] * table["average_price"]
    return table


def _average_price(sales: pd.DataFrame, lines: pd.DataFrame) -> pd.Series[float]:
    require_columns(lines, "lines", ["order_id", "quantity", "amount"])
    buyer = sales.set_index("order_id")["customer_id"]
    owner = lines["order_id"].map(buyer)
    kept = owner.notna() & (lines["quantity"] > 0)
    sums = (
        lines.loc[kept, ["quantity", "amount"]]
        .astype("float64")
        .groupby(owner[kept].astype("int64"))
        .sum()
    )
    return sums["amount"] / sums["quantity"]


def _service(
    feedback: pd.DataFrame, conversations: pd.DataFrame, asof: datetime
) -> pd.DataFrame:
    require_columns(feedback, "feedback", ["customer_id", "answered_at", "score"])
    require_columns(conversations, "conversations", ["customer_id", "opened_at"])
    answered_at = times(feedback, "feedback", "answered_at")
    answered = feedback[feedback["score"].notna() & (answered_at <= moment(asof))]
    scores = answered["score"].astype("float64").groupby(answered["customer_id"])
    opened_at = times(conversations, "conversations", "opened_at")
    contacts = conversations[opened_at <= moment(asof)].groupby("customer_id").size()
    return pd.DataFrame(
        {
            "csi": scores.mean(),
            "ratings_count": scores.size(),
            "contacts_count": contacts,
        }
    )
