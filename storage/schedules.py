"""Schedules and their occurrences: one row per due moment, whoever sees it first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from core.model import OccurrenceState
from storage import changes, jobs
from storage.dialect import upsert
from storage.schema import occurrences, schedules


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that begins by itself; `since` is when this timing was set."""

    name: str
    job_kind: str
    payload: dict[str, Any]
    cron: str
    timezone: str
    catch_up: timedelta
    since: datetime


def put(
    connection: Connection,
    name: str,
    job_kind: str,
    payload: dict[str, Any],
    cron: str,
    timezone: str,
    catch_up: timedelta,
    now: datetime,
) -> None:
    """Set a schedule; a changed time counts from now, an unchanged one goes on."""
    values = {
        "job_kind": job_kind,
        "payload": payload,
        "cron": cron,
        "timezone": timezone,
        "catch_up_seconds": int(catch_up.total_seconds()),
    }
    current = connection.execute(
        select(schedules).where(schedules.c.name == name)
    ).first()
    same_time = current is not None and (current.cron, current.timezone) == (
        cron,
        timezone,
    )
    since = current.since if current is not None and same_time else now
    connection.execute(
        upsert(connection, schedules)
        .values(name=name, since=since, **values)
        .on_conflict_do_update(index_elements=["name"], set_={**values, "since": since})
    )


def remove_others(connection: Connection, names: list[str]) -> None:
    """Drop the schedules that nothing asks for any more."""
    connection.execute(delete(schedules).where(schedules.c.name.not_in(names)))


def all_of_them(connection: Connection) -> list[Schedule]:
    """Every schedule, by name."""
    rows = connection.execute(select(schedules).order_by(schedules.c.name))
    return [
        Schedule(
            row.name,
            row.job_kind,
            row.payload,
            row.cron,
            row.timezone,
            timedelta(seconds=row.catch_up_seconds),
            row.since,
        )
        for row in rows
    ]


def last_due(connection: Connection, schedule: Schedule) -> datetime:
    """The newest moment that has a row; before the first, when the schedule was set."""
    newest = connection.scalar(
        select(func.max(occurrences.c.scheduled_for)).where(
            occurrences.c.schedule == schedule.name
        )
    )
    return schedule.since if newest is None else max(newest, schedule.since)


def begin(
    connection: Connection,
    schedule: Schedule,
    scheduled_for: datetime,
    now: datetime,
) -> bool:
    """Write the occurrence and its job, once; False where it exists already.

    Later than the catch-up window it is written as missed, for a person to see.
    """
    missed = now - scheduled_for > schedule.catch_up
    state = OccurrenceState.MISSED if missed else OccurrenceState.RUNNING
    occurrence_id = connection.execute(
        upsert(connection, occurrences)
        .values(
            schedule=schedule.name,
            scheduled_for=scheduled_for,
            state=state,
            started_at=now,
            finished_at=now if missed else None,
        )
        .on_conflict_do_nothing(index_elements=["schedule", "scheduled_for"])
        .returning(occurrences.c.id)
    ).scalar()
    if occurrence_id is None:
        return False
    if not missed:
        payload = {
            **schedule.payload,
            "occurrence_id": occurrence_id,
            "scheduled_for": scheduled_for.isoformat(),
        }
        key = f"{schedule.name}@{scheduled_for.isoformat()}"
        jobs.enqueue(connection, schedule.job_kind, payload, now, key)
    changes.record(connection, "occurrence", occurrence_id, now, state=state)
    return True


def finish(
    connection: Connection, occurrence_id: int, now: datetime, error: str | None = None
) -> None:
    """Say how an occurrence ended."""
    state = OccurrenceState.DONE if error is None else OccurrenceState.FAILED
    connection.execute(
        update(occurrences)
        .where(occurrences.c.id == occurrence_id)
        .values(state=state, detail=error, finished_at=now)
    )
    changes.record(connection, "occurrence", occurrence_id, now, state=state)


def occurrences_of(
    connection: Connection, name: str
) -> list[tuple[datetime, OccurrenceState]]:
    """When a schedule was due and what became of it, oldest first."""
    rows = connection.execute(
        select(occurrences.c.scheduled_for, occurrences.c.state)
        .where(occurrences.c.schedule == name)
        .order_by(occurrences.c.scheduled_for)
    )
    return [(row.scheduled_for, OccurrenceState(row.state)) for row in rows]
