"""Undo of single fields: customers and products that several sources fill in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Date, Table, delete, select, update

from core.model import ImportState
from storage import corrections
from storage.bulk import lookup
from storage.corrections import Correction
from storage.customer_fields import column_values, value_at
from storage.dialect import UtcDateTime
from storage.ingest import Import
from storage.schema import customers, import_changes, imports, products

UNDONE = "undone"
PROVENANCE = "provenance."
KINDS = {customers.name: "customer", products.name: "product"}


def restore_fields(
    connection: Connection,
    row: Import,
    table: Table,
    entries: Sequence[Any],
    now: datetime,
) -> tuple[int, Counter[str]]:
    """Give fields their earlier values; how many rows changed, and what stays why.

    A field that has another value than the import gave it was set by somebody since,
    and stays. Entries that are done with are taken out of the journal.
    """
    stored = {
        each.id: each
        for each in lookup(
            connection, table.c.id, {e.row_id for e in entries}, list(table.c)
        )
    }
    older = _undone_before(connection, table, entries)
    kept: Counter[str] = Counter()
    account: list[Correction] = []
    restored = 0
    for entry in entries:
        current = stored.get(entry.row_id)
        if current is None:
            _drop(connection, entry)
            continue
        earlier = [before for key, before in older[entry.row_id] if key < entry.id]
        back, stays = _split(table, current, entry.before, earlier)
        merged = getattr(current, "alias_of", None) is not None
        if merged:
            kept["merged"] += 1
            continue
        if back:
            _set(connection, table, current, back, now)
            restored += 1
            account += [
                _correction(row, table, current, path, value)
                for path, value in back.items()
                if not path.startswith(PROVENANCE)
            ]
            (stored[entry.row_id],) = lookup(
                connection, table.c.id, [entry.row_id], list(table.c)
            )
        if stays:
            kept["changed_since"] += 1
            _shorten(connection, entry, stays)
        else:
            _drop(connection, entry)
    corrections.record(connection, account, now)
    return restored, kept


def _split(
    table: Table, current: Any, entry: Mapping[str, Any], older: list[Mapping[str, Any]]
) -> tuple[dict[str, Any], set[str]]:
    """Which paths go back to which value, and which stay."""
    was, given = entry["was"], entry["now"]
    back: dict[str, Any] = {}
    stays = set()
    for path in was:
        if path.startswith(PROVENANCE):
            continue
        mark = f"{PROVENANCE}{path}"
        if not _is_ours(current, path, mark, given):
            stays.add(path)
            continue
        source = entry
        for each in older:
            # That value came from an import that is undone itself.
            if each["now"].get(path) == source["was"][path]:
                source = each
        back[path] = _typed(table, path, source["was"][path])
        if mark in source["was"]:
            back[mark] = source["was"][mark]
    return back, stays


def _is_ours(current: Any, path: str, mark: str, given: Mapping[str, Any]) -> bool:
    """Whether the import gave this value, even if cleaning put it into its form."""
    same: bool = _plain(value_at(current, path)) == given[path]
    if mark not in given:
        return same
    entry = current.provenance.get(path)
    if entry is not None and entry.get("given") is not None:
        told: bool = entry["given"] == corrections.shown(given[path])
        return told
    return same and bool(entry == given[mark])


def _set(
    connection: Connection,
    table: Table,
    current: Any,
    back: Mapping[str, Any],
    now: datetime,
) -> None:
    paths = {path: v for path, v in back.items() if not path.startswith(PROVENANCE)}
    values = column_values(current, paths)
    if table is customers:
        marks = dict(current.provenance)
        for path in paths:
            entry = back.get(f"{PROVENANCE}{path}")
            marks.pop(path, None)
            if entry is not None:
                marks[path] = entry
        values |= {"provenance": marks, "updated_at": now}
    connection.execute(update(table).where(table.c.id == current.id).values(**values))


def _undone_before(
    connection: Connection, table: Table, entries: Sequence[Any]
) -> defaultdict[int, list[tuple[int, Mapping[str, Any]]]]:
    """What undone imports have left in the journal about these rows, newest first."""
    undone = select(imports.c.id).where(imports.c.state == ImportState.UNDONE)
    rows = lookup(
        connection,
        import_changes.c.row_id,
        {each.row_id for each in entries},
        (import_changes.c.id, import_changes.c.row_id, import_changes.c.before),
        import_changes.c.import_id.in_(undone),
        import_changes.c.table_name == table.name,
    )
    found: defaultdict[int, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for each in sorted(rows, key=lambda each: each.id, reverse=True):
        if each.before is not None and "now" in each.before:
            found[each.row_id].append((each.id, each.before))
    return found


def _shorten(connection: Connection, entry: Any, stays: Iterable[str]) -> None:
    """Leave in the journal what an undo of a later import needs to know."""
    paths = {*stays, *(f"{PROVENANCE}{path}" for path in stays)}
    before = {
        side: {path: v for path, v in entry.before[side].items() if path in paths}
        for side in ("was", "now")
    }
    connection.execute(
        update(import_changes)
        .where(import_changes.c.id == entry.id)
        .values(before=before)
    )


def _drop(connection: Connection, entry: Any) -> None:
    connection.execute(delete(import_changes).where(import_changes.c.id == entry.id))


def _correction(
    row: Import, table: Table, current: Any, path: str, value: Any
) -> Correction:
    before = value_at(current, path)
    kind = KINDS[table.name]
    return Correction(current.id, path, before, value, UNDONE, kind, None, row.id)


def _plain(value: Any) -> Any:
    """A value in the journal's form."""
    return corrections.shown(value) if isinstance(value, date) else value


def _typed(table: Table, path: str, value: Any) -> Any:
    """A value of the journal in the form of its column."""
    if value is None or "." in path:
        return value
    kind = table.c[path].type
    if isinstance(kind, UtcDateTime):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if isinstance(kind, Date) else value
