"""Folders and standard input, in every format; and what the commands say."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import select

from app.import_commands import (
    files_of,
    import_command,
    list_imports_command,
    undo_import_command,
)
from app.importing import EXIT_OK, EXIT_PROBLEM, EXIT_REJECTS
from core.errors import DataError
from core.settings import Settings
from storage.database import open_database
from storage.schema import customers, products

HEADER = "id,name,price\n"


@pytest.fixture
def database_kind() -> str:
    """What differs between the databases is tested elsewhere."""
    return "sqlite"


@pytest.fixture
def settings(database_url, tmp_path) -> Settings:
    return Settings(storage={"url": database_url, "data_directory": tmp_path / "data"})


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def names(settings: Settings) -> list[str]:
    with open_database(settings.storage.url) as database:
        query = select(products.c.name).order_by(products.c.external_id)
        return list(database.read_now(lambda c: c.scalars(query)))


def test_all_files_of_a_folder_come_in_in_the_order_of_names(settings, folder, capsys):
    (folder / "2.csv").write_text(HEADER + "P1,Newer lamp,2\n")
    (folder / "1.csv").write_text(HEADER + "P1,Lamp,1\nP2,Chair,3\n")

    assert import_command(settings, str(folder), "products") == EXIT_OK

    assert names(settings) == ["Newer lamp", "Chair"]
    assert "2 files." in capsys.readouterr().out


def test_a_bad_file_stops_no_other(settings, folder, capsys):
    (folder / "1.csv").write_text("something,else\n1,2\n")
    (folder / "2.csv").write_text(HEADER + "P1,Lamp,1\n")

    assert import_command(settings, str(folder), "products") == EXIT_PROBLEM

    told = capsys.readouterr()
    assert names(settings) == ["Lamp"]
    assert "1.csv:1: column `id` is missing" in told.err
    assert "2 files, 1 of them could not be imported." in told.out


def test_rejects_in_one_file_of_a_folder_show_in_the_exit_code(settings, folder):
    (folder / "1.csv").write_text(HEADER + "P1,Lamp,cheap\n")
    (folder / "2.csv").write_text(HEADER + "P2,Chair,1\n")

    assert import_command(settings, str(folder), "products") == EXIT_REJECTS


def test_files_that_are_not_whole_or_not_ours_are_left_out(folder):
    for name in (
        *("a.csv", "b.CSV.GZ", "c.xlsx", "d.parquet", "e.jsonl"),
        *(".hidden.csv", "~$c.xlsx", "f.csv.part", "g.tmp", "h.pdf", "i.csv~"),
    ):
        (folder / name).touch()
    (folder / "sub.csv").mkdir()

    fits, left_out = files_of(folder)

    assert [path.name for path in fits] == [
        *("a.csv", "b.CSV.GZ", "c.xlsx", "d.parquet", "e.jsonl"),
    ]
    assert len(left_out) == 7


def test_a_folder_without_files_is_an_error(settings, folder):
    with pytest.raises(DataError, match="no file to import"):
        import_command(settings, str(folder), "products")


def workbook() -> bytes:
    book = Workbook()
    for row in (["id", "name", "price"], ["P1", "Lamp", 1]):
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def parquet() -> bytes:
    import duckdb

    rows = "SELECT 'P1' AS id, 'Lamp' AS name, 1 AS price"
    file = Path("rows.parquet")
    duckdb.sql(rows).write_parquet(str(file))
    return file.read_bytes()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param((HEADER + "P1,Lamp,1\n").encode, id="csv"),
        pytest.param(workbook, id="xlsx"),
        pytest.param(parquet, id="parquet"),
        pytest.param(lambda: b'{"id": "P1", "name": "Lamp", "price": 1}\n', id="jsonl"),
    ],
)
def test_standard_input_takes_every_format(settings, monkeypatch, tmp_path, make):
    monkeypatch.chdir(tmp_path)
    standard = io.TextIOWrapper(io.BytesIO(make()))
    monkeypatch.setattr(sys, "stdin", standard)

    assert import_command(settings, "-", "products") == EXIT_OK

    assert names(settings) == ["Lamp"]


def test_an_undo_says_what_went_and_what_stays(settings, folder, capsys):
    people = folder / "customers.csv"
    people.write_text("id,name\n7,Ann\n8,Bob\n")
    sales = folder / "orders.csv"
    sales.write_text("order_id,ordered_at,customer_id,price\nA1,2026-01-01,7,5\n")
    import_command(settings, str(people), "customers")
    import_command(settings, str(sales), "orders")
    capsys.readouterr()

    assert undo_import_command(settings, 1) == EXIT_OK

    said = " ".join(capsys.readouterr().out.split())
    assert "taken out 1 customers 1" in said
    assert "stay 1 has orders of another import 1" in said
    list_imports_command(settings)
    assert "undone" in capsys.readouterr().out
    with open_database(settings.storage.url) as database:
        query = select(customers.c.name)
        assert list(database.read_now(lambda c: c.scalars(query))) == ["Ann"]
