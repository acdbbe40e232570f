"""Files of ours, read again: rows that were left out and corrected, and exports.

A file of rejects has the columns of the file that they come from, and behind them
those that say what was wrong; a column of these names marks such a file. So does the
last column of an export.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path

from content.columns import Columns
from content.mapping import FileMapping
from content.table import Chunk, Misfit, Table, open_table

LINE, REASON, VALUE, FROM = (
    *("rejected_line", "rejected_reason", "rejected_value", "rejected_from"),
)
MARKS = (LINE, REASON, VALUE, FROM)
HEAD_BYTES = 1 << 16

# The last column of a file that we exported. Its cells are those of `safe_cell`, and
# the columns that no field takes may begin with a word that keeps them apart.
EXPORTED = "rapport_export"
APART = "attributes."
_EXPORTED_HEADER = re.compile(rb",rapport_export(\r?\n|,rejected_line,)")

# A spreadsheet would run a cell that begins so; a number may, and a phone number.
# Some read the wide signs of Chinese and Japanese keyboards like the narrow ones.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠](?![\d\s().,/-]*$)", re.DOTALL)

# The import that left a row out, and the row's line in its file.
Origin = tuple[int, int]


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet runs; `plain_cell` takes the apostrophe away."""
    clean = text.encode(errors="replace").decode()
    return f"'{clean}" if _FORMULA.match(clean) else clean


def plain_cell(text: str) -> str:
    """What a cell of `safe_cell` was."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def attribute_column(name: str, taken: Container[str]) -> str:
    """What a column of an exported file is called that no field takes."""
    apart = name in taken or name in MARKS or name.startswith(APART)
    return safe_cell(f"{APART}{name}" if apart or name == EXPORTED else name)


def attribute_name(column: str) -> str:
    """What such a column is the name of."""
    return plain_cell(column).removeprefix(APART)


def open_rejected(path: Path, mapping: FileMapping, name: str = "") -> Table:
    """`open_table`, for files of ours too: of rejects, and exported ones.

    Raises
    ------
    DataError : as `open_table`
    """
    table = open_table(path, mapping, name)
    if EXPORTED in table.header:
        table.rest = {
            attribute_name(column): place
            for column, place in table.rest.items()
            if column != EXPORTED
        }
    if FROM in table.header:
        return Corrected(table)
    return Exported(table) if EXPORTED in table.header else table


def settled_by_marks(mapping: FileMapping, path: Path) -> FileMapping:
    """The mapping for this file: ours have a form of their own.

    Exports are read as they were written. Rejects are CSV with a header, whatever the
    file was that they come from; a spreadsheet may have changed separator and encoding
    since, as it may have done with an export, which is guessed then.
    """
    if not path.is_file():
        return mapping
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if _EXPORTED_HEADER.search(head) is not None:
        mapping = replace(
            mapping,
            encoding="utf-8-sig",
            delimiter=",",
            decimal=".",
            dates=("iso",),
            header=(),
            guess=frozenset(),
            written_hash=mapping.content_hash,
        )
    found = re.search(rb"rejected_line\"?(.)\"?rejected_reason", head)
    if found is None:
        return mapping
    guess = mapping.guess - {"encoding", "delimiter"}
    return replace(
        mapping,
        encoding=_encoding(head, mapping),
        delimiter=found[1].decode("ascii", errors="replace"),
        header=(),
        guess=guess,
        written_hash=mapping.content_hash,
    )


def _encoding(head: bytes, mapping: FileMapping) -> str:
    try:
        # The last character may be cut.
        head[: head.rfind(b"\n") + 1].decode("utf-8-sig")
    except UnicodeDecodeError:
        return mapping.encoding
    return "utf-8-sig"


class Exported(Table):
    """A table that we wrote: its cells are as they were."""

    def __init__(self, inner: Table) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner = inner

    def _chunks(self, done: int, rows: int) -> Iterator[Chunk]:
        for chunk in self._inner._chunks(done, rows):
            for row in chunk.rows:
                for place, cell in enumerate(row):
                    if cell[:1] == "'":
                        row[place] = plain_cell(cell)
            yield chunk

    def _read_columns(self) -> Columns:
        raise NotImplementedError


class Corrected(Table):
    """A table of rejects: knows where each row comes from.

    Rows that `skip` knows were corrected before; they are passed over and counted.
    """

    def __init__(self, inner: Table) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner = inner
        self._marks = {n: p for p, n in enumerate(inner.header) if n in MARKS}
        self.rest = {n: p for n, p in inner.rest.items() if n not in MARKS}
        self.skip: Container[Origin] = frozenset()
        self.skipped = 0
        # By line of this file; taken out as the rows are stored.
        self._origins: dict[int, Origin] = {}

    def origins(self, position: int) -> dict[int, Origin]:
        """Rows up to a line, by line: given once."""
        found = {n: o for n, o in self._origins.items() if n <= position}
        for line in found:
            del self._origins[line]
        return found

    def _chunks(self, done: int, rows: int) -> Iterator[Chunk]:
        for chunk in self._inner._chunks(done, rows):
            for index, row in enumerate(chunk.rows):
                origin = self._origin(row)
                if origin is None:
                    continue
                if origin in self.skip:
                    self.skipped += 1
                    lines = chunk.line(index + 1) - chunk.line(index) - 1
                    chunk.rows[index] = Misfit((), "", lines)
                else:
                    self._origins[chunk.line(index)] = origin
                    row[:] = [plain_cell(cell) for cell in row]
            yield chunk

    def _origin(self, row: list[str]) -> Origin | None:
        if isinstance(row, Misfit):
            return None
        words = row[self._marks[FROM]].strip(), row[self._marks[LINE]].strip()
        if not all(word.isdecimal() for word in words):
            return None
        return int(words[0]), int(words[1])

    def _read_columns(self) -> Columns:
        raise NotImplementedError
