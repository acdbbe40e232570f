"""What nobody looks at any more goes: old changes and ended sessions, once a day."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from core.clock import Clock
from core.log import get_logger
from core.model import system
from storage import api_keys, changes, staff
from storage.database import Connection, Database

log = get_logger("housekeeping")
HOUSEKEEPER = system("housekeeper")
EVERY_SECONDS = 24 * 3600.0
# Listeners look back seconds; a month lets a person trace what happened.
KEEP_CHANGES = timedelta(days=30)


class Housekeeper:
    """Tidies at the start and then every day."""

    def __init__(self, database: Database, clock: Clock, session_hours: float) -> None:
        self._database = database
        self._clock = clock
        self._keep_sessions = timedelta(hours=session_hours)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End the wait."""
        self._stopping.set()

    async def run_for_ever(self) -> None:
        """Tidy until `stop`."""
        while not self._stopping.is_set():
            try:
                await self.tidy()
            except Exception:  # tomorrow is another day
                log.exception("tidying_failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY_SECONDS)

    async def tidy(self) -> int:
        """Drop what is over; returns how many rows."""
        now = self._clock.now()

        def work(connection: Connection) -> int:
            forgotten = changes.forget(connection, now, KEEP_CHANGES)
            forgotten += api_keys.forget_answers(connection, now)
            before = now - self._keep_sessions
            return forgotten + staff.forget_sessions(connection, before)

        return await self._database.write(HOUSEKEEPER, work)
