"""All that is stored about one person, for them to read and to take along."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, or_, select

from core.errors import DataError, Problem
from storage import customers
from storage.registry import CHILDREN, CUSTOMER_KEYS, Child
from storage.schema import customers as people
from storage.schema import identities, order_lines, products

# How the program works, and nothing about the person.
INTERNAL = frozenset(
    {
        *("claimed_by", "fence", "lease_until", "attempts", "ordinal", "place"),
        *("import_id", "inbox_id", "external_id", "dialogue", "version", "moved"),
    }
)

Person = dict[str, Any]


def unknown(customer_id: int) -> Problem:
    """What to say of a number that no customer has."""
    hint = "See: rapport customer find NAME"
    return Problem("no such customer", str(customer_id), hint=hint)


def find(connection: Connection, words: str, limit: int = 20) -> list[tuple[int, str]]:
    """Customers whose name, address or id holds these words: ids and names."""
    like = f"%{words.strip()}%"
    query = (
        select(people.c.id, people.c.name)
        .outerjoin(identities, identities.c.customer_id == people.c.id)
        .where(
            people.c.alias_of.is_(None),
            people.c.erased_at.is_(None),
            or_(
                people.c.name.ilike(like),
                identities.c.value.ilike(like),
                identities.c.typed.ilike(like),
            ),
        )
        .distinct()
        .order_by(people.c.id)
        .limit(limit)
    )
    return [(row.id, row.name or "") for row in connection.execute(query)]


def collect(connection: Connection, customer_id: int, now: datetime) -> Person:
    """Everything about a customer, the merged ones included, as JSON takes it.

    Returns
    -------
    `exported_at`, `customer`, and for each table with rows a list under its name;
    rows that belong to another row (the lines of an order) stand inside it.

    Raises
    ------
    DataError : there is no such customer
    """
    if customers.get(connection, customer_id) is None:
        raise DataError(unknown(customer_id))
    survivor = customers.survivor_of(connection, customer_id)
    ids = customers.ids_of(connection, survivor)
    found: Person = {
        "exported_at": now.isoformat(),
        "customer": _rows(connection, select(people).where(people.c.id == survivor))[0],
    }
    conditions: dict[Table, list[Any]] = {}
    for key in CUSTOMER_KEYS:
        if key.export:
            conditions.setdefault(key.table, []).append(key.key.in_(ids))
    for table, alternatives in conditions.items():
        query = select(table).where(or_(*alternatives))
        rows = _rows(connection, query.order_by(*table.primary_key))
        for child in CHILDREN:
            if child.parent is table and child.export:
                _attach(connection, child, rows)
        if rows:
            found[table.name] = [_without_internal(row) for row in rows]
    return found


def _attach(connection: Connection, child: Child, parents: Sequence[Person]) -> None:
    """Put the rows of a child table into the rows that they belong to."""
    by_id: dict[Any, Person] = {parent["id"]: parent for parent in parents}
    column = child.table.c[child.column]
    query: Any = select(child.table).where(column.in_(list(by_id)))
    if child.table is order_lines:
        query = query.add_columns(products.c.name.label("product")).outerjoin(
            products, products.c.id == order_lines.c.product_id
        )
    for row in _rows(connection, query.order_by(*child.table.primary_key)):
        parent = by_id[row[child.column]]
        parent.setdefault(child.table.name, []).append(_without_internal(row))


def _rows(connection: Connection, query: Select[Any]) -> list[Person]:
    return [_plain(row) for row in connection.execute(query)]


def _plain(row: Row[Any]) -> Person:
    return {
        name: value.isoformat() if isinstance(value, datetime | date) else value
        for name, value in row._mapping.items()
    }


def _without_internal(row: Person) -> Person:
    return {
        name: value
        for name, value in row.items()
        if name not in INTERNAL and value not in (None, "", {}, [])
    }
