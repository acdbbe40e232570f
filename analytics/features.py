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
    "discount_ratio": "float64",
    "figures_supplied": "bool",
    "figures_age_days": "float64",
    "age": "float64",
    "income": "float64",
    "csi": "float64",
    "ratings_count": "int64",
    "contacts_count": "int64",
    "contacts_per_order": "float64",
    "events_count": "int64",
    "last_event_days": "float64",
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
    totals: pd.DataFrame,
    feedback: pd.DataFrame,
    conversations: pd.DataFrame,
    events: pd.DataFrame,
    figures: pd.DataFrame,
    *,
    asof: datetime,
) -> pd.DataFrame:
    """All features, one row per customer of `customers`.

    Parameters
    ----------
    customers : customer_id (int64, unique), birth_date (datetime64 or date, may be
        missing), income (float, major units a year, may be missing)
    totals : sums over the orders until `asof`, one row per customer with any:
        customer_id, sales_count, returns_count (int), sales, returns, discount (float,
        major units of one currency), units (int) and units_amount (float) of products
        in sales, first_sale_at, last_sale_at (datetime64, UTC)
    feedback : customer_id, answered_at (datetime64, UTC; NaT unanswered), score (1..5)
    conversations : customer_id, opened_at (datetime64, UTC); one row per contact
    events : one row per customer with any until `asof`: customer_id, events_count
        (int), last_event_at (datetime64, UTC)
    figures : one row per customer of whom a file says what they bought: customer_id,
        purchase_count, purchase_days, average_price (float, each may be missing),
        as_of (datetime64, UTC); used for customers without any order
    asof : aware, the data date; feedback and contacts after it are ignored

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
    - discount_ratio: discount / (amount sold + discount) (0..1)
    - figures_supplied: no order is known, but `figures` tells of the customer:
      frequency is the purchase_count, tenure_days the purchase_days, monetary_value
      and average_price the average_price, total_spent and net_spent their product;
      figures_age_days: whole days from then to `asof`, missing where not supplied
    - age in years (fraction), income as given
    - csi: mean score (1..5); ratings_count; contacts_count; contacts_per_order:
      contacts / frequency, missing without a sale
    - events_count; last_event_days: whole days since the last one

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
        _purchases(totals, asof),
        _supplied(figures, asof),
        _service(feedback, conversations, asof),
        _events(events, asof),
    ]
    table = pd.concat([part.reindex(index) for part in parts], axis=1)
    table = _with_supplied(table)
    counts = ["frequency", "ratings_count", "contacts_count", "events_count"]
    table[counts] = table[counts].fillna(0)
    # Nothing was spent where no order is known; of supplied figures it may be unknown.
    spent = ["total_spent", "net_spent"]
    table[spent] = table[spent].mask(~table["figures_supplied"], table[spent].fillna(0))
    table["short_history"] = table["tenure_days"] < SHORT_HISTORY_DAYS
    frequency = table["frequency"].where(table["frequency"] > 0)
    months = table["tenure_days"].clip(lower=1) / DAYS_PER_MONTH
    table["purchase_frequency"] = frequency / months
    table["purchase_value"] = frequency * table["average_price"]
    table["contacts_per_order"] = table["contacts_count"] / frequency
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


def _purchases(totals: pd.DataFrame, asof: datetime) -> pd.DataFrame:
    columns = ["sales_count", "returns_count", "sales", "returns", "discount"]
    columns += ["units", "units_amount", "first_sale_at", "last_sale_at"]
    require_columns(totals, "totals", ["customer_id", *columns])
    known = totals.set_index("customer_id")
    sales, count = known["sales"], known["sales_count"]
    full_price = sales + known["discount"]
    units = known["units"]
    first = times(known, "totals", "first_sale_at")
    last = times(known, "totals", "last_sale_at")
    return pd.DataFrame(
        {
            "orders_count": count + known["returns_count"],
            "recency_days": _days_until(last, asof),
            "frequency": count,
            "monetary_value": sales / count.where(count > 0),
            "total_spent": sales,
            "net_spent": sales - known["returns"].abs(),
            "tenure_days": _days_until(first, asof),
            "average_price": known["units_amount"] / units.where(units > 0),
            "returns_ratio": known["returns"].abs() / sales.where(sales > 0),
            "discount_ratio": known["discount"] / full_price.where(full_price > 0),
        },
        dtype="float64",
    )


def _supplied(figures: pd.DataFrame, asof: datetime) -> pd.DataFrame:
    columns = ["purchase_count", "purchase_days", "average_price", "as_of"]
    require_columns(figures, "figures", ["customer_id", *columns])
    told = figures.set_index("customer_id")
    price = told["average_price"].astype("float64")
    spent = told["purchase_count"].astype("float64") * price
    return pd.DataFrame(
        {
            "supplied_frequency": told["purchase_count"],
            "supplied_tenure_days": told["purchase_days"],
            "supplied_monetary_value": price,
            "supplied_average_price": price,
            "supplied_total_spent": spent,
            "supplied_net_spent": spent,
            "figures_age_days": _days_until(times(told, "figures", "as_of"), asof),
        },
        dtype="float64",
    )


def _with_supplied(table: pd.DataFrame) -> pd.DataFrame:
    """Supplied figures in the places of those that no order gives."""
    supplied = table["orders_count"].isna() & table["figures_age_days"].notna()
    table["figures_supplied"] = supplied
    table["figures_age_days"] = table["figures_age_days"].where(supplied)
    prefix = "supplied_"
    for name in [name for name in table.columns if name.startswith(prefix)]:
        own = name.removeprefix(prefix)
        table[own] = table[own].mask(supplied, table[name])
    return table


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


def _events(events: pd.DataFrame, asof: datetime) -> pd.DataFrame:
    columns = ["customer_id", "events_count", "last_event_at"]
    require_columns(events, "events", columns)
    known = events.set_index("customer_id")
    last = times(known, "events", "last_event_at")
    return pd.DataFrame(
        {
            "events_count": known["events_count"],
            "last_event_days": _days_until(last, asof),
        },
        dtype="float64",
    )
