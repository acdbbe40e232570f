"""The clock: once for each local day, whatever the zone does and whoever looks."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.clock import SimulatedClock
from core.model import OccurrenceState, system
from outreach.schedule import ScheduleClock, due_moments
from storage import jobs, lease, schedules
from storage.database import Connection, Database, open_database
from storage.schema import jobs as job_table

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEST = system("test")
LEASE_SECONDS = 30.0
YEAR = (datetime(2025, 12, 30, 12, tzinfo=UTC), datetime(2027, 1, 2, 12, tzinfo=UTC))
# Zones that change by an hour before noon and after, at midnight, by half an hour,
# on both halves of the earth, and one that never does.
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Auckland",
    "Asia/Shanghai",
]


def local(moments: list[datetime], zone: str) -> list[str]:
    return [f"{each.astimezone(ZoneInfo(zone)):%m-%d %H:%M %z}" for each in moments]


def between(zone: str, day: int, month: int) -> tuple[datetime, datetime]:
    """The local days around one of 2026."""
    noon = datetime(2026, month, day, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return noon - timedelta(days=1), noon + timedelta(days=1)


# --- when a line is due ---------------------------------------------------------------


@pytest.mark.parametrize("time", ["0 0", "30 0", "30 1", "0 2", "30 2", "45 3", "0 12"])
@pytest.mark.parametrize("zone", ZONES)
def test_a_daily_line_is_due_once_each_local_day(zone: str, time: str) -> None:
    moments = list(due_moments(f"{time} * * *", zone, *YEAR))

    days = [each.astimezone(ZoneInfo(zone)).date() for each in moments]
    year = [each for each in days if each.year == 2026]
    assert year == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


@pytest.mark.parametrize(
    ("zone", "day", "month", "cron", "due"),
    [
        # Berlin jumps from 02:00 to 03:00: what is missing is due at 03:00.
        ("Europe/Berlin", 29, 3, "30 2 * * *", "03-29 03:00 +0200"),
        ("Europe/Berlin", 29, 3, "0 2 * * *", "03-29 03:00 +0200"),
        ("Europe/Berlin", 29, 3, "15 3 * * *", "03-29 03:15 +0200"),
        # It goes back from 03:00 to 02:00: the first 02:30 counts.
        ("Europe/Berlin", 25, 10, "30 2 * * *", "10-25 02:30 +0200"),
        # Lord Howe moves by half an hour.
        ("Australia/Lord_Howe", 4, 10, "15 2 * * *", "10-04 02:30 +1100"),
        ("Australia/Lord_Howe", 5, 4, "45 1 * * *", "04-05 01:45 +1100"),
        # Havana and Santiago have no midnight on these days.
        ("America/Havana", 8, 3, "0 0 * * *", "03-08 01:00 -0400"),
        ("America/Santiago", 6, 9, "30 0 * * *", "09-06 01:00 -0300"),
    ],
)
def test_a_change_of_the_clocks_moves_and_never_doubles(
    zone: str, day: int, month: int, cron: str, due: str
) -> None:
    moments = list(due_moments(cron, zone, *between(zone, day, month)))

    assert local(moments, zone).count(due) == 1
    assert [each[:5] for each in local(moments, zone)].count(due[:5]) == 1


def test_a_frequent_line_is_due_once_at_the_end_of_the_jump() -> None:
    after = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)

    moments = list(
        due_moments("*/30 * * * *", "Europe/Berlin", after, after + timedelta(hours=1))
    )

    assert local(moments, "Europe/Berlin") == ["03-29 03:00 +0200", "03-29 03:30 +0200"]


def test_the_hour_that_comes_twice_counts_once() -> None:
    after = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)

    moments = list(
        due_moments("0 * * * *", "Europe/Berlin", after, after + timedelta(hours=3))
    )

    assert local(moments, "Europe/Berlin") == [
        "10-25 02:00 +0200",
        "10-25 03:00 +0100",
    ]


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["20 */3 * * *", "30 2 * * *", "0 0 * * 0", "5 1-4 * 3,4,10 *"]),
    st.lists(st.integers(0, 525_600), min_size=1, max_size=6),
)
@settings(max_examples=15, deadline=None)
def test_where_one_looks_changes_nothing(
    zone: str, cron: str, minutes: list[int]
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = start + timedelta(days=366)
    stops = sorted({start + timedelta(minutes=each) for each in minutes} | {end})

    pieces: list[datetime] = []
    for after, until in zip([start, *stops], stops, strict=False):
        pieces += due_moments(cron, zone, after, until)

    assert pieces == list(due_moments(cron, zone, start, end))


def test_the_end_is_part_of_the_span_and_the_start_is_not() -> None:
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    day = timedelta(days=1)

    moments = list(due_moments("0 0 * * *", "UTC", midnight, midnight + day))

    assert moments == [midnight + day]


@pytest.mark.parametrize("weekday", ["0", "7", "SUN", "sun"])
def test_day_0_is_sunday(weekday: str) -> None:
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    line = f"0 9 * * {weekday}"

    moments = list(due_moments(line, "UTC", monday, monday + timedelta(days=7)))

    assert [each.strftime("%a") for each in moments] == ["Sun"]


# --- ticks ----------------------------------------------------------------------------


def put(database: Database, cron: str, since: datetime, name: str = "nightly") -> None:
    database.write_now(
        TEST,
        lambda c: schedules.put(
            c, name, "pipeline", {}, cron, "Europe/Berlin", timedelta(hours=6), since
        ),
    )


def a_clock(
    database: Database, holder: str, now: datetime = NOW
) -> tuple[ScheduleClock, SimulatedClock]:
    time = SimulatedClock(now)
    return ScheduleClock(database, time, holder, LEASE_SECONDS), time


def states(database: Database, name: str = "nightly") -> list[OccurrenceState]:
    found = database.read_now(lambda c: schedules.occurrences_of(c, name))
    return [state for _, state in found]


def count_jobs(connection: Connection) -> int:
    return len(connection.execute(select(job_table.c.id)).all())


def test_a_due_moment_is_begun_once(database: Database) -> None:
    put(database, "0 2 * * *", NOW - timedelta(hours=9))
    clock, _ = a_clock(database, "a", NOW - timedelta(hours=3))

    begun = [asyncio.run(clock.tick()) for _ in range(3)]

    assert begun == [1, 0, 0]
    job = database.write_now(TEST, lambda c: jobs.claim(c, "worker", NOW, 30))
    assert job is not None
    assert job.payload["scheduled_for"] == "2026-11-24T01:00:00+00:00"


def test_two_clocks_begin_each_occurrence_once(database: Database) -> None:
    put(database, "*/10 * * * *", NOW)

    async def both() -> list[int]:
        with open_database(database.url) as other:
            clocks = [a_clock(database, "a"), a_clock(other, "b")]
            begun: list[int] = []
            for _ in range(60):
                [time.advance(60) for _, time in clocks]
                begun += await asyncio.gather(*(clock.tick() for clock, _ in clocks))
            return begun

    begun = asyncio.run(both())

    assert sum(begun) == 6
    assert states(database) == [OccurrenceState.RUNNING] * 6
    assert database.read_now(count_jobs) == 6


def test_the_second_clock_waits_and_takes_over(database: Database) -> None:
    put(database, "* * * * *", NOW)
    (first, first_time), (second, second_time) = (
        a_clock(database, "a"),
        a_clock(database, "b"),
    )
    first_time.advance(60)
    second_time.advance(60)

    waiting = [asyncio.run(first.tick()), asyncio.run(second.tick())]
    # The first one stops without a word; its lease runs out.
    second_time.advance(60)
    taken_over = asyncio.run(second.tick())

    assert (waiting, taken_over) == ([1, 0], 1)


def test_a_clock_that_woke_up_late_begins_nothing(database: Database) -> None:
    put(database, "* * * * *", NOW)
    (first, first_time), (second, second_time) = (
        a_clock(database, "a"),
        a_clock(database, "b"),
    )
    asyncio.run(first.tick())
    second_time.advance(90)
    asyncio.run(second.tick())
    first_time.advance(100)

    assert asyncio.run(first.tick()) == 0


@pytest.mark.parametrize(
    ("hours_down", "state"),
    [(5, OccurrenceState.RUNNING), (7, OccurrenceState.MISSED)],
)
def test_what_was_due_meanwhile_is_made_up_or_seen_as_missed(
    database: Database, hours_down: int, state: OccurrenceState
) -> None:
    due = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
    put(database, "0 2 * * *", due - timedelta(hours=1))
    clock, _ = a_clock(database, "a", due + timedelta(hours=hours_down))

    asyncio.run(clock.tick())

    assert states(database) == [state]


def test_a_long_rest_is_caught_up_in_portions(database: Database) -> None:
    put(database, "* * * * *", NOW - timedelta(minutes=120))
    clock, _ = a_clock(database, "a")

    begun = [asyncio.run(clock.tick()) for _ in range(4)]

    assert begun == [50, 50, 20, 0]


@pytest.mark.parametrize(
    ("cron", "zone"), [("not a line", "UTC"), ("0 2 * * *", "Mars/Olympus")]
)
def test_a_line_that_can_t_be_read_stops_no_other(
    database: Database, cron: str, zone: str
) -> None:
    hour = timedelta(hours=1)
    database.write_now(
        TEST,
        lambda c: schedules.put(
            c, "broken", "pipeline", {}, cron, zone, hour, NOW - hour
        ),
    )
    put(database, "* * * * *", NOW - timedelta(minutes=3))
    clock, _ = a_clock(database, "a")

    assert asyncio.run(clock.tick()) == 3
    assert states(database, "broken") == []


def test_a_clock_that_ends_gives_its_lease_back(database: Database) -> None:
    put(database, "* * * * *", NOW - timedelta(minutes=3))
    clock, time = a_clock(database, "a")

    async def run_a_while() -> None:
        running = asyncio.ensure_future(clock.run_for_ever())
        await asyncio.sleep(0)
        clock.stop()
        await running

    asyncio.run(run_a_while())

    assert len(states(database)) == 3
    assert database.read_now(lambda c: lease.holder(c, "clock", time.now())) is None
