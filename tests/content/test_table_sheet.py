from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from content import workbook
from core.errors import DataError
from tests.content.tables import (
    HEADER,
    PEOPLE,
    opened,
    reasons_of,
    rows_of,
    saved,
    sheet_bytes,
    words_of,
)

SHEET = "xl/worksheets/sheet1.xml"


@pytest.fixture
def table(tmp_path: Path):
    def make(content: bytes, name: str = "people.xlsx", **changes):
        return opened(tmp_path / name, content, **changes)

    return make


def repacked(content: bytes, **parts: bytes) -> bytes:
    """The same workbook with other words in a part: old to new."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, parts.get(info.filename, old.read(info)))
    return file.getvalue()


def part_of(content: bytes, name: str = SHEET) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return book.read(name)


@pytest.mark.parametrize("name", ["people.xlsx", "people.csv", "people"])
def test_knows_a_workbook_by_its_content(table, name):
    assert rows_of(table(sheet_bytes(), name)) == [
        (line, words) for line, words in enumerate(PEOPLE, 2)
    ]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("Ann", "Ann"),
        (" 007 ", " 007 "),
        (17850.0, "17850"),
        (2.55, "2.55"),
        (0.1 + 0.2, "0.3"),
        (-1.5e-7, "-0.00000015"),
        (1e20, "100000000000000000000"),
        (True, "true"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime.fromisoformat("2026-01-31 09:12:58"), "2026-01-31 09:12:58"),
        (time(9, 12, 58), "09:12:58"),
        (timedelta(hours=30, minutes=2), "30:02:00"),
        ("李雷\nBeijing", "李雷\nBeijing"),
        ("#N/A", ""),
        (None, ""),
    ],
)
def test_cells_become_the_words_that_a_person_would_write(table, value, word):
    found = table(sheet_bytes([["1", "Ann", value]]))

    assert words_of(found) == [["1", "Ann", word]]


def test_numbers_follow_the_decimal_sign_of_the_mapping(table):
    found = table(sheet_bytes([["1", "Ann", 2.5]]), decimal=",")

    assert words_of(found)[0][2] == "2,5"


def test_joins_a_date_with_its_time(table):
    content = sheet_bytes([["1", date(2021, 1, 1), time(9, 12, 58)]])

    found = table(content, columns={"id": "id", "created_at": ("name", "city")})

    assert words_of(found)[0][-1] == "2021-01-01 09:12:58"


def test_days_count_from_1904_where_the_workbook_says_so(table):
    content = sheet_bytes([["1", "Ann", date(2021, 1, 1)]])
    part = "xl/workbook.xml"
    other = part_of(content, part).replace(
        b"<workbookPr", b'<workbookPr date1904="1" ', 1
    )

    found = table(repacked(content, **{part: other}))

    assert words_of(found)[0][2] == "2025-01-02"


@pytest.mark.parametrize("error", ["#REF!", "#DIV/0!", "#VALUE!"])
def test_an_error_in_a_mapped_cell_costs_its_row(table, error):
    content = sheet_bytes([["1", "Ann", error], ["2", "Bob", "Oslo"]])

    assert reasons_of(table(content)) == [(2, "cell_error")]


def test_a_formula_that_was_never_worked_out_costs_its_row(table):
    assert reasons_of(table(sheet_bytes([["1", "=A1&B1", "Rome"]]))) == [
        (2, "cell_error")
    ]


def test_an_error_in_a_column_that_nobody_reads_costs_nothing(table):
    content = sheet_bytes([["1", "Ann", "#REF!"]], ("id", "name", "other"))

    assert words_of(table(content)) == [["1", "Ann", "#REF!"]]


def test_blank_lines_and_titles_may_stand_above_the_header(table):
    book = Workbook()
    book.active["A2"] = "Our customers"
    book.active.merge_cells("A2:C2")
    for place, row in enumerate([HEADER, *PEOPLE], 5):
        for column, word in enumerate(row, 1):
            book.active.cell(place, column, word)

    assert rows_of(table(saved(book)))[0] == (6, PEOPLE[0])


def test_blank_rows_are_no_rows_but_are_counted(table):
    book = Workbook()
    book.active.append(HEADER)
    book.active["A5"], book.active["B5"] = "1", "Ann"

    assert [(line, list(row)) for line, row in rows_of(table(saved(book)))] == [
        (2, []),
        (3, []),
        (4, []),
        (5, ["1", "Ann", ""]),
    ]


def test_words_beside_the_table_cost_their_row(table):
    content = sheet_bytes([["1", "Ann", "Rome", "", "ask her!"]])

    assert reasons_of(table(content)) == [(2, "number_of_fields")]


def test_a_mapping_names_the_sheet(table):
    book = Workbook()
    book.active.append(["notes"])
    book.create_sheet("People").append(HEADER)

    with table(saved(book), sheet="People") as found:
        assert found.header == HEADER


def test_an_unknown_sheet_is_told_with_the_nearest(table):
    with pytest.raises(DataError, match=r"(?s)no such sheet.*mean `Sheet`"):
        table(sheet_bytes(), sheet="Sheets")


def test_a_missing_column_is_told_with_its_row(table):
    with pytest.raises(DataError, match=r"people.xlsx:1: column `name` is missing"):
        table(sheet_bytes(header=("id", "nam", "city")))


def test_reads_inline_words_and_sheets_without_their_size(table):
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    assert isinstance(sheet, WriteOnlyWorksheet)
    for row in [HEADER, *PEOPLE]:
        sheet.append(row)

    assert words_of(table(saved(book))) == PEOPLE


@pytest.mark.parametrize("keep", [100, 1500, 4000])
def test_half_a_workbook_is_refused(table, keep):
    with pytest.raises(DataError, match="workbook is not whole"):
        table(sheet_bytes()[:keep])


def test_a_bomb_is_refused_by_the_list_of_its_parts(table, monkeypatch):
    def unpack(*_):
        raise AssertionError("nothing may be unpacked")

    bomb = repacked(sheet_bytes(), **{SHEET: b"<row/>" * 12_000_000})
    monkeypatch.setattr(zipfile.ZipFile, "open", unpack)

    with pytest.raises(DataError, match="too large to be read safely"):
        table(bomb)


def test_too_many_parts_are_refused(table, monkeypatch):
    monkeypatch.setattr(workbook, "PARTS_MAX", 3)

    with pytest.raises(DataError, match="too large to be read safely"):
        table(sheet_bytes())


def test_a_part_that_is_larger_than_it_says_is_refused(table):
    content = bytearray(sheet_bytes(PEOPLE * 100))
    place = content.rindex(b"PK\x01\x02", 0, content.rindex(SHEET.encode()))
    content[place + 24 : place + 28] = (50).to_bytes(4, "little")

    with pytest.raises(DataError, match="the workbook is damaged"):
        rows_of(table(bytes(content)))


def test_entities_are_refused(table):
    content = sheet_bytes()
    evil = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'

    with pytest.raises(DataError, match="without a document type"):
        rows_of(table(repacked(content, **{SHEET: evil + part_of(content)})))


def test_an_endless_row_is_refused(table, monkeypatch):
    monkeypatch.setattr(workbook, "ROW_MAX", 1 << 16)
    monkeypatch.setattr("content.sheet.ROW_MAX", 1 << 16)
    content = sheet_bytes([["1", "Ann", f"{'x' * 30_000}"]])
    part = part_of(content)
    cell = b'<c t="inlineStr"><is><t>' + bytes(range(65, 91)) * 1000 + b"</t></is></c>"

    with pytest.raises(DataError, match="part of the workbook is too long"):
        rows_of(table(repacked(content, **{SHEET: part.replace(b"</row>", cell * 20)})))


@pytest.mark.parametrize("row", [b"0", b"-1", b"1048577", b"99999999999", b"x"])
def test_a_row_number_that_no_sheet_has_is_damage(table, row):
    content = sheet_bytes()
    part = part_of(content).replace(b'<row r="3"', b'<row r="%s"' % row)

    with pytest.raises(DataError, match="the workbook is damaged"):
        rows_of(table(repacked(content, **{SHEET: part})))


def test_another_zip_file_is_refused(table):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as other:
        other.writestr("people.csv", "id,name\n")

    with pytest.raises(DataError, match="a zip file, and no workbook"):
        table(file.getvalue())
