"""What one unit of a currency was worth on a day, in the shop's own."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, select

from storage.schema import currency_rates


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
