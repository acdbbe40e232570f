"""A file of rows, whatever its format: chunks of words that know their lines.

`open_table` looks at the content first and at the suffix second. Broken rows come
out as `Misfit`, so that a reader counts them and goes on; a file that can't be read
at all is an error.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Self

from content.columns import Columns
from content.mapping import FileMapping
from content.raw_file import DAMAGE, RawFile, encoding_of

# Titles and blank lines may stand above the header, but not more than these.
HEADER_LINES = 20
# Longer cells are no data of customers, and rows of them would fill the memory.
CELL_MAX = 1 << 17
# A chunk ends early when its words grow beyond this.
CHUNK_CHARACTERS = 1 << 23
# So much of a broken row is kept for the file of rejects.
RAW_MAX = 100_000

JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
_JSON = re.compile(r'\s*(\{\s*["}]|\[\s*[{\]])')
_ZIP, _PARQUET, _OLE = b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0"
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)


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
                accumulate((1 + breaks(r) for r in self.rows), initial=0)
            )
        return self._first_line + self._starts[index]


class Table(ABC):
    """An open file whose header fits a mapping; use it as a context manager.

    A line is a line of a text file, a row of a sheet or of a Parquet file, an
    element of a JSON array. Rows are as long as `width`: the columns of `header`,
    and behind them one joined word for each field that the mapping takes from
    several columns. `indexes` gives the place of each mapped field; `rest` the
    columns that become attributes, with their places.
    """

    def __init__(self, raw: RawFile, mapping: FileMapping) -> None:
        self.name = raw.name
        self._raw = raw
        self._mapping = mapping
        # The line of the header; rows follow behind it.
        self._header_line = 0
        columns = self._read_columns()
        self.header = columns.header
        self.indexes = columns.indexes
        self.rest = columns.rest
        self.width = columns.width
        self._joins = columns.joins

    @property
    def size(self) -> int:
        """Of the file on disk, in bytes."""
        return self._raw.size

    @property
    def bytes_read(self) -> int:
        """Of the file on disk, so far."""
        return 0 if self._raw.bytes.closed else self._raw.bytes.tell()

    def chunks(self, position: int, rows: int) -> Iterator[Chunk]:
        """What follows line `position` (0: the header), up to `rows` at a time.

        Raises
        ------
        DataError : the file is damaged, or somebody writes into it
        """
        for chunk in self._chunks(max(position, self._header_line), rows):
            if self._joins:
                self._join(chunk.rows)
            yield chunk
        self._raw.check_unchanged()

    def close(self) -> None:
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def _read_columns(self) -> Columns:
        """Find the header and bind it; set `_header_line`."""

    @abstractmethod
    def _chunks(self, done: int, rows: int) -> Iterator[Chunk]:
        """The rows behind line `done`, as long as the header is."""

    def _join(self, rows: list[list[str]]) -> None:
        missing, width = self._mapping.missing, len(self.header)
        for row in rows:
            if len(row) == width:
                for places in self._joins:
                    words = (row[place].strip() for place in places)
                    text = " ".join(word for word in words if word not in missing)
                    # A line break that stands in the row twice would be counted twice.
                    row.append(" ".join(text.split()))


def breaks(row: list[str]) -> int:
    """Line breaks within a row."""
    if isinstance(row, Misfit):
        return row.breaks
    return sum(cell.count("\n") + cell.count("\r") - cell.count("\r\n") for cell in row)


def open_table(path: Path, mapping: FileMapping, name: str = "") -> Table:
    """The rows of a file of any format that we read.

    Raises
    ------
    DataError : the file can't be read, is of no such format, lacks a mapped column
        or holds it twice
    """
    raw = RawFile(path, name)
    try:
        return _format(raw, mapping)(raw, mapping)
    except DAMAGE as error:
        raw.close()
        raise raw.damaged(error) from error
    except BaseException:
        raw.close()
        raise


def _format(raw: RawFile, mapping: FileMapping) -> type[Table]:
    # The formats build on this module, and most files need one of them.
    from content.delimited import DelimitedTable  # noqa: PLC0415
    from content.json_lines import JsonTable  # noqa: PLC0415
    from content.parquet import ParquetTable  # noqa: PLC0415
    from content.sheet import SheetTable  # noqa: PLC0415

    head = raw.head()
    if head.startswith((_ZIP, _PARQUET)):
        if raw.is_gzip:
            raise raw.problem("a compressed workbook or Parquet file: unpack it first")
        return SheetTable if head.startswith(_ZIP) else ParquetTable
    _refuse_others(raw, head)
    text = head.decode(encoding_of(head, mapping.encoding), errors="replace")
    inner = raw.path.with_suffix("") if raw.path.suffix == ".gz" else raw.path
    if _JSON.match(text.lstrip("\ufeff")) or inner.suffix in JSON_SUFFIXES:
        return JsonTable
    return DelimitedTable


def _refuse_others(raw: RawFile, head: bytes) -> None:
    """What is no table at all is told by what it is, not by its missing columns."""
    suffix = raw.path.suffix.lower()
    if head.startswith(_OLE):
        hint = "Save it as .xlsx, without a password."
        raise raw.problem("an old or locked workbook can't be read", hint=hint)
    if suffix in {".xlsx", ".xlsm", ".parquet"}:
        hint = "Was it copied or written to its end? Get it again."
        raise raw.problem(f"this is no {suffix} file, whatever its name", hint=hint)
    if _MARKUP.match(head):
        hint = "Is it a page that asks to sign in? Export the data as CSV."
        raise raw.problem("a web page or XML, and no table", hint=hint)
    if head.startswith(b"%PDF"):
        raise raw.problem("a PDF, and no table", hint="Export the data as CSV.")
