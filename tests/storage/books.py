"""A database with a shop's books: orders come in files, and rates of currencies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from core.model import IdentityKind, OrderKind, system
from core.records import Batch, OrderRecord, RateRecord, RecordKind
from storage import customers, ingest, totals
from storage.database import Database
from storage.ingest_orders import OrderWriter
from storage.ingest_rates import write_rates
from storage.schema import customer_totals

TEST = system("test")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EUR = "EUR"


class Shop:
    """A database with what a test does to the orders in it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.files = 0
        self.open: list[ingest.Import] = []

    def write(self, work: Callable[[Any], Any]) -> Any:
        return self.database.write_now(TEST, work)

    def begin(self, kind: RecordKind = RecordKind.ORDERS, name: str = "") -> Any:
        self.files += 1
        word = name or str(self.files)
        file = ingest.ImportFile("shop", kind, f"{word}.csv", word, "")
        return self.write(lambda c: ingest.begin(c, file, self.now))

    def bring(self, row: ingest.Import, *records: OrderRecord) -> None:
        """One batch of an import that is begun."""
        found = self.database.read_now(lambda c: ingest.find(c, row.id))
        assert found is not None
        writer = OrderWriter(found)
        batch = Batch(list(records), products={"P": "Lamp"}, rows=len(records))
        self.write(lambda c: writer.write(c, batch, self.now))

    def complete(self, row: ingest.Import) -> None:
        self.write(lambda c: ingest.complete(c, row, self.now))

    def file(self, *records: OrderRecord) -> ingest.Import:
        """A whole import."""
        row = self.begin()
        self.bring(row, *records)
        self.complete(row)
        return row

    def rates(self, *told: tuple[str, date, float]) -> ingest.Import:
        row = self.begin(RecordKind.RATES)
        records = [RateRecord(1, *each) for each in told]
        self.write(lambda c: write_rates(c, row, records, self.now))
        self.complete(row)
        return row

    def refresh(self, currency: str = EUR) -> totals.Refreshed:
        return totals.refresh(self.database, TEST, currency, self.now)

    def table(self) -> list[tuple[Any, ...]]:
        query = select(customer_totals).order_by(customer_totals.c.customer_id)
        return [tuple(row) for row in self.read(query)]

    def read(self, query: Any) -> Any:
        return self.database.read_now(lambda c: c.execute(query).all())

    def customer(self, name: str) -> int:
        kind = IdentityKind.EXTERNAL
        found = self.database.read_now(
            lambda c: customers.find(c, kind, f"shop:{name}")
        )
        assert found is not None
        return found.id

    def total(self, name: str = "ann") -> Any:
        query = select(customer_totals).where(
            customer_totals.c.customer_id == self.customer(name)
        )
        return next(iter(self.read(query)), None)


def order(
    name: str,
    amount: int = 1000,
    *,
    customer: str | None = "ann",
    at: datetime = NOW - timedelta(days=9),
    currency: str = EUR,
    discount: int = 0,
) -> OrderRecord:
    kind = OrderKind.SALE if amount >= 0 else OrderKind.RETURN
    sign = 1 if amount >= 0 else -1
    lines = [("P", 2 * sign, amount), (None, 1, 0)]
    return OrderRecord(name, customer, None, kind, at, currency, lines, discount)
