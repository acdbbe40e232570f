"""Small files of every format, and what is read of them."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
from openpyxl import Workbook

from content.mapping import FileMapping
from content.table import Misfit, Table, open_table
from core.records import RecordKind

MAPPING = FileMapping(
    name="people",
    kind=RecordKind.CUSTOMERS,
    columns={"id": "id", "name": "name", "city": "city"},
    optional=frozenset({"city"}),
)
HEADER = ("id", "name", "city")
PEOPLE = [["1", "Ann", "Rome"], ["2", "Bob", "Oslo"], ["3", "李雷", "北京"]]


def opened(path: Path, content: bytes, **changes: Any) -> Table:
    path.write_bytes(content)
    return open_table(path, replace(MAPPING, **changes))


def lines_and_rows(table: Table, position: int = 0, rows: int = 100):
    return [
        (chunk.line(index), row)
        for chunk in table.chunks(position, rows)
        for index, row in enumerate(chunk.rows)
    ]


def rows_of(table: Table, position: int = 0, rows: int = 100):
    with table:
        return lines_and_rows(table, position, rows)


def words_of(table: Table):
    return [row for _, row in rows_of(table)]


def reasons_of(table: Table, rows: int = 100):
    return [
        (line, row.reason)
        for line, row in rows_of(table, rows=rows)
        if isinstance(row, Misfit)
    ]


def csv_bytes(rows: Sequence[Sequence[str]] = PEOPLE) -> bytes:
    return "".join(",".join(row) + "\n" for row in [HEADER, *rows]).encode()


def json_bytes(rows: Sequence[Sequence[str]] = PEOPLE) -> bytes:
    found = (dict(zip(HEADER, row, strict=True)) for row in rows)
    return "".join(json.dumps(each) + "\n" for each in found).encode()


def sheet_bytes(rows: Sequence[Sequence[Any]] = PEOPLE, header: Any = HEADER) -> bytes:
    book = Workbook()
    for row in [header, *rows]:
        book.active.append(row)
    return saved(book)


def saved(book: Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def parquet_file(path: Path, query: str) -> Path:
    with duckdb.connect(":memory:") as database:
        database.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def parquet_bytes(folder: Path, rows: Sequence[Sequence[str]] = PEOPLE) -> bytes:
    values = ", ".join(str(tuple(row)) for row in rows)
    query = f"SELECT * FROM (VALUES {values}) AS t(id, name, city)"
    return parquet_file(folder / "made.parquet", query).read_bytes()
