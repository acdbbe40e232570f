"""The clock: turns schedules into occurrences, each exactly once.

APScheduler computes when a cron line is due; what is due lives in our tables, so
that a second clock, a restart or a late start neither loses nor doubles anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger

from content import notation
from core.clock import Clock
from core.errors import LeaseLost
from core.log import get_logger
from core.model import system
from storage import lease, schedules
from storage.database import Connection, Database
from storage.lease import Lease
from storage.schedules import Schedule

log = get_logger("schedule")
CLOCK = system("clock")
TICK_SECONDS = 5.0
# More than that is not made up: a person should look first.
OCCURRENCES_PER_TICK = 50
_SECOND = timedelta(seconds=1)


def due_moments(
    cron: str, timezone: str, after: datetime, until: datetime
) -> Iterator[datetime]:
    """The moments of a cron line in (after, until], in UTC, oldest first.

    A local time that the clocks jump over is due at the next valid time; one that
    comes twice is due at the first.
    """
    zone = ZoneInfo(timezone)
    # The trigger walks on the face of the clock, where no hour is missing or comes
    # twice: across a change of the clocks its own arithmetic loses a midnight. Days
    # of the week go in by name, for its day 0 is Monday and not Sunday.
    trigger = CronTrigger.from_crontab(notation.cron(cron), timezone=UTC)
    face = after.astimezone(zone).replace(tzinfo=UTC, fold=0)
    last = after
    while True:
        face = trigger.get_next_fire_time(None, face + timedelta(microseconds=1))
        if face is None:
            return
        moment = _moment(face.replace(tzinfo=None), zone)
        if moment > until:
            return
        # All that falls into the jump is due at its end, once.
        if moment > last:
            last = moment
            yield moment


def _moment(face: datetime, zone: ZoneInfo) -> datetime:
    """The first moment at which the clock shows this time or, after a jump, a later."""
    moment = face.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) == face:
        return moment
    before = face.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = before.astimezone(zone).utcoffset()
    # The clocks jump between these two, on a whole second.
    while moment - before > timedelta(seconds=1):
        middle = before + (moment - before) // timedelta(seconds=2) * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            moment = middle
    return moment


class ScheduleClock:
    """Ticks while it holds the lease; a second one only waits."""

    def __init__(
        self, database: Database, clock: Clock, holder: str, lease_seconds: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._lease_seconds = lease_seconds
        self._lease: Lease | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End after the tick that is under way."""
        self._stopping.set()

    async def run_for_ever(self) -> None:
        """Tick until `stop`, then give the lease back."""
        while not self._stopping.is_set():
            try:
                await self.tick()
            except Exception:  # the clock outlives one bad tick
                log.exception("tick_failed")
            waiting = asyncio.ensure_future(self._stopping.wait())
            sleeping = asyncio.ensure_future(self._clock.sleep(TICK_SECONDS))
            await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (waiting, sleeping):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self._give_back()

    async def tick(self) -> int:
        """Write what has become due; returns how many occurrences are new."""
        now = self._clock.now()
        return await self._database.write(CLOCK, lambda c: self._tick(c, now))

    def _tick(self, connection: Connection, now: datetime) -> int:
        if not self._hold_lease(connection, now):
            return 0
        begun = 0
        for schedule in schedules.all_of_them(connection):
            try:
                begun += _begin_due(connection, schedule, now)
            except (ValueError, ZoneInfoNotFoundError):
                # One line that can't be read must not stop the other schedules.
                log.exception("schedule_unusable", schedule=schedule.name)
        return begun

    def _hold_lease(self, connection: Connection, now: datetime) -> bool:
        if self._lease is not None:
            try:
                self._lease = lease.renew(
                    connection, self._lease, now, self._lease_seconds
                )
            except LeaseLost:
                log.warning("clock_lease_lost")
                self._lease = None
            else:
                return True
        self._lease = lease.acquire(
            connection, "clock", self._holder, now, self._lease_seconds
        )
        return self._lease is not None

    async def _give_back(self) -> None:
        held, now = self._lease, self._clock.now()
        if held is not None:
            await self._database.write(CLOCK, lambda c: lease.release(c, held, now))


def _begin_due(connection: Connection, schedule: Schedule, now: datetime) -> int:
    after = schedules.last_due(connection, schedule)
    moments = due_moments(schedule.cron, schedule.timezone, after, now)
    begun = 0
    for moment, _ in zip(moments, range(OCCURRENCES_PER_TICK), strict=False):
        begun += schedules.begin(connection, schedule, moment, now)
    return begun
