"""Runs: one execution of a campaign, from draft to finished."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from core.errors import CampaignError, Problem
from core.model import OPEN_DELIVERY_STATES, DeliveryState, OnUncertain, RunState
from storage import changes
from storage.dialect import upsert
from storage.schema import campaign_runs, deliveries

# How the reason begins where a run paused itself.
LIMIT_REACHED = "limit reached: "
_NEXT_STATES: dict[RunState, frozenset[RunState]] = {
    RunState.DRAFT: frozenset({RunState.SCHEDULED, RunState.CANCELLED}),
    RunState.SCHEDULED: frozenset({RunState.PLANNING, RunState.CANCELLED}),
    RunState.PLANNING: frozenset({RunState.RUNNING, RunState.CANCELLED}),
    RunState.RUNNING: frozenset(
        {RunState.PAUSED, RunState.FINISHED, RunState.CANCELLED}
    ),
    RunState.PAUSED: frozenset({RunState.RUNNING, RunState.CANCELLED}),
    RunState.FINISHED: frozenset(),
    RunState.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a campaign with its frozen version."""

    id: int
    campaign_key: str
    content_version_id: int
    content_hash: str
    state: RunState
    state_reason: str | None
    topic: str
    on_uncertain: OnUncertain
    scheduled_for: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class FunnelRow:
    """How many deliveries of a run stand in one state for one reason."""

    state: DeliveryState
    reason: str | None
    count: int


def create(
    connection: Connection,
    campaign_key: str,
    version_id: int,
    content_hash: str,
    topic: str,
    on_uncertain: OnUncertain,
    scheduled_for: datetime,
    now: datetime,
    expires_at: datetime | None = None,
) -> Run:
    """The run of this campaign for this moment, made where there is none.

    A second scheduler, or a repeated command, meets the first one's run.
    """
    connection.execute(
        upsert(connection, campaign_runs)
        .values(
            campaign_key=campaign_key,
            content_version_id=version_id,
            content_hash=content_hash,
            state=RunState.SCHEDULED,
            topic=topic,
            on_uncertain=on_uncertain,
            scheduled_for=scheduled_for,
            expires_at=expires_at,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["campaign_key", "scheduled_for"])
    )
    row = connection.execute(
        select(campaign_runs).where(
            campaign_runs.c.campaign_key == campaign_key,
            campaign_runs.c.scheduled_for == scheduled_for,
        )
    ).one()
    changes.record(connection, "run", row.id, now)
    return _run(row)


def get(connection: Connection, run_id: int) -> Run | None:
    """One run by id, or None."""
    row = connection.execute(
        select(campaign_runs).where(campaign_runs.c.id == run_id)
    ).first()
    return None if row is None else _run(row)


def newest(
    connection: Connection, campaign_key: str | None = None, limit: int = 100
) -> list[Run]:
    """Runs of one campaign or of all, newest first."""
    query = select(campaign_runs).order_by(campaign_runs.c.id.desc()).limit(limit)
    if campaign_key is not None:
        query = query.where(campaign_runs.c.campaign_key == campaign_key)
    return [_run(row) for row in connection.execute(query)]


def in_state(connection: Connection, *states: RunState) -> list[Run]:
    """Runs that stand in one of the states, oldest first."""
    query = select(campaign_runs).where(campaign_runs.c.state.in_(states))
    return [_run(row) for row in connection.execute(query.order_by(campaign_runs.c.id))]


def move(
    connection: Connection,
    run_id: int,
    to: RunState,
    now: datetime,
    reason: str | None = None,
) -> Run:
    """Change a run's state; the same state again changes nothing.

    Raises
    ------
    CampaignError : there is no such run, or its state does not lead there
    """
    run = get(connection, run_id)
    if run is None:
        raise CampaignError(Problem(f"there is no run {run_id}"))
    if run.state is to:
        return run
    if to not in _NEXT_STATES[run.state]:
        raise CampaignError(
            Problem(f"run {run_id} is {run.state} and can't become {to}")
        )
    if to is RunState.RUNNING and (run.state_reason or "").startswith(LIMIT_REACHED):
        # The limit that paused it must not pause it again: a person has looked.
        reason = f"{reason or 'resumed'}; {run.state_reason}"
    moments: dict[str, Any] = {}
    if to is RunState.RUNNING and run.planned_at is None:
        moments["planned_at"] = now
    if to in {RunState.FINISHED, RunState.CANCELLED}:
        moments["finished_at"] = now
    changed = connection.execute(
        update(campaign_runs)
        .where(campaign_runs.c.id == run_id, campaign_runs.c.state == run.state)
        .values(state=to, state_reason=reason, **moments)
    ).rowcount
    if not changed:
        raise CampaignError(Problem(f"run {run_id} was changed by somebody else"))
    if to is RunState.CANCELLED:
        _cancel_rows(connection, run_id, now)
    changes.record(connection, "run", run_id, now, state=to)
    return get(connection, run_id) or run


def reopen(connection: Connection, run_id: int, now: datetime) -> None:
    """A finished run runs again, since a row of it is to be sent after all."""
    changed = connection.execute(
        update(campaign_runs)
        .where(campaign_runs.c.id == run_id, campaign_runs.c.state == RunState.FINISHED)
        .values(state=RunState.RUNNING, finished_at=None)
    ).rowcount
    if changed:
        changes.record(connection, "run", run_id, now, state=RunState.RUNNING)


def finish_done(connection: Connection, now: datetime) -> list[int]:
    """Finish the running runs of which every row is in a terminal state."""
    open_rows = (
        select(deliveries.c.id)
        .where(
            deliveries.c.campaign_run_id == campaign_runs.c.id,
            deliveries.c.state.in_(OPEN_DELIVERY_STATES),
        )
        .exists()
    )
    done = list(
        connection.scalars(
            update(campaign_runs)
            .where(campaign_runs.c.state == RunState.RUNNING, ~open_rows)
            .values(state=RunState.FINISHED, finished_at=now)
            .returning(campaign_runs.c.id)
        )
    )
    for run_id in done:
        changes.record(connection, "run", run_id, now, state=RunState.FINISHED)
    return done


def funnel(connection: Connection, run_id: int) -> list[FunnelRow]:
    """Every delivery of a run, counted by state and reason, largest first."""
    count = func.count().label("count")
    rows = connection.execute(
        select(deliveries.c.state, deliveries.c.reason, count)
        .where(deliveries.c.campaign_run_id == run_id)
        .group_by(deliveries.c.state, deliveries.c.reason)
        .order_by(count.desc(), deliveries.c.state)
    )
    return [
        FunnelRow(DeliveryState(state), reason, number)
        for state, reason, number in rows
    ]


def _cancel_rows(connection: Connection, run_id: int, now: datetime) -> None:
    # What a worker has claimed or is sending ends by its own answer.
    connection.execute(
        update(deliveries)
        .where(
            deliveries.c.campaign_run_id == run_id,
            deliveries.c.state.in_((DeliveryState.PLANNED, DeliveryState.DEFERRED)),
        )
        .values(state=DeliveryState.CANCELLED, reason="run_cancelled", ended_at=now)
    )


def _run(row: Any) -> Run:
    fields = {name: getattr(row, name) for name in Run.__slots__}
    fields["state"] = RunState(fields["state"])
    fields["on_uncertain"] = OnUncertain(fields["on_uncertain"])
    return Run(**fields)
