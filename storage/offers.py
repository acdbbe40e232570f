"""What a customer may be offered: stored recommendations, else what sells best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, select, true

from core.model import OrderKind
from storage.schema import model_runs, order_lines, orders, products, recommendations


@dataclass(frozen=True, slots=True)
class Item:
    """A product for one customer, with the reason as data."""

    product_id: int
    name: str
    url: str | None
    price_minor: int | None
    currency: str | None
    reason: str
    reason_product: str | None = None
    reason_share_ratio: float | None = None


class Choice(StrEnum):
    """Which of the stored recommendations: the best of all, or only new products."""

    BLEND = "blend"
    NEW_PRODUCTS = "new_products"


def recommended(
    connection: Connection,
    customer_ids: Sequence[int],
    top: int,
    choice: Choice,
    reason: str | None = None,
) -> dict[int, list[Item]]:
    """The first `top` current recommendations of each customer, best first.

    With a reason, only those that were recommended for it.
    """
    cause = products.alias("cause")
    wanted = recommendations.c.reason == reason if reason else true()
    rows = connection.execute(
        select(
            recommendations,
            products.c.name,
            products.c.url,
            products.c.price_minor,
            products.c.currency,
            cause.c.name.label("reason_product"),
        )
        .join(products, products.c.id == recommendations.c.product_id)
        .outerjoin(cause, cause.c.id == recommendations.c.reason_product_id)
        .where(
            recommendations.c.model_run_id == _current_run(choice),
            recommendations.c.customer_id.in_(customer_ids),
            products.c.active.is_(True),
            wanted,
        )
        .order_by(recommendations.c.customer_id, recommendations.c.rank)
    )
    found: dict[int, list[Item]] = {}
    for row in rows:
        items = found.setdefault(row.customer_id, [])
        if len(items) < top:
            items.append(_item(row))
    return found


def bestsellers(connection: Connection, since: datetime, top: int) -> list[Item]:
    """The products that most orders since then hold."""
    baskets = func.count(orders.c.id.distinct())
    rows = connection.execute(
        select(
            products.c.id.label("product_id"),
            products.c.name,
            products.c.url,
            products.c.price_minor,
            products.c.currency,
        )
        .join(order_lines, order_lines.c.product_id == products.c.id)
        .join(orders, orders.c.id == order_lines.c.order_id)
        .where(
            orders.c.ordered_at >= since,
            orders.c.kind == OrderKind.SALE,
            products.c.active.is_(True),
        )
        .group_by(products.c.id)
        .order_by(baskets.desc(), products.c.id)
        .limit(top)
    )
    return [
        Item(
            row.product_id, row.name, row.url, row.price_minor, row.currency, "popular"
        )
        for row in rows
    ]


def chosen(
    connection: Connection, external_ids: Sequence[str], reason: str = "chosen"
) -> list[Item]:
    """The products that a campaign names, in its order."""
    rows = connection.execute(
        select(products).where(
            products.c.external_id.in_(external_ids), products.c.active.is_(True)
        )
    ).all()
    by_id = {row.external_id: row for row in rows}
    return [
        Item(row.id, row.name, row.url, row.price_minor, row.currency, reason)
        for row in (by_id.get(each) for each in external_ids)
        if row is not None
    ]


def newest_sale_at(connection: Connection) -> datetime | None:
    """When the last order was placed: how fresh the data is."""
    newest: datetime | None = connection.scalar(select(func.max(orders.c.ordered_at)))
    return newest


def _current_run(choice: Choice) -> Any:
    return (
        select(func.max(model_runs.c.id))
        .where(
            model_runs.c.kind == "recommendations",
            model_runs.c.name == choice,
            model_runs.c.complete.is_(True),
        )
        .scalar_subquery()
    )


def _item(row: Any) -> Item:
    return Item(
        row.product_id,
        row.name,
        row.url,
        row.price_minor,
        row.currency,
        row.reason,
        row.reason_product,
        row.reason_share_ratio,
    )
