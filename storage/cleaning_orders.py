"""Orders, lines and products for cleaning: the few that may be wrong, found in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    and_,
    cast,
    func,
    or_,
    select,
    true,
    update,
)

from core.model import UNFINISHED_IMPORT_STATES, Finding, OrderKind
from storage.bulk import lookup
from storage.dialect import earlier
from storage.money import major
from storage.schema import currency_rates, imports, order_lines, orders, products
from storage.totals import mark_stale

ORDERS = (
    *("order_id", "customer_id", "kind", "ordered_at", "set_aside", "total"),
    "units_max",
)
LINES = ("order_id", "line_no", "customer_id", "amount")
VALUES = ("product", "value", "count")
PRODUCTS = ("product_id", "code", "name", "price")
# As `analytics.clean_rule` names them.
IN_FUTURE, DATE_COME, RETURN_KIND = "order_in_future", "order_date_come", "return_kind"
# What is usual of a product is told by so many of the newest orders.
BASELINE_ORDERS = 100_000
REPEATED_WITHIN = timedelta(minutes=1)

Row = Any


@dataclass(frozen=True, slots=True)
class Scope:
    """Which orders are judged: all, or those that came after the last pass."""

    after_id: int = 0
    imported_since: datetime | None = None

    def holds(self) -> ColumnElement[bool]:
        """Whether an order is to be judged; rows of running imports never are."""
        running = imports.c.state.in_(UNFINISHED_IMPORT_STATES)
        unfinished = select(imports.c.id).where(running)
        whole = or_(orders.c.import_id.is_(None), orders.c.import_id.not_in(unfinished))
        return and_(whole, self._is_new())

    def _is_new(self) -> ColumnElement[bool]:
        if self.imported_since is None:
            return true()
        late = imports.c.completed_at >= self.imported_since
        return or_(
            orders.c.id > self.after_id,
            orders.c.import_id.in_(select(imports.c.id).where(late)),
        )


# --- what is judged -------------------------------------------------------------------


def count(connection: Connection, scope: Scope) -> int:
    """How many orders are judged."""
    query = select(func.count()).select_from(orders).where(scope.holds())
    return connection.scalar(query) or 0


def doubtful_orders(
    connection: Connection, scope: Scope, future: datetime
) -> list[Row]:
    """`ORDERS` that may be set aside, brought back, or turned into returns."""
    units_max = (
        select(func.max(order_lines.c.quantity))
        .where(order_lines.c.order_id == orders.c.id)
        .scalar_subquery()
    )
    negative = or_(orders.c.total_minor < 0, units_max < 0)
    query = select(
        orders.c.id,
        orders.c.customer_id,
        orders.c.kind,
        orders.c.ordered_at,
        orders.c.set_aside,
        major(orders.c.total_minor, orders.c.currency),
        units_max,
    ).where(
        or_(
            orders.c.set_aside.is_not(None),
            and_(scope.holds(), orders.c.ordered_at > future),
            and_(scope.holds(), orders.c.kind == OrderKind.SALE, negative),
        )
    )
    return list(connection.execute(query.order_by(orders.c.id)))


def repeated_orders(connection: Connection, scope: Scope) -> list[Row]:
    """Id, customer and moment of sales that another one resembles.

    The same customer, total and currency within a minute.
    """
    twin = orders.alias("twin")
    query = (
        select(orders.c.id, twin.c.id)
        .join(
            twin,
            and_(
                twin.c.customer_id == orders.c.customer_id,
                twin.c.ordered_at <= orders.c.ordered_at,
                twin.c.ordered_at
                >= earlier(connection, orders.c.ordered_at, REPEATED_WITHIN),
                twin.c.total_minor == orders.c.total_minor,
                twin.c.currency == orders.c.currency,
                twin.c.kind == OrderKind.SALE,
                twin.c.id != orders.c.id,
            ),
        )
        .where(scope.holds(), orders.c.kind == OrderKind.SALE)
    )
    ids = sorted({key for pair in connection.execute(query) for key in pair})
    columns = orders.c.id, orders.c.customer_id, orders.c.ordered_at
    return list(lookup(connection, orders.c.id, ids, columns))


def lines_of(connection: Connection, ids: Sequence[int]) -> list[Row]:
    """Order, product, quantity and amount (minor) of all lines of these orders."""
    columns = [
        order_lines.c[name]
        for name in ("order_id", "product_id", "quantity", "amount_minor")
    ]
    return list(lookup(connection, order_lines.c.order_id, ids, columns))


def seen_quantities(connection: Connection, scope: Scope) -> list[Row]:
    """`VALUES`: how often each product was bought in which quantity."""
    columns = order_lines.c.product_id, order_lines.c.quantity
    query = _lines(scope, *columns, func.count()).group_by(*columns)
    return list(connection.execute(query))


def seen_prices(connection: Connection, scope: Scope) -> list[Row]:
    """`VALUES`: how often each product had which unit price, in minor units.

    What `product` holds is the product with the currency.
    """
    price = cast(order_lines.c.amount_minor, Float) / order_lines.c.quantity
    columns = order_lines.c.product_id, orders.c.currency, price.label("price")
    paid = order_lines.c.quantity != 0, order_lines.c.amount_minor != 0
    query = _lines(scope, *columns, func.count().label("lines")).where(*paid)
    found = connection.execute(query.group_by(*columns))
    return [((row[0], row[1]), row[2], row[3]) for row in found]


def lines_of_products(
    connection: Connection, scope: Scope, product_ids: Iterable[int]
) -> list[Row]:
    """Each line of these products in the orders that are judged.

    Order, line, customer, product, currency, quantity, amount (minor, and major).
    """
    columns = (
        order_lines.c.order_id,
        order_lines.c.line_no,
        orders.c.customer_id,
        order_lines.c.product_id,
        orders.c.currency,
        order_lines.c.quantity,
        order_lines.c.amount_minor,
        major(order_lines.c.amount_minor, orders.c.currency).label("amount"),
    )
    found = lookup(
        connection,
        order_lines.c.product_id,
        product_ids,
        columns,
        orders.c.id == order_lines.c.order_id,
        scope.holds(),
    )
    return list(found)


def unpaid_lines(connection: Connection, scope: Scope) -> list[Row]:
    """`LINES` of products in sales that bring no money."""
    query = (
        select(
            order_lines.c.order_id,
            order_lines.c.line_no,
            orders.c.customer_id,
            major(order_lines.c.amount_minor, orders.c.currency),
        )
        .join(orders, orders.c.id == order_lines.c.order_id)
        .where(
            scope.holds(),
            orders.c.kind == OrderKind.SALE,
            order_lines.c.product_id.is_not(None),
            order_lines.c.quantity > 0,
            order_lines.c.amount_minor <= 0,
        )
    )
    return list(connection.execute(query))


def product_rows(connection: Connection) -> list[Row]:
    """`PRODUCTS`: all of them."""
    price = major(products.c.price_minor, products.c.currency)
    query = select(products.c.id, products.c.external_id, products.c.name, price)
    return list(connection.execute(query.order_by(products.c.id)))


def currencies_without_rate(
    connection: Connection, scope: Scope, home: str
) -> list[tuple[int, str]]:
    """Sources and the currencies of their orders that nobody can convert."""
    known = select(currency_rates.c.currency)
    query = (
        select(orders.c.source_id, orders.c.currency)
        .where(
            scope.holds(),
            orders.c.currency != home,
            orders.c.currency.not_in(known),
        )
        .distinct()
        .order_by(orders.c.source_id, orders.c.currency)
    )
    return [(row.source_id, row.currency) for row in connection.execute(query)]


def _lines(scope: Scope, *columns: Any) -> Any:
    """Lines of products, from which what is usual is learnt."""
    first = max(0, scope.after_id - BASELINE_ORDERS) if scope.imported_since else 0
    return (
        select(*columns)
        .select_from(order_lines)
        .join(orders, orders.c.id == order_lines.c.order_id)
        .where(order_lines.c.order_id >= first, order_lines.c.product_id.is_not(None))
    )


# --- what is stored -------------------------------------------------------------------


def apply(connection: Connection, findings: Sequence[Finding]) -> list[Finding]:
    """Set orders aside, bring them back, turn them; those that differ by now stay."""
    if not findings:
        return []
    ids = {each.record_id for each in findings}
    rows = connection.execute(
        select(orders).where(orders.c.id.in_(ids)).with_for_update()
    )
    stored = {row.id: row for row in rows}
    made = [each for each in findings if _still(stored.get(each.record_id), each)]
    for each in made:
        connection.execute(
            update(orders).where(orders.c.id == each.record_id).values(_values(each))
        )
    mark_stale(
        connection, {each.customer_id for each in made if each.customer_id is not None}
    )
    return made


def _still(row: Row | None, found: Finding) -> bool:
    if row is None:
        return False
    if found.rule == RETURN_KIND:
        return bool(row.kind == found.before)
    return (row.set_aside is None) == (found.rule == IN_FUTURE)


def _values(found: Finding) -> dict[str, str | None]:
    if found.rule == RETURN_KIND:
        return {"kind": found.after}
    return {"set_aside": IN_FUTURE if found.rule == IN_FUTURE else None}
