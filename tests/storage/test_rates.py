"""In which currency amounts are added up, and what a currency was worth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import insert

from core.model import OrderKind
from storage import rates, schema
from storage.database import Connection, Database
from tests.storage.shop import NOW, TEST

Sell = Callable[..., None]


@pytest.fixture
def sell(database: Database) -> Sell:
    """Makes orders in these currencies."""

    def make(*currencies: str) -> None:
        def write(connection: Connection) -> None:
            added = insert(schema.sources).values(name="shop")
            key = connection.execute(added.returning(schema.sources.c.id)).scalar()
            for number, currency in enumerate(currencies):
                connection.execute(
                    insert(schema.orders).values(
                        source_id=key,
                        external_id=str(number),
                        kind=OrderKind.SALE,
                        ordered_at=NOW,
                        total_minor=100,
                        currency=currency,
                    )
                )

        database.write_now(TEST, write)

    return make


@pytest.mark.parametrize(
    ("currencies", "expected"),
    [
        ((), "EUR"),
        (("EUR", "GBP", "GBP"), "EUR"),
        (("GBP", "USD", "GBP"), "GBP"),
        (("USD", "GBP"), "GBP"),
    ],
)
def test_figures_are_in_the_shops_currency_where_that_can_be(
    database: Database, sell: Sell, currencies: tuple[str, ...], expected: str
) -> None:
    sell(*currencies)

    assert database.read_now(lambda c: rates.currency_of_figures(c, "EUR")) == expected


def test_a_rate_leads_to_the_shops_currency(database: Database, sell: Sell) -> None:
    sell("GBP")
    rate = {"currency": "GBP", "day": date(2026, 1, 1), "rate": 1.2}
    database.write_now(
        TEST, lambda c: c.execute(insert(schema.currency_rates).values(**rate))
    )

    assert database.read_now(lambda c: rates.currency_of_figures(c, "EUR")) == "EUR"
