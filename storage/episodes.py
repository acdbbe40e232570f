"""Episodes of a conversation, and the log of events that every number comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from core.model import CaseKind, DeliveryState, EpisodeEnd
from storage.conversations import Conversation
from storage.customers import one_person
from storage.database import actor_of
from storage.schema import conversation_events, deliveries, episodes

# A message so soon after a campaign's is taken as a reply to it.
CAMPAIGN_REPLY_WINDOW = timedelta(days=3)


class EventKind(StrEnum):
    """What happened in a conversation; every service number comes from these."""

    OPENED = "opened"
    REOPENED = "reopened"
    CUSTOMER_MESSAGE = "customer_message"
    BOT_REPLY = "bot_reply"
    HANDED_OVER = "handed_over"
    LEFT_QUEUE = "left_queue"
    TAKEN = "taken"
    AGENT_REPLY = "agent_reply"
    GIVEN_BACK = "given_back"
    CLOSED = "closed"
    SURVEY_SENT = "survey_sent"
    SCORED = "scored"


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of a conversation, from a question to its end."""

    id: int
    conversation_id: int
    topic: str | None
    campaign_run_id: int | None
    opened_at: datetime
    closed_at: datetime | None
    ended: EpisodeEnd | None
    reopened: int


def current(connection: Connection, conversation_id: int) -> Episode | None:
    """The open episode, or None."""
    found = newest(connection, conversation_id)
    return found if found is not None and found.closed_at is None else None


def newest(connection: Connection, conversation_id: int) -> Episode | None:
    """The open episode or the one that closed last."""
    row = connection.execute(
        select(episodes)
        .where(episodes.c.conversation_id == conversation_id)
        .order_by(episodes.c.opened_at.desc(), episodes.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _episode(row)


def open_for(
    connection: Connection,
    conversation: Conversation,
    now: datetime,
    reopen_within: timedelta,
) -> int:
    """The open episode's id: the one that has just closed, or a new one.

    A customer who comes back at once goes on with the same matter: that adds time to
    the episode and counts no second one.
    """
    last = newest(connection, conversation.id)
    if last is not None and last.closed_at is None:
        return last.id
    if last is not None and last.closed_at and now - last.closed_at <= reopen_within:
        return _reopen(connection, last, now)
    run_id = _campaign_replied_to(connection, conversation, now)
    episode_id: int = connection.execute(
        insert(episodes)
        .values(
            conversation_id=conversation.id,
            kind=CaseKind.CHAT,
            campaign_run_id=run_id,
            opened_at=now,
        )
        .returning(episodes.c.id)
    ).scalar_one()
    add_event(connection, conversation.id, episode_id, EventKind.OPENED, now)
    return episode_id


def close(
    connection: Connection, episode: Episode, ended: EpisodeEnd, now: datetime
) -> None:
    """End an open episode."""
    connection.execute(
        update(episodes)
        .where(episodes.c.id == episode.id)
        .values(closed_at=now, ended=ended)
    )
    add_event(
        connection,
        episode.conversation_id,
        episode.id,
        EventKind.CLOSED,
        now,
        ended=ended.value,
    )


def set_topic(connection: Connection, episode_id: int, topic: str) -> None:
    """What the episode is about: the first article that was shown."""
    connection.execute(
        update(episodes)
        .where(episodes.c.id == episode_id, episodes.c.topic.is_(None))
        .values(topic=topic)
    )


def had(connection: Connection, episode_id: int, kind: EventKind) -> bool:
    """Whether the episode has an event of this kind."""
    query = select(conversation_events.c.id).where(
        conversation_events.c.episode_id == episode_id,
        conversation_events.c.kind == kind,
    )
    return connection.scalar(query.limit(1)) is not None


def events_of(connection: Connection, conversation_id: int) -> list[EventKind]:
    """What happened in a conversation, in order."""
    kinds = connection.scalars(
        select(conversation_events.c.kind)
        .where(conversation_events.c.conversation_id == conversation_id)
        .order_by(conversation_events.c.id)
    )
    return [EventKind(kind) for kind in kinds]


def add_event(
    connection: Connection,
    conversation_id: int,
    episode_id: int | None,
    kind: EventKind,
    now: datetime,
    actor: str | None = None,
    **data: Any,
) -> None:
    """Write down what happened; the actor is the write's own unless named."""
    connection.execute(
        insert(conversation_events).values(
            conversation_id=conversation_id,
            episode_id=episode_id,
            kind=kind,
            actor=actor or actor_of(connection),
            data=data,
            at=now,
        )
    )


def _reopen(connection: Connection, episode: Episode, now: datetime) -> int:
    connection.execute(
        update(episodes)
        .where(episodes.c.id == episode.id)
        .values(closed_at=None, ended=None, reopened=episodes.c.reopened + 1)
    )
    add_event(connection, episode.conversation_id, episode.id, EventKind.REOPENED, now)
    return episode.id


def _campaign_replied_to(
    connection: Connection, conversation: Conversation, now: datetime
) -> int | None:
    return connection.scalar(
        select(deliveries.c.campaign_run_id)
        .where(
            deliveries.c.customer_id.in_(one_person(conversation.customer_id)),
            deliveries.c.channel == conversation.channel,
            deliveries.c.state == DeliveryState.ACCEPTED,
            deliveries.c.ended_at > now - CAMPAIGN_REPLY_WINDOW,
        )
        .order_by(deliveries.c.ended_at.desc())
        .limit(1)
    )


def _episode(row: Row[Any]) -> Episode:
    fields = {name: getattr(row, name) for name in Episode.__slots__}
    if fields["ended"] is not None:
        fields["ended"] = EpisodeEnd(fields["ended"])
    return Episode(**fields)
