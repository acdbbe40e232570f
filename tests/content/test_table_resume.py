"""Reading on behind any row gives the rest, whatever the format and the damage."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.table import Misfit, Table
from tests.content.tables import (
    csv_bytes,
    json_bytes,
    lines_and_rows,
    opened,
    parquet_bytes,
    sheet_bytes,
)

# What confuses readers of CSV, and what doesn't.
PIECES = (
    b"1",
    b"Ann",
    b",",
    b'"',
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\xff",
    b" ",
    b"\xe6",
)
WORDS = st.text(st.sampled_from('ab"\n\r ;,李'), max_size=3)
ROWS = st.lists(st.tuples(WORDS, WORDS, WORDS).map(list), min_size=1, max_size=12)


def plain(rows):
    return [
        (line, (row.reason, row.raw) if isinstance(row, Misfit) else row)
        for line, row in rows
    ]


def check_every_place(table: Table) -> None:
    with table:
        found = lines_and_rows(table, rows=1000)
        ends = [line - 1 for line, _ in found]
        assert ends == sorted(set(ends))
        for place, end in enumerate(ends):
            rest = lines_and_rows(table, position=end, rows=3)
            assert plain(rest) == plain(found[place:])


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join), st.booleans())
@settings(max_examples=300, deadline=None)
def test_reads_on_in_any_text(content, is_packed):
    content = b"id,name,city\n" + content
    with TemporaryDirectory() as folder:
        packed = gzip.compress(content) if is_packed else content
        check_every_place(opened(Path(folder) / "a.csv", packed))


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
@settings(max_examples=100, deadline=None)
def test_reads_on_in_any_json(content):
    content = json_bytes() + content + json_bytes()
    with TemporaryDirectory() as folder:
        check_every_place(opened(Path(folder) / "a.jsonl", content))


@given(ROWS)
@settings(max_examples=30, deadline=None)
def test_reads_on_in_any_sheet(rows):
    with TemporaryDirectory() as folder:
        check_every_place(opened(Path(folder) / "a.xlsx", sheet_bytes(rows)))


@pytest.mark.parametrize("count", [1, 10, 2000])
def test_reads_on_in_parquet(tmp_path, count):
    rows = [[str(number), "Ann", "Rome"] for number in range(count)]
    with opened(tmp_path / "a.parquet", parquet_bytes(tmp_path, rows)) as table:
        found = lines_and_rows(table, rows=700)
        place = count // 2

        assert lines_and_rows(table, found[place][0] - 1, rows=70) == found[place:]


def test_joined_words_with_line_breaks_move_no_lines(tmp_path):
    content = b'id,name,city\n1,"An\nn",x\n2,Bob,y\n'
    columns = {"id": "id", "name": ("name", "city")}

    check_every_place(opened(tmp_path / "a.csv", content, columns=columns))


def test_a_long_file_is_the_same_in_parts(tmp_path):
    rows = [[str(number), '"An\nn"', "x" * (number % 50)] for number in range(9000)]
    with opened(tmp_path / "a.csv", csv_bytes(rows)) as table:
        found = lines_and_rows(table, rows=4096)

        assert lines_and_rows(table, found[5000][0] - 1, rows=100) == found[5000:]
