"""`sums_of_orders` in parts that PostgreSQL computes by several processes at once.

Orders in the shop's own currency need no rate: their heads and their lines are summed
apart, each by customer, and the few others as everywhere. SQLite has one process, and
is quicker where both tables are read once, order by order.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)

from core.model import OrderKind
from storage.schema import order_lines, orders
from storage.sums import COLUMNS, LATER, sums_of_orders

_NAMES = (*COLUMNS[1:], LATER)
_MOMENTS: dict[str, Any] = {"first_sale_at": func.min, "last_sale_at": func.max}


def parallel_sums(shop: str, now: datetime, condition: ColumnElement[bool]) -> Any:
    """The rows of `sums_of_orders`.

    Parameters
    ----------
    shop, now, condition : as there

    Returns
    -------
    A query for the same columns, with the same values.
    """
    own = and_(
        condition,
        orders.c.currency == shop,
        orders.c.ordered_at <= now,
        orders.c.customer_id.is_not(None),
    )
    other = or_(orders.c.currency != shop, orders.c.ordered_at > now)
    rest = sums_of_orders(shop, now, and_(condition, other)).order_by(None)
    parts = union_all(_heads(own), _lines(own), rest).subquery("parts")
    sums = [_MOMENTS.get(name, _total)(parts.c[name]).label(name) for name in _NAMES]
    person = parts.c.customer_id
    return select(person, *sums).group_by(person).order_by(person)


def _heads(condition: ColumnElement[bool]) -> Select[Any]:
    sale = orders.c.kind == OrderKind.SALE
    total, discount, at = (
        orders.c[name] for name in ("total_minor", "discount_minor", "ordered_at")
    )
    known = {
        "sales_count": _total(case((sale, 1), else_=0)),
        "returns_count": _total(case((sale, 0), else_=1)),
        "sales_minor": _total(case((sale, total), else_=0)),
        "returns_minor": _total(case((sale, 0), else_=-total)),
        "discount_minor": _total(case((sale, discount), else_=0)),
        "first_sale_at": func.min(case((sale, at))),
        "last_sale_at": func.max(case((sale, at))),
    }
    return _part(known).where(condition)


def _lines(condition: ColumnElement[bool]) -> Select[Any]:
    known = {
        "units": _total(order_lines.c.quantity),
        "units_minor": _total(order_lines.c.amount_minor),
    }
    return (
        _part(known)
        .join(order_lines, order_lines.c.order_id == orders.c.id)
        .where(
            condition,
            orders.c.kind == OrderKind.SALE,
            order_lines.c.product_id.is_not(None),
            order_lines.c.quantity > 0,
        )
    )


def _part(known: dict[str, Any]) -> Select[Any]:
    """All columns by customer; nothing in those that are not known here."""
    nothing = {
        name: cast(None, orders.c.ordered_at.type)
        if name in _MOMENTS
        else cast(literal(0), BigInteger)
        for name in _NAMES
    }
    columns = [each.label(name) for name, each in (nothing | known).items()]
    query = select(orders.c.customer_id, *columns)
    return query.select_from(orders).group_by(orders.c.customer_id)


def _total(value: Any) -> Any:
    return cast(func.sum(value), BigInteger)
