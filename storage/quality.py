"""How good the records of each source are: five parts from 0 to 1, and their mean.

The formulas stand in docs/methods.md. A score is a row, so that it can be followed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    case,
    cast,
    distinct,
    func,
    insert,
    or_,
    select,
)

from core.model import FLAG
from core.records import RecordKind
from storage.schema import (
    corrections,
    customers,
    identities,
    identity_claims,
    imports,
    orders,
    products,
    quality_scores,
    sources,
)

PARTS = ("completeness", "validity", "uniqueness", "consistency", "freshness")
# After so many days without a new record a source is half as fresh.
HALF_LIFE_DAYS = 90.0
# Rules of `analytics.clean_rule` that take a value out.
SET_ASIDE = (
    *("gender_unknown", "birth_date_impossible", "income_negative", "email_invalid"),
    *("income_placeholder", "income_over_limit", "phone_not_a_number"),
    *("phone_too_short", "phone_too_long", "phone_not_assigned", "order_in_future"),
)
# What a file should say of a customer, a sale, a product; addresses come on top.
_CUSTOMER = ("name", "language", "birth_date", "city", "country")
_REPEATED = {"customer": "customer_repeated_flagged", "order": "order_repeated_flagged"}

BySource = Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Quality:
    """The records of one kind from one source."""

    source_id: int
    source: str
    kind: str
    rows: int
    parts: Mapping[str, float]
    at: datetime | None = None

    @property
    def score_ratio(self) -> float:
        """The mean of the parts."""
        return sum(self.parts.values()) / len(self.parts)


@dataclass(frozen=True, slots=True)
class Trend:
    """The newest score, and the one before it, or None."""

    now: Quality
    before: Quality | None

    @property
    def change(self) -> float | None:
        """By how much the score grew."""
        if self.before is None:
            return None
        return self.now.score_ratio - self.before.score_ratio


@dataclass(frozen=True, slots=True)
class _Counts:
    """What the parts of one kind are made of, each by source."""

    rows: BySource
    complete: BySource
    wrong: BySource
    repeated: BySource
    reformed: BySource


def measure(
    connection: Connection, now: datetime, filled: Collection[str] = ()
) -> list[Quality]:
    """The quality of all sources with records, by source and kind.

    `filled` names the fields that cleaning fills: such values count as missing.
    """
    names = {
        row.id: row.name
        for row in connection.execute(select(sources.c.id, sources.c.name))
    }
    arrivals = _arrivals(connection)
    kinds = {
        RecordKind.CUSTOMERS: _customers(connection, filled),
        RecordKind.ORDERS: _orders(connection),
        RecordKind.PRODUCTS: _products(connection),
    }
    return [
        _quality(key, names[key], kind, counts, _arrival(arrivals, key, kind), now)
        for kind, counts in kinds.items()
        for key in sorted(counts.rows)
    ]


def record(connection: Connection, scores: Sequence[Quality], now: datetime) -> None:
    """Keep the scores."""
    rows = [
        {
            "source_id": each.source_id,
            "kind": each.kind,
            "score_ratio": each.score_ratio,
            "parts": dict(each.parts),
            "rows": each.rows,
            "at": now,
        }
        for each in scores
    ]
    if rows:
        connection.execute(insert(quality_scores), rows)


def trends(connection: Connection) -> list[Trend]:
    """The newest score of each source and kind beside the one before, worst first."""
    place = func.row_number().over(
        partition_by=(quality_scores.c.source_id, quality_scores.c.kind),
        order_by=quality_scores.c.id.desc(),
    )
    ranked = select(quality_scores, place.label("place")).subquery()
    rows = connection.execute(
        select(ranked, sources.c.name)
        .join(sources, sources.c.id == ranked.c.source_id)
        .where(ranked.c.place <= 2)
        .order_by(ranked.c.source_id, ranked.c.kind, ranked.c.place)
    )
    found: dict[tuple[int, str], list[Quality]] = {}
    for row in rows:
        each = Quality(row.source_id, row.name, row.kind, row.rows, row.parts, row.at)
        found.setdefault((row.source_id, row.kind), []).append(each)
    pairs = [(each[0], each[1] if len(each) > 1 else None) for each in found.values()]
    return sorted((Trend(*pair) for pair in pairs), key=lambda t: t.now.score_ratio)


# --- the parts ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Arrival:
    """What the imports of a source say of one kind."""

    read: int
    rejected: int
    corrected: int
    newest: datetime | None


def _quality(
    source_id: int,
    name: str,
    kind: RecordKind,
    counts: _Counts,
    arrival: _Arrival,
    now: datetime,
) -> Quality:
    rows = counts.rows[source_id]

    def share(of: BySource) -> float:
        return 1.0 - min(1.0, of.get(source_id, 0.0) / rows)

    taken = 1.0 - arrival.rejected / arrival.read if arrival.read else 1.0
    agreeing = 1.0 - min(1.0, arrival.corrected / arrival.read) if arrival.read else 1.0
    parts = {
        "completeness": counts.complete.get(source_id, 0.0) / rows,
        "validity": taken * share(counts.wrong),
        "uniqueness": share(counts.repeated),
        "consistency": agreeing * share(counts.reformed),
    }
    if arrival.newest is not None:
        days = max(0.0, (now - arrival.newest).total_seconds() / 86_400)
        parts["freshness"] = 0.5 ** (days / HALF_LIFE_DAYS)
    return Quality(source_id, name, kind.value, int(rows), parts)


def _arrivals(connection: Connection) -> dict[tuple[int, str], _Arrival]:
    query = select(
        imports.c.source_id,
        imports.c.kind,
        func.sum(imports.c.rows_read).label("read"),
        func.sum(imports.c.rows_rejected).label("rejected"),
        func.sum(imports.c.rows_corrected).label("corrected"),
        func.max(imports.c.completed_at).label("newest"),
    ).group_by(imports.c.source_id, imports.c.kind)
    return {
        (row.source_id, row.kind): _Arrival(
            int(row.read), int(row.rejected), int(row.corrected), row.newest
        )
        for row in connection.execute(query)
    }


def _arrival(
    arrivals: Mapping[tuple[int, str], _Arrival], source_id: int, kind: str
) -> _Arrival:
    """That of the kind; customers and products may have come with the orders."""
    newest = [
        each.newest
        for (key, _), each in arrivals.items()
        if key == source_id and each.newest is not None
    ]
    own = arrivals.get((source_id, kind), _Arrival(0, 0, 0, None))
    return own if own.newest else replace(own, newest=max(newest, default=None))


def _customers(connection: Connection, filled: Collection[str]) -> _Counts:
    own = customers.c.source_id
    living = and_(
        own.is_not(None),
        customers.c.alias_of.is_(None),
        customers.c.erased_at.is_(None),
    )
    reachable = select(identities.c.customer_id).where(
        identities.c.kind.in_(["email", "phone"]),
        identities.c.unreachable_reason.is_(None),
    )
    known = [_is_known(name, filled) for name in _CUSTOMER]
    known.append(customers.c.id.in_(reachable))
    merged = and_(own.is_not(None), customers.c.alias_of.is_not(None))
    aliases = _by_source(connection, select(own, func.count()).where(merged), own)
    claims = _by_source(
        connection,
        select(own, func.count(distinct(customers.c.id)))
        .join(identity_claims, identity_claims.c.customer_id == customers.c.id)
        .where(living),
        own,
    )
    noted = _noted(connection, customers, corrections.c.customer_id, living)
    return _Counts(
        _by_source(connection, select(own, func.count()).where(living), own),
        _by_source(connection, select(own, _mean(known)).where(living), own),
        noted(_is_wrong("customer", "identity")),
        _sum(aliases, claims, noted(corrections.c.rule == _REPEATED["customer"])),
        noted(_is_form("customer", "identity")),
    )


def _orders(connection: Connection) -> _Counts:
    own = orders.c.source_id
    noted = _noted(connection, orders, corrections.c.record_id)
    complete = [orders.c.customer_id.is_not(None), orders.c.total_minor != 0]
    return _Counts(
        _by_source(connection, select(own, func.count()), own),
        _by_source(connection, select(own, _mean(complete)), own),
        noted(_is_wrong("order")),
        noted(corrections.c.rule == _REPEATED["order"]),
        noted(corrections.c.rule == "return_kind"),
    )


def _products(connection: Connection) -> _Counts:
    own = products.c.source_id
    named = products.c.name != products.c.external_id
    complete = [
        named,
        products.c.category.is_not(None),
        products.c.price_minor.is_not(None),
    ]
    noted = _noted(connection, products, corrections.c.record_id)
    repeated = func.count() - func.count(distinct(products.c.name))
    return _Counts(
        _by_source(connection, select(own, func.count()), own),
        _by_source(connection, select(own, _mean(complete)), own),
        noted(_is_wrong("product")),
        _by_source(connection, select(own, repeated).where(named), own),
        {},
    )


def _by_source(connection: Connection, query: Select[Any], own: Any) -> BySource:
    rows = connection.execute(query.group_by(own))
    return {row[0]: float(row[1] or 0) for row in rows}


def _noted(connection: Connection, table: Any, key: Any, *conditions: Any) -> Any:
    """Counts of records by source of which the account says something."""
    own = table.c.source_id

    def count(about: ColumnElement[bool]) -> BySource:
        query = (
            select(own, func.count(distinct(table.c.id)))
            .join(corrections, key == table.c.id)
            .where(about, *conditions)
        )
        return _by_source(connection, query, own)

    return count


def _is_known(name: str, filled: Collection[str]) -> ColumnElement[bool]:
    column = customers.c[name]
    if name not in filled:
        return column.is_not(None)
    mark = customers.c.provenance[(name, "filled")].as_string()
    return and_(column.is_not(None), mark.is_(None))


def _mean(conditions: Sequence[ColumnElement[bool]]) -> Any:
    """The sum over records of the share of conditions that hold."""
    held = [cast(case((each, 1), else_=0), Integer) for each in conditions]
    return func.sum(sum(held[1:], start=held[0])) / float(len(held))


def _is_wrong(*kinds: str) -> ColumnElement[bool]:
    flagged = corrections.c.rule.like(f"%{FLAG.replace('_', '!_')}", escape="!")
    aside = corrections.c.rule.in_(SET_ASIDE)
    # What may be there twice is a part of its own.
    single = corrections.c.rule.not_in(list(_REPEATED.values()))
    return and_(corrections.c.kind.in_(kinds), or_(flagged, aside), single)


def _is_form(*kinds: str) -> ColumnElement[bool]:
    return and_(
        corrections.c.kind.in_(kinds), corrections.c.rule.like("%!_form", escape="!")
    )


def _sum(*parts: BySource) -> BySource:
    keys = {key for part in parts for key in part}
    return {key: sum(part.get(key, 0.0) for part in parts) for key in keys}
