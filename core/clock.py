"""The only way to know the time or to wait."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What a part needs to know of time."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""

    def boot_seconds(self) -> float:
        """Seconds since the machine started, suspension included."""

    async def sleep(self, seconds: float) -> None:
        """Wait; at least one other task gets its turn."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def boot_seconds(self) -> float:
        # A lease must age while a laptop sleeps, which CLOCK_MONOTONIC does not.
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime(clock)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SimulatedClock:
    """A clock that stands still until somebody waits; then it jumps."""

    def __init__(self, start: datetime) -> None:
        check_aware(start)
        self._now = start.astimezone(UTC)
        self._boot_seconds = 0.0

    def now(self) -> datetime:
        return self._now

    def boot_seconds(self) -> float:
        return self._boot_seconds

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._now += timedelta(seconds=seconds)
        self._boot_seconds += seconds


def check_aware(moment: datetime) -> datetime:
    """Return `moment`; refuse one without a time zone where it is made."""
    if moment.tzinfo is None:
        message = f"a moment needs a time zone: {moment!r}"
        raise ValueError(message)
    return moment
