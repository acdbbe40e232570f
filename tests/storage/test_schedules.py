"""Schedules and occurrences: a row for each due moment, whoever sees it first."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from core.model import OccurrenceState
from storage import schedules
from storage.database import Connection, Database
from storage.schedules import Schedule
from storage.schema import jobs, occurrences
from tests.storage.shop import NOW, TEST
from tests.storage.test_lease import at_once

CRON = "0 2 * * *"
CATCH_UP = timedelta(hours=6)
DUE = NOW - timedelta(hours=1)


def put(
    database: Database, cron: str = CRON, now: datetime = NOW, name: str = "nightly"
) -> Schedule:
    database.write_now(
        TEST,
        lambda c: schedules.put(
            c, name, "pipeline", {"campaigns": []}, cron, "Europe/Berlin", CATCH_UP, now
        ),
    )
    found = {each.name: each for each in database.read_now(schedules.all_of_them)}
    return found[name]


def begin(
    database: Database, schedule: Schedule, due: datetime = DUE, now: datetime = NOW
) -> bool:
    return database.write_now(TEST, lambda c: schedules.begin(c, schedule, due, now))


def states(database: Database) -> list[tuple[datetime, OccurrenceState]]:
    return database.read_now(lambda c: schedules.occurrences_of(c, "nightly"))


def job_rows(connection: Connection) -> list[tuple[str, str, dict[str, object]]]:
    return [
        (row.kind, row.key, row.payload)
        for row in connection.execute(select(jobs).order_by(jobs.c.id))
    ]


def test_a_schedule_comes_back_as_it_was_set(database: Database) -> None:
    assert put(database) == Schedule(
        "nightly",
        "pipeline",
        {"campaigns": []},
        CRON,
        "Europe/Berlin",
        CATCH_UP,
        NOW,
    )


def test_an_unchanged_schedule_goes_on(database: Database) -> None:
    put(database)

    assert put(database, now=NOW + timedelta(days=1)).since == NOW


def test_a_changed_time_counts_from_now(database: Database) -> None:
    put(database)
    later = NOW + timedelta(days=1)

    assert put(database, "0 3 * * *", later).since == later


def test_schedules_that_nothing_asks_for_are_dropped(database: Database) -> None:
    put(database)
    put(database, name="old")

    database.write_now(TEST, lambda c: schedules.remove_others(c, ["nightly"]))

    assert [each.name for each in database.read_now(schedules.all_of_them)] == [
        "nightly"
    ]


def test_an_occurrence_brings_its_job_once(database: Database) -> None:
    schedule = put(database)

    assert begin(database, schedule)
    assert not begin(database, schedule)

    assert states(database) == [(DUE, OccurrenceState.RUNNING)]
    [(kind, key, payload)] = database.read_now(job_rows)
    assert (kind, key) == ("pipeline", f"nightly@{DUE.isoformat()}")
    assert payload == {
        "campaigns": [],
        "occurrence_id": 1,
        "scheduled_for": DUE.isoformat(),
    }


def test_of_many_clocks_one_begins_an_occurrence(database: Database) -> None:
    schedule = put(database)

    outcomes = at_once(5, lambda _: begin(database, schedule))

    assert sorted(outcomes) == [False, False, False, False, True]
    assert len(database.read_now(job_rows)) == 1


@pytest.mark.parametrize(
    ("late", "state", "job_count"),
    [
        (CATCH_UP, OccurrenceState.RUNNING, 1),
        (CATCH_UP + timedelta(seconds=1), OccurrenceState.MISSED, 0),
    ],
)
def test_what_is_too_late_is_missed_and_seen(
    database: Database, late: timedelta, state: OccurrenceState, job_count: int
) -> None:
    assert begin(database, put(database), NOW - late)

    assert states(database) == [(NOW - late, state)]
    assert len(database.read_now(job_rows)) == job_count


@pytest.mark.parametrize(
    ("error", "state"),
    [(None, OccurrenceState.DONE), ("no orders", OccurrenceState.FAILED)],
)
def test_an_occurrence_says_how_it_ended(
    database: Database, error: str | None, state: OccurrenceState
) -> None:
    begin(database, put(database))

    database.write_now(TEST, lambda c: schedules.finish(c, 1, NOW, error))

    assert states(database) == [(DUE, state)]
    [row] = database.read_now(lambda c: c.execute(select(occurrences)).all())
    assert (row.detail, row.finished_at) == (error, NOW)


def test_the_newest_occurrence_is_the_last_due(database: Database) -> None:
    schedule = put(database, now=NOW - timedelta(days=1))
    before = database.read_now(lambda c: schedules.last_due(c, schedule))

    begin(database, schedule)

    after = database.read_now(lambda c: schedules.last_due(c, schedule))
    assert (before, after) == (NOW - timedelta(days=1), DUE)


def test_a_schedule_set_anew_looks_not_back(database: Database) -> None:
    schedule = put(database)

    begin(database, schedule, NOW - timedelta(hours=2))

    assert database.read_now(lambda c: schedules.last_due(c, schedule)) == NOW
