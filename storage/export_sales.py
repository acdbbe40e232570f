"""Products, orders, events and rates, read back as the records that they came as."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from core.model import OrderKind
from core.records import (
    Batch,
    EventRecord,
    OrderRecord,
    ProductRecord,
    RateRecord,
)
from storage.bulk import lookup
from storage.export_rows import (
    NO_ID,
    Batches,
    ids_in_source,
    in_chunks,
    in_order,
    source_id_of,
)
from storage.ingest import arrived
from storage.schema import (
    currency_rates,
    customers,
    events,
    order_lines,
    orders,
    products,
)


def product_batches(connection: Connection, source: str) -> Batches:
    query = (
        select(products)
        .where(products.c.source_id == source_id_of(connection, source))
        .order_by(in_order(connection, products.c.external_id))
    )
    for rows in in_chunks(connection, query):
        yield Batch([_product(row) for row in rows])


def _product(row: Row[Any]) -> ProductRecord:
    return ProductRecord(
        external_id=row.external_id,
        # A product that is only a code so far has no name.
        name=None if row.name == row.external_id else row.name,
        price_minor=row.price_minor,
        currency=row.currency,
        category=row.category,
        url=row.url,
        active=row.active,
    )


def order_batches(connection: Connection, source: str) -> Batches:
    query = (
        select(orders, customers.c.country)
        .outerjoin(customers, customers.c.id == orders.c.customer_id)
        .where(orders.c.source_id == source_id_of(connection, source), arrived(orders))
        .order_by(in_order(connection, orders.c.external_id))
    )
    for rows in in_chunks(connection, query):
        names: dict[str, str] = {}
        lines = _lines(connection, [row.id for row in rows], names)
        known = ids_in_source(connection, source, (row.customer_id for row in rows))
        records = [
            OrderRecord(
                external_id=row.external_id,
                customer=known.get(row.customer_id),
                country=row.country,
                kind=OrderKind(row.kind),
                ordered_at=row.ordered_at,
                currency=row.currency,
                lines=lines[row.id],
                discount_minor=row.discount_minor,
                coupon=row.coupon,
                status=row.status,
            )
            for row in rows
        ]
        yield Batch([record for record in records if record.lines], names)


def _lines(
    connection: Connection, ids: Sequence[int], names: dict[str, str]
) -> defaultdict[int, list[Any]]:
    """The lines of orders; fills in what their products are called."""
    columns = (
        *(order_lines.c[name] for name in ("order_id", "line_no", "product_id")),
        *(order_lines.c[name] for name in ("quantity", "amount_minor")),
    )
    rows = list(lookup(connection, order_lines.c.order_id, ids, columns))
    known = _codes(connection, (row.product_id for row in rows))
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.order_id, row.line_no)):
        product = known.get(row.product_id)
        code = None if product is None else product.external_id
        found[row.order_id].append((code, row.quantity, row.amount_minor))
        if product is not None and code is not None:
            names[code] = "" if product.name == code else product.name
    return found


def _codes(
    connection: Connection, product_ids: Iterable[int | None]
) -> dict[int | None, Row[Any]]:
    wanted = {key for key in product_ids if key is not None}
    columns = products.c.id, products.c.external_id, products.c.name
    rows = lookup(connection, products.c.id, wanted, columns)
    return {row.id: row for row in rows}


def event_batches(connection: Connection, source: str) -> Batches:
    query = (
        select(events, products.c.external_id.label("product"))
        .outerjoin(products, products.c.id == events.c.product_id)
        .where(events.c.source_id == source_id_of(connection, source), arrived(events))
        .order_by(in_order(connection, events.c.external_id))
    )
    for rows in in_chunks(connection, query):
        known = ids_in_source(connection, source, (row.customer_id for row in rows))
        told = [row for row in rows if row.customer_id in known]
        batch: Batch[EventRecord] = Batch(
            [
                EventRecord(
                    line=0,
                    external_id=row.external_id,
                    customer=known[row.customer_id],
                    kind=row.kind,
                    at=row.at,
                    product=row.product,
                    value_minor=row.value_minor,
                    currency=row.currency,
                    data=row.data,
                )
                for row in told
            ]
        )
        batch.flagged[NO_ID] = len(rows) - len(told)
        yield batch


def rate_batches(connection: Connection, source: str) -> Batches:
    """Rates belong to no source."""
    del source
    order = currency_rates.c.currency, currency_rates.c.day
    for rows in in_chunks(connection, select(currency_rates).order_by(*order)):
        yield Batch([RateRecord(0, row.currency, row.day, row.rate) for row in rows])
