"""Offers: current recommendations with their reasons, bestsellers, chosen products."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from core.model import OrderKind
from storage import offers
from storage.database import Connection, Database
from storage.offers import Choice
from storage.schema import (
    model_runs,
    order_lines,
    orders,
    products,
    recommendations,
    sources,
)
from tests.storage.shop import NOW, TEST, new_customer

WEEK = timedelta(days=7)


@pytest.fixture
def shop(database: Database) -> Database:
    """Four products, the last one not sold any more, and a customer."""

    def work(connection: Connection) -> None:
        connection.execute(insert(sources).values(id=1, name="till"))
        for number, name in enumerate(("tea", "cup", "pot", "jug"), 1):
            values = {"id": number, "source_id": 1, "name": name, "price_minor": 100}
            connection.execute(
                insert(products).values(
                    **values, external_id=f"P{number}", active=name != "jug"
                )
            )
        new_customer(connection, "ann@shop.example")

    database.write_now(TEST, work)
    return database


def recommend(
    database: Database,
    *ranked: int,
    name: str = "blend",
    complete: bool = True,
    **details: Any,
) -> None:
    """A newer run that recommends these products to the customer, best first."""

    def work(connection: Connection) -> None:
        run = connection.execute(
            insert(model_runs)
            .values(
                kind="recommendations", name=name, complete=complete, created_at=NOW
            )
            .returning(model_runs.c.id)
        ).scalar_one()
        for rank, product in enumerate(ranked, 1):
            values = {"model_run_id": run, "customer_id": 1, "rank": rank}
            shown = {"method": "similar", "reason": "similar", "score": 1.0, **details}
            connection.execute(
                insert(recommendations).values(product_id=product, **values, **shown)
            )

    database.write_now(TEST, work)


def recommended(
    database: Database, top: int = 9, choice: Choice = Choice.BLEND
) -> list[str]:
    found = database.read_now(lambda c: offers.recommended(c, [1], top, choice))
    return [item.name for item in found.get(1, [])]


def sell(
    database: Database,
    *lines: int,
    at: datetime = NOW,
    kind: OrderKind = OrderKind.SALE,
    number: str,
) -> None:
    def work(connection: Connection) -> None:
        values = {"source_id": 1, "external_id": number, "total_minor": 1}
        order = connection.execute(
            insert(orders)
            .values(kind=kind, ordered_at=at, currency="EUR", **values)
            .returning(orders.c.id)
        ).scalar_one()
        for line_no, product in enumerate(lines, 1):
            connection.execute(
                insert(order_lines).values(
                    order_id=order,
                    line_no=line_no,
                    product_id=product,
                    quantity=1,
                    amount_minor=1,
                )
            )

    database.write_now(TEST, work)


def test_recommendations_come_best_first_up_to_the_top(shop: Database) -> None:
    recommend(shop, 3, 1, 2)

    assert recommended(shop) == ["pot", "tea", "cup"]
    assert recommended(shop, top=2) == ["pot", "tea"]


def test_what_is_sold_no_more_is_not_offered(shop: Database) -> None:
    recommend(shop, 4, 1)

    assert recommended(shop, top=1) == ["tea"]


def test_only_the_newest_complete_run_counts(shop: Database) -> None:
    recommend(shop, 1)
    recommend(shop, 2)
    recommend(shop, 3, complete=False)

    assert recommended(shop) == ["cup"]


def test_a_recommendation_says_why(shop: Database) -> None:
    recommend(shop, 2, reason="basket", reason_product_id=1, reason_share_ratio=0.41)

    found = shop.read_now(lambda c: offers.recommended(c, [1], 1, Choice.BLEND))

    [item] = found[1]
    assert (item.reason, item.reason_product, item.reason_share_ratio) == (
        "basket",
        "tea",
        0.41,
    )


def test_without_a_run_there_is_no_recommendation(shop: Database) -> None:
    assert recommended(shop) == []


def test_bestsellers_are_what_most_orders_hold(shop: Database) -> None:
    sell(shop, 1, 2, number="a")
    sell(shop, 2, 2, number="b")
    # Twenty lines in one order are one order.
    sell(shop, *[1] * 20, number="c")
    sell(shop, 2, 3, number="d")

    found = shop.read_now(lambda c: offers.bestsellers(c, NOW - WEEK, 2))

    assert [(item.name, item.reason) for item in found] == [
        ("cup", "popular"),
        ("tea", "popular"),
    ]


def test_returns_old_orders_and_gone_products_are_no_bestsellers(
    shop: Database,
) -> None:
    sell(shop, 1, number="a", kind=OrderKind.RETURN)
    sell(shop, 2, number="b", at=NOW - 2 * WEEK)
    sell(shop, 4, number="c")

    assert shop.read_now(lambda c: offers.bestsellers(c, NOW - WEEK, 9)) == []


def test_chosen_products_keep_the_order_of_the_campaign(shop: Database) -> None:
    found = shop.read_now(lambda c: offers.chosen(c, ["P3", "P4", "nope", "P1"]))

    assert [item.name for item in found] == ["pot", "tea"]


def test_the_newest_order_tells_how_fresh_the_data_is(shop: Database) -> None:
    before = shop.read_now(offers.newest_sale_at)
    sell(shop, 1, number="a", at=NOW - WEEK)
    sell(shop, 1, number="b", at=NOW - 2 * WEEK)

    assert (before, shop.read_now(offers.newest_sale_at)) == (None, NOW - WEEK)
