"""What a person at the console does with a conversation.

Each act names the version of the conversation that the person saw. Where somebody was
faster, `OwnerChanged` says who has it now, and nothing is changed or sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.record import Recorder
from bot.states import AgentClosed, AgentGaveBack, AgentReplied, AgentTook
from core.clock import Clock
from core.errors import DataError, Problem
from core.model import (
    Channel,
    EpisodeEnd,
    MessageState,
    Owner,
    Sender,
    staff_member,
)
from storage import changes, conversations, episodes, handling, messages
from storage.conversations import Conversation, OwnerChanged
from storage.database import Connection, Database
from storage.episodes import EventKind
from storage.messages import Draft
from storage.staff import Member

__all__ = ["TEXT_MAX", "Desk", "OwnerChanged", "Place"]

# Telegram refuses messages over 4096 characters; the web chat takes no more.
TEXT_MAX = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """Where a customer stands in the queue: 1 is next."""

    position: int
    wait_minutes: int


class Desk:
    """The acts of people; the console calls these."""

    def __init__(self, database: Database, clock: Clock, recorder: Recorder) -> None:
        self._database = database
        self._clock = clock
        self._recorder = recorder
        bot = recorder.settings.bot
        self._idle = timedelta(minutes=bot.handling_idle_minutes)
        self._seconds_each = bot.seconds_per_waiting_customer

    async def take(
        self, conversation_id: int, member: Member, version: int
    ) -> Conversation:
        """The conversation, now this person's; the customer is told who joined.

        Raises
        ------
        OwnerChanged : somebody took it, or the customer went back to the bot
        DataError : there is no such conversation
        """

        def work(connection: Connection) -> Conversation:
            now = self._clock.now()
            found = _held(connection, conversation_id, version)
            if found.owner is Owner.AGENT and found.owner_staff_id == member.id:
                return found
            conversations.change_owner(connection, found, Owner.AGENT, member.id, now)
            taken = _get(connection, conversation_id)
            self._recorder.advance(
                connection, taken, AgentTook(member.name), now, sender=Sender.SYSTEM
            )
            self._note(connection, taken, EventKind.TAKEN)
            self._act(connection, taken, member)
            return _get(connection, conversation_id)

        return await self._database.write(staff_member(member.id), work)

    async def reply(
        self,
        conversation_id: int,
        member: Member,
        version: int,
        text: str,
        *,
        leave: bool = False,
    ) -> int:
        """The id of the person's message, queued for the customer.

        `leave` ends the handling interval: the person turns to something else while
        the customer thinks.

        Raises
        ------
        OwnerChanged : the conversation is not this person's (any more)
        DataError : there is no such conversation, or nothing to say
        """
        words = _checked(text)

        def work(connection: Connection) -> int:
            now = self._clock.now()
            held = _own(connection, conversation_id, member, version)
            self._act(connection, held, member)
            message_id = _say(connection, held, member, words, self._clock)
            self._recorder.advance(connection, held, AgentReplied(), now)
            self._note(connection, held, EventKind.AGENT_REPLY, message=message_id)
            if leave:
                self._leave(connection, held, member)
            return message_id

        return await self._database.write(staff_member(member.id), work)

    async def give_back(
        self, conversation_id: int, member: Member, version: int
    ) -> Conversation:
        """The conversation, now the bot's again; the customer is told.

        Raises
        ------
        OwnerChanged : the conversation is not this person's (any more)
        DataError : there is no such conversation
        """

        def work(connection: Connection) -> Conversation:
            now = self._clock.now()
            held = _own(connection, conversation_id, member, version)
            self._leave(connection, held, member)
            conversations.change_owner(connection, held, Owner.BOT, None, now)
            given = _get(connection, conversation_id)
            self._recorder.advance(
                connection, given, AgentGaveBack(), now, sender=Sender.SYSTEM
            )
            self._note(connection, given, EventKind.GIVEN_BACK)
            return _get(connection, conversation_id)

        return await self._database.write(staff_member(member.id), work)

    async def close(
        self,
        conversation_id: int,
        member: Member,
        version: int,
        ended: EpisodeEnd = EpisodeEnd.RESOLVED,
    ) -> Conversation:
        """The conversation with its episode closed; a survey follows unless abandoned.

        Raises
        ------
        OwnerChanged : the conversation is not this person's (any more)
        DataError : there is no such conversation
        """

        def work(connection: Connection) -> Conversation:
            now = self._clock.now()
            held = _own(connection, conversation_id, member, version)
            self._leave(connection, held, member)
            conversations.change_owner(connection, held, Owner.BOT, None, now)
            given = _get(connection, conversation_id)
            self._recorder.advance(
                connection, given, AgentClosed(ended), now, sender=Sender.SYSTEM
            )
            return _get(connection, conversation_id)

        return await self._database.write(staff_member(member.id), work)

    async def touch(self, conversation_id: int, member: Member) -> None:
        """The owner reads or types: their handling goes on. Harmless for others."""

        def work(connection: Connection) -> None:
            found = conversations.get(connection, conversation_id, hold=True)
            if found is not None and found.owner_staff_id == member.id:
                self._act(connection, found, member)

        await self._database.write(staff_member(member.id), work)

    async def place(self, conversation_id: int) -> Place | None:
        """Where the customer stands in the queue; None if they don't wait."""
        return await self._database.read(
            lambda c: place_of(
                c, conversations.get(c, conversation_id), self._seconds_each
            )
        )

    def _act(
        self, connection: Connection, conversation: Conversation, member: Member
    ) -> None:
        episode = episodes.current(connection, conversation.id)
        if episode is not None:
            now = self._clock.now()
            handling.act(connection, episode.id, member.id, now, self._idle)

    def _leave(
        self, connection: Connection, conversation: Conversation, member: Member
    ) -> None:
        episode = episodes.current(connection, conversation.id)
        if episode is not None:
            now = self._clock.now()
            handling.leave(connection, episode.id, member.id, now, self._idle)

    def _note(
        self,
        connection: Connection,
        conversation: Conversation,
        kind: EventKind,
        **data: object,
    ) -> None:
        episode = episodes.current(connection, conversation.id)
        episode_id = episode.id if episode else None
        now = self._clock.now()
        episodes.add_event(
            connection, conversation.id, episode_id, kind, now, None, **data
        )


def place_of(
    connection: Connection, conversation: Conversation | None, seconds_each: int
) -> Place | None:
    """The place in the queue and an honest guess of the wait, in whole minutes."""
    if conversation is None or conversation.owner is not Owner.QUEUE:
        return None
    ahead = conversations.queue_length(connection, before=conversation)
    return Place(ahead + 1, max(1, -(-ahead * seconds_each // 60)))


def _say(
    connection: Connection,
    conversation: Conversation,
    member: Member,
    text: str,
    clock: Clock,
) -> int:
    now = clock.now()
    episode = episodes.current(connection, conversation.id)
    stored = conversation.channel is Channel.WEBCHAT
    message_id = messages.add(
        connection,
        conversation.id,
        episode.id if episode else None,
        Draft(Sender.AGENT, text, staff_id=member.id),
        MessageState.SENT if stored else MessageState.QUEUED,
        now,
    )
    changes.record(connection, "message", message_id, now)
    return message_id


def _checked(text: str) -> str:
    words = text.strip()
    if not words:
        raise DataError(Problem("a reply has words"))
    if len(words) > TEXT_MAX:
        raise DataError(
            Problem(f"a reply has at most {TEXT_MAX} characters", str(len(words)))
        )
    return words


def _get(connection: Connection, conversation_id: int) -> Conversation:
    found = conversations.get(connection, conversation_id, hold=True)
    if found is None or found.address.startswith(conversations.FREED):
        raise DataError(Problem("there is no such conversation", str(conversation_id)))
    return found


def _held(connection: Connection, conversation_id: int, version: int) -> Conversation:
    found = _get(connection, conversation_id)
    if found.version != version:
        raise conversations.owner_changed(connection, conversation_id)
    return found


def _own(
    connection: Connection, conversation_id: int, member: Member, version: int
) -> Conversation:
    found = _held(connection, conversation_id, version)
    if found.owner is not Owner.AGENT or found.owner_staff_id != member.id:
        raise conversations.owner_changed(connection, conversation_id)
    return found
