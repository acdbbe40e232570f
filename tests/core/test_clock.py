from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from core.clock import SimulatedClock, SystemClock, check_aware

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_the_system_clock_never_counts_backwards() -> None:
    clock = SystemClock()

    first = clock.boot_seconds()

    assert clock.boot_seconds() >= first > 0


def test_the_system_clock_waits() -> None:
    clock = SystemClock()
    before = clock.boot_seconds()

    asyncio.run(clock.sleep(0.01))

    assert clock.boot_seconds() - before >= 0.01


def test_simulated_time_stands_still() -> None:
    clock = SimulatedClock(NOON)

    assert (clock.now(), clock.now()) == (NOON, NOON)


def test_simulated_time_jumps_over_a_wait() -> None:
    clock = SimulatedClock(NOON)

    asyncio.run(clock.sleep(90))

    assert clock.now() == NOON + timedelta(seconds=90)
    assert clock.boot_seconds() == 90


def test_simulated_time_moves_both_clocks() -> None:
    clock = SimulatedClock(NOON)

    clock.advance(60)

    assert (clock.now() - NOON).total_seconds() == clock.boot_seconds() == 60


def test_simulated_time_is_kept_in_utc() -> None:
    berlin_winter = timezone(timedelta(hours=1))

    clock = SimulatedClock(datetime(2026, 3, 1, 13, tzinfo=berlin_winter))

    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC


async def _turns_during_a_wait(clock: SimulatedClock) -> list[str]:
    turns: list[str] = []

    async def other() -> None:
        turns.append("other")

    task = asyncio.create_task(other())
    await clock.sleep(5)
    turns.append("sleeper")
    await task
    return turns


def test_a_simulated_wait_gives_others_their_turn() -> None:
    turns = asyncio.run(_turns_during_a_wait(SimulatedClock(NOON)))

    assert turns == ["other", "sleeper"]


def test_a_clock_refuses_a_start_without_a_zone() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        SimulatedClock(datetime(2026, 3, 1, 12))  # noqa: DTZ001  the mistake is meant


def test_an_aware_moment_passes() -> None:
    assert check_aware(NOON) is NOON
