"""Backup, restore and upgrade: a copy counts only once it has been read back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, inspect, select, update
from sqlalchemy.exc import DatabaseError

from core.errors import DataError, Problem, RapportError, SchemaOutdated
from core.model import RunState, system
from storage import postgresql_backup, runs, sqlite_backup
from storage.archive import Contents, fsync_folder
from storage.carried import Carried, carried, carry_over
from storage.database import Database, corrupt, open_database, sqlite_code
from storage.dialect import SQLITE_CORRUPT_CODES, sqlite_file
from storage.migrate import (
    check_integrity,
    check_version,
    known_revisions,
    migrate,
    newest_revision,
    revision,
)
from storage.schema import leases, schedules

RESTORE = system("restore")
# Whoever holds one of these works on the database now.
RUNNING_LEASES = ("serve", "clock", "telegram")
SQLITE_MAGIC = b"SQLite format 3\0"
ZIP_MAGIC = b"PK\x03\x04"


class StillRunning(RapportError):
    """The program works on the database that is to be replaced."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did; `replaced` is the old SQLite file, kept."""

    contents: Contents
    replaced: Path | None
    paused_runs: int
    # Customers who were erased since the backup, and are again.
    erased_again: int = 0


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did; without a backup there was nothing to do."""

    backup: Path | None
    before: str | None
    after: str | None


def backup(database: Database, folder: Path, now: datetime) -> Path:
    """A new, checked copy of the database as of one moment; others go on working.

    Raises
    ------
    DatabaseCorrupt : the database is damaged, and so would be its copy
    DataError : the folder can't be written to
    """
    suffix = ".db" if database.file is not None else ".zip"
    with _new_file(folder, f"rapport-{_stamp(now)}", suffix) as (part, whole):
        if database.file is None:
            postgresql_backup.dump(database, part, now)
        else:
            sqlite_backup.copy(database.file, part)
        try:
            check(part)
        except DataError as error:
            raise corrupt(database.file, error.problems[0].expected) from error
    return whole


def check(file: Path) -> Contents:
    """What a backup holds, after reading all of it.

    Raises
    ------
    DataError : it is no backup, or it is damaged
    """
    return (
        sqlite_backup.check(file) if _is_sqlite(file) else postgresql_backup.check(file)
    )


def restore(
    url: str, file: Path, now: datetime, running: Sequence[str] = RUNNING_LEASES
) -> Restored:
    """Put a backup in the place of the database, all of it or nothing.

    What was sent since the backup is forgotten: running runs are paused, and
    schedules begin anew, so that nothing goes out twice without a person's word. A
    backup of an older schema is brought up to date on the way. Whoever was erased
    since, as far as the replaced database can tell, is erased again.

    Raises
    ------
    DataError : the file is no backup of this kind of database, or it is damaged
    SchemaOutdated : it was made by a newer version of the program
    StillRunning : a process holds a lease of `running`, or the SQLite file itself
    """
    target = sqlite_file(url)
    if _is_sqlite(file) is not (target is not None):
        raise DataError(
            Problem(
                "the backup was made of another kind of database",
                file=file,
                hint="Set storage.url to a database of the same kind.",
            )
        )
    contents = check(file)
    if contents.revision not in known_revisions():
        raise SchemaOutdated(
            Problem(
                "the backup was made by a newer version of the program",
                f"schema {contents.revision}, program {newest_revision()}",
                file=file,
                hint="Install the newer program, then restore.",
            )
        )
    if target is None:
        return _restore_postgresql(url, file, contents, now, running)
    return _restore_sqlite(target.absolute(), file, contents, now, running)


def upgrade(
    database: Database,
    folder: Path,
    now: datetime,
    running: Sequence[str] = RUNNING_LEASES,
) -> Upgraded:
    """Backup, migrate, verify; nothing at all where the schema is this program's.

    Raises
    ------
    SchemaOutdated : a newer version of the program made the database
    StillRunning : a process holds a lease of `running`
    """
    before = database.read_now(revision)
    if before == newest_revision():
        return Upgraded(None, before, before)
    if before is not None and before not in known_revisions():
        check_version(database)
    database.read_now(lambda c: _refuse_running(c, now, running))
    copy = backup(database, folder, now)
    migrate(database)
    check_integrity(database)
    check_version(database)
    return Upgraded(copy, before, database.read_now(revision))


def _restore_sqlite(
    target: Path, file: Path, contents: Contents, now: datetime, running: Sequence[str]
) -> Restored:
    _refuse_open(target, now, running)
    known = _carried(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.restoring")
    sqlite_backup.take(file, part)
    with open_database(f"sqlite:///{part}") as database:
        migrate(database)
        paused = database.write_now(RESTORE, lambda c: _settle(c, now))
        erased = database.write_now(RESTORE, lambda c: carry_over(c, known, now))
    kept = target.with_name(f"{target.name}.before-restore-{_stamp(now)}")
    replaced = sqlite_backup.swap(part, target, kept)
    return Restored(contents, kept if replaced else None, paused, erased)


def _restore_postgresql(
    url: str, file: Path, contents: Contents, now: datetime, running: Sequence[str]
) -> Restored:
    with open_database(url) as database:
        database.read_now(lambda c: _refuse_running(c, now, running))

        def work(connection: Connection) -> Restored:
            is_ours = inspect(connection).has_table(leases.name)
            newest = is_ours and revision(connection) == newest_revision()
            known = carried(connection) if newest else None
            postgresql_backup.load(connection, file)
            paused = _settle(connection, now)
            erased = carry_over(connection, known, now)
            return Restored(contents, None, paused, erased)

        return database.write_now(RESTORE, work)


def _carried(target: Path) -> Carried | None:
    """What the file tells that is to be replaced; None where it can't."""
    if not target.exists():
        return None
    try:
        with open_database(f"sqlite:///{target}") as database:
            check_version(database)
            return database.read_now(carried)
    except (RapportError, DatabaseError):
        # It may be damaged, or of an old version: that is why it is replaced.
        return None


def _refuse_open(target: Path, now: datetime, running: Sequence[str]) -> None:
    if not target.exists():
        return
    try:
        with open_database(f"sqlite:///{target}") as database:
            database.read_now(lambda c: _refuse_running(c, now, running))
    except RapportError as error:
        # A damaged file can't say who holds it: that is why it is replaced.
        if isinstance(error, StillRunning):
            raise
    except DatabaseError as error:
        if sqlite_code(error) not in SQLITE_CORRUPT_CODES:
            raise
    if sqlite_backup.is_open_elsewhere(target):
        raise _still_running("a process has the database open", target)


def _refuse_running(
    connection: Connection, now: datetime, running: Sequence[str]
) -> None:
    if not inspect(connection).has_table(leases.name):
        return
    held = connection.execute(
        select(leases.c.name, leases.c.holder, leases.c.expires_at).where(
            leases.c.name.in_(running), leases.c.expires_at > now
        )
    ).all()
    if held:
        row = held[0]
        words = f"`{row.name}` is held by {row.holder} until {row.expires_at:%H:%M:%S}"
        raise _still_running(f"{words} UTC", None)


def _still_running(found: str, file: Path | None) -> StillRunning:
    return StillRunning(
        Problem(
            "the program is running on this database",
            found,
            file=file,
            hint="Stop it first; after a crash its lease ends by itself.",
        )
    )


def _settle(connection: Connection, now: datetime) -> int:
    """Let go of what was in hand at the time of the backup; returns paused runs."""
    connection.execute(
        update(leases).where(leases.c.expires_at > now).values(expires_at=now)
    )
    connection.execute(
        update(schedules).where(schedules.c.since < now).values(since=now)
    )
    running = runs.in_state(connection, RunState.RUNNING)
    for run in running:
        runs.move(connection, run.id, RunState.PAUSED, now, "restored from a backup")
    return len(running)


def _is_sqlite(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            start = stream.read(len(SQLITE_MAGIC))
    except OSError as error:
        raise DataError(
            Problem("the backup can't be read", error.strerror, file=file)
        ) from error
    if start != SQLITE_MAGIC and not start.startswith(ZIP_MAGIC):
        raise DataError(Problem("the file is no backup", file=file))
    return start == SQLITE_MAGIC


@contextmanager
def _new_file(folder: Path, stem: str, suffix: str) -> Iterator[tuple[Path, Path]]:
    """Two names: where to write, and the one it gets when it is whole."""
    names = (f"{stem}{'' if n == 1 else f'-{n}'}{suffix}" for n in count(1))
    whole = next(path for path in map(folder.joinpath, names) if not path.exists())
    part = whole.with_name(f".{whole.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        # It holds personal data: nobody else on the machine may read it.
        part.touch(mode=0o600)
        yield part, whole
        part.rename(whole)
        fsync_folder(folder)
    except OSError as error:
        raise DataError(
            Problem(
                "the backup can't be written", os.strerror(error.errno or 0), file=whole
            )
        ) from error
    finally:
        if folder.is_dir():
            part.unlink(missing_ok=True)


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
