from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from content.mapping import FileMapping
from content.table import Misfit, Table, open_table
from core.errors import DataError
from core.records import RecordKind

MAPPING = FileMapping(
    name="people",
    kind=RecordKind.CUSTOMERS,
    columns={"id": "id", "name": "name", "city": "city"},
    optional=frozenset({"city"}),
)


@pytest.fixture
def table(tmp_path: Path):
    def opened(content: bytes, name: str = "people.csv", **changes) -> Table:
        path = tmp_path / name
        path.write_bytes(content)
        fields = {name: getattr(MAPPING, name) for name in MAPPING.__slots__}
        return open_table(path, FileMapping(**fields | changes))

    return opened


def rows_of(table: Table, position: int = 0, rows: int = 100):
    with table:
        return [
            (chunk.line(index), row)
            for chunk in table.chunks(position, rows)
            for index, row in enumerate(chunk.rows)
        ]


def reasons_of(table: Table, rows: int = 100):
    return [
        (line, row.reason)
        for line, row in rows_of(table, rows=rows)
        if isinstance(row, Misfit)
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_finds_the_delimiter_from_the_header(table, delimiter):
    content = f"id{delimiter}name\n1{delimiter}Ann\n".encode()

    assert rows_of(table(content)) == [(2, ["1", "Ann"])]


@pytest.mark.parametrize(
    ("content", "name", "changes"),
    [
        # A byte-order mark is no part of the first column's name.
        (b"\xef\xbb\xbfid,name\n1,Ann\n", "a.csv", {}),
        # Windows lines, and none at the end.
        (b"id,name\r\n1,Ann", "a.csv", {}),
        # A blank after the comma.
        (b"id, name\n1, Ann\n", "a.csv", {}),
        # A text file and a compressed one.
        (b"id\tname\n1\tAnn\n", "a.txt", {}),
        (gzip.compress(b"id,name\n1,Ann\n"), "a.csv.gz", {}),
        ("id,name\n1,Ann\n".encode("utf-16"), "a.csv", {"encoding": "utf-16"}),
    ],
)
def test_reads_the_forms_that_files_come_in(table, content, name, changes):
    assert rows_of(table(content, name, **changes)) == [(2, ["1", "Ann"])]


def test_knows_the_physical_line_after_quoted_line_breaks(table):
    content = b'id,name\n1,"An\nn"\n\n2,Bob\n'

    assert rows_of(table(content))[-1] == (5, ["2", "Bob"])


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_marks_rows_of_another_width_and_goes_on(table, rows):
    content = b"id,name\n1\n2,Bob\n3,Cy,x\n4,Dan\n"

    assert reasons_of(table(content), rows) == [
        (2, "number_of_fields"),
        (4, "number_of_fields"),
    ]


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_an_open_quote_costs_one_row_not_the_rest_of_the_file(table, rows):
    content = b'id,name\n1,"Ann\n2,Bob\n3,Cy\n4,Dan\n'

    found = rows_of(table(content), rows=rows)

    assert [line for line, _ in found] == [2, 3, 4, 5]
    assert found[0][1].reason == "quote_not_closed"
    assert found[3][1] == ["4", "Dan"]


def test_an_open_quote_before_a_long_rest_costs_one_row(table):
    rest = "".join(f"{number},Bob\n" for number in range(2, 20_002))
    content = f'id,name\n1,"Ann\n{rest}'.encode()

    found = rows_of(table(content), rows=4096)

    assert len(found) == 20_001
    assert [row.reason for _, row in found if isinstance(row, Misfit)] == [
        "quote_not_closed"
    ]


def test_words_after_a_closed_quote_cost_their_row(table):
    content = b'id,name\n1,"An"n\n2,Bob "B" Cox\n'

    found = rows_of(table(content))

    assert [(row.reason, row.raw) for _, row in found[:1]] == [
        ("bad_quotes", ('1,"An"n',))
    ]
    assert found[1] == (3, ["2", 'Bob "B" Cox'])


def test_bytes_that_are_no_text_cost_their_row(table):
    content = b"id,name\n1,Ann\n2,B\xf6b\n3,Cy\n"

    assert reasons_of(table(content)) == [(3, "broken_encoding")]


def test_reads_on_from_the_line_where_it_was_left(table):
    content = b'id,name\n1,"An\nn"\n2,Bob\n3,Cy\n'

    assert rows_of(table(content), position=4) == [(5, ["3", "Cy"])]


def test_a_missing_column_is_named_with_what_is_there(table):
    with pytest.raises(DataError) as raised:
        table(b"id,nam,phone\n1,Ann,2\n")

    (problem,) = raised.value.problems
    assert "column `name` is missing" in problem.expected
    assert problem.hint == "Did you mean `nam`? The file has: id, nam, phone."


def test_an_optional_column_may_be_missing(table):
    with table(b"id,name\n") as found:
        assert found.indexes == {"id": 0, "name": 1}


def test_other_columns_become_attributes_when_the_mapping_says_rest(table):
    with table(b"id,name,size\n", attributes="rest") as found:
        assert found.rest == {"size": 2}


def test_an_empty_file_is_refused(table):
    with pytest.raises(DataError, match="empty"):
        table(b"\n\n")


def test_a_damaged_compressed_file_is_refused(table):
    content = gzip.compress(b"id,name\n" + b"1,Ann\n" * 5000)[:-20]

    with pytest.raises(DataError, match="damaged"):
        rows_of(table(content, "a.csv.gz"))
