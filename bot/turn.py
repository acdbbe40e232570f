"""The customer's way: store → identify → understand → step → reply → record.

A channel's intake awaits `Turns.store` before it acknowledges an update. From then on
the inbox row is the truth: a turn that was cut off is taken again after a restart, and
an update that comes twice changes nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot import dialogue
from bot.effects import Inbound
from bot.knowledge import Knowledge
from bot.record import Recorder
from bot.states import (
    Event,
    Pressed,
    Reply,
    Said,
    Stage,
    State,
    Step,
    Unreadable,
)
from core import failpoint
from core.clock import Clock
from core.log import get_logger
from core.model import IdentityKind, Owner, Update, customer_self, system
from storage import conversations, customers, episodes, inbox, messages
from storage.conversations import Conversation
from storage.customers import Customer
from storage.database import Connection, Database
from storage.inbox import Stored

# So many conversations are worked on at once; others wait in memory.
CONCURRENT = 64
# What another process stored and did not answer is looked for so often.
RESCAN_SECONDS = 2.0
PAGE = 500
HUMAN = "human"
STAGE_OF_OWNER = {
    Owner.BOT: Stage.IDLE,
    Owner.QUEUE: Stage.WAITING,
    Owner.AGENT: Stage.WITH_AGENT,
}

log = get_logger("turn")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a turn needs."""

    database: Database
    clock: Clock
    recorder: Recorder
    knowledge: Knowledge


async def handle_turn(parts: Parts, stored: Stored) -> None:
    """Answer one stored update; the reply leaves by the outbox.

    The dialogue's step, its replies and effects, and the mark that the update was
    handled are one transaction: after a crash either all of it is there or nothing.
    """
    customer = await identify(parts, stored.update)
    event = await understand(parts, stored.update, customer)

    def step_and_record(connection: Connection) -> None:
        if not inbox.is_waiting(connection, stored.id):
            return
        now = parts.clock.now()
        conversation = _conversation(parts, connection, stored.update, customer)
        heard = _inbound(connection, stored, conversation)
        inbox.mark_handled(connection, stored.id, conversation.customer_id, now)
        parts.recorder.advance(connection, conversation, event, now, heard)

    failpoint.hit("turn_before_record")
    await parts.database.write(customer_self(customer.id), step_and_record)
    failpoint.hit("turn_after_record")


async def identify(parts: Parts, update: Update) -> Customer:
    """The customer who wrote, made at the first word; writing makes them reachable."""
    kind = IdentityKind(update.channel.value)
    found = await parts.database.read(lambda c: _reachable(c, kind, update))
    if found is not None:
        return found

    def make(connection: Connection) -> Customer:
        customers.set_unreachable(connection, kind, update.address, None)
        return customers.identify(
            connection,
            kind,
            update.address,
            parts.clock.now(),
            update.display_name,
            _language(parts, update, None),
        )

    return await parts.database.write(system("turn"), make)


async def understand(parts: Parts, update: Update, customer: Customer) -> Event:
    """What the customer did, as an event of the dialogue."""
    if update.button is not None:
        return Pressed(update.button)
    if not update.text:
        return Unreadable()
    language = _language(parts, update, customer)
    # What is written to a person must reach them at once, model or not.
    bot_speaks = await parts.database.read(lambda c: _bot_speaks(c, update))
    found = await parts.knowledge.understand(update.text, language, patient=bot_speaks)
    return Said(update.text, found)


async def apologise(parts: Parts, stored: Stored, error: str) -> None:
    """After a failed turn: say so, bring in a person, and keep what went wrong."""
    customer = await identify(parts, stored.update)

    def work(connection: Connection) -> None:
        if not inbox.is_waiting(connection, stored.id):
            return
        now = parts.clock.now()
        conversation = _conversation(parts, connection, stored.update, customer)
        owner_id = conversation.customer_id
        inbox.mark_handled(connection, stored.id, owner_id, now, error)
        step = _apology(parts, connection, conversation, now)
        heard = _inbound(connection, stored, conversation)
        parts.recorder.write(connection, conversation, step, now, heard)

    await parts.database.write(system("turn"), work)


def _apology(
    parts: Parts, connection: Connection, conversation: Conversation, now: datetime
) -> Step:
    """A step that starts afresh: the stored state may be what is broken."""
    state = State(
        stage=STAGE_OF_OWNER[conversation.owner],
        language=conversation.language,
        episode_open=episodes.current(connection, conversation.id) is not None,
    )
    context = parts.recorder.context(connection, conversation, now)
    step = dialogue.step(state, Pressed(HUMAN), now, context)
    if not step.replies:
        return step
    return replace(step, replies=(Reply("apology"), *step.replies))


class Turns:
    """Takes the turns: in order within a conversation, conversations side by side."""

    def __init__(
        self, parts: Parts, handle: Callable[[Parts, Stored], Awaitable[None]]
    ) -> None:
        self._parts = parts
        self._handle = handle
        self._waiting: dict[tuple[str, str], list[tuple[int, Stored]]] = {}
        self._in_hand: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(CONCURRENT)

    async def store(self, *updates: Update) -> int:
        """Keep updates and begin their turns; returns how many were new.

        When this returns they may be acknowledged: nothing loses them any more.
        """

        def work(connection: Connection) -> list[Stored]:
            found = [inbox.store(connection, update) for update in updates]
            return [stored for stored in found if stored is not None]

        new = await self._parts.database.write(system("intake"), work)
        failpoint.hit("update_stored")
        for stored in new:
            self.accept(stored)
        return len(new)

    def accept(self, stored: Stored) -> None:
        """Work on an inbox row after the earlier ones of its conversation."""
        if stored.id in self._in_hand:
            return
        self._in_hand.add(stored.id)
        key = (stored.update.channel.value, stored.update.address)
        if key in self._waiting:
            heapq.heappush(self._waiting[key], (stored.id, stored))
            return
        self._waiting[key] = [(stored.id, stored)]
        task = asyncio.get_running_loop().create_task(self._work(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self) -> None:
        """Take up what a crash or another process left behind, for ever."""
        await self.look()
        while True:
            await asyncio.sleep(RESCAN_SECONDS)
            await self.look(timedelta(seconds=RESCAN_SECONDS))

    async def drain(self) -> None:
        """Finish the turns that have begun."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def look(self, age: timedelta = timedelta(0)) -> None:
        """Begin the turns of stored updates that are at least so old."""
        before = self._parts.clock.now() - age
        last_id = 0
        while True:
            page = await self._parts.database.read(
                lambda c: inbox.unhandled(c, last_id, PAGE)  # noqa: B023  called at once
            )
            for stored in page:
                if stored.update.received_at <= before:
                    self.accept(stored)
            if len(page) < PAGE:
                return
            last_id = page[-1].id

    async def _work(self, key: tuple[str, str]) -> None:
        async with self._slots:
            queue = self._waiting[key]
            while queue:
                _, stored = heapq.heappop(queue)
                await self._take(stored)
                self._in_hand.discard(stored.id)
            del self._waiting[key]

    async def _take(self, stored: Stored) -> None:
        try:
            await self._handle(self._parts, stored)
        except Exception:
            log.exception("turn_failed", inbox_id=stored.id)
            await self._apologise(stored, traceback.format_exc())

    async def _apologise(self, stored: Stored, error: str) -> None:
        try:
            await apologise(self._parts, stored, error)
        except Exception:
            log.exception("apology_failed", inbox_id=stored.id)


def _reachable(
    connection: Connection, kind: IdentityKind, update: Update
) -> Customer | None:
    found = customers.find(connection, kind, update.address)
    if found is None:
        return None
    address = customers.address_of(connection, found.id, update.channel)
    return None if address is None else found


def _bot_speaks(connection: Connection, update: Update) -> bool:
    found = conversations.find(connection, update.channel, update.address)
    return found is None or found.owner is Owner.BOT


def _conversation(
    parts: Parts, connection: Connection, update: Update, customer: Customer
) -> Conversation:
    return conversations.start(
        connection,
        customer.id,
        update.channel,
        update.address,
        _language(parts, update, customer),
        parts.clock.now(),
    )


def _inbound(
    connection: Connection, stored: Stored, conversation: Conversation
) -> Inbound:
    update = stored.update
    text = update.text or f"[{update.raw.get('kind', 'message')}]"
    if update.button is not None:
        label = messages.label_of(connection, conversation.id, update.button)
        text = label or update.button
    return Inbound(stored.id, text, update.external_id)


def _language(parts: Parts, update: Update, customer: Customer | None) -> str:
    """The customer's language, else the channel's word for it, else the shop's."""
    known = parts.recorder.settings.shop.languages
    if customer is not None and customer.language in known:
        return str(customer.language)
    # Telegram says "zh-hans", browsers say "zh-CN".
    spoken = (update.language or "").split("-")[0].lower()
    return spoken if spoken in known else known[0]
