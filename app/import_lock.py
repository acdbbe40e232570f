"""One process at a time for one import: the file of rejects has one writer."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import LeaseLost, Problem


@contextmanager
def only_one(path: Path, name: str) -> Iterator[None]:
    """Hold the lock; a killed process lets go of it by itself.

    Raises
    ------
    LeaseLost : another process holds it
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    held = _take(path, name)
    try:
        yield
        path.unlink(missing_ok=True)
    finally:
        os.close(held)


def _take(path: Path, name: str) -> int:
    while True:
        held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(held)
            raise LeaseLost(
                Problem(
                    "another process is importing this file",
                    file=name,
                    hint="Let it finish; then the same command says what came of it.",
                )
            ) from error
        if _is_there(held, path):
            return held
        # Its last holder has taken the file away since we opened it.
        os.close(held)


def _is_there(held: int, path: Path) -> bool:
    try:
        return os.fstat(held).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
