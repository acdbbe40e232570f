"""`rapport import`: files, folders and standard input; what came in, and undoing it."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile

from app.importing import (
    ACTOR,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_PROBLEM,
    EXIT_REJECTS,
    STDIN,
    import_file,
)
from content.guess import settle
from content.mapping import FileMapping
from content.mapping_file import find_mapping
from content.profile import TEMPLATES
from content.rejected import settled_by_marks
from core.clock import Clock, SystemClock
from core.errors import DataError, Problem, RapportError
from core.settings import Settings
from storage import ingest
from storage.database import Database, DiskFull, open_database
from storage.migrate import prepare
from storage.undo import undo_import

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
SUFFIXES = frozenset(
    {".csv", ".tsv", ".tab", ".txt", ".xlsx", ".parquet", ".json", ".jsonl", ".ndjson"}
)
# What a program that still writes, or a spreadsheet that is open, calls its files.
UNFINISHED = (".part", ".tmp", ".crdownload", "~")
HIDDEN = (".", "~$", "_")


def import_command(
    settings: Settings,
    file: str,
    mapping: str,
    source: str | None = None,
    clock: Clock | None = None,
) -> int:
    """Import a file or all files of a folder and print summaries.

    0: complete. 3: complete, but some rows were rejected. 130: interrupted; the same
    command goes on. Mistakes in the file, its mapping or the database raise; of a
    folder they are told, the other files are imported, and the code is 1.
    """
    found = find_mapping(mapping, TEMPLATES)
    if source is not None:
        found = replace(found, source=source)
    with (
        _readable(file, settings) as path,
        open_database(settings.storage.url) as database,
    ):
        prepare(database)
        work = _Importing(settings, database, clock or SystemClock(), found)
        try:
            if path.is_dir():
                return work.folder(path)
            return work.file(path, "stdin" if file == STDIN else path.name)
        except KeyboardInterrupt:
            sys.stderr.write("Interrupted. The same command goes on from here.\n")
            return EXIT_INTERRUPTED
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise DiskFull(_no_room(error, settings)) from error


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


def undo_import_command(
    settings: Settings, import_id: int, clock: Clock | None = None
) -> int:
    """Take an import back whole and print what went, what came back and what stays."""
    from app.undo_view import show_undone

    with open_database(settings.storage.url) as database:
        prepare(database)
        try:
            undone = undo_import(database, ACTOR, import_id, clock or SystemClock())
        except KeyboardInterrupt:
            sys.stderr.write("Interrupted. The same command goes on from here.\n")
            return EXIT_INTERRUPTED
    show_undone(undone)
    return EXIT_OK


class _Importing:
    """Files by one mapping into one database, each with its summary."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        mapping: FileMapping,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._mapping = mapping

    def file(self, path: Path, name: str) -> int:
        from app.import_view import show_findings, show_outcome, show_progress

        mapping = settled_by_marks(self._mapping, path)
        mapping, findings = settle(mapping, path, name)
        show_findings(name, findings)
        with show_progress(name, self._clock) as report:
            outcome = import_file(
                self._database,
                self._clock,
                self._settings,
                path,
                mapping,
                name,
                report,
            )
        show_outcome(outcome)
        return EXIT_REJECTS if outcome.row.progress.rows_rejected else EXIT_OK

    def folder(self, folder: Path) -> int:
        """Every file that fits, in the order of names; a bad one stops no other."""
        from app.import_view import show_folder

        files, left_out = files_of(folder)
        if not files:
            raise DataError(
                Problem(
                    "no file to import in this folder",
                    file=str(folder),
                    hint=f"Files end in {', '.join(sorted(SUFFIXES))}, or .gz behind.",
                )
            )
        codes = [self._one_of_many(path) for path in files]
        show_folder(len(files), codes.count(EXIT_PROBLEM), left_out)
        return next(
            (code for code in (EXIT_PROBLEM, EXIT_REJECTS) if code in codes), EXIT_OK
        )

    def _one_of_many(self, path: Path) -> int:
        try:
            return self.file(path, path.name)
        except RapportError as error:
            sys.stderr.write(f"{error}\n")
            return EXIT_PROBLEM


def files_of(folder: Path) -> tuple[list[Path], list[str]]:
    """The files of a folder that may be imported, and the names of the others."""
    fits: list[Path] = []
    left_out: list[str] = []
    for path in sorted(folder.iterdir(), key=lambda each: each.name):
        name = path.name
        if not path.is_file() or name.startswith(HIDDEN) or name.endswith(UNFINISHED):
            left_out.append(name)
            continue
        inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
        if inner.suffix.lower() in SUFFIXES:
            fits.append(path)
        else:
            left_out.append(name)
    return fits, left_out


def _no_room(error: OSError, settings: Settings) -> Problem:
    return Problem(
        "no room on the disk for the file of rejects or standard input",
        error.strerror,
        file=str(error.filename or settings.storage.data_directory),
        hint="Make room, then run the same command again; it goes on.",
    )


@contextmanager
def _readable(file: str, settings: Settings) -> Iterator[Path]:
    """The file; standard input is kept aside, so that it can be read twice."""
    if file != STDIN:
        yield Path(file)
        return
    folder = settings.storage.data_directory
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder) as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield Path(copy.name)
