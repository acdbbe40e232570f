from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from content.lines import LINE_MAX
from content.table import CELL_MAX, Misfit, open_table
from core.errors import DataError
from core.records import RecordKind
from tests.content.tables import MAPPING, opened, reasons_of, rows_of, words_of


@pytest.fixture
def table(tmp_path: Path):
    def make(content: bytes, name: str = "people.csv", **changes):
        return opened(tmp_path / name, content, **changes)

    return make


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


def problem_of(raised) -> str:
    (problem,) = raised.value.problems
    return str(problem)


def test_a_byte_order_mark_says_the_encoding_whatever_the_mapping_says(table):
    content = "id,name\n1,Zoë\n".encode("utf-16")

    assert words_of(table(content)) == [["1", "Zoë"]]


def test_reads_chinese_columns_in_gb18030(table):
    content = "编号,姓名\n1,李雷\n".encode("gb18030")

    found = table(content, encoding="gb18030", columns={"id": "编号", "name": "姓名"})

    assert words_of(found) == [["1", "李雷"]]


def test_a_header_in_another_encoding_is_told_with_the_way_out(table):
    with pytest.raises(DataError) as raised:
        table("编号,name\n1,a\n".encode("gb18030"))

    assert "people.csv:1: the header is no text in utf-8" in problem_of(raised)
    assert "gb18030" in problem_of(raised)


@pytest.mark.parametrize("rows", [1, 100])
def test_rows_of_another_encoding_cost_themselves(table, rows):
    good, bad = "3,李雷\n".encode(), "2,李雷\n".encode("gb18030")

    found = table(b"id,name\n1,Ann\n" + bad + good)

    assert reasons_of(found, rows) == [(3, "broken_encoding")]


def test_broken_utf_16_costs_its_row(table):
    first, second = "id,name\n1,".encode("utf-16"), "\n2,Bob\n".encode("utf-16-le")

    found = rows_of(table(first + b"\x00\xd8" + second))

    assert [getattr(row, "reason", row) for _, row in found] == [
        "broken_encoding",
        ["2", "Bob"],
    ]


def test_zero_bytes_cost_their_row(table):
    content = b"id,name\n1,An\0n\n2,Bob\n" + b"\0" * 100

    assert reasons_of(table(content)) == [(2, "nul_byte"), (4, "number_of_fields")]


@pytest.mark.parametrize("length", [LINE_MAX + 1, 3 * LINE_MAX])
def test_an_endless_line_costs_itself(table, length):
    content = b"id,name\n1,Ann\n2," + b"x" * length + b"\r\n3,Cy\n"

    found = rows_of(table(content))

    assert [line for line, _ in found] == [2, 3, 4]
    assert found[1][1].reason == "line_too_long"
    assert len(found[1][1].raw[0]) < 1000
    assert found[2][1] == ["3", "Cy"]


def test_an_endless_cell_costs_its_row(table):
    content = b"id,name\n1," + b"x" * (CELL_MAX + 1) + b"\n2,Bob\n"

    assert reasons_of(table(content)) == [(2, "cell_too_long")]


def test_an_endless_row_of_short_cells_costs_its_first_line(table):
    # Each line closes one quote and opens another.
    content = b'id,name\n1,"a' + (b'\n","' + b"a" * 1000) * 5000 + b"\n2,Bob\n"

    found = rows_of(table(content), rows=10)

    assert found[0][1].reason == "line_too_long"
    assert found[-1][1] == ["2", "Bob"]


def test_many_open_quotes_cost_a_row_each(table):
    content = b"id,name\n" + b'1,"Ann\n2,Bob\n' * 3000

    found = rows_of(table(content), rows=1000)

    assert len(found) == 6000
    assert sum(isinstance(row, Misfit) for _, row in found) == 3000


def test_an_endless_header_is_refused(table):
    with pytest.raises(DataError, match="header is too long"):
        table(b"x" * (LINE_MAX + 1))


def test_titles_may_stand_above_the_header(table):
    content = b"Customers of 2026\n\nid,name\n1,Ann\n"

    assert rows_of(table(content, delimiter=",")) == [(4, ["1", "Ann"])]


def test_a_mapping_can_name_the_columns_of_a_file_without_a_header(table):
    found = table(b"1,Ann\n2,Bob\n", header=("id", "name"), delimiter=",")

    assert rows_of(found)[0] == (1, ["1", "Ann"])


def test_reads_columns_of_a_fixed_width(table):
    content = b"   001 Ann\n    02   Bob\n"

    found = table(content, header=("id", "name"), delimiter="whitespace")

    assert words_of(found) == [["001", "Ann"], ["02", "Bob"]]


def test_joins_columns_without_their_empty_parts(table):
    columns = {"id": "id", "name": ("given", "family")}
    content = b"id,given,family\n1, Ann ,Lee\n2,?,Cox\n3\n"

    found = table(content, columns=columns, missing=("", "?"))

    assert found.indexes["name"] == found.width - 1 == 3
    assert [row[3:] for row in words_of(found)] == [["Ann Lee"], ["Cox"], []]


def test_joined_columns_become_no_attributes(table):
    columns = {"id": "id", "name": ("given", "family")}

    with table(b"id,given,family,size\n", columns=columns, attributes="rest") as found:
        assert found.rest == {"size": 3}


def test_a_mapped_column_that_stands_twice_is_refused_with_both_places(table):
    with pytest.raises(DataError) as raised:
        table(b"id,name,size,name\n1,Ann,3,Bob\n")

    assert "people.csv:1:4: column `name` stands twice" in problem_of(raised)
    assert "columns 2 and 4" in problem_of(raised)


def test_other_columns_that_stand_twice_are_both_kept(table):
    with table(b"id,name,x,x\n1,Ann,3,4\n", attributes="rest") as found:
        assert found.rest == {"x": 2, "x (2)": 3}


def test_a_default_stands_for_a_column_that_is_needed(table):
    found = table(
        b"id,at\n",
        kind=RecordKind.EVENTS,
        columns={"customer": "id", "at": "at", "event": "event"},
        optional=frozenset({"event"}),
        defaults={"event": "visit"},
    )

    with found:
        assert found.indexes == {"customer": 0, "at": 1}


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="a folder"):
        open_table(tmp_path, MAPPING)


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(DataError, match="a file is expected"):
        open_table(tmp_path / "pipe", MAPPING)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        open_table(tmp_path / "none.csv", MAPPING)


def test_a_file_that_grows_while_it_is_read_is_refused(table, tmp_path):
    found = table(b"id,name\n1,Ann\n")
    with (tmp_path / "people.csv").open("ab") as file:
        file.write(b"2,Bob\n")

    with pytest.raises(DataError, match="changed while it was read"):
        rows_of(found)


def test_a_file_that_vanishes_is_read_to_its_end(table, tmp_path):
    found = table(b"id,name\n1,Ann\n")
    (tmp_path / "people.csv").unlink()

    assert words_of(found) == [["1", "Ann"]]


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "a.csv", "empty"),
        (gzip.compress(b""), "a.csv.gz", "empty"),
        (b"\xd0\xcf\x11\xe0rest", "a.xls", "old or locked workbook"),
        (b"<!DOCTYPE html><p>Sign in", "a.csv", "web page"),
        (b"%PDF-1.7", "a.csv", "PDF"),
        (b"id,name\n", "a.xlsx", r"no \.xlsx file"),
        (b"\0\0\0\0", "a.parquet", r"no \.parquet file"),
    ],
)
def test_says_what_a_file_is_that_is_no_table(table, content, name, words):
    with pytest.raises(DataError, match=words):
        table(content, name)


def test_a_file_with_a_header_alone_has_no_rows(table):
    assert rows_of(table(b"id,name")) == []
