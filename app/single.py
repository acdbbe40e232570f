"""One serving process per SQLite file; the kernel lets go of the lock at any death."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import Problem, RapportError


class AlreadyServed(RapportError):
    """Another process serves this database file."""


@contextmanager
def only_server(database_file: Path | None) -> Iterator[None]:
    """Hold the right to serve this file; PostgreSQL (None) may have many.

    Raises
    ------
    AlreadyServed : another process holds it; the problem names its id
    """
    if database_file is None:
        yield
        return
    lock = database_file.with_suffix(database_file.suffix + ".serve")
    file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(file, lock)
        yield
    finally:
        os.close(file)


def _take(file: int, lock: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(file, 32).decode(errors="replace").strip()
        raise AlreadyServed(
            Problem(
                "another process serves this database",
                f"process {holder}",
                file=lock.with_suffix(""),
                hint="Stop it first. Several processes need PostgreSQL: storage.url.",
            )
        ) from error
    os.ftruncate(file, 0)
    os.pwrite(file, str(os.getpid()).encode(), 0)
