"""What customers of a file did: each event once, whatever file tells of it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, update

from core.records import EventRecord, fingerprint
from storage.bulk import insert_rows, lookup, moment_value, new_ids
from storage.import_journal import changed, named
from storage.ingest import Import
from storage.linked import customers_of, products_of
from storage.schema import events

_SAID = (
    *("customer_id", "kind", "at", "product_id", "value_minor", "currency", "data"),
)
_EVENT = ("id", "source_id", "external_id", "import_id", *_SAID)


def write_events(
    connection: Connection, row: Import, records: list[EventRecord], now: datetime
) -> Counter[str]:
    """Make the events of a batch, or correct those that an earlier file told of.

    Parameters
    ----------
    connection : a writing one
    row : whose source the ids of events, customers and products belong to; unknown
        customers and products are made
    records : one per row of the file; of two with the same id the later one wins. An
        event without an id is told once for its customer, kind, moment and product.
    now : aware; when new customers came to be known

    Returns
    -------
    Counts of `erased`: events of people who asked to be forgotten, left out.
    """
    told = {record.external_id or event_id(record): record for record in records}
    people = customers_of(connection, row, (r.customer for r in told.values()), now)
    all_told = len(told)
    told = {name: each for name, each in told.items() if each.customer in people}
    wares = products_of(connection, row, (r.product for r in told.values()))
    said = {
        name: (
            people[record.customer],
            record.kind,
            record.at,
            wares.get(record.product or ""),
            record.value_minor,
            record.currency,
            record.data,
        )
        for name, record in told.items()
    }
    stored = _stored(connection, row, said)
    _insert(connection, row, {n: v for n, v in said.items() if n not in stored})
    _correct(connection, row, said, stored)
    named(connection, row, events, (found.id for found in stored.values()))
    return +Counter(erased=all_told - len(told))


def event_id(record: EventRecord) -> str:
    """What tells an event without an id of its own from others."""
    return fingerprint(record.customer, record.kind, record.at, record.product)


def _stored(
    connection: Connection, row: Import, said: dict[str, Any]
) -> dict[str, Any]:
    ours = events.c.source_id == row.source_id
    rows = lookup(connection, events.c.external_id, said, list(events.c), ours)
    return {found.external_id: found for found in rows}


def _insert(
    connection: Connection, row: Import, said: dict[str, tuple[Any, ...]]
) -> None:
    ids = new_ids(connection, events, len(said))
    rows = []
    for key, (name, values) in zip(ids, said.items(), strict=True):
        customer, kind, at, *between, data = values
        moment = moment_value(connection, at)
        text = json.dumps(data, ensure_ascii=False)
        given = customer, kind, moment, *between, text
        rows.append((key, row.source_id, name, row.id, *given))
    insert_rows(connection, events, _EVENT, rows)


def _correct(
    connection: Connection,
    row: Import,
    said: dict[str, tuple[Any, ...]],
    stored: dict[str, Any],
) -> None:
    other = {
        found.id: said[name]
        for name, found in stored.items()
        if said[name] != tuple(getattr(found, column) for column in _SAID)
    }
    if not other:
        return
    befores = (dict(f._mapping) for f in stored.values() if f.id in other)
    changed(connection, row, events, befores)
    connection.execute(
        _ANEW,
        [
            {"key": key, "import": row.id}
            | {f"new_{name}": v for name, v in zip(_SAID, values, strict=True)}
            for key, values in other.items()
        ],
    )


_ANEW = (
    update(events)
    .where(events.c.id == bindparam("key"))
    .values(
        import_id=bindparam("import"),
        **{name: bindparam(f"new_{name}") for name in _SAID},
    )
)
