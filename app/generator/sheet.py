"""Rows of one file, and the key of what was planted in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Row = list[str]

KEY_FILE = "planted.csv"
KEY_COLUMNS = ("file", "line", "id", "field", "what", "truth")


@dataclass(frozen=True, slots=True)
class Planted:
    """One thing that is wrong in a row, and what would be right.

    `truth` is the value that was there, or the id of the person or row that this one
    repeats.
    """

    row: Row
    field: str
    what: str
    truth: str


@dataclass(slots=True)
class Sheet:
    """Some rows of a file `name`, in order."""

    name: str
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)

    def place(self, column: str) -> int:
        """Where a column stands."""
        return self.columns.index(column)

    def plant(self, row: Row, column: str, value: str, what: str) -> None:
        """Write a wrong value into a row, and keep the right one."""
        place = self.place(column)
        self.planted.append(Planted(row, column, what, row[place]))
        row[place] = value

    def insert(self, additions: Sequence[tuple[int, Row]]) -> None:
        """Put rows before the places where others stand now."""
        grown: list[Row] = []
        waiting = sorted(additions, key=lambda each: each[0])
        start = 0
        for place, row in waiting:
            grown += self.rows[start:place]
            grown.append(row)
            start = place
        self.rows = [*grown, *self.rows[start:]]

    def key(self) -> list[tuple[int, Planted]]:
        """What was planted, with the number of its row, from 0; in that order."""
        places = {id(row): place for place, row in enumerate(self.rows)}
        found = [(places[id(each.row)], each) for each in self.planted]
        return sorted(found, key=lambda each: each[0])

    def text(self) -> bytes:
        """The rows as CSV."""
        return as_csv(self.rows)


def as_csv(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as UTF-8 text; the same on every machine."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode()
