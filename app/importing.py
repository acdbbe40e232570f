"""One import: a file by a mapping into the database, again and again the same.

`import_file` joins the readers of `content` with the writers of `storage`; the
commands that a person gives stand in `app.import_commands`.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from app.import_lock import only_one
from app.kinds import KINDS, reader_of
from app.rejects import RejectFile
from content.guess import settle
from content.mapping import FileMapping
from content.rejected import Corrected, Origin, open_rejected, settled_by_marks
from content.rows import FileDefaults
from content.table import Table
from core.clock import Clock
from core.model import system
from core.records import RecordKind
from core.settings import Settings
from storage import import_journal, ingest
from storage.database import Connection, Database
from storage.ingest_prices import PRICES_AT_ONCE, newest_prices, save_prices

ACTOR = system("import")
STDIN = "-"
EXIT_OK, EXIT_PROBLEM, EXIT_REJECTS, EXIT_INTERRUPTED = 0, 1, 3, 130

# While the program serves, no write may hold the database for longer than 50 ms. On
# SQLite all others wait meanwhile, and a checkpoint may come on top.
WRITE_SECONDS = 0.03
WRITE_SECONDS_POSTGRESQL = 0.035
LINES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """How far an import is: rows since this start, and bytes of the file."""

    rows: int
    bytes_read: int
    bytes_total: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import came to; `rows` and `seconds` are those of this start."""

    row: ingest.Import
    rejects: Path | None
    rows: int
    seconds: float
    was_complete: bool
    resumed_at: int


Report = Callable[[Step], None]


def import_file(
    database: Database,
    clock: Clock,
    settings: Settings,
    path: Path,
    mapping: FileMapping,
    name: str = "",
    report: Report | None = None,
    file_hash: str | None = None,
) -> Outcome:
    """Import a file, or what is left of it; a complete one is left alone.

    Two files of one `file_hash` are the same one; without it, their content decides.

    Raises
    ------
    DataError : the file can't be read, is damaged, or lacks a mapped column; or the
        mapping leaves to it what it does not tell
    LeaseLost : another process is importing it
    """
    begun = clock.boot_seconds()
    name = name or path.name
    mapping, _ = settle(settled_by_marks(mapping, path), path, name)
    with open_rejected(path, mapping, name) as table:
        file = ingest.ImportFile(
            mapping.source or mapping.name,
            mapping.kind,
            name,
            file_hash or _hash_of(path),
            mapping.content_hash,
        )
        row = database.write_now(ACTOR, lambda c: ingest.begin(c, file, clock.now()))
        folder = settings.storage.data_directory / "rejects"
        rejects = folder / f"{row.id}.csv"
        done = row
        if not row.complete:
            with only_one(folder / f"{row.id}.lock", name), _calm_memory():
                # Whoever had the lock before may have come further.
                row = database.read_now(lambda c: ingest.find(c, row.id)) or row
                reader = reader_of(table, mapping, defaults(settings, row.started_at))
                _Copying(database, clock, row, table, report).run(reader, rejects)
                done = _complete(database, clock, row)
    return Outcome(
        row=done,
        rejects=rejects if rejects.exists() else None,
        rows=done.progress.rows_read - row.progress.rows_read,
        seconds=clock.boot_seconds() - begun,
        was_complete=row.complete,
        resumed_at=row.progress.rows_read,
    )


def _complete(database: Database, clock: Clock, row: ingest.Import) -> ingest.Import:
    if row.kind is RecordKind.ORDERS:
        _price_products(database, row)
    return database.write_now(ACTOR, lambda c: ingest.complete(c, row, clock.now()))


class _Copying:
    """Batch after batch from a reader to a writer, each one transaction."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        row: ingest.Import,
        table: Table,
        report: Report | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._row = row
        self._table = table
        self._report = report
        self._wanted_seconds = (
            WRITE_SECONDS if database.is_sqlite else WRITE_SECONDS_POSTGRESQL
        )

    def run(self, reader: Any, rejects: Path) -> None:
        row, table = self._row, self._table
        before = row.progress
        left_out = RejectFile(rejects, before.rows_rejected, table.header, row.id)
        writer = KINDS[row.kind].write(row)
        corrected = table if isinstance(table, Corrected) else None
        if corrected is not None and row.kind is RecordKind.ORDERS:
            writer.adds = True
            corrected.skip = self._database.read_now(_CorrectedBefore)
        # Smaller ones than the first would cost more than they hold up.
        least = reader.batch_lines
        for batch in reader.batches(before.position):
            origins = corrected.origins(batch.position) if corrected else {}
            if corrected is not None and corrected.skipped:
                batch.flagged["corrected_before"] += corrected.skipped
                corrected.skipped = 0
            left_out.add(batch.rejects, origins)
            seconds = self._write(writer, batch, origins)
            reader.batch_lines = _next_size(
                reader.batch_lines, seconds, self._wanted_seconds, least
            )
            if self._report is not None:
                rows = writer.progress.rows_read - before.rows_read
                self._report(Step(rows, table.bytes_read, table.size))

    def _write(self, writer: Any, batch: Any, origins: Mapping[int, Origin]) -> float:
        now = self._clock.now()
        begun = self._clock.boot_seconds()
        wrong = {reject.line for reject in batch.rejects}
        taken = [origin for line, origin in origins.items() if line not in wrong]

        def work(connection: Connection) -> Any:
            learned = writer.write(connection, batch, now)
            import_journal.corrected(connection, self._row, taken)
            return learned

        writer.learn(self._database.write_now(ACTOR, work))
        return self._clock.boot_seconds() - begun


class _CorrectedBefore:
    """Rows of earlier imports that stand corrected in another one."""

    def __init__(self, connection: Connection) -> None:
        self._by_import = import_journal.corrected_rows(connection)

    def __contains__(self, origin: object) -> bool:
        match origin:
            case (int(import_id), int(line)):
                return line in self._by_import.get(import_id, ())
        return False


def defaults(settings: Settings, begun_at: datetime) -> FileDefaults:
    """What is meant where neither a file nor its mapping says it."""
    # The day of the start: an import that goes on tomorrow must not end differently.
    today = begun_at.astimezone(ZoneInfo(settings.shop.timezone)).date()
    return FileDefaults(settings.shop.currency, settings.shop.timezone, today)


def _next_size(lines: int, seconds: float, wanted_seconds: float, least: int) -> int:
    """As many lines as the wanted time holds; at most twice as many as before."""
    if seconds <= 0:
        return lines
    wanted = lines * min(2.0, wanted_seconds / seconds)
    return max(least, min(LINES_MAX, int(wanted)))


@contextmanager
def _calm_memory() -> Iterator[None]:
    """Look for cycles seldom: rows make none, and looking took a fourth of the time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _price_products(database: Database, row: ingest.Import) -> None:
    prices = database.read_now(lambda c: newest_prices(c, row.id))
    for start in range(0, len(prices), PRICES_AT_ONCE):
        part = prices[start : start + PRICES_AT_ONCE]
        database.write_now(ACTOR, lambda c: save_prices(c, row, part))  # noqa: B023  it is done before the next part


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
