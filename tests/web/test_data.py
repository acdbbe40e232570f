"""The data page: sources with their age and quality, imports with what they did."""

from __future__ import annotations

from datetime import timedelta

from core.model import Role, system
from core.records import RecordKind
from storage import ingest, sources
from storage.database import Connection
from storage.ingest import ImportFile
from tests.web.site import Site

TEST = system("test")


def bring(site: Site, name: str, source: str, *, complete: bool = True) -> None:
    file = ImportFile(source, RecordKind.ORDERS, name, name, "mapping")
    now = site.clock.now() - timedelta(hours=3)
    row = site.database.write_now(TEST, lambda c: ingest.begin(c, file, now))
    if complete:
        site.database.write_now(TEST, lambda c: ingest.complete(c, row, now))


def page(site: Site, path: str = "/data") -> str:
    with site.signed_in(Role.MARKETER) as browser:
        return browser.get(path).text


def test_an_empty_shop_is_told_how_to_begin(site: Site) -> None:
    assert "rapport import --guess" in page(site)


def test_imports_stand_with_what_became_of_them(site: Site) -> None:
    bring(site, "march.csv", "shop")
    bring(site, "april.csv", "shop", complete=False)

    shown = page(site)

    assert shown.index("april.csv") < shown.index("march.csv")
    assert "not finished" in shown
    assert "3 hours ago" in shown


def test_a_source_that_failed_says_why(site: Site) -> None:
    def fail(connection: Connection) -> None:
        sources.set_up(connection, "erp", 50)
        sources.failed(connection, "erp", "no such host", site.clock.now())

    site.database.write_now(TEST, fail)

    assert "no such host" in page(site)


def test_many_imports_come_in_pages(site: Site) -> None:
    for number in range(30):
        bring(site, f"day-{number:02}.csv", "shop")

    assert "day-29.csv" in page(site)
    with site.signed_in(Role.LEAD) as browser:
        second = browser.get("/data?page=2").text
    assert "day-04.csv" in second
    assert "day-29.csv" not in second
