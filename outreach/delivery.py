"""The sender: claim rows, say so before the wire, send, write down what became of them.

Between two commits the journal remembers, so that after a kill only the messages in
flight are in doubt.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from core.clock import Clock
from core.errors import DeliveryError, RateLimited
from core.failpoint import hit
from core.log import get_logger
from core.model import (
    Channel,
    ChannelPort,
    DeliveryState,
    Envelope,
    OnUncertain,
    RunState,
    SkipReason,
    system,
)
from core.settings import Outreach
from outreach.compose import Composer
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
# Fewer failures say nothing about a run.
FAILURES_MINIMUM = 5
BOUNCED = "mailbox_unknown"


@dataclass(frozen=True, slots=True)
class Chunk:
    """The rows of one claim that are to be sent, and what is known of their runs."""

    rows: list[Delivery]
    envelopes: dict[int, Envelope]
    runs: dict[int, Run]


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
    ) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels
        self._composer = composer
        self._settings = settings
        self._lease_seconds = lease_seconds
        self._journal_directory = journal_directory
        self._stopping = asyncio.Event()
        self._lease_ends_boot_seconds = 0.0
        self._states_read_boot_seconds = float("-inf")
        self._running: frozenset[int] = frozenset()

    async def start(self) -> None:
        """Take up what dead workers left, and become a worker."""
        boot = boot_id()
        await recover(self._database, self._clock, self._journal_directory, boot)
        worker, now = f"sender-{secrets.token_hex(6)}", self._clock.now()
        fence = await self._database.write(
            SENDER, lambda c: lease.next_fence(c, "sender", worker, now)
        )
        self._claim = Claim(worker, fence)
        self._journal = Journal(self._journal_directory, self._claim, boot)

    def stop(self) -> None:
        """Finish the messages in flight, then end."""
        self._stopping.set()

    async def close(self) -> None:
        """End the worker's life in good order."""
        self._journal.close()

    async def run_for_ever(self) -> None:
        """Send whatever becomes due until `stop`."""
        await self.start()
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        unsubscribe = self._database.on_commit(
            lambda: None if loop.is_closed() else _set_soon(loop, woken)
        )
        try:
            while not self._stopping.is_set():
                woken.clear()
                if not await self._try_chunk():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(woken.wait(), IDLE_SECONDS)
        finally:
            unsubscribe()
            await self.close()

    async def run_until_done(self) -> None:
        """Send until nothing of our channels is open; waits for rows due later."""
        await self.start()
        try:
            while not self._stopping.is_set():
                if await self.send_chunk():
                    continue
                if not await self._database.read(
                    lambda c: deliveries.has_open(c, self._channels)
                ):
                    break
                await self._clock.sleep(await self._seconds_until_due())
        finally:
            await self.close()

    async def send_chunk(self) -> int:
        """Claim and send one chunk; returns how many rows it moved."""
        claimed = await self._take()
        if not claimed:
            await self._finish_runs()
            return 0
        hit("after_claim")
        chunk = await self._prepare(claimed)
        hit("after_sending")
        results = await self._send(chunk)
        hit("before_commit")
        await self._commit(chunk, results)
        self._journal.committed()
        return len(claimed)

    async def _try_chunk(self) -> int:
        try:
            return await self.send_chunk()
        except Exception:  # the loop outlives one bad step
            log.exception("delivery_step_failed")
            return 0

    async def _take(self) -> list[Delivery]:
        """Claim due rows; those that may not be sent any more end inside the claim."""
        now = self._clock.now()
        limit = self._settings.deliveries_per_claim

        def work(connection: Connection) -> list[Delivery]:
            deliveries.expire(connection, now)
            rows = deliveries.claim(
                connection,
                self._claim,
                now,
                self._lease_seconds,
                limit,
                self._channels,
            )
            refused = self._composer.recheck(connection, rows, now)
            deliveries.record(connection, self._claim, refused.values(), now)
            return rows

        rows = await self._database.write(SENDER, work)
        self._renewed()
        return rows

    async def _prepare(self, claimed: list[Delivery]) -> Chunk:
        """Render, then commit `sending`: from here on a row may be on the wire."""
        now = self._clock.now()
        envelopes, refused = await self._database.read(
            lambda c: self._composer.envelopes(c, claimed, now)
        )
        message_ids = {key: each.message_id for key, each in envelopes.items()}

        def work(connection: Connection) -> Chunk:
            deliveries.record(connection, self._claim, refused, now)
            ours = deliveries.start_sending(connection, self._claim, message_ids)
            run_ids = {row.campaign_run_id for row in claimed}
            known = {run_id: runs.get(connection, run_id) for run_id in run_ids}
            return Chunk(
                [row for row in claimed if row.id in ours],
                envelopes,
                {run_id: run for run_id, run in known.items() if run is not None},
            )

        return await self._database.write(SENDER, work)

    async def _send(self, chunk: Chunk) -> list[Result]:
        """Send all rows at once; the channels decide how many go together."""
        waiting = {
            asyncio.ensure_future(self._send_row(row, chunk)) for row in chunk.rows
        }
        results: list[Result] = []
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=self._lease_seconds / 3)
            results += [task.result() for task in done]
            if waiting:
                await self._renew()
        return results

    async def _send_row(self, row: Delivery, chunk: Chunk) -> Result:
        envelope = chunk.envelopes[row.id]
        reached_wire = False

        def before_commit_point() -> None:
            nonlocal reached_wire
            reached_wire = True
            self._journal.start(row.id)
            hit("before_data")

        if not await self._may_send(row):
            return Result(row.id, DeliveryState.PLANNED, "put_back", tried=False)
        try:
            receipt = await self._channels[row.channel].send(
                envelope, before_commit_point
            )
        except DeliveryError as error:
            result = self._failure(row, chunk.runs[row.campaign_run_id], error)
        else:
            hit("after_data")
            result = Result(row.id, DeliveryState.ACCEPTED, detail=receipt.reply)
        if reached_wire:
            self._journal.done(result)
        return result

    async def _may_send(self, row: Delivery) -> bool:
        """Whether the lease still holds and nobody paused or cancelled the run."""
        boot_seconds = self._clock.boot_seconds()
        if boot_seconds > self._lease_ends_boot_seconds - LEASE_MARGIN_SECONDS:
            return False
        if self._stopping.is_set():
            return False
        age_seconds = boot_seconds - self._states_read_boot_seconds
        if age_seconds >= STATES_READ_EVERY_SECONDS:
            self._states_read_boot_seconds = boot_seconds
            running = await self._database.read(
                lambda c: runs.in_state(c, RunState.RUNNING)
            )
            self._running = frozenset(run.id for run in running)
        return row.campaign_run_id in self._running

    def _failure(self, row: Delivery, run: Run, error: DeliveryError) -> Result:
        """The next state after a refusal, a cut or a request to wait."""
        if error.uncertain:
            if run.on_uncertain is OnUncertain.HOLD:
                return Result(row.id, DeliveryState.UNCERTAIN, error.reason)
            return Result(row.id, DeliveryState.PLANNED, error.reason)
        if error.permanent:
            return Result(row.id, DeliveryState.REJECTED, error.reason)
        tries = row.attempts + 1
        if tries >= self._settings.attempts_max:
            return Result(
                row.id, DeliveryState.REJECTED, "gave_up", detail=error.reason
            )
        wait_seconds = self._settings.retry_first_seconds * 2 ** (tries - 1)
        if isinstance(error, RateLimited):
            wait_seconds = error.retry_after_seconds
        due_at = self._clock.now() + timedelta(seconds=wait_seconds)
        return Result(row.id, DeliveryState.DEFERRED, error.reason, due_at)

    async def _commit(self, chunk: Chunk, results: list[Result]) -> None:
        now = self._clock.now()

        def work(connection: Connection) -> None:
            deliveries.record(connection, self._claim, results, now)
            self._composer.learn(connection, chunk.envelopes, chunk.rows, results, now)
            for run_id, run in chunk.runs.items():
                self._pause_broken(connection, run, now)
                deliveries.record_change(connection, run_id, now)

        await self._database.write(SENDER, work)

    def _pause_broken(self, connection: Connection, run: Run, now: datetime) -> None:
        """Stop a run that goes wrong for too many, and say why."""
        current = runs.get(connection, run.id)
        if current is None or current.state is not RunState.RUNNING:
            return
        stop_if = self._composer.ready(connection, run).compiled.campaign.stop_if
        limits = {
            SkipReason.RENDER_ERROR: (
                stop_if.render_errors or self._settings.render_error_limit_ratio,
                "messages could not be written",
            ),
            BOUNCED: (stop_if.bounce_rate or 1.0, "addresses do not exist"),
        }
        counts: dict[str | None, int] = {}
        for row in runs.funnel(connection, run.id):
            if row.state in {DeliveryState.ACCEPTED, DeliveryState.REJECTED}:
                counts[row.reason] = counts.get(row.reason, 0) + row.count
        tried = sum(counts.values())
        for reason, (limit_ratio, words) in limits.items():
            bad = counts.get(reason, 0)
            if bad >= FAILURES_MINIMUM and bad > limit_ratio * tried:
                told = f"{bad} of {tried} {words}"
                runs.move(connection, run.id, RunState.PAUSED, now, told)
                return

    async def _renew(self) -> None:
        now = self._clock.now()
        await self._database.write(
            SENDER,
            lambda c: deliveries.renew(c, self._claim, now, self._lease_seconds),
        )
        self._renewed()

    def _renewed(self) -> None:
        self._lease_ends_boot_seconds = self._clock.boot_seconds() + self._lease_seconds

    async def _finish_runs(self) -> None:
        now = self._clock.now()
        if await self._database.read(lambda c: runs.in_state(c, RunState.RUNNING)):
            await self._database.write(SENDER, lambda c: runs.finish_done(c, now))

    async def _seconds_until_due(self) -> float:
        due_at = await self._database.read(
            lambda c: deliveries.next_due_at(c, self._channels)
        )
        if due_at is None:
            return IDLE_SECONDS
        return max((due_at - self._clock.now()).total_seconds(), 0.05)


def _set_soon(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)
