"""The sender: claim rows, say so before the wire, send, write down what became of them.

Between two commits the journal remembers, so that after a kill only the messages in
flight are in doubt.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.clock import Clock
from core.errors import DeliveryError
from core.failpoint import hit
from core.log import get_logger
from core.model import (
    Channel,
    ChannelPort,
    DeliveryState,
    Envelope,
    RunState,
    system,
)
from core.settings import Outreach
from outreach.compose import Composer
from outreach.failure import (
    HALTING,
    after_cancelling,
    after_failure,
    pause_broken,
    pause_unusable,
)
from outreach.journal import Journal, boot_id
from outreach.recovery import recover
from storage import deliveries, lease, runs
from storage.database import Connection, Database
from storage.deliveries import Claim, Delivery, Result
from storage.runs import Run

log = get_logger("delivery")
SENDER = system("sender")

# A worker stops this long before its lease ends, so that a late answer is in time.
LEASE_MARGIN_SECONDS = 5.0
STATES_READ_EVERY_SECONDS = 0.5
IDLE_SECONDS = 1.0
LEASE_OVER = "lease_over"


@dataclass(frozen=True, slots=True)
class Taken:
    """The rows of one claim; `wanted` are those that may still be sent."""

    claimed: list[Delivery]
    wanted: list[Delivery]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The rows of one claim that are to be sent, and what is known of their runs."""

    rows: list[Delivery]
    envelopes: dict[int, Envelope]
    runs: dict[int, Run]
    results: list[Result] = field(default_factory=list)


class Sender:
    """One worker: a loop over `send_chunk`, with a journal and a lease on its rows."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        channels: Mapping[Channel, ChannelPort],
        composer: Composer,
        settings: Outreach,
        lease_seconds: float,
        journal_directory: Path,
        connections: int = 4,
    ) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels
        self._composer = composer
        self._settings = settings
        self._lease_seconds = lease_seconds
        self._margin_seconds = min(LEASE_MARGIN_SECONDS, lease_seconds / 4)
        self._journal_directory = journal_directory
        self._connections = connections
        self._stopping = asyncio.Event()
        self._journal: Journal | None = None
        self._lease_ends_boot_seconds = 0.0
        self._states_read_boot_seconds = float("-inf")
        self._recovered_boot_seconds = 0.0
        self._running: frozenset[int] = frozenset()

    async def start(self) -> None:
        """Take up what dead workers left, and become a worker."""
        self._boot = boot_id()
        await self._recover()
        worker, now = f"sender-{secrets.token_hex(6)}", self._clock.now()
        fence = await self._database.write(
            SENDER, lambda c: lease.next_fence(c, "sender", worker, now)
        )
        self._claim = Claim(worker, fence)
        self._journal = Journal(self._journal_directory, self._claim, self._boot)

    def stop(self) -> None:
        """Finish the messages in flight, then end."""
        self._stopping.set()

    async def close(self) -> None:
        """End the worker's life in good order: nothing is in its hands."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def abandon(self) -> None:
        """End the worker's life in the middle; its journal says what was in flight."""
        if self._journal is not None:
            self._journal.abandon()
            self._journal = None

    async def run_for_ever(self) -> None:
        """Send whatever becomes due until `stop`."""
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        unsubscribe = self._database.on_commit(
            lambda: None if loop.is_closed() else _set_soon(loop, woken)
        )
        try:
            while not self._stopping.is_set():
                if await self._try_chunk():
                    continue
                # A look is a commit too and must not wake itself; what another call
                # committed meanwhile is found by the next look.
                woken.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), IDLE_SECONDS)
            await self.close()
        finally:
            unsubscribe()
            self.abandon()

    async def run_until_done(self) -> None:
        """Send until nothing of our channels is open; waits for rows due later."""
        try:
            await self.start()
            while not self._stopping.is_set():
                if await self.send_chunk():
                    continue
                if not await self._database.read(
                    lambda c: deliveries.has_open(c, self._channels)
                ):
                    break
                await self._clock.sleep(await self._seconds_until_due())
            await self.close()
        finally:
            self.abandon()

    async def send_chunk(self) -> int:
        """Claim and send one chunk; returns how many rows it moved."""
        taken = await self._take()
        if not taken.claimed:
            await self._rest()
            return 0
        hit("after_claim")
        chunk = await self._prepare(taken)
        hit("after_sending")
        await self._send(chunk)
        hit("before_commit")
        await self._commit(chunk)
        self._open_journal.committed()
        return len(taken.claimed)

    @property
    def _open_journal(self) -> Journal:
        if self._journal is None:
            message = "start() makes the journal"
            raise RuntimeError(message)
        return self._journal

    async def _try_chunk(self) -> int:
        try:
            if self._journal is None:
                await self.start()
            return await self.send_chunk()
        except Exception:  # the loop outlives one bad step
            log.exception("delivery_step_failed")
            # What this life has in hand is settled when the next one begins.
            self.abandon()
            return 0

    async def _take(self) -> Taken:
        """Claim due rows; those that may not be sent any more end inside the claim."""
        now, boot_seconds = self._clock.now(), self._clock.boot_seconds()
        limit = self._settings.deliveries_per_claim
        ready = [name for name, port in self._channels.items() if port.ready]

        def work(connection: Connection) -> Taken:
            deliveries.expire(connection, now)
            rows = deliveries.claim(
                connection,
                self._claim,
                now,
                self._lease_seconds,
                limit,
                ready,
            )
            # One run that can't be read must not keep the others from being sent.
            paused = pause_unusable(connection, self._composer, rows, now)
            back = [_put_back(row) for row in rows if row.campaign_run_id in paused]
            deliveries.record(connection, self._claim, back, now)
            rows = [row for row in rows if row.campaign_run_id not in paused]
            refused = self._composer.recheck(connection, rows, now)
            deliveries.record(connection, self._claim, refused.values(), now)
            return Taken(rows, [row for row in rows if row.id not in refused])

        taken = await self._database.write(SENDER, work)
        self._lease_ends_boot_seconds = boot_seconds + self._lease_seconds
        return taken

    async def _prepare(self, taken: Taken) -> Chunk:
        """Render, then commit `sending`: from here on a row may be on the wire."""
        now = self._clock.now()
        envelopes, refused = await self._database.read(
            lambda c: self._composer.envelopes(c, taken.wanted, now)
        )
        message_ids = {key: each.message_id for key, each in envelopes.items()}

        def work(connection: Connection) -> Chunk:
            deliveries.record(connection, self._claim, refused, now)
            ours = deliveries.start_sending(connection, self._claim, message_ids)
            run_ids = {row.campaign_run_id for row in taken.claimed}
            known = {run_id: runs.get(connection, run_id) for run_id in run_ids}
            return Chunk(
                [row for row in taken.wanted if row.id in ours],
                envelopes,
                {run_id: run for run_id, run in known.items() if run is not None},
            )

        return await self._database.write(SENDER, work)

    async def _send(self, chunk: Chunk) -> None:
        """Send all rows, on each channel a few at a time; keep the lease meanwhile."""
        by_channel: dict[Channel, deque[Delivery]] = {}
        for row in chunk.rows:
            by_channel.setdefault(row.channel, deque()).append(row)
        lines = {
            asyncio.ensure_future(self._work_off(rows, chunk))
            for rows in by_channel.values()
            for _ in range(min(self._connections, len(rows)))
        }
        try:
            while lines:
                done, lines = await asyncio.wait(lines, timeout=self._lease_seconds / 3)
                for line in done:
                    line.result()
                if lines:
                    await self._renew(chunk)
        finally:
            for line in lines:
                line.cancel()
            await asyncio.gather(*lines, return_exceptions=True)

    async def _work_off(self, rows: deque[Delivery], chunk: Chunk) -> None:
        while rows:
            row = rows.popleft()
            if not await self._may_send(row):
                chunk.results.append(_put_back(row))
                continue
            result = await self._send_row(row, chunk)
            chunk.results.append(result)
            if result.reason in HALTING:
                chunk.results.extend(_put_back(each) for each in rows)
                rows.clear()

    async def _send_row(self, row: Delivery, chunk: Chunk) -> Result:
        reached_wire = False

        def before_commit_point() -> None:
            nonlocal reached_wire
            reached_wire = True
            # First the line, then the look at the clock: who takes over after the
            # lease reads there all that this worker can still send.
            self._open_journal.start(row.id)
            if not self._holds_lease():
                raise DeliveryError(LEASE_OVER, permanent=False)
            hit("before_data")

        try:
            receipt = await self._channels[row.channel].send(
                chunk.envelopes[row.id], before_commit_point
            )
        except DeliveryError as error:
            result = self._failed(row, chunk, error)
        except Exception:  # one message that breaks its channel must not stop the rest
            log.exception("channel_failed", delivery=row.id)
            failure = DeliveryError(
                "channel_failed", permanent=False, uncertain=reached_wire
            )
            result = self._failed(row, chunk, failure)
        else:
            hit("after_data")
            result = Result(row.id, DeliveryState.ACCEPTED, detail=receipt.reply)
        if reached_wire:
            self._open_journal.done(result)
        return result

    def _failed(self, row: Delivery, chunk: Chunk, error: DeliveryError) -> Result:
        if error.reason == LEASE_OVER:
            return _put_back(row)
        on_uncertain = chunk.runs[row.campaign_run_id].on_uncertain
        now = self._clock.now()
        return after_failure(row, on_uncertain, error, self._settings, now)

    async def _may_send(self, row: Delivery) -> bool:
        """Whether the lease still holds and nobody paused or cancelled the run."""
        if self._stopping.is_set() or not self._holds_lease():
            return False
        boot_seconds = self._clock.boot_seconds()
        age_seconds = boot_seconds - self._states_read_boot_seconds
        if age_seconds >= STATES_READ_EVERY_SECONDS:
            self._states_read_boot_seconds = boot_seconds
            running = await self._database.read(
                lambda c: runs.in_state(c, RunState.RUNNING)
            )
            self._running = frozenset(run.id for run in running)
        return row.campaign_run_id in self._running

    def _holds_lease(self) -> bool:
        ends = self._lease_ends_boot_seconds - self._margin_seconds
        return self._clock.boot_seconds() <= ends

    async def _commit(self, chunk: Chunk) -> None:
        now = self._clock.now()

        run_of = {row.id: row.campaign_run_id for row in chunk.rows}

        def work(connection: Connection) -> None:
            self._composer.learn(
                connection, chunk.envelopes, chunk.rows, chunk.results, now
            )
            for run_id in chunk.runs:
                own = [r for r in chunk.results if run_of[r.delivery_id] == run_id]
                self._commit_run(connection, run_id, own, now)

        await self._database.write(SENDER, work)

    def _commit_run(
        self, connection: Connection, run_id: int, results: list[Result], now: datetime
    ) -> None:
        run = runs.get(connection, run_id)
        if run is None:
            return
        if run.state is RunState.CANCELLED:
            results = [after_cancelling(result) for result in results]
        deliveries.record(connection, self._claim, results, now)
        stop_if = self._composer.ready(connection, run).compiled.campaign.stop_if
        pause_broken(connection, run, stop_if, self._settings, results, now)
        deliveries.record_change(connection, run_id, now)

    async def _renew(self, chunk: Chunk) -> None:
        """Keep the rows for longer, unless some have gone to another already."""
        now, boot_seconds = self._clock.now(), self._clock.boot_seconds()
        kept = await self._database.write(
            SENDER,
            lambda c: deliveries.renew(c, self._claim, now, self._lease_seconds),
        )
        if kept < len(chunk.rows):
            log.warning("delivery_lease_lost", rows=len(chunk.rows) - kept)
            self._lease_ends_boot_seconds = float("-inf")
        else:
            self._lease_ends_boot_seconds = boot_seconds + self._lease_seconds

    async def _rest(self) -> None:
        """With nothing to send: look after silent workers, finish what is done."""
        age_seconds = self._clock.boot_seconds() - self._recovered_boot_seconds
        if age_seconds >= self._lease_seconds:
            await self._recover()
        # After the recovery: it may have settled the last row of a run.
        now = self._clock.now()
        if await self._database.read(lambda c: runs.in_state(c, RunState.RUNNING)):
            await self._database.write(SENDER, lambda c: runs.finish_done(c, now))

    async def _recover(self) -> None:
        self._recovered_boot_seconds = self._clock.boot_seconds()
        await recover(self._database, self._clock, self._journal_directory, self._boot)

    async def _seconds_until_due(self) -> float:
        due_at = await self._database.read(
            lambda c: deliveries.next_due_at(c, self._channels)
        )
        if due_at is None:
            return IDLE_SECONDS
        return max((due_at - self._clock.now()).total_seconds(), 0.05)


def _put_back(row: Delivery) -> Result:
    return Result(row.id, DeliveryState.PLANNED, "put_back", tried=False)


def _set_soon(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)
