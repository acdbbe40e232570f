"""Memory stays flat: a file that is six times as large needs no more of it."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from content.table import open_table
from tests.content.tables import HEADER, MAPPING, parquet_file, sheet_bytes

SMALL, LARGE = 2_000, 12_000
MEGABYTE = 1 << 20


def peak_bytes(path: Path, **changes) -> int:
    """The most memory at one time, of reading the whole file."""
    tracemalloc.start()
    try:
        with open_table(path, replace(MAPPING, **changes)) as table:
            for chunk in table.chunks(0, 500):
                assert chunk.rows
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def csv_file(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.write(",".join(HEADER) + "\n")
        file.writelines(f"{number},Ann Lee,Rome\n" for number in range(count))


def broken_csv_file(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.write(",".join(HEADER) + "\n")
        file.writelines(f'{number},"Ann,Rome\n' for number in range(count))


def json_file(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.writelines(
            f'{{"id": {number}, "name": "Ann", "city": "Rome"}}\n'
            for number in range(count)
        )


def sheet_file(path: Path, count: int) -> None:
    """Rows as Excel writes them, with heights, which other readers keep."""
    cell = '<c t="inlineStr"><is><t>Ann Lee</t></is></c>'
    rows = "".join(
        f'<row r="{number}" ht="15" customHeight="1">{cell * 3}</row>'
        for number in range(2, count + 2)
    )
    source = zipfile.ZipFile(io.BytesIO(sheet_bytes([])))
    with source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        for info in source.infolist():
            content = source.read(info).decode()
            z.writestr(
                info.filename, content.replace("</sheetData>", f"{rows}</sheetData>")
            )


def parquet_of(path: Path, count: int) -> None:
    query = f"SELECT i AS id, 'Ann' AS name, 'Rome' AS city FROM range({count}) t(i)"
    parquet_file(path, query)


@pytest.mark.parametrize(
    "write", [csv_file, broken_csv_file, json_file, sheet_file, parquet_of]
)
def test_a_file_six_times_as_large_needs_no_more_memory(
    tmp_path: Path, write: Callable[[Path, int], None]
):
    write(tmp_path / "small", SMALL)
    write(tmp_path / "large", LARGE)
    peak_bytes(tmp_path / "small")

    small, large = peak_bytes(tmp_path / "small"), peak_bytes(tmp_path / "large")

    assert large < small + MEGABYTE // 4


@pytest.mark.parametrize(
    "content",
    [
        # One line without an end, one cell with line breaks without an end.
        b"x" * MEGABYTE * 32,
        b'1,"' + b"x\n" * 70_000,
        b"\0" * MEGABYTE * 32,
    ],
    ids=["line", "cell", "zeros"],
)
def test_a_small_file_that_grows_without_end_is_read_within_bounds(tmp_path, content):
    path = tmp_path / "a.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"id,name\n" + content + b"\n2,Bob\n")

    assert peak_bytes(path, delimiter=",") < 16 * MEGABYTE
