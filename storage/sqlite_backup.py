"""A SQLite database as one file: copied while it is used, checked, swapped in."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from core.errors import DataError, Problem
from storage.archive import Contents, fsync_file, fsync_folder
from storage.database import corrupt
from storage.dialect import BUSY_TIMEOUT_MS, sqlite_module

# SQLite's bytes for shared locks; every open connection in WAL mode holds one.
SHARED_FIRST = 0x40000002
SHARED_SIZE = 510
SIDE_FILES = ("-wal", "-shm")


def copy(source: Path, target: Path) -> None:
    """Write the state of one moment; writers are not held up.

    Raises
    ------
    DatabaseCorrupt : a page of the source can't be read
    DataError : the target can't be written
    """
    module = sqlite_module()
    try:
        with (
            closing(module.connect(source)) as origin,
            closing(module.connect(target)) as destination,
        ):
            # All pages in one step: a writer between two would make it begin again.
            origin.backup(destination, pages=-1)
            # A backup is one file, without a log beside it.
            destination.execute("PRAGMA journal_mode=DELETE")
    except module.DatabaseError as error:
        if isinstance(error, module.OperationalError):
            raise DataError(
                Problem("the backup can't be written", str(error), file=target)
            ) from error
        raise corrupt(source, str(error)) from error
    fsync_file(target)


def check(file: Path) -> Contents:
    """Read every page, every reference and the version."""
    module = sqlite_module()
    address = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(module.connect(address, uri=True)) as connection:
            return _check(connection, file)
    except module.DatabaseError as error:
        raise DataError(
            Problem("the backup is damaged", str(error), file=file)
        ) from error


def _check(connection: Any, file: Path) -> Contents:
    [found] = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise DataError(Problem("the backup is damaged", found, file=file))
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        found = f"{orphan[0]} row {orphan[1]} without its {orphan[2]}"
        raise DataError(Problem("the backup is incomplete", found, file=file))
    tables = [
        name
        for [name] in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
            " AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
    ]
    if "alembic_version" not in tables:
        raise DataError(Problem("the file is no backup of this program", file=file))
    [revision] = connection.execute(
        "SELECT version_num FROM alembic_version"
    ).fetchone()
    return Contents(revision, {name: _rows(connection, name) for name in tables})


def _rows(connection: Any, table: str) -> int:
    quoted = table.replace('"', '""')
    [rows] = connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()  # noqa: S608  quoted
    return int(rows)


def take(file: Path, part: Path) -> None:
    """Copy a backup to where it will be worked on."""
    for old in (part, *_side_files(part)):
        old.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        shutil.copyfile(file, part)
    except OSError as error:
        raise DataError(
            Problem("the backup can't be copied", error.strerror, file=part)
        ) from error


def swap(part: Path, target: Path, kept: Path) -> bool:
    """Put `part` in the place of `target`; True if there was one, kept as `kept`.

    At every moment one whole database stands under the name: a start in between
    would otherwise make an empty one.
    """
    fsync_file(part)
    existed = target.exists()
    if existed:
        _fold_in(target)
        # What a sound database keeps in its log is folded in by now; the log of a
        # damaged one goes with it, for it would be played into the new file.
        for side, kept_side in zip(_side_files(target), _side_files(kept), strict=True):
            if side.exists():
                side.rename(kept_side)
        _keep(target, kept)
    part.replace(target)
    fsync_folder(target.parent)
    return existed


def is_open_elsewhere(file: Path) -> bool:
    """Whether another process has the database open, whatever state it is in."""
    with file.open("r+b") as stream:
        try:
            fcntl.lockf(
                stream, fcntl.LOCK_EX | fcntl.LOCK_NB, SHARED_SIZE, SHARED_FIRST
            )
        except OSError:
            return True
        return False


def _fold_in(target: Path) -> None:
    module = sqlite_module()
    try:
        with closing(module.connect(target, timeout=BUSY_TIMEOUT_MS / 1000)) as last:
            last.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except module.DatabaseError:
        # It is damaged, and is kept as it is.
        return


def _keep(target: Path, kept: Path) -> None:
    try:
        os.link(target, kept)
    except OSError:
        # Some file systems know no second name for a file.
        shutil.copyfile(target, kept)


def _side_files(file: Path) -> tuple[Path, ...]:
    return tuple(file.with_name(file.name + suffix) for suffix in SIDE_FILES)
