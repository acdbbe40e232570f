"""Customers and opt-outs, read back as the records that they came as."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from core.model import Channel, ConsentState, IdentityKind
from core.records import (
    Batch,
    ConsentRecord,
    CustomerRecord,
    OptOutRecord,
    SuppliedFigures,
)
from storage.audience import in_segment
from storage.bulk import lookup
from storage.customer_fields import FIELDS
from storage.customers import ALL_TOPICS
from storage.export_rows import Batches, in_chunks, in_order, is_id_of, source_id_of
from storage.external import external_identity
from storage.ingest_opt_outs import SOURCE as OPT_OUT
from storage.schema import consents, customers, identities, supplied_figures

# A customers' file can tell what was agreed to on these.
TOLD_CHANNELS = (Channel.EMAIL, Channel.TELEGRAM)
ADDRESSES = (IdentityKind.EMAIL, IdentityKind.PHONE, IdentityKind.TELEGRAM)


def customer_batches(
    connection: Connection, source: str, segment: str | None
) -> Batches:
    fields = [customers.c[name] for name in FIELDS]
    columns = *fields, customers.c.preferences, customers.c.attributes
    source_id = source_id_of(connection, source)
    for rows in _people(connection, source, segment, *columns, customers.c.created_at):
        ids = [row.id for row in rows]
        typed = _addresses(connection, ids)
        said = _said(connection, ids)
        figures = _figures(connection, ids, source_id)
        yield Batch(
            [
                CustomerRecord(
                    external_id=_name(source, row),
                    line=0,
                    **{name: getattr(row, name) for name in FIELDS},
                    email=typed[row.id].get(IdentityKind.EMAIL),
                    phone=typed[row.id].get(IdentityKind.PHONE),
                    telegram=typed[row.id].get(IdentityKind.TELEGRAM),
                    created_at=row.created_at,
                    preferences=row.preferences,
                    attributes=row.attributes,
                    consents=tuple(_told(said[row.id])),
                    figures=figures.get(row.id),
                )
                for row in rows
            ]
        )


def _addresses(
    connection: Connection, ids: Sequence[int]
) -> defaultdict[int, dict[str, str]]:
    """The first address of each kind, as typed."""
    columns = [identities.c[n] for n in ("customer_id", "kind", "typed", "place", "id")]
    kinds = identities.c.kind.in_([kind.value for kind in ADDRESSES])
    rows = lookup(connection, identities.c.customer_id, ids, columns, kinds)
    found: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: (row.place, row.id)):
        found[row.customer_id].setdefault(row.kind, row.typed)
    return found


def _said(
    connection: Connection, ids: Sequence[int]
) -> defaultdict[int, list[Row[Any]]]:
    """What these customers agreed to or withdrew, the oldest first."""
    names = ("customer_id", "channel", "topic", "state", "source", "id")
    columns = [consents.c[name] for name in names]
    rows = lookup(connection, consents.c.customer_id, ids, columns)
    found: defaultdict[int, list[Row[Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row.id)):
        found[row.customer_id].append(row)
    return found


def _told(said: Sequence[Row[Any]]) -> Iterator[ConsentRecord]:
    """What counts now, and no word more: all topics first, then those that differ."""
    for channel in TOLD_CHANNELS:
        newest = {row.topic: row for row in said if row.channel == channel}
        everything = newest.pop(ALL_TOPICS, None)
        if everything is not None:
            state = ConsentState(everything.state)
            yield ConsentRecord(channel, ALL_TOPICS, state)
        for topic, row in sorted(newest.items()):
            if everything is not None and (
                row.id < everything.id or row.state == everything.state
            ):
                continue
            yield ConsentRecord(channel, topic, ConsentState(row.state))


def _figures(
    connection: Connection, ids: Sequence[int], source_id: int | None
) -> dict[int, SuppliedFigures]:
    names = ("purchase_count", "purchase_days", "average_price_minor", "currency")
    table = supplied_figures
    ours = table.c.source_id == source_id
    rows = lookup(connection, table.c.customer_id, ids, list(table.c), ours)
    return {
        row.customer_id: SuppliedFigures(
            **{name: getattr(row, name) for name in names}, as_of=row.as_of
        )
        for row in rows
    }


def opt_out_batches(
    connection: Connection, source: str, segment: str | None
) -> Batches:
    """Those whose last word on every channel was that they want nothing."""
    for rows in _people(connection, source, segment):
        said = _said(connection, [row.id for row in rows])
        gone = [row for row in rows if _wants_nothing(said[row.id])]
        yield Batch(
            [OptOutRecord(0, _name(source, row), None, OPT_OUT) for row in gone]
        )


def _wants_nothing(said: Sequence[Row[Any]]) -> bool:
    last = {row.channel: (row.topic, row.state) for row in said}
    nothing = ALL_TOPICS, ConsentState.WITHDRAWN.value
    return all(last.get(channel.value) == nothing for channel in Channel)


def _people(
    connection: Connection, source: str, segment: str | None, *columns: Any
) -> Iterator[Sequence[Row[Any]]]:
    """Customers with an id of the source, each once, by the id."""
    other = identities.alias("other")
    earlier = (
        select(other.c.id)
        .where(
            other.c.customer_id == identities.c.customer_id,
            other.c.kind == IdentityKind.EXTERNAL,
            func.substr(other.c.value, 1, len(external_identity(source, "")))
            == external_identity(source, ""),
            or_(
                other.c.place < identities.c.place,
                and_(other.c.place == identities.c.place, other.c.id < identities.c.id),
            ),
        )
        .exists()
    )
    query = (
        select(identities.c.value.label("external"), customers.c.id, *columns)
        .join(customers, customers.c.id == identities.c.customer_id)
        .where(
            is_id_of(source),
            ~earlier,
            customers.c.alias_of.is_(None),
            customers.c.erased_at.is_(None),
        )
    )
    if segment is not None:
        query = query.where(customers.c.id.in_(in_segment(segment)))
    yield from in_chunks(
        connection, query.order_by(in_order(connection, identities.c.value))
    )


def _name(source: str, row: Row[Any]) -> str:
    return str(row.external).removeprefix(external_identity(source, ""))
