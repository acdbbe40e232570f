"""Conversations: who may speak, and where the dialogue stands.

One conversation per channel and address lasts for ever; its episodes come and go.
The owner is one field with a version: whoever wants to change it names the version
that they saw, and is refused when somebody was faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from core.errors import Problem, RapportError
from core.model import Channel, Owner
from storage.customers import survivor_of
from storage.dialect import upsert
from storage.schema import (
    conversations,
    staff,
)


class DueEvent(StrEnum):
    """What the timer does with a conversation at `due_at`."""

    SURVEY = "survey"
    IDLE = "idle"


class OwnerChanged(RapportError):
    """Somebody was faster; `owner` and `staff_name` say who has it now."""

    def __init__(self, owner: Owner, staff_name: str | None, version: int) -> None:
        self.owner = owner
        self.staff_name = staff_name
        self.version = version
        who = staff_name or ("the bot" if owner is Owner.BOT else "the queue")
        super().__init__(
            Problem(
                f"the conversation is with {who} now",
                hint="Look at its newest state and decide again.",
            )
        )


@dataclass(frozen=True, slots=True)
class Conversation:
    """One customer on one channel's address."""

    id: int
    customer_id: int
    channel: Channel
    address: str
    owner: Owner
    owner_staff_id: int | None
    version: int
    language: str
    dialogue: dict[str, Any]
    open: bool
    waiting_since: datetime | None
    created_at: datetime
    last_message_at: datetime
    due_at: datetime | None
    due_event: DueEvent | None


# In the place of an address whose owner asked to be forgotten.
FREED = "erased:"


def get(
    connection: Connection, conversation_id: int, *, hold: bool = False
) -> Conversation | None:
    """One conversation; `hold` keeps others from changing it meanwhile.

    None where it was imported: it was held elsewhere, and nobody can answer in it.
    """
    query = select(conversations).where(conversations.c.id == conversation_id)
    return _first(connection, query.with_for_update() if hold else query)


def find(
    connection: Connection, channel: Channel, address: str, *, hold: bool = False
) -> Conversation | None:
    """The conversation on this address, or None before the first word."""
    query = select(conversations).where(
        conversations.c.channel == channel, conversations.c.address == address
    )
    return _first(connection, query.with_for_update() if hold else query)


def start(
    connection: Connection,
    customer_id: int,
    channel: Channel,
    address: str,
    language: str,
    now: datetime,
) -> Conversation:
    """The conversation on this address, held; made where there is none."""
    connection.execute(
        upsert(connection, conversations)
        .values(
            # Who wrote may have been merged since we looked.
            customer_id=survivor_of(connection, customer_id),
            channel=channel,
            address=address,
            owner=Owner.BOT,
            language=language,
            dialogue={},
            open=False,
            created_at=now,
            last_message_at=now,
        )
        .on_conflict_do_nothing(index_elements=["channel", "address"])
    )
    found = find(connection, channel, address, hold=True)
    if found is None:
        message = "a row that was just made can't be missing"
        raise RuntimeError(message)
    return found


def save(
    connection: Connection,
    conversation_id: int,
    dialogue: Mapping[str, Any],
    **columns: Any,
) -> None:
    """Keep the dialogue's state and other columns after a step."""
    connection.execute(
        update(conversations)
        .where(conversations.c.id == conversation_id)
        .values(dialogue=dict(dialogue), **columns)
    )


def clear_due(connection: Connection, conversation_id: int) -> None:
    """Nothing is due there any more."""
    connection.execute(
        update(conversations)
        .where(conversations.c.id == conversation_id)
        .values(due_at=None, due_event=None)
    )


def change_owner(
    connection: Connection,
    conversation: Conversation,
    owner: Owner,
    staff_id: int | None,
    now: datetime,
) -> None:
    """Give the conversation to another owner.

    Raises
    ------
    OwnerChanged : it has another version than the given one
    """
    changed = connection.execute(
        update(conversations)
        .where(
            conversations.c.id == conversation.id,
            conversations.c.version == conversation.version,
        )
        .values(
            owner=owner,
            owner_staff_id=staff_id,
            version=conversations.c.version + 1,
            waiting_since=now if owner is Owner.QUEUE else None,
        )
    ).rowcount
    if not changed:
        raise owner_changed(connection, conversation.id)


def owner_changed(connection: Connection, conversation_id: int) -> OwnerChanged:
    """The error that names who has the conversation now."""
    row = connection.execute(
        select(conversations.c.owner, conversations.c.version, staff.c.name)
        .outerjoin(staff, staff.c.id == conversations.c.owner_staff_id)
        .where(conversations.c.id == conversation_id)
    ).one()
    return OwnerChanged(Owner(row.owner), row.name, row.version)


def owner_name(connection: Connection, conversation_id: int) -> str | None:
    """The name of the person who has the conversation, or None."""
    name: str | None = connection.scalar(
        select(staff.c.name)
        .join(conversations, conversations.c.owner_staff_id == staff.c.id)
        .where(conversations.c.id == conversation_id)
    )
    return name


def queue_length(connection: Connection, before: Conversation | None = None) -> int:
    """How many customers wait for a person, or wait before this one."""
    query = select(func.count()).where(
        conversations.c.open, conversations.c.owner == Owner.QUEUE
    )
    if before is not None and before.waiting_since is not None:
        earlier = conversations.c.waiting_since < before.waiting_since
        query = query.where(
            earlier
            | (
                (conversations.c.waiting_since == before.waiting_since)
                & (conversations.c.id < before.id)
            )
        )
    return connection.scalar(query) or 0


def due(connection: Connection, now: datetime, limit: int) -> list[Conversation]:
    """Conversations whose survey or idle close has come."""
    rows = connection.execute(
        select(conversations)
        .where(conversations.c.due_at <= now)
        .order_by(conversations.c.due_at, conversations.c.id)
        .limit(limit)
    )
    return [_conversation(row) for row in rows]


def _first(connection: Connection, query: Any) -> Conversation | None:
    row = connection.execute(query).first()
    if row is None or row.channel not in list(Channel):
        return None
    return _conversation(row)


def _conversation(row: Row[Any]) -> Conversation:
    fields = {name: getattr(row, name) for name in Conversation.__slots__}
    fields["channel"] = Channel(fields["channel"])
    fields["owner"] = Owner(fields["owner"])
    if fields["due_event"] is not None:
        fields["due_event"] = DueEvent(fields["due_event"])
    return Conversation(**fields)
