"""The rows that an import left out, in a file that a person can open."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from core.records import Reject

COLUMNS = ("line", "reason", "value", "row")
# A spreadsheet would run a cell that begins so; a number may.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class RejectFile:
    """Made with the first reject; `count` of them are kept from an earlier start."""

    def __init__(self, path: Path, count: int) -> None:
        self.path = path
        if path.exists():
            _replace(path, _first(path, count))

    def add(self, rejects: Iterable[Reject]) -> None:
        """Write them, down to the disk: they must not come later than their batch."""
        rows = [
            (reject.line, reject.reason, _cell(reject.value), _row(reject.raw))
            for reject in rejects
        ]
        if not rows:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        with self.path.open("a", encoding="utf-8-sig", newline="") as file:
            if is_new:
                csv.writer(file).writerow(COLUMNS)
            csv.writer(file).writerows(rows)
            file.flush()
            os.fsync(file.fileno())


def _first(path: Path, count: int) -> list[list[str]]:
    """The first rows that another start of the same import has committed."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(islice(csv.reader(file), 1, 1 + count))


def _replace(path: Path, rows: list[list[str]]) -> None:
    if not rows:
        path.unlink()
        return
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([list(COLUMNS), *rows])
    new.replace(path)


def _row(raw: tuple[str, ...]) -> str:
    """The row as a line of CSV, so that it can be mended and imported again."""
    line = io.StringIO()
    csv.writer(line).writerow(raw)
    return _cell(line.getvalue().removesuffix("\r\n"))


def _cell(text: str) -> str:
    clean = text.encode(errors="replace").decode()
    if clean.startswith(_FORMULA) and not clean[1:].replace(".", "").isdigit():
        return f"'{clean}"
    return clean
