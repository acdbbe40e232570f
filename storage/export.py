"""What was imported, read back as the records that it came as, of one moment.

Batches come in the order of the source's own ids, so that the same data give the same
file, whatever numbers we gave them.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Table, func, select

from core.records import RecordKind
from storage.export_people import customer_batches, opt_out_batches
from storage.export_rows import NO_ID as NO_ID  # noqa: PLC0414  for those who read batches
from storage.export_rows import Batches, is_id_of
from storage.export_sales import (
    event_batches,
    order_batches,
    product_batches,
    rate_batches,
)
from storage.export_service import conversation_batches, feedback_batches
from storage.schema import (
    customers,
    episodes,
    events,
    feedback,
    identities,
    orders,
    products,
    sources,
)

PEOPLE = {
    RecordKind.CUSTOMERS: customer_batches,
    RecordKind.OPT_OUTS: opt_out_batches,
}
OTHERS: dict[RecordKind, Callable[[Connection, str], Batches]] = {
    RecordKind.PRODUCTS: product_batches,
    RecordKind.ORDERS: order_batches,
    RecordKind.EVENTS: event_batches,
    RecordKind.FEEDBACK: feedback_batches,
    RecordKind.CONVERSATIONS: conversation_batches,
    RecordKind.RATES: rate_batches,
}
_TABLES: dict[RecordKind, Table] = {
    RecordKind.PRODUCTS: products,
    RecordKind.ORDERS: orders,
    RecordKind.EVENTS: events,
    RecordKind.FEEDBACK: feedback,
    RecordKind.CONVERSATIONS: episodes,
}


def batches(
    connection: Connection, kind: RecordKind, source: str, segment: str | None = None
) -> Batches:
    """All records of a kind that a source has.

    Parameters
    ----------
    connection : a reading one; what comes is of one moment
    kind : any
    source : by name; of rates, whose they are does not matter
    segment : of customers and opt-outs, only those who are in it now

    Returns
    -------
    As the readers of files give them; `flagged` counts rows that can't be told, by
    reason. `line` is 0.
    """
    if kind in PEOPLE:
        return PEOPLE[kind](connection, source, segment)
    return OTHERS[kind](connection, source)


def sources_with(connection: Connection, kind: RecordKind) -> list[str]:
    """The sources that have such records, by name; of rates, all sources."""
    rows = connection.execute(select(sources.c.id, sources.c.name))
    names = {row.name: row.id for row in rows.all()}
    return sorted(n for n, key in names.items() if _has_any(connection, kind, n, key))


def customers_count(connection: Connection) -> int:
    """How many customers there are, whatever they are known by."""
    living = customers.c.alias_of.is_(None), customers.c.erased_at.is_(None)
    query = select(func.count()).select_from(customers).where(*living)
    return connection.scalar(query) or 0


def _has_any(connection: Connection, kind: RecordKind, name: str, key: int) -> bool:
    if kind is RecordKind.RATES:
        return True
    if kind in PEOPLE:
        query = select(identities.c.id).where(is_id_of(name))
    else:
        table = _TABLES[kind]
        told = table.c.source_id == key, table.c.external_id.is_not(None)
        query = select(table.c.id).where(*told)
    return connection.scalar(query.limit(1)) is not None
