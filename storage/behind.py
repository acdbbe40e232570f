"""The episodes behind a figure: every number leads to its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from core.model import Channel, Sender
from storage.schema import conversations, customers, episodes, feedback, messages


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which episodes a figure is made of."""

    since: datetime
    until: datetime
    channel: Channel | None = None
    score: int | None = None
    unsatisfied: bool = False
    issue: str | None = None
    answered: bool = False
    handled: bool = False


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One episode behind a figure."""

    conversation_id: int
    customer_id: int
    customer: str | None
    channel: Channel
    opened_at: datetime
    closed_at: datetime | None
    ended: str | None
    score: int | None
    issue: str | None
    comment: str | None


def rows(
    connection: Connection, wanted: Wanted, limit: int, offset: int
) -> tuple[int, list[EpisodeRow]]:
    """How many episodes a figure counts, and one page of them, newest first."""
    base = (
        select(
            episodes,
            conversations.c.channel,
            conversations.c.customer_id,
            customers.c.name.label("customer_name"),
            feedback.c.score,
            feedback.c.issue,
            feedback.c.comment,
        )
        .join(conversations, conversations.c.id == episodes.c.conversation_id)
        .join(customers, customers.c.id == conversations.c.customer_id)
        .outerjoin(feedback, feedback.c.episode_id == episodes.c.id)
        .where(*_conditions(wanted))
    )
    total = connection.scalar(select(func.count()).select_from(base.subquery())) or 0
    found = connection.execute(
        base.order_by(episodes.c.opened_at.desc(), episodes.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return total, [_episode(row) for row in found]


def _conditions(wanted: Wanted) -> list[Any]:
    about_scores = wanted.answered or wanted.unsatisfied or wanted.score or wanted.issue
    at = feedback.c.answered_at if about_scores else episodes.c.opened_at
    found: list[Any] = [at >= wanted.since, at < wanted.until]
    if wanted.channel:
        found.append(conversations.c.channel == wanted.channel)
    if about_scores:
        found.append(feedback.c.score.is_not(None))
    if wanted.score:
        found.append(feedback.c.score == wanted.score)
    if wanted.unsatisfied:
        found.append(feedback.c.score <= 3)
    if wanted.issue:
        found.append(feedback.c.issue == wanted.issue)
    if wanted.handled:
        replied = messages.c.sender == Sender.AGENT
        own = messages.c.episode_id == episodes.c.id
        found.append(select(messages.c.id).where(own, replied).exists())
    return found


def _episode(row: Row[Any]) -> EpisodeRow:
    return EpisodeRow(
        row.conversation_id,
        row.customer_id,
        row.customer_name,
        Channel(row.channel),
        row.opened_at,
        row.closed_at,
        row.ended,
        row.score,
        row.issue,
        row.comment,
    )
