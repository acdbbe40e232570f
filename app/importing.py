"""`rapport import`: a file by a mapping into the database, again and again the same.

`import_file` joins the readers of `content` with the writers of `storage`;
`import_command` shows it to a person.
"""

from __future__ import annotations

import gc
import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from zoneinfo import ZoneInfo

from app.kinds import KINDS, reader_of
from app.rejects import RejectFile
from content.guess import settle
from content.mapping import FileMapping
from content.mapping_file import find_mapping
from content.rows import FileDefaults
from content.table import Table, open_table
from core.clock import Clock, SystemClock
from core.errors import DataError, Problem
from core.model import system
from core.records import RecordKind
from core.settings import ROOT, Settings
from storage import ingest
from storage.database import Database, open_database
from storage.ingest_prices import PRICES_AT_ONCE, newest_prices, save_prices
from storage.migrate import prepare

ACTOR = system("import")
TEMPLATES = ROOT / "templates"
STDIN = "-"

# While the program serves, no write may hold the database for longer than 50 ms.
WRITE_SECONDS = 0.03
LINES_MAX = 10_000

EXIT_OK, EXIT_PROBLEM, EXIT_REJECTS, EXIT_INTERRUPTED = 0, 1, 3, 130


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
    """
    begun = clock.boot_seconds()
    name = name or path.name
    mapping, _ = settle(mapping, path, name)
    with open_table(path, mapping, name) as table:
        file = ingest.ImportFile(
            mapping.source or mapping.name,
            mapping.kind,
            name,
            file_hash or _hash_of(path),
            mapping.content_hash,
        )
        row = database.write_now(ACTOR, lambda c: ingest.begin(c, file, clock.now()))
        rejects = settings.storage.data_directory / "rejects" / f"{row.id}.csv"
        done = row
        if not row.complete:
            reader = reader_of(table, mapping, _defaults(settings, row))
            with _calm_memory():
                _Copying(database, clock, row, table, report).run(reader, rejects)
            if row.kind is RecordKind.ORDERS:
                _price_products(database, row)
            done = database.write_now(
                ACTOR, lambda c: ingest.complete(c, row, clock.now())
            )
    return Outcome(
        row=done,
        rejects=rejects if rejects.exists() else None,
        rows=done.progress.rows_read - row.progress.rows_read,
        seconds=clock.boot_seconds() - begun,
        was_complete=row.complete,
        resumed_at=row.progress.rows_read,
    )


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

    def run(self, reader: Any, rejects: Path) -> None:
        before = self._row.progress
        left_out = RejectFile(rejects, before.rows_rejected)
        writer = KINDS[self._row.kind].write(self._row)
        least = reader.batch_lines
        for batch in reader.batches(before.position):
            left_out.add(batch.rejects)
            seconds = self._write(writer, batch)
            reader.batch_lines = _next_size(reader.batch_lines, seconds, least)
            if self._report is not None:
                rows = writer.progress.rows_read - before.rows_read
                self._report(Step(rows, self._table.bytes_read, self._table.size))

    def _write(self, writer: Any, batch: Any) -> float:
        now = self._clock.now()
        begun = self._clock.boot_seconds()
        learned = self._database.write_now(
            ACTOR, lambda connection: writer.write(connection, batch, now)
        )
        writer.learn(learned)
        return self._clock.boot_seconds() - begun


def import_command(
    settings: Settings,
    file: str,
    mapping: str,
    source: str | None = None,
    clock: Clock | None = None,
) -> int:
    """Import and print a summary; the exit code says how it went.

    0: complete. 3: complete, but some rows were rejected. 130: interrupted; the same
    command goes on. Mistakes in the file, its mapping or the database raise.
    """
    from app.import_view import show_findings, show_outcome, show_progress

    clock = clock or SystemClock()
    found = find_mapping(mapping, TEMPLATES)
    if source is not None:
        found = replace(found, source=source)
    with (
        _readable(file, settings) as path,
        open_database(settings.storage.url) as database,
    ):
        prepare(database)
        name = "stdin" if file == STDIN else path.name
        found, findings = settle(found, path, name)
        show_findings(name, findings)
        try:
            with show_progress(name, clock) as report:
                outcome = import_file(
                    database, clock, settings, path, found, name, report
                )
        except KeyboardInterrupt:
            sys.stderr.write("Interrupted. The same command goes on from here.\n")
            return EXIT_INTERRUPTED
    show_outcome(outcome)
    return EXIT_REJECTS if outcome.row.progress.rows_rejected else EXIT_OK


def list_imports_command(settings: Settings) -> int:
    """Show every import and what became of it."""
    from app.import_view import show_imports

    with open_database(settings.storage.url) as database:
        prepare(database)
        show_imports(database.read_now(ingest.all_imports))
    return EXIT_OK


def close_import_command(
    settings: Settings, import_id: int, clock: Clock | None = None
) -> int:
    """Give an unfinished import up, so that analyses run again."""
    clock = clock or SystemClock()
    with open_database(settings.storage.url) as database:
        prepare(database)
        now = clock.now()
        if database.write_now(ACTOR, lambda c: ingest.close(c, import_id, now)):
            return EXIT_OK
        waiting = database.read_now(ingest.incomplete_imports)
    named = ", ".join(f"{row.id} ({row.file_name})" for row in waiting) or "none"
    raise DataError(
        Problem(
            "no such unfinished import", str(import_id), hint=f"Unfinished: {named}."
        )
    )


def _defaults(settings: Settings, row: ingest.Import) -> FileDefaults:
    # The day of the start: an import that goes on tomorrow must not end differently.
    zone = ZoneInfo(settings.shop.timezone)
    today = row.started_at.astimezone(zone).date()
    return FileDefaults(settings.shop.currency, settings.shop.timezone, today)


def _next_size(lines: int, seconds: float, least: int) -> int:
    """As many lines as the wanted time holds; at most twice as many as before."""
    if seconds <= 0:
        return lines
    wanted = lines * min(2.0, WRITE_SECONDS / seconds)
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


@contextmanager
def _readable(file: str, settings: Settings) -> Iterator[Path]:
    """The file; standard input is kept aside, so that it can be read twice."""
    if file != STDIN:
        yield Path(file)
        return
    folder = settings.storage.data_directory
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder, suffix=".csv") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield Path(copy.name)
