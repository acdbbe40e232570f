"""The web chat: the way of every channel, but messages are sent by being stored."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.handover import TEXT_MAX, Place, place_of
from core.clock import Clock
from core.errors import DataError, DeliveryError, Problem
from core.model import (
    Channel,
    CommitPoint,
    Envelope,
    IdentityKind,
    MessageState,
    Owner,
    Receipt,
    Sender,
    Update,
    system,
)
from storage import changes, conversations, customers, inbox, messages
from storage.conversations import Conversation
from storage.database import Connection, Database
from storage.messages import Draft, Message

SOURCE = "webchat"
VISITOR_BYTES = 24
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Store = Callable[[Update], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Thread:
    """A visitor's conversation as the page shows it.

    `typing` is true while the bot works on an answer; `agent_name` names the person
    who has the conversation; `conversation_id` is None before the first word.
    """

    messages: tuple[Message, ...] = ()
    conversation_id: int | None = None
    owner: Owner = Owner.BOT
    agent_name: str | None = None
    place: Place | None = None
    typing: bool = False


def new_visitor() -> str:
    """A fresh, unguessable address for a browser; whoever knows it is the customer."""
    return secrets.token_urlsafe(VISITOR_BYTES)


class WebChat:
    """What the public chat page calls.

    `visitor` is the value of `new_visitor()` that the page keeps in a cookie. Listen
    to `storage.changes` of kind `conversation` (entity: `conversation_id`) for news.
    """

    def __init__(
        self, database: Database, clock: Clock, store: Store, seconds_each: int
    ) -> None:
        self._database = database
        self._clock = clock
        self._store = store
        self._seconds_each = seconds_each

    async def post_message(
        self,
        visitor: str,
        client_message_id: str,
        *,
        text: str = "",
        button: str | None = None,
        language: str | None = None,
    ) -> bool:
        """Whether the message is new; it is stored when this returns.

        `client_message_id` is made by the page: sent again, the same one is the same
        message. `language` is the page's ("en", "zh"), used until the customer writes.

        Raises
        ------
        DataError : nothing to say, too much, or an ill-formed visitor or id
        """
        update = Update(
            source=SOURCE,
            external_id=f"{_word(visitor)}:{_word(client_message_id)}",
            channel=Channel.WEBCHAT,
            address=visitor,
            received_at=self._clock.now(),
            text="" if button else _checked(text),
            button=button,
            language=language,
        )
        return await self._store(update) > 0

    async def thread(self, visitor: str, after_id: int = 0) -> Thread:
        """What was said since message `after_id`, and who speaks now."""
        return await self._database.read(lambda c: self._thread(c, visitor, after_id))

    def _thread(self, connection: Connection, visitor: str, after_id: int) -> Thread:
        typing = inbox.has_waiting(connection, SOURCE, f"{visitor}:")
        found = conversations.find(connection, Channel.WEBCHAT, visitor)
        if found is None:
            return Thread(typing=typing)
        return Thread(
            messages=tuple(messages.thread(connection, found.id, after_id)),
            conversation_id=found.id,
            owner=found.owner,
            agent_name=conversations.owner_name(connection, found.id),
            place=place_of(connection, found, self._seconds_each),
            typing=typing,
        )


class WebChatChannel:
    """Campaign messages into the customer's conversation, each exactly once."""

    name = Channel.WEBCHAT
    ready = True

    def __init__(self, database: Database, clock: Clock, language: str) -> None:
        self._database = database
        self._clock = clock
        self._language = language

    async def send(
        self,
        envelope: Envelope,
        before_commit_point: CommitPoint,  # noqa: ARG002  see below
    ) -> Receipt:
        """Append the message; its `message_id` makes a second time harmless.

        Raises
        ------
        DeliveryError : `unknown_address`, permanent
        """
        # Nothing is ever in doubt here: after a kill the row is simply sent again.
        message_id = await self._database.write(
            system("webchat"), lambda c: self._append(c, envelope)
        )
        return Receipt(reply="stored", external_id=str(message_id))

    async def close(self) -> None:
        """Nothing is held open."""

    def _append(self, connection: Connection, envelope: Envelope) -> int:
        now = self._clock.now()
        conversation = self._conversation(connection, envelope.address)
        known = messages.with_external_id(
            connection, conversation.id, envelope.message_id
        )
        if known is not None:
            return known
        draft = Draft(
            Sender.BOT,
            envelope.text,
            envelope.buttons,
            external_id=envelope.message_id,
        )
        message_id = messages.add(
            connection, conversation.id, None, draft, MessageState.SENT, now
        )
        changes.record(connection, "conversation", conversation.id, now)
        return message_id

    def _conversation(self, connection: Connection, address: str) -> Conversation:
        customer = customers.find(connection, IdentityKind.WEBCHAT, address)
        if customer is None:
            raise DeliveryError("unknown_address", permanent=True)
        return conversations.start(
            connection,
            customer.id,
            Channel.WEBCHAT,
            address,
            customer.language or self._language,
            self._clock.now(),
        )


def _checked(text: str) -> str:
    words = text.strip()
    if not words or len(words) > TEXT_MAX:
        raise DataError(
            Problem(f"a message of 1 to {TEXT_MAX} characters", str(len(words)))
        )
    return words


def _word(value: str) -> str:
    if not ID.fullmatch(value):
        raise DataError(Problem("1 to 64 letters, digits, - and _ are expected"))
    return value
