"""Prices of products, from the orders of an import."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql

from core.records import RecordKind
from storage.bulk import lookup
from storage.import_journal import NO_ROW
from storage.ingest import Import
from storage.ingest_products import change_products
from storage.schema import import_changes, imports, order_lines, orders, products

PRICES_AT_ONCE = 500
# In minor units, currency, product.
Price: TypeAlias = tuple[int, str, int]


def newest_prices(connection: Connection, import_id: int) -> list[Price]:
    """What one unit cost in the newest sale of each product in an import.

    Products whose price a file of products told are left out.

    Parameters
    ----------
    connection : a reading one
    import_id : whose orders are looked at

    Returns
    -------
    Rows for `save_prices`: price in minor units, currency, product id.
    """
    newest = (
        _newest_postgresql
        if connection.dialect.name == "postgresql"
        else _newest_sqlite
    )
    told = _told(connection)
    return [
        ((2 * amount + quantity) // (2 * quantity), currency, key)
        for key, amount, quantity, currency in newest(connection, import_id)
        if key not in told
    ]


# Product, amount, quantity, currency.
_Sale: TypeAlias = tuple[int, int, int, str]


def _newest_postgresql(connection: Connection, import_id: int) -> Iterable[_Sale]:
    query = (
        select(
            order_lines.c.product_id,
            order_lines.c.amount_minor,
            order_lines.c.quantity,
            orders.c.currency,
        )
        .join(orders, orders.c.id == order_lines.c.order_id)
        .where(
            orders.c.import_id == import_id,
            order_lines.c.product_id.is_not(None),
            order_lines.c.amount_minor > 0,
            order_lines.c.quantity > 0,
        )
        .ext(postgresql.distinct_on(order_lines.c.product_id))
        .order_by(
            order_lines.c.product_id,
            orders.c.ordered_at.desc(),
            orders.c.id.desc(),
            order_lines.c.line_no.desc(),
        )
    )
    return map(tuple, connection.execute(query))


def _newest_sqlite(connection: Connection, import_id: int) -> Iterable[_Sale]:
    """SQLite would sort all lines in memory; read in their order, they need none."""
    driver: Any = connection.connection.driver_connection
    seen: dict[int, str] = {}
    found: dict[int, _Sale] = {}
    for key, at, amount, quantity, currency in driver.execute(_LINES, (import_id,)):
        # Of equal moments the later order, and its later line, counts.
        if at >= seen.get(key, ""):
            seen[key] = at
            found[key] = key, amount, quantity, currency
    return found.values()


_LINES = """
SELECT l.product_id, o.ordered_at, l.amount_minor, l.quantity, o.currency
FROM orders AS o CROSS JOIN order_lines AS l ON l.order_id = o.id
WHERE o.import_id = ? AND l.product_id IS NOT NULL
AND l.amount_minor > 0 AND l.quantity > 0
ORDER BY o.id, l.line_no
"""


def save_prices(connection: Connection, row: Import, prices: Sequence[Price]) -> None:
    """Let products have the prices of `newest_prices`, and keep what they were.

    Parameters
    ----------
    connection : a writing one
    row : the import that they come from
    prices : at most `PRICES_AT_ONCE` of them, so that the write stays short
    """
    wanted = {key: (price, currency) for price, currency, key in prices}
    names = ("id", "import_id", "price_minor", "currency")
    columns = [products.c[name] for name in names]
    differing = {
        each: dict(zip(names[2:], wanted[each.id], strict=True))
        for each in lookup(connection, products.c.id, wanted, columns)
        if (each.price_minor, each.currency) != wanted[each.id]
    }
    change_products(connection, row, differing)


def _told(connection: Connection) -> set[int]:
    """Products whose price is that of a file of products."""
    of_files = select(imports.c.id).where(imports.c.kind == RecordKind.PRODUCTS)
    made = select(products.c.id).where(
        products.c.import_id.in_(of_files), products.c.price_minor.is_not(None)
    )
    changes = select(import_changes.c.row_id, import_changes.c.before).where(
        import_changes.c.import_id.in_(of_files),
        import_changes.c.table_name == products.name,
        import_changes.c.row_id != NO_ROW,
    )
    changed = {
        key
        for key, entry in connection.execute(changes)
        if "price_minor" in entry["now"]
    }
    return changed | set(connection.scalars(made))
