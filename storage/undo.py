"""Taking an import back whole: what it changed is as it was, what it made is gone.

It goes in small writes and can be stopped anywhere: while it is under way the import
is `undoing`, its rows don't count, and the same call goes on. What others have built
on since stays, each with its reason. Consents that the import granted go; what it
withdrew stays withdrawn, and suppressed addresses stay suppressed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, delete, func, or_, select, update

from core.clock import Clock
from core.errors import DataError, Problem
from core.model import Actor, ImportState
from core.records import RecordKind
from storage import changes, ingest
from storage.database import Database
from storage.import_journal import NO_ROW, named_ids
from storage.ingest import Import
from storage.schema import (
    consents,
    currency_rates,
    customers,
    episodes,
    events,
    feedback,
    identities,
    identity_claims,
    import_changes,
    imports,
    metadata,
    orders,
    products,
    supplied_figures,
)
from storage.undo_fields import KINDS, restore_fields
from storage.undo_made import Undoing, remove, remove_made
from storage.undo_rows import restore_rows

# No write may hold the database for longer than 50 ms while the program serves.
WRITE_SECONDS = 0.02
FIRST_ROWS, ROWS_MAX = 50, 2000

# Rows that the import made, in this order: what points at others goes before them.
_MADE = (
    *(feedback, episodes, events, orders, supplied_figures, identity_claims),
    *(customers, products, consents, identities),
)
Report = Callable[[int], None]


@dataclass(slots=True)
class Undone:
    """What was undone, over all starts; what stays, by reason."""

    row: Import
    removed: Counter[str] = field(default_factory=Counter)
    restored: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    was_undone: bool = False


def undo_import(
    database: Database,
    actor: Actor,
    import_id: int,
    clock: Clock,
    report: Report | None = None,
) -> Undone:
    """Take an import back, or what is left of it to take back.

    Parameters
    ----------
    database : open; every write is short
    actor : who wants it
    import_id : complete, closed, half done or half undone
    clock : for the moment, and to keep the writes short
    report : told how many rows are done, now and then

    Returns
    -------
    Counts by table, and why rows stay. An undone import is left alone; its file can
    be imported again and is a new import then.

    Raises
    ------
    DataError : there is no such import, or what it changed is no longer kept
    """
    row = database.write_now(actor, lambda c: _begin(c, import_id))
    if row.state is ImportState.UNDONE:
        return Undone(row, was_undone=True)
    work = _Undo(database, actor, row, clock, report)
    work.run()
    if row.kind is RecordKind.OPT_OUTS:
        work.done.kept["suppression_stays"] = row.progress.rows_accepted
    done = database.write_now(actor, lambda c: _end(c, row, work.done, clock.now()))
    work.done.row = done
    return work.done


def _begin(connection: Connection, import_id: int) -> Import:
    row = ingest.find(connection, import_id)
    if row is None:
        newest = connection.scalar(select(func.max(imports.c.id)))
        hint = "Nothing was imported yet."
        if newest is not None:
            hint = f"The newest import is {newest}; rapport import --list shows all."
        raise DataError(Problem("no such import", str(import_id), hint=hint))
    if row.state is ImportState.UNDONE:
        return row
    dropped = select(imports.c.journal_dropped_at).where(imports.c.id == import_id)
    if (since := connection.scalar(dropped)) is not None:
        hint = f"`privacy.import_undo_days` ended on {since:%Y-%m-%d}."
        problem = Problem(
            "what this import changed is no longer kept: it can't be undone",
            str(import_id),
            hint=hint,
        )
        raise DataError(problem)
    connection.execute(
        update(imports)
        .where(imports.c.id == import_id)
        .values(state=ImportState.UNDOING)
    )
    return row


def _end(connection: Connection, row: Import, done: Undone, now: datetime) -> Import:
    """The file may come again: an undone import is not the one that is resumed."""
    connection.execute(
        delete(import_changes).where(
            import_changes.c.import_id == row.id, import_changes.c.row_id == NO_ROW
        )
    )
    _save(connection, row, done)
    connection.execute(
        update(imports)
        .where(imports.c.id == row.id)
        .values(
            state=ImportState.UNDONE,
            completed_at=now,
            file_hash=f"undone:{row.id}",
        )
    )
    changes.record(connection, "import", row.id, now, state=ImportState.UNDONE)
    (found,) = (ingest.find(connection, row.id),)
    return found or row


def _save(connection: Connection, row: Import, done: Undone) -> None:
    """Keep the counts with the import, so that a second start adds to them."""
    reasons = connection.scalar(select(imports.c.reasons).where(imports.c.id == row.id))
    undo = {
        "removed": dict(done.removed),
        "restored": dict(done.restored),
        "kept": dict(done.kept),
    }
    connection.execute(
        update(imports)
        .where(imports.c.id == row.id)
        .values(reasons=(reasons or {}) | {"undo": undo})
    )


class _Undo:
    """One start of an undo."""

    def __init__(
        self,
        database: Database,
        actor: Actor,
        row: Import,
        clock: Clock,
        report: Report | None,
    ) -> None:
        self._database = database
        self._actor = actor
        self._row = row
        self._clock = clock
        self._report = report
        self._rows = FIRST_ROWS
        self._seen = 0
        self.done = database.read_now(lambda c: _counted(c, row))

    def run(self) -> None:
        """Newest changes back first, then what was made."""
        ours = import_changes.c.import_id == self._row.id
        for entries in self._journal(ours, import_changes.c.before.is_not(None)):
            self._write(partial(self._restore, entries=entries))
        look_back = partial(_undone_imports, import_id=self._row.id)
        gone = self._database.read_now(look_back)
        for table in _MADE:
            look = partial(_undoing, row=self._row, gone=gone, table=table)
            undoing = self._database.read_now(look)
            for ids in self._made(table, gone):
                self._write(
                    partial(self._remove, undoing=undoing, table=table, ids=ids)
                )
        self._write(self._remove_rates)
        undone = import_changes.c.import_id.in_(gone)
        for entries in self._journal(undone, import_changes.c.before.is_(None)):
            self._write(partial(self._remove_noted, entries=entries, gone=gone))

    # --- what is to be done, a few rows at a time -------------------------------------

    def _journal(self, *conditions: Any) -> Iterator[Sequence[Any]]:
        """Entries, the newest first."""
        query = (
            select(import_changes)
            .where(*conditions)
            .order_by(import_changes.c.id.desc())
        )
        while True:
            found = self._read(query.limit(self._rows))
            if not found:
                return
            yield found
            query = query.where(import_changes.c.id < found[-1].id)

    def _made(self, table: Table, gone: tuple[int, ...]) -> Iterator[list[int]]:
        """Rows of the import, and of undone ones whose reason to stay may be gone."""
        query = select(table.c.id).where(table.c.import_id.in_(gone))
        if table is identities:
            # Who stays is still reached.
            made = select(customers.c.id).where(customers.c.import_id.in_(gone))
            query = query.where(table.c.customer_id.not_in(made))
        place = 0
        while True:
            part = query.where(table.c.id > place).order_by(table.c.id)
            found = [key for (key,) in self._read(part.limit(self._rows))]
            if not found:
                return
            yield found
            place = found[-1]

    def _read(self, query: Any) -> Sequence[Any]:
        return self._database.read_now(lambda c: c.execute(query).all())

    # --- one write --------------------------------------------------------------------

    def _write(self, work: Callable[[Connection], Undone]) -> None:
        begun = self._clock.boot_seconds()

        def saved(connection: Connection) -> Undone:
            made = work(connection)
            total = _sum(self.done, made)
            _save(connection, self._row, total)
            return total

        self.done = self._database.write_now(self._actor, saved)
        seconds = self._clock.boot_seconds() - begun
        if seconds > 0:
            wanted = int(self._rows * min(2.0, WRITE_SECONDS / seconds))
            self._rows = max(1, min(ROWS_MAX, wanted))
        if self._report is not None:
            counts = self.done.removed.total() + self.done.restored.total()
            self._report(counts)

    def _restore(self, connection: Connection, entries: Sequence[Any]) -> Undone:
        made = Undone(self._row)
        for name in dict.fromkeys(each.table_name for each in entries):
            table = metadata.tables[name]
            part = [
                each
                for each in entries
                if each.table_name == name and "was" in each.before
            ]
            if name in KINDS:
                count, kept = restore_fields(
                    connection, self._row, table, part, self._clock.now()
                )
            else:
                count, kept = restore_rows(connection, self._row, table, part, remove)
            made.restored[name] += count
            made.kept += kept
        return made

    def _remove(
        self, connection: Connection, undoing: Undoing, table: Table, ids: Sequence[int]
    ) -> Undone:
        found = remove_made(connection, undoing, table, ids)
        return Undone(
            self._row, Counter({table.name: len(found.gone)}), kept=found.kept
        )

    def _remove_rates(self, connection: Connection) -> Undone:
        gone = connection.execute(
            delete(currency_rates).where(currency_rates.c.import_id == self._row.id)
        )
        return Undone(self._row, Counter({currency_rates.name: gone.rowcount}))

    def _remove_noted(
        self, connection: Connection, entries: Sequence[Any], gone: tuple[int, ...]
    ) -> Undone:
        """Rows that have no room for the import's number."""
        made = Undone(self._row)
        for name in dict.fromkeys(each.table_name for each in entries):
            keys = {e.row_id: e.id for e in entries if e.table_name == name}
            found = remove_made(
                connection,
                Undoing(self._row.id, gone),
                metadata.tables[name],
                list(keys),
            )
            made.removed[name] += len(found.gone)
            made.kept += found.kept
            done = [keys[each] for each in found.gone]
            connection.execute(
                delete(import_changes).where(import_changes.c.id.in_(done))
            )
        return made


def _sum(before: Undone, more: Undone) -> Undone:
    return Undone(
        before.row,
        before.removed + more.removed,
        before.restored + more.restored,
        before.kept + more.kept,
    )


def _counted(connection: Connection, row: Import) -> Undone:
    """The counts of earlier starts; why rows stay is found out anew."""
    reasons = connection.scalar(select(imports.c.reasons).where(imports.c.id == row.id))
    undo = (reasons or {}).get("undo", {})
    return Undone(row, Counter(undo.get("removed")), Counter(undo.get("restored")))


def _undone_imports(connection: Connection, import_id: int) -> tuple[int, ...]:
    undone = imports.c.state == ImportState.UNDONE
    ids = connection.scalars(
        select(imports.c.id).where(or_(undone, imports.c.id == import_id))
    )
    return tuple(ids)


def _undoing(
    connection: Connection, row: Import, gone: tuple[int, ...], table: Table
) -> Undoing:
    others = connection.scalars(
        select(import_changes.c.import_id)
        .where(
            import_changes.c.table_name == table.name,
            import_changes.c.import_id.not_in(gone),
        )
        .distinct()
    ).all()
    named = named_ids(connection, others, table)
    return Undoing(row.id, gone, named, named_ids(connection, [row.id], table))
