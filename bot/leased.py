"""Work that one process at a time may do: it runs while the lease is held."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from core.clock import Clock
from core.errors import LeaseLost
from core.log import get_logger
from core.model import system
from storage import lease as leases
from storage.database import Database
from storage.lease import Lease

# A sender stops this share of the lease before it ends: clocks and commits take time.
MARGIN_RATIO = 0.2

log = get_logger("lease")


class Leased:
    """Keeps a lease for as long as it can, and works only while it has it.

    `granted` is told the moment on the boot clock until which work may go on. Who is
    surely `alone` with the database takes the lease of a process that was killed at
    once, instead of waiting until it runs out.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        name: str,
        seconds: float,
        granted: Callable[[float], None],
        *,
        alone: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._name = name
        self._seconds = seconds
        self._granted = granted
        self._alone = alone
        self._holder = leases.new_holder()

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work whenever the lease is ours; another process waits here."""
        if self._alone:
            await self._end_former()
        while True:
            lease = await self._acquire()
            if lease is None:
                await asyncio.sleep(self._seconds / 3)
                continue
            log.info("lease_taken", name=self._name, fence=lease.fence)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._keep(lease))
                    group.create_task(_forever(work))
            except* LeaseLost:
                log.warning("lease_lost", name=self._name)
            finally:
                self._granted(0.0)
                await self._release(lease)

    async def _keep(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(self._seconds / 3)
            asked_at = self._clock.boot_seconds()
            now = self._clock.now()
            lease = await self._database.write(
                system(self._name),
                lambda c: leases.renew(c, lease, now, self._seconds),  # noqa: B023
            )
            self._grant(asked_at)

    async def _acquire(self) -> Lease | None:
        asked_at = self._clock.boot_seconds()
        now = self._clock.now()
        lease = await self._database.write(
            system(self._name),
            lambda c: leases.acquire(c, self._name, self._holder, now, self._seconds),
        )
        if lease is not None:
            self._grant(asked_at)
        return lease

    async def _end_former(self) -> None:
        now = self._clock.now()
        await self._database.write(
            system(self._name),
            lambda c: leases.next_fence(c, self._name, self._holder, now),
        )

    async def _release(self, lease: Lease) -> None:
        now = self._clock.now()
        await self._database.write(
            system(self._name), lambda c: leases.release(c, lease, now)
        )

    def _grant(self, asked_at: float) -> None:
        self._granted(asked_at + self._seconds * (1 - MARGIN_RATIO))


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    await work()
    message = "work under a lease goes on until it is cancelled"
    raise RuntimeError(message)
