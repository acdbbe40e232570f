"""Imports for tests of storage: begun, written and completed in one call."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

from core.model import OrderKind, system
from core.records import Batch, OrderRecord, RecordKind
from storage import ingest
from storage.ingest_conversations import write_conversations
from storage.ingest_customers import write_customers
from storage.ingest_events import write_events
from storage.ingest_feedback import write_feedback
from storage.ingest_opt_outs import write_opt_outs
from storage.ingest_orders import OrderWriter
from storage.ingest_people import RecordWriter
from storage.ingest_prices import newest_prices, save_prices
from storage.ingest_products import write_products
from storage.ingest_rates import write_rates

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTOR = system("test")
WRITERS = {
    RecordKind.CUSTOMERS: write_customers,
    RecordKind.PRODUCTS: write_products,
    RecordKind.OPT_OUTS: write_opt_outs,
    RecordKind.EVENTS: write_events,
    RecordKind.FEEDBACK: write_feedback,
    RecordKind.CONVERSATIONS: write_conversations,
    RecordKind.RATES: write_rates,
}


class Importer:
    """Brings records into a database, each call an import of its own."""

    def __init__(self, database):
        self.database = database
        self.progress = None
        self._numbers = count(1)

    def begin(self, kind, source="shop"):
        number = next(self._numbers)
        file = ingest.ImportFile(source, kind, f"{number}.csv", str(number), "m")
        return self._write(lambda c: ingest.begin(c, file, NOW))

    def __call__(self, kind, *batches, source="shop", products=None, now=NOW):
        """The id of a complete import of these records, or lists of them."""
        row = self.begin(kind, source)
        is_orders = kind is RecordKind.ORDERS
        writer = OrderWriter(row) if is_orders else RecordWriter(row, WRITERS[kind])
        if not isinstance(batches[0], list):
            batches = (list(batches),)
        for records in batches:
            named = products or codes_of(records) if is_orders else {}
            batch = Batch(records, named, rows=len(records))
            writer.learn(self._write(lambda c, b=batch: writer.write(c, b, now)))
        if is_orders:
            prices = self.database.read_now(lambda c: newest_prices(c, row.id))
            self._write(lambda c: save_prices(c, row, prices))
        self._write(lambda c: ingest.complete(c, row, now))
        self.progress = writer.progress
        return row.id

    def _write(self, work):
        return self.database.write_now(ACTOR, work)


def codes_of(records):
    """The products of orders, without names, as a reader gives them."""
    codes = (code for record in records for code, _, _ in record.lines)
    return {code: "" for code in codes if code is not None}


def order(name, *lines, customer="7", kind=OrderKind.SALE, at=NOW, **fields):
    """An order whose lines are (product, quantity, amount)."""
    lines = list(lines)
    return OrderRecord(name, customer, "Ireland", kind, at, "EUR", lines, **fields)
