"""Coarse jobs (an import, an analysis): rows with a lease, the same on both databases.

Never one message a job: deliveries have a ledger of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select, update

from core.errors import LeaseLost, Problem
from core.model import JobState
from storage import changes
from storage.dialect import skip_locked, upsert
from storage.schema import jobs

ATTEMPTS_MAX = 3
GIVEN_UP = f"its process ended {ATTEMPTS_MAX} times without a result"


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed job; `attempts` counts this try."""

    id: int
    kind: str
    payload: dict[str, Any]
    claimed_by: str
    attempts: int


def enqueue(
    connection: Connection,
    kind: str,
    payload: dict[str, Any],
    now: datetime,
    key: str | None = None,
) -> int | None:
    """The new job's id; None where a job with this key exists already."""
    job_id = connection.execute(
        upsert(connection, jobs)
        .values(
            kind=kind, payload=payload, key=key, state=JobState.QUEUED, created_at=now
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(jobs.c.id)
    ).scalar()
    if job_id is not None:
        changes.record(connection, "job", job_id, now)
    return job_id


def claim(
    connection: Connection, worker: str, now: datetime, lease_seconds: float
) -> Job | None:
    """The oldest job that waits or whose worker fell silent; None if there is none."""
    stalled = (jobs.c.state == JobState.RUNNING) & (jobs.c.lease_until <= now)
    worth_a_try = stalled & (jobs.c.attempts < ATTEMPTS_MAX)
    query = (
        select(jobs.c.id)
        .where(or_(jobs.c.state == JobState.QUEUED, worth_a_try))
        .order_by(jobs.c.id)
        .limit(1)
    )
    job_id = connection.scalar(skip_locked(connection, query, jobs))
    if job_id is None:
        return None
    row = connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(
            state=JobState.RUNNING,
            claimed_by=worker,
            lease_until=now + timedelta(seconds=lease_seconds),
            attempts=jobs.c.attempts + 1,
        )
        .returning(jobs)
    ).one()
    return Job(row.id, row.kind, row.payload, worker, row.attempts)


def renew(
    connection: Connection, job: Job, now: datetime, lease_seconds: float
) -> None:
    """Say that the job is still worked on; raises `LeaseLost` if another has it."""
    _change_own(
        connection, job, {"lease_until": now + timedelta(seconds=lease_seconds)}
    )


def finish(
    connection: Connection, job: Job, now: datetime, error: str | None = None
) -> None:
    """End the job; raises `LeaseLost` if another has it."""
    state = JobState.DONE if error is None else JobState.FAILED
    _change_own(
        connection,
        job,
        {"state": state, "error": error, "finished_at": now, "lease_until": None},
    )
    changes.record(connection, "job", job.id, now, state=state)


def put_back(connection: Connection, job: Job) -> None:
    """Leave the job to the next runner; an orderly stop costs no try."""
    _change_own(
        connection,
        job,
        {
            "state": JobState.QUEUED,
            "attempts": job.attempts - 1,
            "claimed_by": None,
            "lease_until": None,
        },
    )


def give_up(connection: Connection, now: datetime) -> list[Job]:
    """End the jobs that took their workers down too often; returns them.

    What has done so three times would do so again.
    """
    rows = connection.execute(
        update(jobs)
        .where(
            jobs.c.state == JobState.RUNNING,
            jobs.c.lease_until <= now,
            jobs.c.attempts >= ATTEMPTS_MAX,
        )
        .values(state=JobState.FAILED, error=GIVEN_UP, finished_at=now)
        .returning(jobs)
    ).all()
    for row in rows:
        changes.record(connection, "job", row.id, now, state=JobState.FAILED)
    return [
        Job(row.id, row.kind, row.payload, row.claimed_by, row.attempts) for row in rows
    ]


def _change_own(connection: Connection, job: Job, values: dict[str, Any]) -> None:
    changed = connection.execute(
        update(jobs)
        .where(
            jobs.c.id == job.id,
            jobs.c.state == JobState.RUNNING,
            jobs.c.claimed_by == job.claimed_by,
            jobs.c.attempts == job.attempts,
        )
        .values(**values)
    ).rowcount
    if not changed:
        raise LeaseLost(Problem(f"job {job.id} went to another worker"))
