"""Coarse jobs: each key once, taken over from the silent, given up in the end."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from core.errors import LeaseLost
from core.model import JobState
from storage import changes, jobs
from storage.database import Connection, Database
from storage.jobs import Job
from storage.schema import jobs as table
from tests.storage.shop import NOW, TEST, postgresql_only

SECONDS = 60.0
LATER = NOW + timedelta(seconds=SECONDS)


def enqueue(database: Database, key: str | None = None) -> int | None:
    return database.write_now(
        TEST, lambda c: jobs.enqueue(c, "import", {"file": "a.csv"}, NOW, key)
    )


def claim(database: Database, worker: str, now: datetime = NOW) -> Job | None:
    return database.write_now(TEST, lambda c: jobs.claim(c, worker, now, SECONDS))


def claimed(database: Database, worker: str, now: datetime = NOW) -> Job:
    job = claim(database, worker, now)
    assert job is not None
    return job


def finish(database: Database, job: Job, error: str | None = None) -> None:
    database.write_now(TEST, lambda c: jobs.finish(c, job, LATER, error))


def states(connection: Connection) -> list[str]:
    return list(connection.scalars(select(table.c.state).order_by(table.c.id)))


def test_the_same_key_makes_one_job(database: Database) -> None:
    assert enqueue(database, "nightly@1") is not None

    assert enqueue(database, "nightly@1") is None
    assert database.read_now(states) == [JobState.QUEUED]


def test_jobs_without_a_key_are_all_different(database: Database) -> None:
    assert enqueue(database) != enqueue(database)


def test_jobs_are_taken_oldest_first_and_once(database: Database) -> None:
    first, second = enqueue(database), enqueue(database)

    taken = [claimed(database, "a").id, claimed(database, "b").id]

    assert taken == [first, second]
    assert claim(database, "c") is None


def test_a_job_brings_its_payload(database: Database) -> None:
    enqueue(database)

    job = claimed(database, "a")

    assert (job.kind, job.payload, job.attempts) == ("import", {"file": "a.csv"}, 1)


def test_a_silent_worker_s_job_is_taken_by_another(database: Database) -> None:
    enqueue(database)
    old = claimed(database, "a")

    assert claimed(database, "b", LATER).id == old.id

    with pytest.raises(LeaseLost):
        finish(database, old)


def test_a_worker_that_speaks_keeps_its_job(database: Database) -> None:
    enqueue(database)
    job = claimed(database, "a")

    database.write_now(TEST, lambda c: jobs.renew(c, job, LATER, SECONDS))

    assert claim(database, "b", LATER) is None


def test_the_same_worker_s_second_try_ends_its_first(database: Database) -> None:
    enqueue(database)
    first = claimed(database, "a")
    claimed(database, "a", LATER)

    with pytest.raises(LeaseLost):
        database.write_now(TEST, lambda c: jobs.renew(c, first, LATER, SECONDS))


@pytest.mark.parametrize(
    ("error", "state"), [(None, JobState.DONE), ("no such file", JobState.FAILED)]
)
def test_a_finished_job_is_not_taken_again(
    database: Database, error: str | None, state: JobState
) -> None:
    enqueue(database)

    finish(database, claimed(database, "a"), error)

    assert database.read_now(states) == [state]
    assert claim(database, "b", LATER + timedelta(days=1)) is None


def test_a_job_that_kills_its_workers_is_given_up(database: Database) -> None:
    job_id = enqueue(database)
    moments = [NOW + timedelta(hours=hour) for hour in range(jobs.ATTEMPTS_MAX)]
    for moment in moments:
        claimed(database, "a", moment)
    before = database.read_now(changes.newest_id)

    end = moments[-1] + timedelta(hours=1)
    assert claim(database, "a", end) is None
    given_up = database.write_now(TEST, lambda c: jobs.give_up(c, end))

    assert [job.id for job in given_up] == [job_id]
    assert database.read_now(states) == [JobState.FAILED]
    told = database.read_now(lambda c: changes.after(c, before))
    assert [(each.entity_id, each.data["state"]) for each in told] == [
        (job_id, JobState.FAILED)
    ]


@postgresql_only
def test_a_job_in_another_s_hands_is_passed_over(database: Database) -> None:
    first, second = enqueue(database), enqueue(database)

    with database.write_engine.connect() as open_claim, open_claim.begin():
        one = jobs.claim(open_claim, "a", NOW, SECONDS)
        other = claimed(database, "b")

    assert one is not None
    assert (one.id, other.id) == (first, second)


def test_a_job_put_back_costs_no_try(database: Database) -> None:
    enqueue(database)
    job = claimed(database, "a")

    database.write_now(TEST, lambda c: jobs.put_back(c, job))

    assert claimed(database, "b").attempts == 1
