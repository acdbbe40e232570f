"""A delimited text file, read in chunks of rows that know their physical lines.

Broken rows come out as `Misfit`, so that a reader counts them and goes on.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from content.mapping import DELIMITERS, REQUIRED, REST, FileMapping
from core.errors import DataError, Problem, did_you_mean

READ_BYTES = 1 << 18
HEADER_LINES = 20


class Misfit(list[str]):
    """What is left of a row that can't be read; its length fits no header."""

    def __init__(
        self, raw: Sequence[str], reason: str, breaks: int, value: str = ""
    ) -> None:
        super().__init__()
        self.raw = tuple(raw)
        self.value = value
        self.reason = reason
        self.breaks = breaks


class Chunk:
    """Neighbouring rows; a wrong or blank one is a `Misfit`."""

    def __init__(self, rows: list[list[str]], first_line: int, lines: int) -> None:
        self.rows = rows
        self._first_line = first_line
        self._lines = lines
        self._starts: list[int] | None = None

    def line(self, index: int) -> int:
        """Where a row begins in the file, from 1; one past the last is allowed."""
        if self._lines == len(self.rows):
            return self._first_line + index
        if self._starts is None:
            self._starts = list(
                accumulate((1 + _breaks(r) for r in self.rows), initial=0)
            )
        return self._first_line + self._starts[index]


class TableFile:
    """An open file whose header fits a mapping; use it as a context manager.

    `indexes` gives the place of each mapped field; `rest` the columns that become
    attributes, with their places.
    """

    def __init__(self, path: Path, mapping: FileMapping, name: str = "") -> None:
        self.path = path
        self.name = name or path.name
        self._mapping = mapping
        self._raw: IO[bytes] | None = None
        self._delimiter = mapping.delimiter or ","
        self._open()
        try:
            if mapping.delimiter is None:
                self._delimiter = self._guess_delimiter()
                self._open()
            self.header = self._read_header()
            self._header_lines = self._reader.line_num
            self.indexes = self._bind()
        except BaseException:
            self.close()
            raise
        self.width = len(self.header)
        self.rest = self._attributes()

    @property
    def size(self) -> int:
        """Of the file on disk, in bytes."""
        return self.path.stat().st_size

    @property
    def bytes_read(self) -> int:
        """Of the file on disk, so far."""
        return 0 if self._raw is None else self._raw.tell()

    def chunks(self, position: int, rows: int) -> Iterator[Chunk]:
        """What follows line `position` (0: the header), up to `rows` at a time."""
        self._open()
        self._skip(max(position, self._header_lines))
        while True:
            first = self._lines_before + self._reader.line_num + 1
            found = self._take(rows)
            if not found:
                return
            found = self._mended(found, first)
            lines = self._lines_before + self._reader.line_num + 1 - first
            yield Chunk(found, first, lines)

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()
            self._raw = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> None:
        self.close()
        try:
            self._raw = self.path.open("rb")
        except OSError as error:
            raise DataError(
                Problem("the file can't be read", error.strerror, file=self.name)
            ) from error
        plain: Any = self._raw
        if self.path.suffix == ".gz":
            plain = gzip.GzipFile(fileobj=self._raw)
        self._watch = _Watch(plain, self._mapping.encoding)
        self._text = io.TextIOWrapper(
            io.BufferedReader(self._watch, READ_BYTES),
            encoding=self._mapping.encoding,
            errors="surrogateescape",
            newline="",
        )
        self._skip(0)

    def _skip(self, lines: int) -> None:
        deque(islice(self._text, lines), maxlen=0)
        self._lines_before = lines
        self._reader = csv.reader(
            # Strict, or an open quote at the end of a row would take the rest along.
            self._text,
            delimiter=self._delimiter,
            skipinitialspace=True,
            strict=True,
        )

    def _guess_delimiter(self) -> str:
        """The one that finds most of the mapped columns; then, most columns."""
        wanted = set(self._mapping.columns.values())
        for line in islice(self._text, HEADER_LINES):
            if line.strip():
                parsed = {d: _cells(line, d) for d in DELIMITERS.values()}
                return max(
                    parsed, key=lambda d: (len(wanted & set(parsed[d])), len(parsed[d]))
                )
        raise DataError(Problem("the file is empty", file=self.name))

    def _read_header(self) -> list[str]:
        for row in islice(self._reader, HEADER_LINES):
            if any(cell.strip() for cell in row):
                return [cell.strip() for cell in row]
        raise DataError(Problem("the file is empty", file=self.name))

    def _bind(self) -> dict[str, int]:
        mapping, header = self._mapping, self.header
        missing = {
            field: column
            for field, column in mapping.columns.items()
            if column not in header
        }
        needed = [field for field in missing if field not in mapping.optional]
        bound = {f: header.index(c) for f, c in mapping.columns.items() if c in header}
        for group in REQUIRED[mapping.kind]:
            if not any(field in bound for field in group):
                needed += [f for f in group if f in missing and f not in needed]
        if needed:
            there = f"The file has: {', '.join(header)}."
            raise DataError(
                *(self._missing(missing[field], field, there) for field in needed)
            )
        return bound

    def _missing(self, column: str, field: str, there: str) -> Problem:
        nearest = did_you_mean(column, self.header)
        return Problem(
            f"column `{column}` is missing ({field} in mapping {self._mapping.name})",
            file=self.name,
            line=1,
            hint=f"{nearest} {there}" if nearest else there,
        )

    def _attributes(self) -> dict[str, int]:
        wanted = self._mapping.attributes
        taken = set(self.indexes.values())
        return {
            name: place
            for place, name in enumerate(self.header)
            if name and place not in taken and (wanted == REST or name in wanted)
        }

    def _take(self, limit: int) -> list[list[str]]:
        rows: list[list[str]] = []
        try:
            rows.extend(islice(self._reader, limit))
        except csv.Error as error:
            rows.append(Misfit((), "bad_quotes", 0, str(error)))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(
                Problem("the compressed file is damaged", str(error), file=self.name)
            ) from error
        return rows

    def _mended(self, rows: list[list[str]], first: int) -> list[list[str]]:
        """`rows` with everything that does not fit the header marked."""
        if self._watch.broken:
            rows = [_decoded(row) for row in rows]
        width = self.width
        if all(len(row) == width for row in rows):
            return rows
        self._look_up(rows, first)
        line = first
        for place, row in enumerate(rows):
            breaks = _breaks(row)
            if len(row) != width:
                swallowed = breaks > 0 and self._fits(line + 1)
                if swallowed:
                    return [*rows[:place], self._unquoted(line)]
                if not isinstance(row, Misfit):
                    reason = "number_of_fields" if any(row) else ""
                    rows[place] = Misfit(row, reason, breaks, str(len(row)))
            line += 1 + breaks
        return rows

    def _look_up(self, rows: list[list[str]], first: int) -> None:
        """Complete a row that the reader gave up: its lines and its first words."""
        last = rows[-1]
        if isinstance(last, Misfit) and not last.raw:
            start = first + sum(1 + _breaks(row) for row in rows[:-1])
            read = self._lines_before + self._reader.line_num + 1
            last.breaks = max(0, read - start - 1)
            last.raw = (self._physical_line(start).rstrip("\r\n"),)

    def _fits(self, line: int) -> bool:
        """Whether this physical line is a row by itself."""
        cells = _cells(self._physical_line(line), self._delimiter)
        return len(cells) == self.width

    def _unquoted(self, line: int) -> Misfit:
        """A row with an open quote, alone; reading goes on with the next line."""
        raw = self._physical_line(line).rstrip("\r\n")
        self._open()
        self._skip(line)
        return Misfit((raw,), "quote_not_closed", 0)

    def _physical_line(self, line: int) -> str:
        with _text_of(self.path, self._mapping.encoding) as text:
            return next(islice(text, line - 1, line), "")


class _Watch(io.RawIOBase):
    """Passes bytes through and notes whether all of them could be decoded."""

    def __init__(self, inner: Any, encoding: str) -> None:
        self._inner = inner
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self.broken = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._inner.readinto(buffer)
        if not self.broken:
            try:
                self._decoder.decode(bytes(buffer[:count]), final=count == 0)
            except UnicodeDecodeError:
                self.broken = True
        return count


def _text_of(path: Path, encoding: str) -> IO[str]:
    binary: Any = gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")
    return io.TextIOWrapper(
        binary, encoding=encoding, errors="surrogateescape", newline=""
    )


def _cells(line: str, delimiter: str) -> list[str]:
    row = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    return [cell.strip() for cell in row]


def _breaks(row: list[str]) -> int:
    if isinstance(row, Misfit):
        return row.breaks
    return sum(cell.count("\n") + cell.count("\r") - cell.count("\r\n") for cell in row)


def _decoded(row: list[str]) -> list[str]:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        shown = [cell.encode(errors="replace").decode() for cell in row]
        return Misfit(shown, "broken_encoding", _breaks(row))
    return row
