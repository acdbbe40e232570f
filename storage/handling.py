"""Handling intervals: when a person really worked on an episode.

An interval starts when the person takes or opens the conversation to act; it ends on
reply-and-leave, hand-back and close, or at the last act before a longer silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, insert, select, update

from storage.schema import handling_intervals


@dataclass(frozen=True, slots=True)
class Interval:
    """One stretch of work; `ended_at` is None while it runs."""

    id: int
    episode_id: int
    staff_id: int
    started_at: datetime
    ended_at: datetime | None
    active_at: datetime


def act(
    connection: Connection,
    episode_id: int,
    staff_id: int,
    now: datetime,
    idle: timedelta,
) -> None:
    """The person acts on the episode: the interval goes on, or a new one starts."""
    running = _running(connection, episode_id, staff_id)
    if running is not None and now - running.active_at <= idle:
        connection.execute(
            update(handling_intervals)
            .where(handling_intervals.c.id == running.id)
            .values(active_at=now)
        )
        return
    if running is not None:
        _end(connection, running, running.active_at)
    connection.execute(
        insert(handling_intervals).values(
            episode_id=episode_id, staff_id=staff_id, started_at=now, active_at=now
        )
    )


def leave(
    connection: Connection,
    episode_id: int,
    staff_id: int,
    now: datetime,
    idle: timedelta,
) -> None:
    """The person is done with the episode for now."""
    running = _running(connection, episode_id, staff_id)
    if running is not None:
        silent = now - running.active_at > idle
        _end(connection, running, running.active_at if silent else now)


def leave_all(
    connection: Connection, episode_id: int, now: datetime, idle: timedelta
) -> None:
    """Everybody is done with the episode: it closed."""
    workers = connection.scalars(
        select(handling_intervals.c.staff_id).where(
            handling_intervals.c.episode_id == episode_id,
            handling_intervals.c.ended_at.is_(None),
        )
    )
    for staff_id in list(workers):
        leave(connection, episode_id, staff_id, now, idle)


def has_idle(connection: Connection, now: datetime, idle: timedelta) -> bool:
    """Whether `end_idle` has something to do."""
    query = select(handling_intervals.c.id).where(*_silent(now, idle))
    return connection.scalar(query.limit(1)) is not None


def end_idle(connection: Connection, now: datetime, idle: timedelta) -> int:
    """End intervals whose person fell silent, at their last act; returns how many."""
    return connection.execute(
        update(handling_intervals)
        .where(*_silent(now, idle))
        .values(ended_at=handling_intervals.c.active_at)
    ).rowcount


def of_episode(connection: Connection, episode_id: int) -> list[Interval]:
    """All intervals of an episode, in the order of their start."""
    rows = connection.execute(
        select(handling_intervals)
        .where(handling_intervals.c.episode_id == episode_id)
        .order_by(handling_intervals.c.started_at, handling_intervals.c.id)
    )
    return [
        Interval(
            row.id,
            row.episode_id,
            row.staff_id,
            row.started_at,
            row.ended_at,
            row.active_at,
        )
        for row in rows
    ]


def _silent(now: datetime, idle: timedelta) -> tuple[ColumnElement[bool], ...]:
    return (
        handling_intervals.c.ended_at.is_(None),
        handling_intervals.c.active_at < now - idle,
    )


def _running(connection: Connection, episode_id: int, staff_id: int) -> Interval | None:
    found = [
        interval
        for interval in of_episode(connection, episode_id)
        if interval.staff_id == staff_id and interval.ended_at is None
    ]
    return found[-1] if found else None


def _end(connection: Connection, interval: Interval, at: datetime) -> None:
    connection.execute(
        update(handling_intervals)
        .where(handling_intervals.c.id == interval.id)
        .values(ended_at=at, active_at=at)
    )
