"""How each kind of record is read from a table, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from content.conversations import conversation_reader
from content.events import event_reader
from content.feedback import feedback_reader
from content.mapping import FileMapping
from content.orders import OrderReader
from content.people import customer_reader, opt_out_reader, product_reader
from content.rates import rate_reader
from content.rows import FileDefaults
from content.table import Table
from core.records import RecordKind
from storage.ingest import Import
from storage.ingest_conversations import write_conversations
from storage.ingest_customers import write_customers
from storage.ingest_events import write_events
from storage.ingest_feedback import write_feedback
from storage.ingest_opt_outs import write_opt_outs
from storage.ingest_orders import OrderWriter
from storage.ingest_people import RecordWriter
from storage.ingest_products import write_products
from storage.ingest_rates import write_rates

# How large the first batches are; the next ones follow the time that these took.
FIRST_ORDER_LINES = 2000
FIRST_ROWS = 25


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: `read` makes its reader, `write` the writer of its batches."""

    read: Callable[[Table, FileMapping, FileDefaults], Any]
    write: Callable[[Import], Any]
    first_lines: int = FIRST_ROWS


KINDS: dict[RecordKind, Kind] = {
    RecordKind.ORDERS: Kind(OrderReader, OrderWriter, FIRST_ORDER_LINES),
    RecordKind.CUSTOMERS: Kind(
        customer_reader, lambda row: RecordWriter(row, write_customers)
    ),
    RecordKind.PRODUCTS: Kind(
        product_reader, lambda row: RecordWriter(row, write_products)
    ),
    RecordKind.OPT_OUTS: Kind(
        lambda table, mapping, _: opt_out_reader(table, mapping),
        lambda row: RecordWriter(row, write_opt_outs),
    ),
    RecordKind.EVENTS: Kind(event_reader, lambda row: RecordWriter(row, write_events)),
    RecordKind.FEEDBACK: Kind(
        feedback_reader, lambda row: RecordWriter(row, write_feedback)
    ),
    RecordKind.CONVERSATIONS: Kind(
        conversation_reader, lambda row: RecordWriter(row, write_conversations)
    ),
    RecordKind.RATES: Kind(rate_reader, lambda row: RecordWriter(row, write_rates)),
}


def reader_of(table: Table, mapping: FileMapping, defaults: FileDefaults) -> Any:
    """A reader of batches, set to the first size."""
    kind = KINDS[mapping.kind]
    reader = kind.read(table, mapping, defaults)
    reader.batch_lines = kind.first_lines
    return reader
