"""Which imports of orders and currency rates are in the totals, and how far."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, exists, or_, select, update

from core.model import UNFINISHED_IMPORT_STATES, ImportState
from core.records import RecordKind
from storage.money import utc_day
from storage.schema import currency_rates, imports, orders


class Superseded(Exception):
    """An import was taken up again, or back, while it was added."""


_KINDS = (RecordKind.ORDERS, RecordKind.RATES)
_ARRIVED = imports.c.state.not_in(UNFINISHED_IMPORT_STATES)
_WAS_ADDED = or_(imports.c.totalled_at.is_not(None), imports.c.totalled_to.is_not(None))
_TAKEN_UP_AGAIN = imports.c.totalled_to < 0


def is_broken(connection: Connection) -> bool:
    """Whether orders are counted whose import is open, or was since."""
    gone = and_(~_ARRIVED, _WAS_ADDED)
    query = select(imports.c.id).where(
        imports.c.kind == RecordKind.ORDERS, or_(gone, _TAKEN_UP_AGAIN)
    )
    return connection.execute(query.limit(1)).first() is not None


def take_arrived(connection: Connection, now: datetime) -> None:
    connection.execute(
        update(imports).where(_WAS_ADDED).values(totalled_at=None, totalled_to=None)
    )
    undone = imports.c.state == ImportState.UNDONE
    connection.execute(
        update(imports)
        .where(imports.c.kind.in_(_KINDS), _ARRIVED)
        .values(totalled_at=now, totalled_to=case((undone, 0)))
    )


def waiting_imports(connection: Connection) -> list[tuple[int, int]]:
    """Imports of orders that arrived, each with the customer up to whom it counts."""
    rows = connection.execute(
        select(imports.c.id, imports.c.totalled_to)
        .where(
            imports.c.kind == RecordKind.ORDERS,
            imports.c.totalled_at.is_(None),
            _ARRIVED,
        )
        .order_by(imports.c.id)
    )
    return [(row.id, row.totalled_to or 0) for row in rows]


def advance(
    connection: Connection, import_id: int, reached: int, done: dict[str, Any]
) -> None:
    """Note how far an import is added, unless something else became of it."""
    here = imports.c.totalled_to == reached
    if not reached:
        here = or_(here, imports.c.totalled_to.is_(None))
    noted = connection.execute(
        update(imports)
        .where(
            imports.c.id == import_id, imports.c.totalled_at.is_(None), _ARRIVED, here
        )
        .values(**done)
    )
    if noted.rowcount == 0:
        raise Superseded


def changed_rates(connection: Connection) -> list[Any]:
    """Imports of rates that count since, or that don't count any more."""
    undone = imports.c.state == ImportState.UNDONE
    new = or_(imports.c.totalled_at.is_(None), _TAKEN_UP_AGAIN)
    changed = or_(
        and_(_ARRIVED, ~undone, new),
        and_(~_ARRIVED, imports.c.totalled_at.is_not(None)),
        and_(undone, imports.c.totalled_to.is_(None)),
    )
    query = select(imports.c.id, imports.c.state).where(
        imports.c.kind == RecordKind.RATES, changed
    )
    return list(connection.execute(query.order_by(imports.c.id)))


def buyers_abroad(connection: Connection, shop: str, rates: Any) -> list[int]:
    """Who bought in another currency: in one of these rates, since its day."""
    query = select(orders.c.customer_id).where(
        orders.c.currency != shop, orders.c.customer_id.is_not(None)
    )
    if _counts(rates):
        query = query.where(
            exists().where(
                currency_rates.c.import_id == rates.id,
                currency_rates.c.currency == orders.c.currency,
                currency_rates.c.day <= utc_day(orders.c.ordered_at),
            )
        )
    return list(connection.scalars(query.distinct()))


def take_rates(connection: Connection, rates: Any, now: datetime) -> None:
    undone = rates.state == ImportState.UNDONE
    connection.execute(
        update(imports)
        .where(imports.c.id == rates.id)
        .values(
            totalled_at=now if _counts(rates) else None,
            totalled_to=0 if undone else None,
        )
    )


def _counts(rates: Any) -> bool:
    gone = UNFINISHED_IMPORT_STATES | {ImportState.UNDONE}
    return ImportState(rates.state) not in gone
