"""All that is stored about one person, for them to read and to take along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Table,
    or_,
    select,
)

from core.errors import DataError, Problem
from storage import customers
from storage.bulk import LOOKUP_VALUES
from storage.registry import CHILDREN, CUSTOMER_KEYS, Child
from storage.schema import campaign_runs, identities, products, segments, sources
from storage.schema import customers as people

# How the program works, and nothing about the person.
INTERNAL = frozenset(
    {
        *("claimed_by", "fence", "lease_until", "attempts", "ordinal", "place"),
        *("import_id", "inbox_id", "dialogue", "version", "moved"),
    }
)
# What a number stands for, in words beside it.
NAMED: Mapping[str, tuple[str, Column[Any], Column[Any]]] = {
    "product_id": ("product", products.c.id, products.c.name),
    "segment_id": ("segment", segments.c.id, segments.c.name),
    "campaign_run_id": ("campaign", campaign_runs.c.id, campaign_runs.c.campaign_key),
    "source_id": ("from_source", sources.c.id, sources.c.name),
}

Person = dict[str, Any]


def unknown(customer_id: int) -> Problem:
    """What to say of a number that no customer has."""
    hint = "See: rapport customer find NAME"
    return Problem("no such customer", str(customer_id), hint=hint)


def find(connection: Connection, words: str, limit: int = 20) -> list[tuple[int, str]]:
    """Customers whose name, address or id holds these words: ids and names."""
    like = words.strip()
    query = (
        select(people.c.id, people.c.name)
        .outerjoin(identities, identities.c.customer_id == people.c.id)
        .where(
            people.c.alias_of.is_(None),
            people.c.erased_at.is_(None),
            or_(
                *(
                    column.icontains(like, autoescape=True)
                    for column in (
                        people.c.name,
                        identities.c.value,
                        identities.c.typed,
                    )
                )
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
        "customer": _rows(connection, people, people.c.id == survivor)[0],
    }
    conditions: dict[Table, list[Any]] = {}
    for key in CUSTOMER_KEYS:
        if key.export:
            conditions.setdefault(key.table, []).append(key.key.in_(ids))
    for table, alternatives in conditions.items():
        rows = _rows(connection, table, or_(*alternatives))
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
    keys = list(by_id)
    for start in range(0, len(keys), LOOKUP_VALUES):
        part = column.in_(keys[start : start + LOOKUP_VALUES])
        for row in _rows(connection, child.table, part):
            parent = by_id[row[child.column]]
            parent.setdefault(child.table.name, []).append(_without_internal(row))


def _rows(
    connection: Connection, table: Table, condition: ColumnElement[bool]
) -> list[Person]:
    """Rows as JSON takes them, with names beside the numbers that have one."""
    query: Select[Any] = select(table).where(condition).order_by(*table.primary_key)
    joined: FromClause = table
    for column, (label, key, name) in NAMED.items():
        if column in table.c:
            joined = joined.outerjoin(key.table, key == table.c[column])
            query = query.add_columns(name.label(label))
    return [_plain(row) for row in connection.execute(query.select_from(joined))]


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
