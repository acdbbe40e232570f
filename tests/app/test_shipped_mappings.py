"""Each shipped mapping, on made rows in the true columns of its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.importing import import_file
from app.kinds import KINDS
from content.mapping_file import find_mapping, shipped_mappings
from content.profile import TEMPLATES
from core.clock import SystemClock
from core.records import RecordKind
from core.settings import ROOT, Settings
from storage.database import open_database
from storage.schema import customers, identities, order_lines, orders, products

FILES = ROOT / "tests" / "app" / "files"
MAPPINGS = {n: find_mapping(n, TEMPLATES) for n in shipped_mappings(TEMPLATES)}


@pytest.fixture
def settings(database_url, tmp_path) -> Settings:
    return Settings(storage={"url": database_url, "data_directory": tmp_path / "data"})


@pytest.fixture
def bring(settings, tmp_path):
    """Import the made file of a mapping; its summary, and what a query finds then."""

    def bring(name: str, *queries: Any, encoding: str = "utf-8") -> list[Any]:
        text = (FILES / f"{name}.csv").read_text(encoding="utf-8")
        file = tmp_path / f"{name}.csv"
        file.write_bytes(text.encode(encoding))
        with open_database(settings.storage.url) as database:
            outcome = import_file(
                database, SystemClock(), settings, file, find_mapping(name, TEMPLATES)
            )
            found = [
                database.read_now(lambda c, q=query: list(map(tuple, c.execute(q))))
                for query in queries
            ]
        return [outcome.row.progress, *found]

    return bring


ORDERS = select(
    orders.c.external_id,
    orders.c.total_minor,
    orders.c.discount_minor,
    orders.c.currency,
    orders.c.coupon,
    orders.c.status,
).order_by(orders.c.id)
LINES = (
    select(products.c.external_id, order_lines.c.quantity, order_lines.c.amount_minor)
    .select_from(order_lines.outerjoin(products))
    .order_by(order_lines.c.order_id, order_lines.c.line_no)
)
BUYERS = (
    select(identities.c.value)
    .where(identities.c.kind == "external")
    .order_by(identities.c.id)
)


@pytest.mark.parametrize("name", [n for n in MAPPINGS if MAPPINGS[n].kind in KINDS])
def test_a_shipped_mapping_takes_every_row_of_its_file(bring, name):
    # The conversations of the incident log are two, told in three rows.
    (progress,) = bring(name)

    assert progress.rows_rejected == 0
    assert progress.rows_accepted == progress.rows_read >= 2


def test_every_kind_has_a_shipped_mapping():
    assert {mapping.kind for mapping in MAPPINGS.values()} == set(RecordKind)


def test_every_shipped_mapping_has_its_made_file():
    assert {file.stem for file in FILES.glob("*.csv")} == set(MAPPINGS)


def test_shopify_tells_what_belongs_to_an_order_in_its_first_row(bring):
    progress, found, lines, buyers = bring("shopify-orders", ORDERS, LINES, BUYERS)

    assert found == [
        ("#1001", 4700, 500, "USD", "SPRING", "paid"),
        ("#1002", 2500, 0, "USD", None, "cancelled"),
    ]
    assert lines == [("FERN-1", 2, 3200), ("BAG-1", 1, 2000), (None, 1, 2500)]
    assert [value for (value,) in buyers] == [
        "shopify:ann@example.org",
        "shopify:bo@example.org",
    ]
    assert progress.rows_corrected == 0


def test_customers_of_shopify_are_those_of_its_orders(bring):
    bring("shopify-orders")
    query = select(customers.c.name, customers.c.address, customers.c.postcode)
    _, people = bring("shopify-customers", query.order_by(customers.c.id))

    assert people == [
        ("Ann Archer", "1 Lane Flat 2", "12180"),
        ("Bo Baker", "2 Road", "13501"),
    ]


def test_a_guest_of_woocommerce_is_no_customer(bring):
    _, found, lines, buyers = bring("woocommerce-orders", ORDERS, LINES, BUYERS)

    assert [(name, total, status) for name, total, *_, status in found] == [
        ("501", 3800, "completed"),
        ("502", 2500, "cancelled"),
    ]
    assert lines[0] == ("FERN-1", 2, 2800)
    assert buyers == [("woocommerce:12",)]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-8-sig"])
def test_taobao_is_read_in_its_encodings(bring, encoding):
    query = select(customers.c.name, customers.c.address).order_by(customers.c.id)
    _, found = bring("taobao-orders", ORDERS, encoding=encoding)
    _, people = bring("taobao-customers", query, encoding=encoding)

    assert [
        (total, currency, status) for _, total, _, currency, _, status in found
    ] == [
        (129900, "CNY", "delivered"),
        (8950, "CNY", "cancelled"),
    ]
    assert people[0] == ("张伟", "上海市浦东新区世纪大道1号")


def test_a_workbook_of_the_retail_set_needs_no_other_mapping(settings, retail_workbook):
    with open_database(settings.storage.url) as database:
        mapping = find_mapping("online-retail", TEMPLATES)
        outcome = import_file(
            database, SystemClock(), settings, retail_workbook, mapping
        )
        totals = database.read_now(
            lambda c: list(c.scalars(select(orders.c.total_minor)))
        )

    assert outcome.row.progress.rows_rejected == 0
    assert totals == [3330, -255]


@pytest.fixture
def retail_workbook(tmp_path: Path) -> Path:
    from datetime import datetime

    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.append(["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate"])
    for column, title in enumerate(("UnitPrice", "CustomerID", "Country"), start=6):
        sheet.cell(1, column, title)
    day = datetime(2010, 12, 1, 8, 26)  # noqa: DTZ001  a sheet knows no zone
    sheet.append([700001, "10001A", "LANTERN", 6, day, 2.55, 40001, "France"])
    sheet.append([700001, "POST", "POSTAGE", 1, day, 18, 40001, "France"])
    sheet.append(["C700002", "10001A", "LANTERN", -1, day, 2.55, 40001, "France"])
    book.save(tmp_path / "retail.xlsx")
    return tmp_path / "retail.xlsx"
