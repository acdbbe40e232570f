"""Deliveries: one durable row per run, customer, channel and step."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from core.model import OPEN_DELIVERY_STATES, Channel, DeliveryState, RunState
from storage import changes, runs
from storage.dialect import skip_locked, upsert
from storage.schema import (
    campaign_runs,
    customers,
    deliveries,
    delivery_events,
    identities,
)

WAITING = (DeliveryState.DEFERRED, DeliveryState.PLANNED)
IN_HAND = (DeliveryState.CLAIMED, DeliveryState.SENDING)


@dataclass(frozen=True, slots=True)
class Planned:
    """One row of a plan: to be sent, or left out for a reason."""

    customer_id: int
    channel: Channel
    state: DeliveryState
    reason: str | None
    segment: str | None
    content: dict[str, Any]
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row that a worker has in hand."""

    id: int
    campaign_run_id: int
    customer_id: int
    channel: Channel
    segment: str | None
    content: dict[str, Any]
    attempts: int
    state: DeliveryState
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to the rows that it took."""

    worker: str
    fence: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one delivery."""

    delivery_id: int
    state: DeliveryState
    reason: str | None = None
    due_at: datetime | None = None
    detail: str | None = None
    # Whether a try was spent: what went back unsent costs none.
    tried: bool = True


def add_planned(
    connection: Connection, campaign_run_id: int, rows: Sequence[Planned], now: datetime
) -> None:
    """Write a chunk of a plan; rows that exist already stay as they are."""
    if not rows:
        return
    connection.execute(
        upsert(connection, deliveries).on_conflict_do_nothing(),
        [
            {
                "campaign_run_id": campaign_run_id,
                "customer_id": row.customer_id,
                "channel": row.channel,
                "segment": row.segment,
                "state": row.state,
                "reason": row.reason,
                "content": row.content,
                "due_at": row.due_at,
                "planned_at": now,
                "ended_at": now if row.state.terminal else None,
            }
            for row in rows
        ],
    )


def last_planned_customer(connection: Connection, campaign_run_id: int) -> int:
    """The customer up to whom the run is planned; 0 at the start."""
    return (
        connection.scalar(
            select(deliveries.c.customer_id)
            .where(deliveries.c.campaign_run_id == campaign_run_id)
            .order_by(deliveries.c.customer_id.desc())
            .limit(1)
        )
        or 0
    )


def count_unended(connection: Connection, campaign_run_id: int) -> int:
    """How many rows of a run wait to be sent."""
    return (
        connection.scalar(
            select(func.count()).where(
                deliveries.c.campaign_run_id == campaign_run_id,
                deliveries.c.state.in_(OPEN_DELIVERY_STATES),
            )
        )
        or 0
    )


def claim(
    connection: Connection,
    claim_: Claim,
    now: datetime,
    lease_seconds: float,
    limit: int,
    channels: Collection[Channel] = tuple(Channel),
) -> list[Delivery]:
    """Take the next due rows of running runs that go by these channels.

    What had to wait comes first, then what was planned first.
    """
    ids: list[int] = []
    # Each of these conditions is one stretch of an index, already in its order; all
    # in one would read and sort every waiting row for the sake of a few.
    for due in (deliveries.c.due_at <= now, deliveries.c.due_at.is_(None)):
        for state in WAITING:
            query = (
                select(deliveries.c.id)
                .join(campaign_runs, campaign_runs.c.id == deliveries.c.campaign_run_id)
                .where(
                    campaign_runs.c.state == RunState.RUNNING,
                    deliveries.c.state == state,
                    deliveries.c.channel.in_(channels),
                    due,
                )
                .order_by(deliveries.c.due_at, deliveries.c.id)
                .limit(limit - len(ids))
            )
            ids += connection.scalars(skip_locked(connection, query, deliveries))
    rows = connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids))
        .values(
            state=DeliveryState.CLAIMED,
            claimed_by=claim_.worker,
            fence=claim_.fence,
            lease_until=now + timedelta(seconds=lease_seconds),
        )
        .returning(deliveries)
    ).all()
    return sorted((_delivery(row) for row in rows), key=lambda row: row.id)


def start_sending(
    connection: Connection, claim_: Claim, message_ids: dict[int, str]
) -> set[int]:
    """Commit that these rows may be on the wire; returns those that are still ours."""
    ours: set[int] = set()
    for delivery_id, message_id in message_ids.items():
        changed = connection.execute(
            update(deliveries)
            .where(
                deliveries.c.id == delivery_id,
                deliveries.c.state == DeliveryState.CLAIMED,
                deliveries.c.claimed_by == claim_.worker,
                deliveries.c.fence == claim_.fence,
            )
            .values(state=DeliveryState.SENDING, message_id=message_id)
        ).rowcount
        if changed:
            ours.add(delivery_id)
    return ours


def record(
    connection: Connection, claim_: Claim, results: Iterable[Result], now: datetime
) -> int:
    """Write what became of rows in hand; rows that went to another stay untouched."""
    written = 0
    for result in results:
        changed = connection.execute(
            update(deliveries)
            .where(
                deliveries.c.id == result.delivery_id,
                deliveries.c.state.in_(IN_HAND),
                deliveries.c.claimed_by == claim_.worker,
                deliveries.c.fence == claim_.fence,
            )
            .values(
                state=result.state,
                reason=result.reason,
                due_at=result.due_at,
                attempts=deliveries.c.attempts + int(result.tried),
                lease_until=None,
                claimed_by=None,
                fence=None,
                ended_at=now if result.state.terminal else None,
            )
        ).rowcount
        if changed:
            written += 1
            _note(connection, result, now)
            if not result.state.terminal:
                _cancel_with_its_run(connection, result.delivery_id, now)
    return written


def renew(
    connection: Connection, claim_: Claim, now: datetime, lease_seconds: float
) -> int:
    """Keep the rows in hand for longer; returns how many are still ours."""
    return connection.execute(
        update(deliveries)
        .where(
            deliveries.c.claimed_by == claim_.worker,
            deliveries.c.fence == claim_.fence,
            deliveries.c.state.in_(IN_HAND),
        )
        .values(lease_until=now + timedelta(seconds=lease_seconds))
    ).rowcount


def in_hand(connection: Connection, worker: str) -> list[Delivery]:
    """What a worker had claimed or was sending."""
    return _select(connection, deliveries.c.claimed_by == worker)


def expired(connection: Connection, now: datetime) -> list[tuple[Claim, Delivery]]:
    """What workers that fell silent still have in hand."""
    rows = connection.execute(
        select(deliveries).where(
            deliveries.c.state.in_(IN_HAND), deliveries.c.lease_until <= now
        )
    ).all()
    return [(Claim(row.claimed_by, row.fence), _delivery(row)) for row in rows]


def claims_of(connection: Connection, worker: str) -> dict[int, Claim]:
    """The claim of each row that a worker has in hand, by delivery id."""
    rows = connection.execute(
        select(deliveries.c.id, deliveries.c.fence).where(
            deliveries.c.claimed_by == worker, deliveries.c.state.in_(IN_HAND)
        )
    )
    return {row.id: Claim(worker, row.fence) for row in rows}


def next_due_at(
    connection: Connection, channels: Collection[Channel] = tuple(Channel)
) -> datetime | None:
    """When the next row of a running run may be sent; None where none has a time."""
    return connection.scalar(
        select(deliveries.c.due_at)
        .join(campaign_runs, campaign_runs.c.id == deliveries.c.campaign_run_id)
        .where(
            campaign_runs.c.state == RunState.RUNNING,
            deliveries.c.state.in_((DeliveryState.PLANNED, DeliveryState.DEFERRED)),
            deliveries.c.channel.in_(channels),
            deliveries.c.due_at.is_not(None),
        )
        .order_by(deliveries.c.due_at)
        .limit(1)
    )


def has_open(
    connection: Connection, channels: Collection[Channel] = tuple(Channel)
) -> bool:
    """Whether any row of a running run is not in a terminal state."""
    return (
        connection.scalar(
            select(deliveries.c.id)
            .join(campaign_runs, campaign_runs.c.id == deliveries.c.campaign_run_id)
            .where(
                campaign_runs.c.state == RunState.RUNNING,
                deliveries.c.state.in_(OPEN_DELIVERY_STATES),
                deliveries.c.channel.in_(channels),
            )
            .limit(1)
        )
        is not None
    )


def mailed(
    connection: Connection, campaign_run_ids: Sequence[int]
) -> list[tuple[str, str, DeliveryState]]:
    """Message-ID, address and state of every mail of these runs that was tried."""
    rows = connection.execute(
        select(deliveries.c.message_id, identities.c.value, deliveries.c.state)
        .join(customers, customers.c.id == deliveries.c.customer_id)
        .join(
            identities,
            and_(
                identities.c.customer_id
                == func.coalesce(customers.c.alias_of, customers.c.id),
                identities.c.kind == deliveries.c.channel,
            ),
        )
        .where(
            deliveries.c.campaign_run_id.in_(campaign_run_ids),
            deliveries.c.channel == Channel.EMAIL,
            deliveries.c.message_id.is_not(None),
        )
        .order_by(deliveries.c.id, identities.c.place, identities.c.id)
    )
    found = {row.message_id: row for row in reversed(rows.all())}
    return [
        (row.message_id, row.value, DeliveryState(row.state)) for row in found.values()
    ]


def expire(connection: Connection, now: datetime) -> int:
    """End the waiting rows of runs whose offer is over."""
    over = select(campaign_runs.c.id).where(campaign_runs.c.expires_at <= now)
    return connection.execute(
        update(deliveries)
        .where(
            deliveries.c.state.in_((DeliveryState.PLANNED, DeliveryState.DEFERRED)),
            deliveries.c.campaign_run_id.in_(over),
        )
        .values(state=DeliveryState.EXPIRED, reason="offer_over", ended_at=now)
    ).rowcount


@dataclass(frozen=True, slots=True)
class Held:
    """One message in doubt."""

    delivery_id: int
    campaign_key: str
    customer_id: int
    channel: Channel
    reason: str | None
    since: datetime


def held(connection: Connection) -> list[Held]:
    """Every row that a person must decide about, oldest first."""
    rows = connection.execute(
        select(deliveries, campaign_runs.c.campaign_key)
        .join(campaign_runs, campaign_runs.c.id == deliveries.c.campaign_run_id)
        .where(deliveries.c.state == DeliveryState.UNCERTAIN)
        .order_by(deliveries.c.id)
    )
    return [
        Held(
            row.id,
            row.campaign_key,
            row.customer_id,
            Channel(row.channel),
            row.reason,
            row.ended_at or row.planned_at,
        )
        for row in rows
    ]


def decide_uncertain(
    connection: Connection, delivery_id: int, *, resend: bool, now: datetime
) -> bool:
    """A person decides about a held row; False where there is nothing to decide.

    To send it again opens its finished run again; a cancelled run sends nothing.
    """
    row = connection.execute(
        select(deliveries.c.campaign_run_id, campaign_runs.c.state)
        .join(campaign_runs, campaign_runs.c.id == deliveries.c.campaign_run_id)
        .where(deliveries.c.id == delivery_id)
    ).first()
    if row is None or (resend and row.state == RunState.CANCELLED):
        return False
    values: dict[str, Any] = (
        {"state": DeliveryState.PLANNED, "reason": None, "ended_at": None}
        if resend
        else {"state": DeliveryState.ACCEPTED, "reason": "taken_as_sent"}
    )
    changed = connection.execute(
        update(deliveries)
        .where(
            deliveries.c.id == delivery_id,
            deliveries.c.state == DeliveryState.UNCERTAIN,
        )
        .values(**values)
    ).rowcount
    if changed:
        _note(connection, Result(delivery_id, values["state"], "decided"), now)
        if resend:
            runs.reopen(connection, row.campaign_run_id, now)
    return bool(changed)


def _cancel_with_its_run(
    connection: Connection, delivery_id: int, now: datetime
) -> None:
    """What goes back unsent into a cancelled run has nobody who would take it."""
    cancelled = select(campaign_runs.c.id).where(
        campaign_runs.c.state == RunState.CANCELLED
    )
    connection.execute(
        update(deliveries)
        .where(
            deliveries.c.id == delivery_id,
            deliveries.c.campaign_run_id.in_(cancelled),
        )
        .values(state=DeliveryState.CANCELLED, reason="run_cancelled", ended_at=now)
    )


def _select(connection: Connection, condition: Any) -> list[Delivery]:
    rows = connection.execute(
        select(deliveries)
        .where(condition, deliveries.c.state.in_(IN_HAND))
        .order_by(deliveries.c.id)
    ).all()
    return [_delivery(row) for row in rows]


def _note(connection: Connection, result: Result, now: datetime) -> None:
    detail = result.detail
    if detail is not None and _is_erased(connection, result.delivery_id):
        # What the far side says may name the address.
        detail = None
    connection.execute(
        insert(delivery_events).values(
            delivery_id=result.delivery_id,
            kind=result.state,
            detail=detail or result.reason,
            at=now,
        )
    )


def _is_erased(connection: Connection, delivery_id: int) -> bool:
    """Whether the customer asked to be forgotten while the message was on the wire."""
    query = (
        select(customers.c.erased_at)
        .join(deliveries, deliveries.c.customer_id == customers.c.id)
        .where(deliveries.c.id == delivery_id)
    )
    return connection.scalar(query) is not None


def record_change(connection: Connection, campaign_run_id: int, now: datetime) -> None:
    """Tell listeners that rows of a run have moved."""
    changes.record(connection, "deliveries", campaign_run_id, now)


def _delivery(row: Any) -> Delivery:
    fields = {name: getattr(row, name) for name in Delivery.__slots__}
    fields["channel"] = Channel(fields["channel"])
    fields["state"] = DeliveryState(fields["state"])
    return Delivery(**fields)
