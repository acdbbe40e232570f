"""What customers' orders add up to: one query for all of them, some, or one import."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.types import NullType

from core.model import OrderKind
from storage.bulk import insert_rows
from storage.money import OWN, factor_on, in_shop, utc_day
from storage.schema import customer_totals, imports, order_lines, orders

Row = Sequence[Any]

# The columns of `customer_totals`, in the order in which `sums_of_orders` gives them.
COLUMNS = tuple(column.name for column in customer_totals.c)


LATER = "later_count"
_SALE, _RETURN, _LATER = 1, 2, 3
_COUNTS = [COLUMNS.index(name) for name in COLUMNS if name.endswith("_count")]


def sums_of_orders(shop: str, now: datetime, condition: ColumnElement[bool]) -> Any:
    """One row per customer with an order that meets the condition.

    Parameters
    ----------
    shop : the currency of the sums; an order counts by the rate of its day (in UTC),
        rounded to minor units by itself, so that sums can be added to sums
    now : aware; later orders are in none of the sums
    condition : on `orders`

    Returns
    -------
    A query for `COLUMNS` in raw form, and `later_count`: orders after `now`.
    """
    one = _each_order(shop, now, condition).subquery("one")
    priced = one.c.factor >= OWN
    sale = and_(one.c.state == _SALE, priced)
    back = and_(one.c.state == _RETURN, priced)
    amount = {
        name: in_shop(one.c[name], one.c.factor)
        for name in ("total_minor", "discount_minor", "units_minor")
    }
    sums = {
        "sales_count": _count(sale),
        "returns_count": _count(back),
        "sales_minor": _sum(sale, amount["total_minor"]),
        "returns_minor": _sum(back, -amount["total_minor"]),
        "discount_minor": _sum(sale, amount["discount_minor"]),
        "units": _sum(sale, one.c.units),
        "units_minor": _sum(sale, amount["units_minor"]),
        "first_sale_at": _raw(func.min(case((sale, one.c.ordered_at)))),
        "last_sale_at": _raw(func.max(case((sale, one.c.ordered_at)))),
        "unpriced_count": _count(and_(one.c.state != _LATER, ~priced)),
        LATER: _count(one.c.state == _LATER),
    }
    return (
        select(one.c.customer_id, *(each.label(name) for name, each in sums.items()))
        .where(one.c.customer_id.is_not(None))
        .group_by(one.c.customer_id)
        .order_by(one.c.customer_id)
    )


def counted() -> ColumnElement[bool]:
    """Whether an order is in the totals: its import was added, or it has none."""
    added = exists().where(
        imports.c.id == orders.c.import_id,
        or_(
            imports.c.totalled_at.is_not(None),
            # Half added: as far as its customers were reached.
            imports.c.totalled_to >= orders.c.customer_id,
        ),
    )
    return and_(orders.c.set_aside.is_(None), or_(orders.c.import_id.is_(None), added))


def counted_whole() -> ColumnElement[bool]:
    """`counted`, where no import is half added; quicker on all orders."""
    missing = select(imports.c.id).where(imports.c.totalled_at.is_(None))
    whole = or_(orders.c.import_id.is_(None), orders.c.import_id.not_in(missing))
    return and_(orders.c.set_aside.is_(None), whole)


def of_import(import_id: int, after_customer: int) -> ColumnElement[bool]:
    """The orders of one import whose customers come after one."""
    return and_(
        orders.c.import_id == import_id,
        orders.c.customer_id > after_customer,
        orders.c.set_aside.is_(None),
    )


def insert(connection: Connection, rows: Sequence[Row]) -> None:
    """Store what `sums_of_orders` gave, of customers who have no total."""
    insert_rows(connection, customer_totals, COLUMNS, _worth_keeping(rows))


def add(connection: Connection, rows: Sequence[Row]) -> None:
    """Add what `sums_of_orders` gave to the totals that are there."""
    kept = _worth_keeping(rows)
    if kept:
        connection.exec_driver_sql(_addition(connection), kept)


def replace(
    connection: Connection, customer_ids: Iterable[int], rows: Sequence[Row]
) -> None:
    """Let the totals of these customers be what `sums_of_orders` gave of them."""
    old = customer_totals.c.customer_id.in_(customer_ids)
    connection.execute(delete(customer_totals).where(old))
    insert(connection, rows)


def with_later_orders(rows: Sequence[Row]) -> list[int]:
    """Customers whose sums lack an order, because it is dated after the query."""
    return [row[0] for row in rows if row[-1]]


def _each_order(
    shop: str, now: datetime, condition: ColumnElement[bool]
) -> Select[Any]:
    """Orders with what their products add up to.

    Grouped by order, both tables are read once in the order of their keys, and only
    orders, not lines, are sorted by customer afterwards.
    """
    sold = and_(
        order_lines.c.order_id == orders.c.id,
        order_lines.c.product_id.is_not(None),
        order_lines.c.quantity > 0,
    )
    # Numbers, and each once for an order: eleven sums ask for them.
    state = case(
        (orders.c.ordered_at > now, _LATER),
        (orders.c.kind == OrderKind.SALE, _SALE),
        else_=_RETURN,
    )
    factor = factor_on(orders.c.currency, utc_day(orders.c.ordered_at), shop)
    return (
        select(
            orders.c.customer_id,
            orders.c.ordered_at,
            state.label("state"),
            orders.c.total_minor,
            orders.c.discount_minor,
            factor.label("factor"),
            func.coalesce(func.sum(order_lines.c.quantity), 0).label("units"),
            func.coalesce(func.sum(order_lines.c.amount_minor), 0).label("units_minor"),
        )
        .select_from(orders.outerjoin(order_lines, sold))
        .where(condition)
        .group_by(orders.c.id)
    )


def _count(condition: ColumnElement[bool]) -> Any:
    return _sum(condition, 1)


def _sum(condition: ColumnElement[bool], value: Any) -> Any:
    # PostgreSQL adds integers up to numeric.
    return cast(func.sum(case((condition, value), else_=0)), BigInteger)


def _raw(moment: Any) -> Any:
    """As the driver gives it, and takes it again."""
    return type_coerce(moment, NullType())


def _worth_keeping(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Rows of the table: of who has an order that counts, or would with a rate."""
    width = len(COLUMNS)
    return [tuple(row[:width]) for row in rows if any(row[place] for place in _COUNTS)]


def _addition(connection: Connection) -> str:
    """An INSERT that adds a row to the one that is there."""
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    form = "{0} = customer_totals.{0} + excluded.{0}"
    forms = dict.fromkeys(COLUMNS[1:], form) | {
        "first_sale_at": _BETTER.format("{0}", "<"),
        "last_sale_at": _BETTER.format("{0}", ">"),
    }
    changes = ", ".join(form.format(name) for name, form in forms.items())
    return (
        f"INSERT INTO customer_totals ({', '.join(COLUMNS)})"  # noqa: S608  names of our schema
        f" VALUES ({', '.join([mark] * len(COLUMNS))})"
        f" ON CONFLICT (customer_id) DO UPDATE SET {changes}"
    )


_BETTER = (
    "{0} = CASE WHEN excluded.{0} {1} customer_totals.{0}"
    " OR customer_totals.{0} IS NULL THEN excluded.{0} ELSE customer_totals.{0} END"
)
