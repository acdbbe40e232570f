"""The life of one import: begun or taken up again, batch by batch, complete.

A batch and the place in the file that it reached are one transaction, so a killed
import goes on where its last commit ended.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    case,
    func,
    or_,
    select,
    update,
)

from core.errors import DataError, LeaseLost, Problem
from core.model import UNFINISHED_IMPORT_STATES, ImportState
from core.records import Batch, RecordKind
from storage import changes
from storage.dialect import upsert
from storage.schema import imports, orders, sources


@dataclass(frozen=True, slots=True)
class ImportFile:
    """What makes two imports the same one."""

    source: str
    kind: RecordKind
    file_name: str
    file_hash: str
    mapping_hash: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has come. `position` is the last line that is done."""

    rows_read: int = 0
    rows_accepted: int = 0
    rows_corrected: int = 0
    rows_rejected: int = 0
    position: int = 0
    corrected: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)

    def after(self, batch: Batch[Any], corrected: Counter[str]) -> Progress:
        """The progress with one more batch; `corrected` is what storage mended."""
        rejected = len(batch.rejects)
        return Progress(
            self.rows_read + batch.rows,
            self.rows_accepted + batch.rows - rejected,
            self.rows_corrected + batch.rows_corrected + corrected.total(),
            self.rows_rejected + rejected,
            batch.position,
            self.corrected + batch.corrected + corrected,
            self.rejected + Counter(reject.reason for reject in batch.rejects),
            self.flagged + batch.flagged,
        )


@dataclass(frozen=True, slots=True)
class Import:
    """One row of `imports`."""

    id: int
    source_id: int
    source: str
    kind: RecordKind
    file_name: str
    state: ImportState
    started_at: datetime
    completed_at: datetime | None
    progress: Progress

    @property
    def complete(self) -> bool:
        return self.state is ImportState.COMPLETE


def begin(connection: Connection, file: ImportFile, now: datetime) -> Import:
    """The import of this file under this mapping, made where there is none.

    Parameters
    ----------
    connection : a writing one
    file : equal hashes of file and mapping, source and kind mean the same import
    now : aware; the start of a new import

    Returns
    -------
    A complete one is returned as it is; a running one with the progress of its last
    commit; a closed one runs again from there. After an undone one begins a new one.

    Raises
    ------
    DataError : the import is being undone
    """
    source_id = _source(connection, file.source)
    key = {
        "source_id": source_id,
        "kind": file.kind.value,
        "file_hash": file.file_hash,
        "mapping_hash": file.mapping_hash,
    }
    connection.execute(
        upsert(connection, imports)
        .values(
            **key,
            file_name=file.file_name,
            state=ImportState.RUNNING,
            reasons={},
            started_at=now,
        )
        .on_conflict_do_nothing()
    )
    ours = [imports.c[name] == value for name, value in key.items()]
    connection.execute(
        update(imports)
        .where(*ours, imports.c.state == ImportState.CLOSED)
        .values(state=ImportState.RUNNING, totalled_to=_if_counted(-1))
    )
    (row,) = _imports(connection, *ours)
    if row.state is ImportState.UNDOING:
        raise DataError(
            Problem(
                "the import of this file is being undone",
                file=file.file_name,
                hint=f"Finish that first: rapport import --undo {row.id}",
            )
        )
    return row


def find(connection: Connection, import_id: int) -> Import | None:
    """One import, or None."""
    return next(iter(_imports(connection, imports.c.id == import_id)), None)


def save_progress(
    connection: Connection, row: Import, before: Progress, after: Progress
) -> None:
    """Write down how far the import is; the first act in the write of its batch.

    Parameters
    ----------
    connection : a writing one
    row : the import
    before : where the writer believes the import to be
    after : where the batch takes it

    Raises
    ------
    LeaseLost : another process has written a batch of the same import since, or
        somebody has closed or undone it
    """
    # Ids of a source are given out by one writer at a time; SQLite has but one.
    connection.execute(
        select(sources.c.id).where(sources.c.id == row.source_id).with_for_update()
    )
    saved = connection.execute(
        update(imports)
        .where(
            imports.c.id == row.id,
            imports.c.rows_read == before.rows_read,
            imports.c.state == ImportState.RUNNING,
        )
        .values(
            rows_read=after.rows_read,
            rows_accepted=after.rows_accepted,
            rows_corrected=after.rows_corrected,
            rows_rejected=after.rows_rejected,
            reasons={
                "position": after.position,
                "corrected": dict(after.corrected),
                "rejected": dict(after.rejected),
                "flagged": dict(after.flagged),
            },
        )
    )
    if saved.rowcount == 0:
        raise LeaseLost(
            Problem(
                "another process is importing this file, or has given it up",
                file=row.file_name,
                hint="Let it finish; if it was stopped, run the same command again.",
            )
        )


def complete(connection: Connection, done: Import, now: datetime) -> Import:
    """Let the import count; older unfinished ones of the same file name are closed.

    Parameters
    ----------
    connection : a writing one
    done : the import, all of whose batches are committed
    now : aware

    Returns
    -------
    The import as it stands now.
    """
    connection.execute(
        update(imports)
        .where(imports.c.id == done.id)
        .values(state=ImportState.COMPLETE, completed_at=now)
    )
    connection.execute(
        update(imports)
        .where(
            imports.c.source_id == done.source_id,
            imports.c.kind == done.kind,
            imports.c.file_name == done.file_name,
            imports.c.id < done.id,
            imports.c.state == ImportState.RUNNING,
        )
        .values(state=ImportState.CLOSED, completed_at=now)
    )
    changes.record(connection, "import", done.id, now, state=ImportState.COMPLETE)
    return _imports(connection, imports.c.id == done.id)[0]


def close(connection: Connection, import_id: int, now: datetime) -> bool:
    """Give an unfinished import up: what it brought counts. False if none runs."""
    closed = connection.execute(
        update(imports)
        .where(imports.c.id == import_id, imports.c.state == ImportState.RUNNING)
        .values(state=ImportState.CLOSED, completed_at=now)
    )
    if closed.rowcount:
        changes.record(connection, "import", import_id, now, state=ImportState.CLOSED)
    return closed.rowcount > 0


def incomplete_imports(connection: Connection) -> list[Import]:
    """Imports that must be finished (or closed) before data are analysed."""
    return _imports(connection, imports.c.state.in_(UNFINISHED_IMPORT_STATES))


def arrived_orders() -> ColumnElement[bool]:
    """Whether an order is part of the data yet, and not set aside by cleaning."""
    return and_(arrived(orders), orders.c.set_aside.is_(None))


def arrived(table: Table) -> ColumnElement[bool]:
    """Whether a row is part of the data yet: its import, if it has one, is over."""
    running = select(imports.c.id).where(imports.c.state.in_(UNFINISHED_IMPORT_STATES))
    return or_(table.c.import_id.is_(None), table.c.import_id.not_in(running))


def newest_imports(
    connection: Connection, limit: int, offset: int = 0
) -> tuple[list[Import], int]:
    """Some imports, the newest first, and how many there are."""
    total = connection.scalar(select(func.count()).select_from(imports)) or 0
    part = (
        select(imports.c.id).order_by(imports.c.id.desc()).limit(limit).offset(offset)
    )
    ids = list(connection.scalars(part))
    return _imports(connection, imports.c.id.in_(ids))[::-1], total


def newest_arrivals(connection: Connection) -> dict[str, datetime]:
    """When the last complete import of each source ended, by the source's name."""
    rows = connection.execute(
        select(sources.c.name, func.max(imports.c.completed_at).label("at"))
        .join(imports, imports.c.source_id == sources.c.id)
        .where(imports.c.state == ImportState.COMPLETE)
        .group_by(sources.c.name)
    )
    return {row.name: row.at for row in rows if row.at is not None}


def all_imports(connection: Connection) -> list[Import]:
    """Every import, oldest first."""
    return _imports(connection)


def _if_counted(value: int) -> ColumnElement[Any]:
    """The value where the import is in the totals already, wholly or in part."""
    was = or_(imports.c.totalled_at.is_not(None), imports.c.totalled_to.is_not(None))
    return case((was, value))


def _source(connection: Connection, name: str) -> int:
    connection.execute(
        upsert(connection, sources).values(name=name).on_conflict_do_nothing()
    )
    found: int = connection.execute(
        select(sources.c.id).where(sources.c.name == name)
    ).scalar_one()
    return found


def _imports(connection: Connection, *conditions: Any) -> list[Import]:
    rows = connection.execute(
        select(imports, sources.c.name.label("source"))
        .join(sources, sources.c.id == imports.c.source_id)
        .where(*conditions)
        .order_by(imports.c.id)
    )
    return [
        Import(
            id=row.id,
            source_id=row.source_id,
            source=row.source,
            kind=RecordKind(row.kind),
            file_name=row.file_name,
            state=ImportState(row.state),
            started_at=row.started_at,
            completed_at=row.completed_at,
            progress=_progress(row),
        )
        for row in rows
    ]


def _progress(row: Any) -> Progress:
    return Progress(
        row.rows_read,
        row.rows_accepted,
        row.rows_corrected,
        row.rows_rejected,
        row.reasons.get("position", 0),
        Counter(row.reasons.get("corrected", {})),
        Counter(row.reasons.get("rejected", {})),
        Counter(row.reasons.get("flagged", {})),
    )
