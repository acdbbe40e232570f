"""Undo of whole rows that an import overwrote: orders, episodes, ratings, rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Date, Table, delete, insert, select, update

from core.model import ImportState
from storage.bulk import lookup
from storage.dialect import UtcDateTime
from storage.ingest import Import
from storage.schema import (
    conversation_events,
    conversations,
    customers,
    episodes,
    handling_intervals,
    identities,
    import_changes,
    imports,
    order_lines,
    orders,
    products,
)
from storage.totals import mark_stale

# All columns of a row, and what else belongs to it.
Was: TypeAlias = dict[str, Any]
Remove: TypeAlias = Callable[[Connection, Table, Sequence[int]], None]


def restore_rows(
    connection: Connection,
    row: Import,
    table: Table,
    entries: Sequence[Any],
    remove: Remove,
) -> tuple[int, Counter[str]]:
    """Put rows back as they were; how many, and why others stay.

    A row that a later import wrote is that import's: its entry stays in the journal,
    so that undoing the later one goes back further. `remove` takes rows away that
    an undone import had made.
    """
    kept: Counter[str] = Counter()
    restored = 0
    for entry in entries:
        was = entry.before["was"]
        current = _current(connection, table, was)
        if current is not None and current["import_id"] != row.id:
            kept["in_a_later_import"] += 1
            continue
        if current is not None:
            back = _go_back(connection, table, entry.row_id, was)
            if back is None:
                _take_away(connection, table, was, remove)
            elif _is_taken(connection, table, back):
                kept["address_taken"] += 1
                continue
            else:
                _put_back(connection, table, current, back)
            restored += 1
        connection.execute(
            delete(import_changes).where(import_changes.c.id == entry.id)
        )
    return restored, kept


def _current(connection: Connection, table: Table, was: Was) -> Any:
    found = connection.execute(select(table).where(*_is_row(table, was)))
    return found.mappings().first()


def _is_row(table: Table, was: Mapping[str, Any]) -> list[Any]:
    return [key == typed(key, was[key.name]) for key in table.primary_key]


def _go_back(connection: Connection, table: Table, row_id: int, was: Was) -> Was | None:
    """The row before this import and before undone ones; None where it was not yet."""
    while was.get("import_id") is not None:
        state = connection.scalar(
            select(imports.c.state).where(imports.c.id == was["import_id"])
        )
        if state != ImportState.UNDONE:
            return was
        entries = connection.scalars(
            select(import_changes.c.before)
            .where(
                import_changes.c.import_id == was["import_id"],
                import_changes.c.table_name == table.name,
                import_changes.c.row_id == row_id,
            )
            .order_by(import_changes.c.id)
        )
        earlier = [e["was"] for e in entries if e is not None and _about(table, e, was)]
        if not earlier:
            return None
        was = earlier[0]
    return was


def _about(table: Table, entry: Mapping[str, Any], was: Was) -> bool:
    """Whether an entry is about this row: those of rows without id stand together."""
    if "was" not in entry:
        return False
    return all(entry["was"][key.name] == was[key.name] for key in table.primary_key)


def _take_away(connection: Connection, table: Table, was: Was, remove: Remove) -> None:
    if "id" in was:
        remove(connection, table, [was["id"]])
    else:
        connection.execute(delete(table).where(*_is_row(table, was)))


def _is_taken(connection: Connection, table: Table, back: Was) -> bool:
    """Whether the earlier address is somebody else's by now."""
    if table is not identities:
        return False
    owner = connection.scalar(
        select(identities.c.id).where(
            identities.c.kind == back["kind"], identities.c.value == back["value"]
        )
    )
    return owner is not None and owner != back["id"]


def _put_back(connection: Connection, table: Table, current: Any, back: Was) -> None:
    values = columns_of(table, back)
    if "customer_id" in values:
        values["customer_id"] = living(connection, values["customer_id"])
    connection.execute(update(table).where(*_is_row(table, back)).values(**values))
    if table is orders:
        owners = {current["customer_id"], values["customer_id"]} - {None}
        mark_stale(connection, owners)
        _put_lines_back(connection, back)
    if table is episodes:
        _put_episode_back(connection, back)


def columns_of(table: Table, was: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a journalled row, in the forms of the table."""
    return {c.name: typed(c, was[c.name]) for c in table.c if c.name in was}


def typed(column: Any, value: Any) -> Any:
    """A value of the journal in the form of its column."""
    if value is None or not isinstance(value, str):
        return value
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if isinstance(column.type, Date) else value


def living(connection: Connection, customer_id: int | None) -> int | None:
    """The customer as of today: the survivor of a merge; None where it is gone."""
    if customer_id is None:
        return None
    found = connection.execute(
        select(customers.c.id, customers.c.alias_of).where(
            customers.c.id == customer_id
        )
    ).first()
    return None if found is None else found.alias_of or found.id


def _put_lines_back(connection: Connection, back: Was) -> None:
    connection.execute(delete(order_lines).where(order_lines.c.order_id == back["id"]))
    wanted = {product for product, _, _ in back["lines"] if product is not None}
    there = {
        key for (key,) in lookup(connection, products.c.id, wanted, [products.c.id])
    }
    lines = [
        {
            "order_id": back["id"],
            "line_no": number,
            "product_id": product if product in there else None,
            "quantity": quantity,
            "amount_minor": amount,
        }
        for number, (product, quantity, amount) in enumerate(back["lines"], 1)
    ]
    if lines:
        connection.execute(insert(order_lines), lines)


def _put_episode_back(connection: Connection, back: Was) -> None:
    """The log, the handling and the conversation of an imported episode."""
    for table, name in (
        (conversation_events, "log"),
        (handling_intervals, "handled"),
    ):
        connection.execute(delete(table).where(table.c.episode_id == back["id"]))
        rows = [columns_of(table, each) for each in back.get(name, ())]
        if rows:
            connection.execute(insert(table), rows)
    talk = back.get("talk")
    if talk is not None:
        values = columns_of(conversations, talk)
        values["customer_id"] = living(connection, values["customer_id"])
        connection.execute(
            update(conversations)
            .where(conversations.c.id == talk["id"])
            .values(**values)
        )
