"""What a file itself says of a customer's purchases, kept with its date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.records import CustomerRecord, SuppliedFigures
from storage.bulk import insert_rows, lookup, moment_value, update_rows
from storage.import_journal import changed
from storage.ingest import Import
from storage.schema import supplied_figures

_VALUES = ("purchase_count", "purchase_days", "average_price_minor", "currency")
_NEW = ("customer_id", "source_id", "import_id", *_VALUES, "as_of")


def write_figures(
    connection: Connection,
    row: Import,
    people: Mapping[int, CustomerRecord],
    now: datetime,
) -> None:
    """Keep the newest figures of each customer and source."""
    given = {k: r.figures for k, r in people.items() if r.figures is not None}
    stored = {
        each.customer_id: each
        for each in lookup(
            connection,
            supplied_figures.c.customer_id,
            given,
            list(supplied_figures.c),
            supplied_figures.c.source_id == row.source_id,
        )
    }
    new, newer = [], []
    for customer_id, figures in given.items():
        raw = _raw(connection, figures, now)
        before = stored.get(customer_id)
        if before is None:
            new.append((customer_id, row.source_id, row.id, *raw))
        elif before.as_of <= (figures.as_of or now) and _differs(before, figures):
            newer.append((before, (row.id, *raw, before.id)))
    changed(connection, row, supplied_figures, [before._mapping for before, _ in newer])
    insert_rows(connection, supplied_figures, _NEW, new)
    update_rows(connection, supplied_figures, _NEW[2:], [raw for _, raw in newer])


def _differs(before: Any, figures: SuppliedFigures) -> bool:
    names = (*_VALUES, "as_of")
    return any(getattr(before, name) != getattr(figures, name) for name in names)


def _raw(
    connection: Connection, figures: SuppliedFigures, now: datetime
) -> tuple[Any, ...]:
    values = (getattr(figures, name) for name in _VALUES)
    return (*values, moment_value(connection, figures.as_of or now))
