"""Stored amounts in the units that people count in, and in the shop's currency."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

from babel.core import get_global
from sqlalchemy import BigInteger, Date, case, func, literal, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from core.model import UNFINISHED_IMPORT_STATES
from storage.schema import currency_rates, imports

OWN = 0.0
NO_RATE = -1.0


def places(currency: str) -> int:
    """How many decimal places a currency has: 2 for EUR, 0 for JPY."""
    usual, others = _places()
    return next((p for p, codes in others.items() if currency in codes), usual)


def major(minor: Any, currency: Any) -> Any:
    """An amount in major units, by the places that its currency has."""
    usual, others = _places()
    return case(
        *((currency.in_(codes), minor / 10.0**p) for p, codes in others.items()),
        else_=minor / 10.0**usual,
    )


def rate_on(currency: Any, day: Any, shop: str) -> Any:
    """What one unit of `currency` was worth in the shop's: its newest rate that day.

    The shop's own currency, and none, are worth 1. Null where there is no rate on the
    day or before it. Rates of an import that is still running don't count.
    """
    return case((_is_own(currency, shop), literal(1.0)), else_=_newest(currency, day))


def factor_on(currency: Any, day: Any, shop: str) -> Any:
    """What `in_shop` multiplies minor units of `currency` by; never null.

    0 stands for the shop's own currency, which stays as it is, and -1 for one without
    a rate on the day or before it.
    """
    usual, others = _places()
    own = places(shop)
    shift = case(
        *((currency.in_(codes), 10.0 ** (own - p)) for p, codes in others.items()),
        else_=10.0 ** (own - usual),
    )
    told = func.coalesce(shift * _newest(currency, day), NO_RATE)
    return case((_is_own(currency, shop), literal(OWN)), else_=told)


def in_shop(minor: Any, factor: Any) -> Any:
    """An amount in whole minor units of the shop's currency, halves away from zero."""
    return case((factor == OWN, minor), else_=nearest(minor * factor))


def _is_own(currency: Any, shop: str) -> Any:
    return or_(currency == shop, currency.is_(None))


def _newest(currency: Any, day: Any) -> Any:
    rates = currency_rates.alias()
    unfinished = select(imports.c.id).where(
        imports.c.state.in_(UNFINISHED_IMPORT_STATES)
    )
    return (
        select(rates.c.rate)
        .where(
            rates.c.currency == currency,
            rates.c.day <= day,
            or_(rates.c.import_id.is_(None), rates.c.import_id.not_in(unfinished)),
        )
        .order_by(rates.c.day.desc())
        .limit(1)
        .correlate_except(rates, imports)
        .scalar_subquery()
    )


class nearest(FunctionElement[int]):  # noqa: N801  reads as the SQL function it is
    """The nearest whole number, halves away from zero, on every database alike."""

    inherit_cache = True
    type = BigInteger()


class utc_day(FunctionElement[Any]):  # noqa: N801  reads as the SQL function it is
    """The date of a stored moment, in UTC."""

    inherit_cache = True
    type = Date()


@compiles(nearest)
def _nearest(element: Any, compiler: Any, **options: Any) -> str:
    number = compiler.process(element.clauses, **options)
    # PostgreSQL's own rounding of doubles goes to the even neighbour.
    return f"CAST(sign({number}) * floor(abs({number}) + 0.5) AS BIGINT)"


@compiles(nearest, "sqlite")
def _nearest_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST(round({compiler.process(element.clauses, **options)}) AS INTEGER)"


@compiles(utc_day)
def _utc_day(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS DATE)"


@compiles(utc_day, "sqlite")
def _utc_day_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"substr({compiler.process(element.clauses, **options)}, 1, 10)"


@cache
def _places() -> tuple[int, dict[int, tuple[str, ...]]]:
    """The usual number of places, and the currencies that have another."""
    fractions = dict(get_global("currency_fractions"))
    usual = fractions.pop("DEFAULT")[0]
    codes: defaultdict[int, list[str]] = defaultdict(list)
    for code, (count, *_) in fractions.items():
        if count != usual:
            codes[count].append(code)
    return usual, {count: tuple(those) for count, those in codes.items()}
