"""What an import found in the rows that it changed, so that it can be undone whole.

Written in the transaction of the change. Rows that an import makes need no entry: they
carry its `import_id`. A first import of new records therefore writes nothing here.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, select

from core.model import ImportState
from storage.bulk import insert_rows
from storage.dialect import utc_text
from storage.ingest import Import
from storage.schema import customers, import_changes, imports

_ENTRY = ("import_id", "table_name", "row_id", "before", "customer_id")
# Entries about many rows at once stand under no row.
NO_ROW = 0

# First and last of neighbouring ids.
Run: TypeAlias = tuple[int, int]
# Of one row: its id, then field by field what was there and what the import put there.
FieldChange: TypeAlias = tuple[int, Mapping[str, Any], Mapping[str, Any]]


def changed(
    connection: Connection,
    row: Import,
    table: Table,
    befores: Iterable[Mapping[str, Any]],
) -> None:
    """Keep whole rows as they were; call it before they are overwritten.

    Parameters
    ----------
    connection : a writing one
    row : the import that is about to change them and to set their `import_id`
    table : one whose `import_id` names the last import that wrote the row
    befores : all columns of each row (`result.mappings()`); what else belongs to the
        row may be added. Those that this import wrote itself are passed over.
    """
    _write(
        connection,
        [
            (
                row.id,
                table.name,
                before.get("id") or NO_ROW,
                _json({"was": dict(before)}),
                before.get("customer_id"),
            )
            for before in befores
            if before.get("import_id") != row.id
        ],
    )


def changed_fields(
    connection: Connection, row: Import, table: Table, changes: Iterable[FieldChange]
) -> None:
    """Keep single fields of rows that several sources fill in (customers, products).

    A field inside an object is named by its path: `attributes.size`; one that was
    absent was None.
    """
    owned = table is customers
    _write(
        connection,
        [
            (
                row.id,
                table.name,
                key,
                _json({"was": dict(was), "now": dict(now)}),
                key if owned else None,
            )
            for key, was, now in changes
        ],
    )


def made(
    connection: Connection,
    row: Import,
    table: Table,
    ids: Iterable[int],
    customer_ids: Mapping[int, int] | None = None,
) -> None:
    """Note new rows of a table that has no `import_id`."""
    owners = customer_ids or {}
    entries = [(row.id, table.name, key, None, owners.get(key)) for key in ids]
    _write(connection, entries)


def named(
    connection: Connection, row: Import, table: Table, ids: Iterable[int]
) -> None:
    """Note that the file holds these records, which were there before it.

    Undoing the import that made them must leave them; their changes, if there are
    any, are noted by `changed` or `changed_fields` besides.
    """
    runs = runs_of(ids)
    if runs:
        entry = row.id, table.name, NO_ROW, _json({"named": runs}), None
        _write(connection, [entry])


def corrected(
    connection: Connection, row: Import, origins: Iterable[tuple[int, int]]
) -> None:
    """Note rows that an earlier import left out and this one took: import and line."""
    lines: defaultdict[int, list[int]] = defaultdict(list)
    for import_id, line in origins:
        lines[import_id].append(line)
    _write(
        connection,
        [
            (row.id, imports.name, key, _json({"corrected": runs_of(each)}), None)
            for key, each in lines.items()
        ],
    )


def corrected_rows(connection: Connection) -> dict[int, NamedIds]:
    """By import: the lines it left out that stand corrected in another one."""
    entries = connection.execute(
        select(import_changes.c.row_id, import_changes.c.before)
        .join(imports, imports.c.id == import_changes.c.import_id)
        .where(
            import_changes.c.table_name == imports.name,
            imports.c.state != ImportState.UNDONE,
        )
    )
    runs: defaultdict[int, list[Run]] = defaultdict(list)
    for key, entry in entries:
        runs[key] += [(first, last) for first, last in entry["corrected"]]
    return {key: NamedIds(each) for key, each in runs.items()}


class NamedIds:
    """Records of one table that imports have named, as neighbouring ids."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs: list[Run] = []
        for first, last in sorted(runs):
            if self._runs and first <= self._runs[-1][1] + 1:
                begun, ended = self._runs[-1]
                self._runs[-1] = begun, max(ended, last)
            else:
                self._runs.append((first, last))

    def plus(self, ids: Iterable[int]) -> NamedIds:
        """These and others."""
        return NamedIds([*self._runs, *runs_of(ids)])

    def __contains__(self, key: int) -> bool:
        place = bisect_right(self._runs, (key, key))
        near = self._runs[max(0, place - 1) : place + 1]
        return any(first <= key <= last for first, last in near)

    def __iter__(self) -> Iterator[int]:
        for first, last in self._runs:
            yield from range(first, last + 1)


def named_ids(
    connection: Connection, import_ids: Sequence[int], table: Table
) -> NamedIds:
    """What any of these imports has named."""
    entries = connection.scalars(
        select(import_changes.c.before).where(
            import_changes.c.import_id.in_(import_ids),
            import_changes.c.table_name == table.name,
            import_changes.c.row_id == NO_ROW,
        )
    )
    return NamedIds(
        (first, last)
        for entry in entries
        for first, last in (entry or {}).get("named", ())
    )


def runs_of(ids: Iterable[int]) -> list[Run]:
    """Ids as runs: a file of one system names its records mostly in their order."""
    runs: list[Run] = []
    for key in sorted(set(ids)):
        if runs and key == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], key
        else:
            runs.append((key, key))
    return runs


def _write(connection: Connection, entries: list[tuple[Any, ...]]) -> None:
    insert_rows(connection, import_changes, _ENTRY, entries)


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    message = f"no form for {type(value).__name__} in the journal"
    raise TypeError(message)
