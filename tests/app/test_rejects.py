"""Rejected rows, corrected and imported again: as if the file had been right."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.import_commands import import_command, undo_import_command
from app.importing import EXIT_OK, EXIT_REJECTS
from content.rejected import plain_cell, safe_cell
from core.settings import Settings
from storage import ingest
from storage.database import open_database
from storage.schema import customers, order_lines, orders

ORDERS = "order_id,ordered_at,customer_id,product_id,quantity,price\n"
# One order whose second line is wrong, one that is wholly wrong, one that is right.
DIRTY = (
    "A1,2011-03-01,7,P1,1,10\n"
    "A1,2011-03-01,7,P2,two,20\n"
    "A2,someday,8,P1,3,10\n"
    "A3,2011-03-02,9,P1,1,10\n"
)
CLEAN = DIRTY.replace("two", "2").replace("someday", "2011-03-05")


@pytest.fixture
def shop(tmp_path, database_url):
    return Shop(database_url, tmp_path)


class Shop:
    """A database with the files that are imported into it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        directory = folder / "data"
        self.settings = Settings(storage={"url": url, "data_directory": directory})

    def write(self, text: str, name: str = "shop.csv") -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def bring(self, path: Path, mapping: str = "orders") -> int:
        return import_command(self.settings, str(path), mapping)

    def rejects(self, number: int = 1) -> Path:
        return self.settings.storage.data_directory / "rejects" / f"{number}.csv"

    def read(self, *columns):
        with open_database(self.url) as database:
            query = select(*columns)
            return sorted(map(repr, database.read_now(lambda c: c.execute(query))))

    def orders(self):
        lines = (
            *(orders.c.external_id, orders.c.total_minor, orders.c.ordered_at),
            *(order_lines.c.quantity, order_lines.c.amount_minor),
        )
        with open_database(self.url) as database:
            query = select(*lines).join(order_lines)
            return sorted(map(repr, database.read_now(lambda c: c.execute(query))))


def correct(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8-sig")
    for wrong, right in changes:
        # The cell, and not its copy among the marks.
        text = text.replace(wrong, right, 1)
    path.write_text(text, encoding="utf-8-sig")


@pytest.fixture
def clean_orders(tmp_path):
    """What is stored where the file was right from the beginning."""
    folder = tmp_path / "clean"
    folder.mkdir()
    other = Shop(f"sqlite:///{folder}/clean.db", folder)
    other.bring(other.write(ORDERS + CLEAN))
    return other.orders()


def test_corrected_rejects_end_as_a_file_that_was_right(shop, clean_orders):
    shop.bring(shop.write(ORDERS + DIRTY))
    correct(shop.rejects(), ("two", "2"), ("someday", "2011-03-05"))

    assert shop.bring(shop.rejects()) == EXIT_OK

    assert shop.orders() == clean_orders


def test_rejects_that_nobody_corrected_are_rejected_again(shop):
    shop.bring(shop.write(ORDERS + DIRTY))

    assert shop.bring(shop.rejects()) == EXIT_REJECTS

    first, again = (read(shop.rejects(number)) for number in (1, 2))
    assert first == again


def test_rejects_may_be_corrected_little_by_little(shop, clean_orders):
    shop.bring(shop.write(ORDERS + DIRTY))
    correct(shop.rejects(), ("two", "2"))
    shop.bring(shop.rejects())
    correct(shop.rejects(), ("someday", "2011-03-05"))

    assert shop.bring(shop.rejects()) == EXIT_OK

    assert shop.orders() == clean_orders


def test_what_is_left_may_be_corrected_in_the_second_file(shop, clean_orders):
    shop.bring(shop.write(ORDERS + DIRTY))
    correct(shop.rejects(), ("two", "2"))
    shop.bring(shop.rejects())
    correct(shop.rejects(2), ("someday", "2011-03-05"))

    assert shop.bring(shop.rejects(2)) == EXIT_OK

    assert shop.orders() == clean_orders


def test_corrected_rejects_are_undone_like_any_file(shop):
    shop.bring(shop.write(ORDERS + DIRTY))
    before = shop.orders()
    correct(shop.rejects(), ("two", "2"), ("someday", "2011-03-05"))
    shop.bring(shop.rejects())

    undo_import_command(shop.settings, 2)

    assert shop.orders() == before


def test_a_spreadsheet_may_have_saved_the_rejects(shop, clean_orders):
    shop.bring(shop.write(ORDERS + DIRTY))
    correct(shop.rejects(), ("two", "2"), ("someday", "2011-03-05"))
    rows = list(csv.reader(shop.rejects().read_text("utf-8-sig").splitlines()))
    saved = shop.folder / "saved.csv"
    with saved.open("w", encoding="cp1252", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)

    assert shop.bring(saved) == EXIT_OK

    assert shop.orders() == clean_orders


SEMICOLONS = """
kind: customers
source: shop
encoding: gb18030
delimiter: semicolon
decimal: ","
dates: "%d.%m.%Y"
attributes: rest
columns:
  {id: Nummer, name: Name, birth_date: Geburtstag, income: Einkommen, email: Mail}
"""


def test_a_mapping_of_another_notation_reads_its_rejects(shop):
    mapping = shop.write(SEMICOLONS, "mapping.yaml")
    file = shop.folder / "customers.csv"
    text = "Nummer;Name;Geburtstag;Einkommen;Mail;Size\n"
    text += "1;李雷;31.12.1980;1.234,50;a@b.example;M\n2;韩梅梅;tomorrow;2,5;;=L\n"
    file.write_bytes(text.encode("gb18030"))
    shop.bring(file, str(mapping))
    correct(shop.rejects(), ("tomorrow", "01.05.1981"))

    assert shop.bring(shop.rejects(), str(mapping)) == EXIT_OK

    assert shop.read(customers.c.name, customers.c.income_minor) == [
        "('李雷', 123450)",
        "('韩梅梅', 250)",
    ]
    assert shop.read(customers.c.attributes) == [
        "({'Size': '=L'},)",
        "({'Size': 'M'},)",
    ]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_row_of_another_length_fits_only_when_it_is_corrected(shop):
    shop.bring(shop.write(ORDERS + "A1,2011-03-01,7\nA2,2011-03-01,7,P1,1,2,3,4\n"))

    assert shop.bring(shop.rejects()) == EXIT_REJECTS

    assert shop.orders() == []


def test_each_reject_names_the_column_and_what_stood_there(shop):
    shop.bring(shop.write(ORDERS + DIRTY))

    marks = [row[-4:] for row in read(shop.rejects())]
    assert marks == [
        ["rejected_line", "rejected_reason", "rejected_value", "rejected_from"],
        ["3", "bad_quantity (quantity)", "two", "1"],
        ["4", "bad_date (ordered_at)", "someday", "1"],
    ]


def read(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text("utf-8-sig").splitlines()))


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd", "'+cmd"),
        ("'=x", "''=x"),
        # Numbers, and numbers of telephones, run nothing.
        ("-5.20", "-5.20"),
        ("+49 (30) 123-45", "+49 (30) 123-45"),
        ("it's", "it's"),
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_disarmed(cell, shown):
    assert safe_cell(cell) == shown
    assert plain_cell(shown) == cell


@given(st.text(alphabet="'=+-@\t\r\na1 .", max_size=8))
def test_disarming_loses_nothing(cell):
    assert plain_cell(safe_cell(cell)) == cell


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_formula_survives_the_way_through_the_rejects(shop):
    shop.bring(shop.write(ORDERS + "=A1,2011-03-01,7,P1,x,1\n"))
    assert "'=A1" in shop.rejects().read_text()
    correct(shop.rejects(), (",x,", ",1,"))

    shop.bring(shop.rejects())

    assert shop.read(orders.c.external_id) == ["('=A1',)"]


def test_an_import_of_rejects_says_where_it_went(shop, capsys):
    shop.bring(shop.write(ORDERS + DIRTY))
    correct(shop.rejects(), ("two", "2"))
    shop.bring(shop.rejects())
    capsys.readouterr()
    correct(shop.rejects(), ("someday", "2011-03-05"))

    shop.bring(shop.rejects())

    assert "corrected and imported before; left out 1" in " ".join(
        capsys.readouterr().out.split()
    )
    with open_database(shop.url) as database:
        assert len(database.read_now(ingest.all_imports)) == 3
