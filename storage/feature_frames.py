"""What features are computed from, as frames: sums instead of orders and events.

The sums over orders are those of `totals`: refresh them first. Ids are int64, moments
datetime64 in UTC, money floats in major units of the shop's currency; a missing value
is NaN or NaT. Customers who were merged appear as their survivor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Select, func, select

from storage.frames import MOMENT, feedback_frame, survivor, with_customer
from storage.ingest import arrived, arrived_orders
from storage.money import major, places, rate_on, utc_day
from storage.schema import (
    conversations,
    customer_totals,
    customers,
    episodes,
    events,
    orders,
    supplied_figures,
)


@dataclass(frozen=True, slots=True, eq=False)
class CustomerFrames:
    """All that `analytics.features.customer_features` takes."""

    customers: pd.DataFrame
    totals: pd.DataFrame
    feedback: pd.DataFrame
    conversations: pd.DataFrame
    events: pd.DataFrame
    figures: pd.DataFrame


def customer_frames(
    connection: Connection, shop: str, asof: datetime
) -> CustomerFrames:
    """All that features are computed from, of one moment, in the shop's currency."""
    return CustomerFrames(
        customers_frame(connection, shop, asof),
        totals_frame(connection, shop),
        feedback_frame(connection),
        contacts_frame(connection),
        events_frame(connection, asof),
        figures_frame(connection, shop),
    )


def orders_extent(connection: Connection, now: datetime) -> tuple[int, datetime | None]:
    """How many orders count until now, those of nobody among them; and the newest."""
    query = select(func.count(), func.max(orders.c.ordered_at))
    found = connection.execute(
        query.where(arrived_orders(), orders.c.ordered_at <= now)
    ).one()
    return found[0], found[1]


def customers_count(connection: Connection) -> int:
    """How many rows `customers_frame` has."""
    known = customers.c.alias_of.is_(None), customers.c.erased_at.is_(None)
    query = select(func.count()).select_from(customers).where(*known)
    return connection.scalar(query) or 0


def customers_frame(connection: Connection, shop: str, asof: datetime) -> pd.DataFrame:
    """One row per customer who is neither merged into another nor erased.

    Returns
    -------
    customer_id (int64, ascending), birth_date (datetime64 or NaT), income (float,
    major units a year, by the newest rate of its currency; missing without one).
    """
    table = customers
    currency = func.coalesce(table.c.income_currency, shop)
    rate = rate_on(currency, asof.date(), shop)
    query = select(
        table.c.id.label("customer_id"),
        table.c.birth_date,
        (major(table.c.income_minor, currency) * rate).label("income"),
    ).where(table.c.alias_of.is_(None), table.c.erased_at.is_(None))
    types = {"customer_id": "int64", "income": "float64"}
    frame = _read(connection, query.order_by(table.c.id), types)
    frame["birth_date"] = pd.to_datetime(frame["birth_date"])
    return frame


def attributes_frame(connection: Connection, names: Sequence[str]) -> pd.DataFrame:
    """Numeric attributes, one row per customer of `customers_frame`.

    Returns
    -------
    Indexed by customer_id; for each name a column `attributes.NAME` (float): missing
    where a customer has no such attribute, or one that is no number.
    """
    labels = [f"attributes.{name}" for name in names]
    values = [
        customers.c.attributes[name].as_string().label(label)
        for name, label in zip(names, labels, strict=True)
    ]
    query = select(customers.c.id.label("customer_id"), *values).where(
        customers.c.alias_of.is_(None), customers.c.erased_at.is_(None)
    )
    frame = _read(
        connection, query.order_by(customers.c.id), {"customer_id": "int64"}
    ).set_index("customer_id")
    return frame.apply(pd.to_numeric, errors="coerce").astype("float64")


def totals_frame(connection: Connection, shop: str) -> pd.DataFrame:
    """One row per customer with an order that counts.

    Returns
    -------
    customer_id (int64), sales_count, returns_count (int64), sales, returns, discount
    (float, major units), units (int64), units_amount (float), first_sale_at,
    last_sale_at (datetime64, UTC; NaT of who has returns alone).
    """
    types = dict.fromkeys(("customer_id", *_SUMS), "int64")
    types |= {"first_sale_at": MOMENT, "last_sale_at": MOMENT}
    columns = [customer_totals.c[name] for name in types]
    frame = _read(connection, select(*columns), types)
    frame["customer_id"] = _survivors(connection, frame["customer_id"])
    if frame["customer_id"].duplicated().any():
        how = dict.fromkeys(_SUMS, "sum")
        how |= {"first_sale_at": "min", "last_sale_at": "max"}
        frame = frame.groupby("customer_id", as_index=False).agg(how)
    for minor, name in _AMOUNTS.items():
        frame[name] = frame.pop(minor) / 10.0 ** places(shop)
    return frame


def contacts_frame(connection: Connection) -> pd.DataFrame:
    """One row per episode of somebody we know: a time that they came to us.

    Returns
    -------
    customer_id (int64), opened_at (datetime64, UTC).
    """
    both = conversations.join(
        episodes, episodes.c.conversation_id == conversations.c.id
    )
    query = (
        select(survivor(conversations.c.customer_id), episodes.c.opened_at)
        .select_from(with_customer(both))
        .where(conversations.c.customer_id.is_not(None), arrived(episodes))
        .order_by(episodes.c.id)
    )
    types = {"customer_id": "int64", "opened_at": MOMENT}
    return _read(connection, query, types)


def events_frame(connection: Connection, asof: datetime) -> pd.DataFrame:
    """One row per customer who did something until `asof`.

    Returns
    -------
    customer_id, events_count (int64), last_event_at (datetime64, UTC).
    """
    person = survivor(events.c.customer_id)
    query = (
        select(
            person,
            func.count().label("events_count"),
            func.max(events.c.at).label("last_event_at"),
        )
        .select_from(with_customer(events))
        .where(events.c.at <= asof, arrived(events))
        .group_by(person)
    )
    types = {"customer_id": "int64", "events_count": "int64", "last_event_at": MOMENT}
    return _read(connection, query, types)


def figures_frame(connection: Connection, shop: str) -> pd.DataFrame:
    """What files say that customers bought; of several, the newest.

    Returns
    -------
    customer_id (int64, unique), purchase_count, purchase_days (float, may be missing),
    average_price (float, major units, by the rate of that day), as_of (datetime64).
    """
    table = supplied_figures
    currency = func.coalesce(table.c.currency, shop)
    rate = rate_on(currency, utc_day(table.c.as_of), shop)
    query = (
        select(
            survivor(table.c.customer_id),
            table.c.purchase_count,
            table.c.purchase_days,
            (major(table.c.average_price_minor, currency) * rate).label(
                "average_price"
            ),
            table.c.as_of,
        )
        .select_from(with_customer(table))
        .where(arrived(table))
        .order_by(table.c.as_of, table.c.id)
    )
    numbers = ("purchase_count", "purchase_days", "average_price")
    types = {"customer_id": "int64", **dict.fromkeys(numbers, "float64")}
    frame = _read(connection, query, types | {"as_of": MOMENT})
    return frame.drop_duplicates("customer_id", keep="last").reset_index(drop=True)


_AMOUNTS = {
    "sales_minor": "sales",
    "returns_minor": "returns",
    "discount_minor": "discount",
    "units_minor": "units_amount",
}
_SUMS = ("sales_count", "returns_count", "units", *_AMOUNTS)


def _read(
    connection: Connection, query: Select[Any], types: Mapping[str, str]
) -> pd.DataFrame:
    """What a query of numbers, words and moments gives, in columns.

    There may be a row for every customer: values are taken as the driver gives them,
    which costs a third of rows that know their names.
    """
    result = connection.execute(query)
    names = list(result.keys())
    rows = result.cursor.fetchall() if result.cursor else []
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    frame = pd.DataFrame(
        {
            name: _column(values, types.get(name))
            for name, values in zip(names, columns, strict=True)
        }
    )
    result.close()
    return frame


def _column(values: tuple[Any, ...], kind: str | None) -> Any:
    if kind == MOMENT:
        return _moments(values)
    if kind == "int64":
        return np.array(values, dtype="int64")
    if kind == "float64":
        # None becomes not-a-number.
        return np.array(values, dtype="float64")
    return pd.Series(values, dtype="object")


def _moments(values: tuple[Any, ...]) -> Any:
    if not any(isinstance(value, str) for value in values):
        moments = pd.to_datetime(pd.Series(values, dtype="object"), utc=True)
        return moments.dt.as_unit("us")
    # The one form of a moment in SQLite; numpy reads it without the Z of UTC.
    plain = ["NaT" if value is None else value[:-1] for value in values]
    column = pd.Series(np.array(plain, dtype="datetime64[us]"))
    return column.dt.tz_localize("UTC")


def _survivors(connection: Connection, ids: pd.Series[int]) -> pd.Series[int]:
    """Whom these customer numbers stand for now."""
    query = select(customers.c.id, customers.c.alias_of)
    rows: Any = connection.execute(query.where(customers.c.alias_of.is_not(None)))
    aliases = {row.id: row.alias_of for row in rows}
    return ids.map(lambda each: aliases.get(each, each)) if aliases else ids
