"""What every kind of backup says of itself, and how its files become lasting."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Contents:
    """A backup that was read to its end: its schema and the rows of each table."""

    revision: str
    rows: Mapping[str, int]


def fsync_file(file: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    _fsync(file, os.O_RDONLY)


def fsync_folder(folder: Path) -> None:
    """Wait until the folder's names are on the disk."""
    _fsync(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
