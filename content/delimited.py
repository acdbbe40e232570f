"""CSV and its kin: fields between delimiters, one row a line or several.

As long as nothing is wrong with a file, it is read as fast as `csv` can. From the
first trouble on it is read with care: line by line, each broken row costs itself.
"""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

from content.columns import Columns, bind, is_complete, wanted
from content.lines import LINE_MAX, SHOWN, CutLine, Lines, LineTooLong
from content.mapping import DELIMITERS, WHITESPACE
from content.raw_file import DAMAGE, MARK, Shared, encoding_of, text_of, unusable
from content.table import (
    CELL_MAX,
    CHUNK_CHARACTERS,
    HEADER_LINES,
    RAW_MAX,
    Chunk,
    Misfit,
    Table,
    breaks,
)

READ_BYTES = 1 << 18
# A row of several lines that is longer has an open quote somewhere.
ROW_MAX = 4 * LINE_MAX
# Rows are taken so many at once, lest a few thousand long ones fill the memory.
SLICE_ROWS = 256


class _Rows(Protocol):
    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


class DelimitedTable(Table):
    """A delimited text file."""

    def _read_columns(self) -> Columns:
        self._encoding = encoding_of(self._raw.head(), self._mapping.encoding)
        self._delimiter = self._mapping.delimiter or self._guess_delimiter()
        if self._mapping.header:
            return bind(self._mapping.header, self._mapping, self.name, None)
        line, header = self._read_header()
        columns = bind(header, self._mapping, self.name, line)
        self._header_line = line
        return columns

    def _guess_delimiter(self) -> str:
        """The one that finds most of the mapped columns; then, most columns."""
        named = set(wanted(self._mapping))
        for line in islice(self._first_lines(), HEADER_LINES):
            if line.strip():
                parsed = {d: self._cells(line, d) for d in DELIMITERS.values()}
                return max(
                    parsed, key=lambda d: (len(named & set(parsed[d])), len(parsed[d]))
                )
        raise self._raw.problem("the file is empty")

    def _read_header(self) -> tuple[int, list[str]]:
        """The first row that names all columns; else, the first that isn't blank."""
        first: tuple[int, list[str]] | None = None
        reader = self._reader(self._first_lines())
        try:
            for row in islice(reader, HEADER_LINES):
                cells = [cell.strip() for cell in row]
                if not any(cells):
                    continue
                if is_complete(cells, self._mapping):
                    first = reader.line_num, cells
                    break
                first = first or (reader.line_num, cells)
        except csv.Error as error:
            if first is None:
                line = reader.line_num
                raise self._raw.problem("no header", str(error), line) from error
        if first is None:
            raise self._raw.problem("the file is empty")
        return first[0], self._sound(*first)

    def _sound(self, line: int, header: list[str]) -> list[str]:
        reason = unusable(header, CELL_MAX)
        if not reason:
            return header
        hint = "Say `encoding: gb18030`, utf-16, cp1252 … in the mapping, or guess."
        shown = ", ".join(header).replace(MARK, "�").replace("\0", "�")[:SHOWN]
        expected = f"the header is no text in {self._encoding}"
        raise self._raw.problem(expected, shown, line, hint)

    def _first_lines(self) -> Iterator[str]:
        text = text_of(self._raw.stream(), self._encoding)
        try:
            for number, line in enumerate(Lines(text, ROW_MAX)):
                # GB18030 has a mark of its own, which its decoder leaves standing.
                yield line.removeprefix("\ufeff") if number == 0 else line
        except LineTooLong as error:
            hint = "Is it a table at all?"
            raise self._raw.problem(
                "a line of the header is too long", str(error), hint=hint
            ) from error

    def _chunks(self, done: int, rows: int) -> Iterator[Chunk]:
        try:
            trouble = yield from self._fast(done, rows)
            if trouble is not None:
                yield from self._careful(trouble, rows)
        except DAMAGE as error:
            raise self._raw.damaged(error) from error

    def _fast(self, done: int, rows: int) -> Generator[Chunk, None, int | None]:
        """All rows up to the first trouble; how many lines are done by then.

        None at the end of the file.
        """
        watch = _Watch(self._raw.plain(), self._encoding)
        text = text_of(io.BufferedReader(watch, READ_BYTES), self._encoding)
        first = done + 1
        try:
            deque(islice(text, done), maxlen=0)
        except _Trouble:
            return done
        reader = self._reader(text)
        while True:
            found, is_sound = self._take(reader, watch, rows)
            whole = self._marked(found)
            is_sound = is_sound and len(whole) == len(found)
            lines = done + reader.line_num + 1 - first
            if not is_sound:
                lines = sum(1 + breaks(row) for row in whole)
            if whole:
                yield Chunk(whole, first, lines)
            first += lines
            if not is_sound:
                return first - 1
            if not found:
                return None

    def _take(
        self, reader: _Rows, watch: _Watch, limit: int
    ) -> tuple[list[list[str]], bool]:
        """The next rows, and whether none of them made trouble."""
        found: list[list[str]] = []
        begun = watch.passed
        try:
            while len(found) < limit and watch.passed - begun < CHUNK_CHARACTERS:
                before = len(found)
                watch.expect(ROW_MAX - 2 * READ_BYTES)
                found.extend(islice(reader, min(SLICE_ROWS, limit - before)))
                if len(found) == before:
                    break
        except (csv.Error, _Trouble):
            return found, False
        return found, True

    def _marked(self, rows: list[list[str]]) -> list[list[str]]:
        """`rows` with other widths marked, up to one that may have an open quote."""
        width = len(self.header)
        if all(len(row) == width for row in rows):
            return rows
        for place, row in enumerate(rows):
            if len(row) != width:
                if breaks(row):
                    return rows[:place]
                rows[place] = _of_other_width(row, 0)
        return rows

    def _careful(self, done: int, rows: int) -> Iterator[Chunk]:
        """All rows behind line `done`, broken ones as misfits."""
        text = text_of(self._raw.stream(), self._encoding)
        lines = Lines(text, ROW_MAX)
        lines.skip(done)
        reader = self._reader(lines)
        while True:
            found: list[list[str]] = []
            first, characters = done + 1, 0
            while len(found) < rows and characters < CHUNK_CHARACTERS:
                lines.forget()
                row = self._next_row(reader, lines)
                if row is None:
                    break
                found.append(row)
                done += 1 + breaks(row)
                characters += sum(map(len, lines.taken))
            if not found:
                return
            yield Chunk(found, first, done + 1 - first)

    def _next_row(self, reader: _Rows, lines: Lines) -> list[str] | None:
        try:
            row = next(reader, None)
        except csv.Error as error:
            too_long = "field limit" in str(error)
            reason = "cell_too_long" if too_long else "bad_quotes"
            return self._cut(lines, reason, str(error))
        except LineTooLong as error:
            return self._cut(lines, "line_too_long", str(error))
        if row is None:
            return None
        if len(row) != len(self.header):
            if len(lines.taken) > 1 and self._fits(lines.taken[1]):
                return self._cut(lines, "quote_not_closed", "")
            return _of_other_width(row, len(lines.taken) - 1)
        reason = unusable(row, CELL_MAX)
        return Misfit(_shown(row), reason, len(lines.taken) - 1) if reason else row

    def _cut(self, lines: Lines, reason: str, value: str) -> Misfit:
        """A broken row, which ends where a line is a row by itself."""
        taken = lines.taken
        places = range(1, len(taken))
        end = next((place for place in places if self._fits(taken[place])), len(taken))
        if end < len(taken):
            reason, value = "quote_not_closed", ""
        kept = lines.put_back(end)
        text = "".join(kept).rstrip("\r\n")[:RAW_MAX]
        return Misfit(_shown([text]), reason, len(kept) - 1, value)

    def _fits(self, line: str) -> bool:
        if isinstance(line, CutLine):
            return True
        return len(self._cells(line, self._delimiter)) == len(self.header)

    def _cells(self, line: str, delimiter: str) -> list[str]:
        """The words of one line by itself, whatever its quotes."""
        if delimiter == WHITESPACE:
            return line.split()
        try:
            row = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
        except csv.Error:
            return []
        return [cell.strip() for cell in row]

    def _reader(self, lines: Iterable[str]) -> _Rows:
        if self._delimiter == WHITESPACE:
            return _Split(iter(lines))
        # Strict, or an open quote at the end of a row would take the rest along.
        return csv.reader(
            lines,
            delimiter=self._delimiter,
            skipinitialspace=True,
            strict=True,
        )


class _Split:
    """Rows of words between blanks, as in columns of a fixed width."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.line_num = 0

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        line = next(self._lines)
        self.line_num += 1
        return line.split()


class _Trouble(Exception):
    """The text has something that only careful reading can pass."""


class _Watch(Shared):
    """Passes bytes through, but stops at what makes trouble.

    That is: bytes that are no text, NUL, a line that may be too long, and more bytes
    than were expected before the next call of `expect`.
    """

    def __init__(self, inner: Any, encoding: str) -> None:
        super().__init__(inner)
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._line = 0
        self._left = sys.maxsize
        self.passed = 0

    def expect(self, count: int) -> None:
        self._left = count

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        self.passed += count
        self._left -= count
        try:
            text = self._decoder.decode(bytes(buffer[:count]), final=count == 0)
        except UnicodeError:
            raise _Trouble from None
        end = max(text.rfind("\n"), text.rfind("\r"))
        self._line = len(text) - end - 1 + (self._line if end < 0 else 0)
        if "\0" in text or self._line > LINE_MAX - READ_BYTES or self._left < 0:
            raise _Trouble
        return count


def _of_other_width(row: list[str], line_breaks: int) -> Misfit:
    reason = "number_of_fields" if any(row) else ""
    return Misfit(_shown(row), reason, line_breaks, str(len(row)))


def _shown(words: list[str]) -> list[str]:
    """Words that can be written into a file."""
    if "".join(words).isascii():
        return words
    return [word.replace(MARK, "�") for word in words]
