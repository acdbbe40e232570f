"""What one unit of a currency was worth on a day, in the shop's own."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, func, literal, select

from storage.ingest import arrived_orders
from storage.schema import currency_rates, orders


def rate_on(connection: Connection, currency: str, day: date) -> float | None:
    """The rate that held on a day: the newest one from that day or before it.

    None where no rate of the currency is so old: a later one is not carried back.
    """
    return connection.scalar(
        select(currency_rates.c.rate)
        .where(currency_rates.c.currency == currency, currency_rates.c.day <= day)
        .order_by(currency_rates.c.day.desc())
        .limit(1)
    )


def currency_of_figures(connection: Connection, shop: str) -> str:
    """The currency that amounts are added up in: the shop's, where that can be.

    Where no order is in it and no rate leads to it, the one that most orders are in:
    figures in another currency say more than none.
    """
    in_it = select(literal(1)).where(orders.c.currency == shop, arrived_orders())
    leads = select(literal(1)).select_from(currency_rates)
    if any(connection.scalar(query.limit(1)) for query in (in_it, leads)):
        return shop
    commonest = (
        select(orders.c.currency)
        .where(arrived_orders())
        .group_by(orders.c.currency)
        .order_by(func.count().desc(), orders.c.currency)
        .limit(1)
    )
    return connection.scalar(commonest) or shop
