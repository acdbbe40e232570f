"""Sends queued messages of conversations: in order within one, side by side otherwise.

A message is marked `sending` before it may leave, and the owner is looked at again in
the same transaction: the bot does not talk over a person who took over meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from core import failpoint
from core.clock import Clock
from core.errors import UNREACHABLE, DeliveryError, RateLimited
from core.log import get_logger
from core.model import Channel, Envelope, IdentityKind, MessageState, Receipt, system
from storage import changes, customers, messages
from storage.database import Connection, Database
from storage.messages import Outgoing

# Another process writes rows too and can't wake us on SQLite.
LOOK_SECONDS = 1.0
# So many conversations queue for a turn to send; the others stay rows.
CONCURRENT = 500
RETRY_FIRST_SECONDS = 1.0
RETRY_MAX_SECONDS = 60.0
ACTOR = system("outbox")

log = get_logger("outbox")


class ReplyPort(Protocol):
    """A channel on which conversations are answered."""

    name: Channel

    async def wait_turn(self, address: str) -> None:
        """Return when a reply to this address may leave."""

    async def transmit(self, envelope: Envelope) -> Receipt:
        """Send at once; raises `DeliveryError`."""


class Outbox:
    """The sending side of one channel; one process at a time runs it."""

    def __init__(self, database: Database, clock: Clock, port: ReplyPort) -> None:
        self._database = database
        self._clock = clock
        self._port = port
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        # One message at a time is neither unsent nor settled, so that a kill leaves
        # one in doubt at most.
        self._in_flight = asyncio.Lock()

    async def run(self) -> None:
        """Send what is queued, for ever; first again what a crash left in doubt."""
        loop = asyncio.get_running_loop()
        stop = self._database.on_commit(lambda: self._wake_from(loop))
        try:
            await self._requeue()
            while True:
                self._woken.clear()
                await self._look()
                await self._wait()
        finally:
            stop()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _requeue(self) -> None:
        doubtful = await self._database.write(
            ACTOR, lambda c: messages.requeue_in_doubt(c, self._port.name)
        )
        if doubtful:
            log.warning("replies_in_doubt_sent_again", count=doubtful)

    async def _look(self) -> None:
        waiting = await self._database.read(
            lambda c: messages.conversations_with_queued(c, self._port.name)
        )
        loop = asyncio.get_running_loop()
        for conversation_id, address in waiting:
            if len(self._tasks) >= CONCURRENT:
                return
            if conversation_id not in self._tasks:
                task = loop.create_task(self._send_all(conversation_id, address))
                self._tasks[conversation_id] = task

    async def _send_all(self, conversation_id: int, address: str) -> None:
        try:
            retry_seconds = RETRY_FIRST_SECONDS
            while True:
                await self._port.wait_turn(address)
                async with self._in_flight:
                    outgoing = await self._take(conversation_id)
                    settled = outgoing is None or await self._send(outgoing)
                if settled:
                    retry_seconds = RETRY_FIRST_SECONDS
                    if not await self._has_more(conversation_id):
                        return
                else:
                    await self._clock.sleep(retry_seconds)
                    retry_seconds = min(2 * retry_seconds, RETRY_MAX_SECONDS)
        except Exception:
            log.exception("outbox_failed", conversation_id=conversation_id)
            await self._clock.sleep(RETRY_FIRST_SECONDS)
        finally:
            del self._tasks[conversation_id]
            # What was queued after the last look is found by the next round.
            self._woken.set()

    async def _take(self, conversation_id: int) -> Outgoing | None:
        taken = await self._database.write(
            ACTOR, lambda c: messages.take_next(c, conversation_id)
        )
        failpoint.hit("reply_taken")
        return taken

    async def _has_more(self, conversation_id: int) -> bool:
        return await self._database.read(
            lambda c: messages.has_queued(c, conversation_id)
        )

    async def _send(self, outgoing: Outgoing) -> bool:
        """Whether this message is settled; False: queued again, try later."""
        envelope = Envelope(
            address=outgoing.address,
            message_id=f"message-{outgoing.id}",
            text=outgoing.text,
            buttons=outgoing.buttons,
        )
        try:
            receipt = await self._port.transmit(envelope)
        except DeliveryError as error:
            return await self._refused(outgoing, error)
        failpoint.hit("reply_sent")
        await self._settle(outgoing, MessageState.SENT, external_id=receipt.external_id)
        return True

    async def _refused(self, outgoing: Outgoing, error: DeliveryError) -> bool:
        if error.uncertain:
            await self._settle(outgoing, MessageState.UNCERTAIN, error.reason)
            return True
        if not error.permanent:
            await self._settle(outgoing, MessageState.QUEUED)
            # The pacer holds the whole bot back; a wait of our own would add to it.
            return isinstance(error, RateLimited)
        await self._settle(outgoing, MessageState.FAILED, error.reason)
        return True

    def _switch_off(
        self, connection: Connection, outgoing: Outgoing, reason: str
    ) -> None:
        kind = IdentityKind(self._port.name.value)
        customers.set_unreachable(connection, kind, outgoing.address, reason)
        messages.fail_queued(connection, outgoing.conversation_id, reason)

    async def _settle(
        self,
        outgoing: Outgoing,
        state: MessageState,
        reason: str | None = None,
        external_id: str | None = None,
    ) -> None:
        now = self._clock.now()

        def work(connection: Connection) -> None:
            messages.settle(connection, outgoing.id, state, now, reason, external_id)
            if state is MessageState.FAILED and reason in UNREACHABLE:
                self._switch_off(connection, outgoing, reason)
            conversation_id = outgoing.conversation_id
            changes.record(connection, "conversation", conversation_id, now)

        await self._database.write(ACTOR, work)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return

    def _wake_from(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._woken.set)
