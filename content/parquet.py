"""A Parquet file as a table, read by DuckDB; a line is a row, counted from 1.

DuckDB gets one thread, little memory, no network, no extensions, and no file but
this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from content.columns import Columns, bind
from content.raw_file import unusable
from content.table import CELL_MAX, CHUNK_CHARACTERS, Chunk, Misfit, Table
from content.typed import number_word

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "256MB"
# A small file can claim any number of rows; a shop has not so many.
ROWS_MAX = 1_000_000_000
FETCH_ROWS = 512
SETTINGS = {
    "threads": "1",
    "memory_limit": MEMORY,
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "temp_directory": "",
}
_NUMBERS = ("FLOAT", "DOUBLE")
_NESTED = ("STRUCT", "MAP", "UNION")
_MIDNIGHT = " 00:00:00"


class ParquetTable(Table):
    """All rows of the file, in their order."""

    def _read_columns(self) -> Columns:
        self._database = self._connect()
        with self._telling():
            types = self._ask("SELECT * FROM read_parquet(?) LIMIT 0").description
            names = [str(column[0]).strip() for column in types]
            self._kinds = [str(column[1]).upper() for column in types]
            count = self._ask("SELECT num_rows FROM parquet_file_metadata(?)")
            found = count.fetchone()
        self._read = [_reader(kind, self._mapping.decimal) for kind in self._kinds]
        self._count = int(found[0]) if found else 0
        if self._count > ROWS_MAX:
            raise self._raw.problem("too many rows", f"{self._count:,}")
        self._done = 0
        return bind(names, self._mapping, self.name, None)

    @property
    def bytes_read(self) -> int:
        """The share of the rows that were read, as bytes."""
        return self.size * self._done // max(1, self._count)

    def close(self) -> None:
        super().close()
        self._database.close()

    def _chunks(self, done: int, rows: int) -> Iterator[Chunk]:
        places = range(len(self._kinds))
        picked = ", ".join(_expression(p, self._kinds[p]) for p in places)
        names = ", ".join(f"c{place}" for place in places)
        query = f"SELECT {picked} FROM read_parquet(?) AS t({names}) OFFSET {done:d}"  # noqa: S608  our own names and a number
        with self._telling():
            answer = self._ask(query)
        while True:
            found: list[list[str]] = []
            characters = 0
            while len(found) < rows and characters < CHUNK_CHARACTERS:
                with self._telling():
                    fetched = answer.fetchmany(min(FETCH_ROWS, rows - len(found)))
                if not fetched:
                    break
                for values in fetched:
                    found.append(self._row(values))
                    characters += sum(map(len, found[-1]))
            if not found:
                return
            yield Chunk(found, done + 1, len(found))
            done += len(found)
            self._done = done

    def _row(self, values: tuple[Any, ...]) -> list[str]:
        words = [
            "" if value is None else read(value)
            for value, read in zip(values, self._read, strict=True)
        ]
        if not any(words):
            return Misfit((), "", 0)
        reason = unusable(words, CELL_MAX)
        return Misfit(words, reason, 0) if reason else words

    def _connect(self) -> DuckDBPyConnection:
        import duckdb  # noqa: PLC0415  heavy, and only Parquet needs it

        path = str(self._raw.path.absolute())
        found = duckdb.connect(":memory:", config=dict(SETTINGS))
        found.execute("SET allowed_paths = [?]", [path])
        found.execute("SET enable_external_access = false")
        found.execute("SET lock_configuration = true")
        return found

    def _ask(self, query: str) -> DuckDBPyConnection:
        return self._database.execute(query, [str(self._raw.path.absolute())])

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What DuckDB finds wrong, as an error for a person."""
        import duckdb  # noqa: PLC0415  heavy, and only Parquet needs it

        try:
            yield
        # A damaged name of a column can't even be made a word.
        except (duckdb.Error, RuntimeError, UnicodeError) as error:
            hint = "Was it copied or written to its end? Get it again."
            shown = str(error).partition("\n")[0]
            raise self._raw.problem(
                "the Parquet file can't be read", shown, hint=hint
            ) from error


def _expression(place: int, kind: str) -> str:
    """The column as text, except where Python knows better how to write it."""
    name = f"c{place}"
    if kind in _NUMBERS or kind == "BLOB":
        return name
    if kind.startswith("TIMESTAMP WITH TIME ZONE"):
        # What shows a zone's time needs an extension; UTC needs none.
        return f"CAST(make_timestamp(epoch_us({name})) AS VARCHAR) || '+00:00'"
    if kind.endswith("]") or kind.startswith(_NESTED):
        return f"CAST(to_json({name}) AS VARCHAR)"
    # One character more than fits shows that the cell is too long.
    return f"left(CAST({name} AS VARCHAR), {CELL_MAX + 1})"


def _reader(kind: str, decimal: str) -> Callable[[Any], str]:
    if kind == "BLOB":
        return lambda value: bytes(value).decode(errors="surrogateescape")
    if kind in _NUMBERS or kind.startswith("DECIMAL"):
        return lambda value: number_word(value, decimal)
    if kind.startswith("TIMESTAMP"):
        return lambda value: str(value).removesuffix(_MIDNIGHT)
    return str
