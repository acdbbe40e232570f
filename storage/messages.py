"""Messages of a conversation, and the life of those that go out.

`queued → sending → sent | failed(reason) | uncertain`; a reply in doubt after a crash
is queued again, so that none is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from core.model import Button, Channel, MessageState, Owner, Sender
from storage.schema import conversations, messages, staff

NOT_OWNER = "not_owner"
# A button is pressed soon after it was shown.
BUTTONS_LOOKED_AT = 30
WAITING_TO_LEAVE = (MessageState.QUEUED, MessageState.SENDING)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stands; `staff_name` names a person who wrote it."""

    id: int
    conversation_id: int
    sender: Sender
    staff_name: str | None
    text: str
    buttons: tuple[Button, ...]
    state: MessageState
    reason: str | None
    external_id: str | None
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be written; `ordinal` numbers the replies to one update."""

    sender: Sender
    text: str
    buttons: tuple[Button, ...] = ()
    staff_id: int | None = None
    inbox_id: int | None = None
    ordinal: int | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that this process has taken to send."""

    id: int
    conversation_id: int
    customer_id: int
    address: str
    text: str
    buttons: tuple[Button, ...]


def add(
    connection: Connection,
    conversation_id: int,
    episode_id: int | None,
    draft: Draft,
    state: MessageState,
    now: datetime,
) -> int:
    """The new message's id."""
    message_id: int = connection.execute(
        insert(messages)
        .values(
            conversation_id=conversation_id,
            episode_id=episode_id,
            sender=draft.sender,
            staff_id=draft.staff_id,
            text=draft.text,
            buttons=[
                {"label": button.label, "data": button.data} for button in draft.buttons
            ],
            state=state,
            inbox_id=draft.inbox_id,
            ordinal=draft.ordinal,
            external_id=draft.external_id,
            created_at=now,
            sent_at=now if state is MessageState.SENT else None,
        )
        .returning(messages.c.id)
    ).scalar_one()
    return message_id


def thread(
    connection: Connection, conversation_id: int, after_id: int = 0, limit: int = 200
) -> list[Message]:
    """The newest messages after an id, oldest first."""
    rows = connection.execute(
        select(messages, staff.c.name.label("staff_name"))
        .outerjoin(staff, staff.c.id == messages.c.staff_id)
        .where(messages.c.conversation_id == conversation_id, messages.c.id > after_id)
        .order_by(messages.c.id.desc())
        .limit(limit)
    ).all()
    return [_message(row) for row in reversed(rows)]


def text_of(connection: Connection, message_id: int) -> str:
    """The words of one message."""
    text: str = connection.execute(
        select(messages.c.text).where(messages.c.id == message_id)
    ).scalar_one()
    return text


def with_external_id(
    connection: Connection, conversation_id: int, external_id: str
) -> int | None:
    """The message that carries this mark of its maker, or None."""
    return connection.scalar(
        select(messages.c.id).where(
            messages.c.conversation_id == conversation_id,
            messages.c.external_id == external_id,
        )
    )


def conversations_with_queued(
    connection: Connection, channel: Channel
) -> list[tuple[int, str]]:
    """Id and address of those with something to send, the longest waiting first."""
    rows = connection.execute(
        select(messages.c.conversation_id, conversations.c.address)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(
            messages.c.state == MessageState.QUEUED, conversations.c.channel == channel
        )
        .order_by(messages.c.id)
    )
    return list(dict.fromkeys((row.conversation_id, row.address) for row in rows))


def has_queued(connection: Connection, conversation_id: int) -> bool:
    """Whether the conversation has something to send."""
    query = select(messages.c.id).where(
        messages.c.conversation_id == conversation_id,
        messages.c.state == MessageState.QUEUED,
    )
    return connection.scalar(query.limit(1)) is not None


def take_next(connection: Connection, conversation_id: int) -> Outgoing | None:
    """The conversation's oldest queued message, marked `sending`, or None.

    What the bot wrote is dropped when a person has taken over since.
    """
    owner = connection.execute(
        select(
            conversations.c.owner,
            conversations.c.customer_id,
            conversations.c.address,
        )
        .where(conversations.c.id == conversation_id)
        .with_for_update()
    ).one()
    if owner.owner == Owner.AGENT:
        drop_bot_replies(connection, conversation_id)
    row = connection.execute(
        select(messages)
        .where(
            messages.c.conversation_id == conversation_id,
            messages.c.state == MessageState.QUEUED,
        )
        .order_by(messages.c.id)
        .limit(1)
    ).first()
    if row is None:
        return None
    connection.execute(
        update(messages)
        .where(messages.c.id == row.id)
        .values(state=MessageState.SENDING)
    )
    return Outgoing(
        row.id,
        conversation_id,
        owner.customer_id,
        owner.address,
        row.text,
        _buttons(row.buttons),
    )


def drop_bot_replies(connection: Connection, conversation_id: int) -> int:
    """The bot's queued words are not said any more; returns how many."""
    return connection.execute(
        update(messages)
        .where(
            messages.c.conversation_id == conversation_id,
            messages.c.state == MessageState.QUEUED,
            messages.c.sender == Sender.BOT,
        )
        .values(state=MessageState.FAILED, reason=NOT_OWNER)
    ).rowcount


def settle(
    connection: Connection,
    message_id: int,
    state: MessageState,
    now: datetime,
    reason: str | None = None,
    external_id: str | None = None,
) -> None:
    """Write down what became of a message that was being sent."""
    values: dict[str, Any] = {"state": state, "reason": reason}
    if state is MessageState.SENT:
        values |= {"sent_at": now, "external_id": external_id}
    connection.execute(
        update(messages)
        .where(messages.c.id == message_id, messages.c.state == MessageState.SENDING)
        .values(**values)
    )


def requeue_in_doubt(connection: Connection, channel: Channel) -> int:
    """After a crash: what was being sent is sent again; returns how many."""
    mine = select(conversations.c.id).where(conversations.c.channel == channel)
    return connection.execute(
        update(messages)
        .where(
            messages.c.state == MessageState.SENDING,
            messages.c.conversation_id.in_(mine),
        )
        .values(state=MessageState.QUEUED)
    ).rowcount


def fail_queued(connection: Connection, conversation_id: int, reason: str) -> int:
    """Nothing more can be sent there; returns how many messages that concerns."""
    return connection.execute(
        update(messages)
        .where(
            messages.c.conversation_id == conversation_id,
            messages.c.state.in_(WAITING_TO_LEAVE),
        )
        .values(state=MessageState.FAILED, reason=reason)
    ).rowcount


def label_of(connection: Connection, conversation_id: int, data: str) -> str | None:
    """What stood on the newest button with this meaning, or None."""
    rows = connection.scalars(
        select(messages.c.buttons)
        .where(
            messages.c.conversation_id == conversation_id,
            messages.c.sender != Sender.CUSTOMER,
        )
        .order_by(messages.c.id.desc())
        .limit(BUTTONS_LOOKED_AT)
    )
    labels = (
        button.label
        for stored in rows
        for button in _buttons(stored)
        if button.data == data
    )
    return next(labels, None)


def last_agent(connection: Connection, episode_id: int) -> int | None:
    """The person who replied last in an episode, or None."""
    return connection.scalar(
        select(messages.c.staff_id)
        .where(messages.c.episode_id == episode_id, messages.c.sender == Sender.AGENT)
        .order_by(messages.c.id.desc())
        .limit(1)
    )


def said_something(connection: Connection, episode_id: int, sender: Sender) -> bool:
    """Whether this side has a message in the episode."""
    query = select(messages.c.id).where(
        messages.c.episode_id == episode_id, messages.c.sender == sender
    )
    return connection.scalar(query.limit(1)) is not None


def _buttons(stored: Sequence[dict[str, str]]) -> tuple[Button, ...]:
    return tuple(Button(button["label"], button["data"]) for button in stored)


def _message(row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        conversation_id=row.conversation_id,
        sender=Sender(row.sender),
        staff_name=row.staff_name,
        text=row.text,
        buttons=_buttons(row.buttons),
        state=MessageState(row.state),
        reason=row.reason,
        external_id=row.external_id,
        created_at=row.created_at,
        sent_at=row.sent_at,
    )
