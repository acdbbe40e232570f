"""Records of a table, one for each row: what every kind but orders is read by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar

from content.mapping import FileMapping
from content.table import Chunk, Misfit, Table
from content.values import (
    BadValue,
    Moments,
    Numbers,
    divided,
    minor_places,
    seconds,
)
from core.records import Batch, Reject

R = TypeVar("R")

CHUNK_ROWS = 4096
EXTERNAL_ID_MAX = 64
WORD_MAX = 64


@dataclass(frozen=True, slots=True)
class FileDefaults:
    """What is meant where neither the file nor its mapping says it.

    `today` is the day of the import in the shop's zone: an age counts back from it.
    """

    currency: str
    timezone: str
    today: date


class Cells:
    """The mapped words of one row; `field` is the one that was asked for last."""

    def __init__(self, mapping: FileMapping, table: Table) -> None:
        self._mapping = mapping
        self._indexes = table.indexes
        self._missing = frozenset(mapping.missing)
        self._row: list[str] = []
        self.line = 0
        self.field = ""

    def turn_to(self, row: list[str], line: int) -> None:
        """Be the cells of this row from now on."""
        self._row, self.line, self.field = row, line, ""

    def word(self, field: str) -> str | None:
        """What stands there, as the mapping's values say; None where nothing."""
        self.field = field
        place = self._indexes.get(field)
        text = "" if place is None else self._row[place].strip()
        if text in self._missing:
            text = self._mapping.defaults.get(field, "")
        return self._mapping.values.get(field, {}).get(text, text) or None

    def identifier(self, field: str) -> str | None:
        """A word that is short enough to be an id."""
        return self.short(field, EXTERNAL_ID_MAX)

    def short(self, field: str, length: int = WORD_MAX) -> str | None:
        """A word that is no longer than its column in the database."""
        text = self.word(field)
        if text is not None and len(text) > length:
            raise BadValue(f"{field}_too_long", text)
        return text

    def required(self, field: str) -> str:
        """An id that has to be there."""
        text = self.identifier(field)
        if text is None:
            raise BadValue(f"no_{field}", "")
        return text

    def others(self, places: dict[str, int]) -> dict[str, str]:
        """Columns that are kept as they are, without the empty ones."""
        words = ((name, self._row[place].strip()) for name, place in places.items())
        return {name: text for name, text in words if text not in self._missing}


class Forms:
    """How the words of one file become money, moments and durations."""

    def __init__(self, mapping: FileMapping, defaults: FileDefaults) -> None:
        self._currency = defaults.currency
        self._seconds_per_unit = mapping.rules.seconds_per_unit
        self.numbers = Numbers(mapping.decimal)
        self.moments = Moments(mapping.dates, mapping.timezone or defaults.timezone)

    def money(self, cells: Cells, field: str) -> tuple[int | None, str | None]:
        """Minor units and their currency; None and None where nothing stands."""
        currency = (cells.word("currency") or self._currency).upper()
        places = minor_places(currency)
        text = cells.word(field)
        if text is None:
            return None, None
        value, divisor = self.numbers.minor(text, places)
        return divided(value, divisor), currency

    def moment(self, cells: Cells, field: str) -> datetime | None:
        """When; None where nothing stands."""
        text = cells.word(field)
        return None if text is None else self.moments.moment(text)

    def required_moment(self, cells: Cells, field: str) -> datetime:
        """When; `bad_date` where nothing stands."""
        return self.moments.moment(cells.word(field) or "")

    def seconds(self, cells: Cells, field: str) -> float | None:
        """How long; None where nothing stands."""
        text = cells.word(field)
        if text is None:
            return None
        # A clock such as 0:02:31 needs no unit.
        unit = 1 if ":" in text else self._seconds_per_unit
        return seconds(text, self.numbers) * unit


class RowReader(Generic[R]):
    """Batches of records, one for each row that `read` understands.

    Where `remembers` is set, `read` counts what it has seen: a reader that goes on in
    the middle of a file lets it see the rows before once more.
    """

    def __init__(
        self,
        table: Table,
        mapping: FileMapping,
        read: Callable[[Cells], R],
        *,
        remembers: bool = False,
    ) -> None:
        self.batch_lines = CHUNK_ROWS
        self._table = table
        self._columns = mapping.columns
        self._cells = Cells(mapping, table)
        self._read: Callable[[Cells], R] = read
        self._remembers = remembers
        self._batch: Batch[R] = Batch()

    def batches(self, position: int = 0) -> Iterator[Batch[R]]:
        """All that follows line `position`, where an earlier batch ended."""
        if position and self._remembers:
            self._look_back(position)
        for chunk in self._table.chunks(position, CHUNK_ROWS):
            for index in range(len(chunk.rows)):
                self._add(chunk, index)
                if len(self._batch.records) >= self.batch_lines:
                    yield self._cut(chunk.line(index + 1) - 1)
            position = chunk.line(len(chunk.rows)) - 1
        yield self._cut(position)

    def _look_back(self, position: int) -> None:
        for chunk in self._table.chunks(0, CHUNK_ROWS):
            for index in range(len(chunk.rows)):
                if chunk.line(index) > position:
                    self._cut(position)
                    return
                self._add(chunk, index)
            self._cut(position)

    def _cut(self, position: int) -> Batch[R]:
        done, self._batch = self._batch, Batch()
        done.position = position
        return done

    def _add(self, chunk: Chunk, index: int) -> None:
        row, line = chunk.rows[index], chunk.line(index)
        batch = self._batch
        if isinstance(row, Misfit):
            if row.reason:
                batch.rows += 1
                batch.rejects.append(Reject(line, row.reason, row.value, row.raw))
            return
        batch.rows += 1
        self._cells.turn_to(row, line)
        try:
            batch.records.append(self._read(self._cells))
        except BadValue as problem:
            column = column_name(self._columns, problem.field or self._cells.field)
            # Joined words stand behind the file's own columns.
            raw = tuple(row[: len(self._table.header)])
            batch.rejects.append(
                Reject(line, problem.reason, problem.value, raw, column)
            )


def column_name(columns: Mapping[str, str | tuple[str, ...]], field: str) -> str:
    """What the file calls a field: a column, or several joined by a plus."""
    named = columns.get(field, field)
    return named if isinstance(named, str) else " + ".join(named)
