"""Work under a lease runs in one process, and ends when the lease is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.leased import Leased
from core.clock import SystemClock
from storage import lease
from storage.database import Database
from tests.bot.house import TEST

pytestmark = pytest.mark.anyio

SECONDS = 0.6


class Worker:
    """Something that only one may do at a time."""

    def __init__(self, database: Database, alone: bool = False) -> None:
        self.granted = 0.0
        self.starts = 0
        self.busy = False
        self._leased = Leased(
            database, SystemClock(), "telegram", SECONDS, self._grant, alone=alone
        )
        self.task = asyncio.ensure_future(self._leased.run(self._work))

    def _grant(self, until: float) -> None:
        self.granted = until

    async def _work(self) -> None:
        self.starts += 1
        self.busy = True
        try:
            await asyncio.Event().wait()
        finally:
            self.busy = False

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def until_busy(self, busy: bool) -> None:
        async with asyncio.timeout(20):
            while self.busy is not busy:  # noqa: ASYNC110  no event says it
                await asyncio.sleep(0.01)


async def test_a_second_worker_waits_until_the_first_ends(database: Database) -> None:
    first = Worker(database)
    await first.until_busy(True)
    second = Worker(database)
    await asyncio.sleep(2 * SECONDS)
    both = (first.busy, second.busy)

    await first.stop()
    await second.until_busy(True)
    await second.stop()

    assert both == (True, False)


async def test_a_lost_lease_ends_the_work_and_the_right_to_send(
    database: Database,
) -> None:
    worker = Worker(database)
    await worker.until_busy(True)

    later = SystemClock().now() + timedelta(seconds=60)
    database.write_now(
        TEST, lambda c: lease.acquire(c, "telegram", "another", later, 60)
    )
    await worker.until_busy(False)
    granted = worker.granted
    await worker.stop()

    assert granted == 0.0
    assert worker.starts == 1


async def test_who_is_alone_does_not_wait_for_a_killed_process(
    database: Database,
) -> None:
    now = SystemClock().now()
    database.write_now(
        TEST, lambda c: lease.acquire(c, "telegram", "killed", now, 3600)
    )

    worker = Worker(database, alone=True)
    await worker.until_busy(True)
    await worker.stop()

    assert worker.starts == 1


async def test_work_that_fails_is_told_and_gives_the_lease_back(
    database: Database,
) -> None:
    async def broken() -> None:
        message = "a wheel came off"
        raise RuntimeError(message)

    clock = SystemClock()
    leased = Leased(database, clock, "telegram", SECONDS, lambda until: None)

    with pytest.raises(ExceptionGroup):
        await leased.run(broken)

    assert database.read_now(lambda c: lease.holder(c, "telegram", clock.now())) is None
