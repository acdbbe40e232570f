"""The episodes behind a figure: every number leads to its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    func,
    or_,
    select,
)

from core.model import CaseKind, Channel, Sender
from storage.ingest import arrived
from storage.schema import (
    conversations,
    customers,
    episodes,
    feedback,
    handling_intervals,
    messages,
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which episodes a figure is made of."""

    since: datetime
    until: datetime
    channel: Channel | CaseKind | None = None
    score: int | None = None
    unsatisfied: bool = False
    issue: str | None = None
    answered: bool = False
    handled: bool = False


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One episode behind a figure.

    A rating of a file may name no conversation or nobody, and any word for a channel.
    """

    conversation_id: int | None
    customer_id: int | None
    customer: str | None
    channel: str | None
    opened_at: datetime
    closed_at: datetime | None
    ended: str | None
    score: int | None
    issue: str | None
    comment: str | None


def rows(
    connection: Connection, wanted: Wanted, limit: int, offset: int
) -> tuple[int, list[EpisodeRow]]:
    """How many episodes a figure counts, and one page of them, newest first.

    Of ratings, those that belong to no conversation are rows, too.
    """
    at = feedback.c.answered_at if _about_scores(wanted) else episodes.c.opened_at
    base = select(
        conversations.c.id.label("conversation_id"),
        customers.c.id.label("customer_id"),
        customers.c.name.label("customer"),
        func.coalesce(conversations.c.channel, feedback.c.channel).label("channel"),
        func.coalesce(episodes.c.opened_at, feedback.c.answered_at).label("opened_at"),
        episodes.c.closed_at,
        episodes.c.ended,
        feedback.c.score,
        feedback.c.issue,
        feedback.c.comment,
    )
    base = base.select_from(_joined(wanted)).where(*_conditions(wanted, at))
    total = connection.scalar(select(func.count()).select_from(base.subquery())) or 0
    found = connection.execute(
        base.order_by(at.desc(), conversations.c.id.desc(), feedback.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return total, [EpisodeRow(**row) for row in found.mappings()]


def _about_scores(wanted: Wanted) -> bool:
    return bool(wanted.answered or wanted.unsatisfied or wanted.score or wanted.issue)


def _joined(wanted: Wanted) -> FromClause:
    rated = feedback.c.episode_id == episodes.c.id
    held = conversations.c.id == episodes.c.conversation_id
    if _about_scores(wanted):
        owner = func.coalesce(feedback.c.customer_id, conversations.c.customer_id)
        return (
            feedback.outerjoin(episodes, rated)
            .outerjoin(conversations, held)
            .outerjoin(customers, customers.c.id == owner)
        )
    return (
        episodes.join(conversations, held)
        .outerjoin(customers, customers.c.id == conversations.c.customer_id)
        .outerjoin(feedback, rated)
    )


def _conditions(wanted: Wanted, at: ColumnElement[datetime]) -> list[Any]:
    about_scores = _about_scores(wanted)
    found: list[Any] = [at >= wanted.since, at < wanted.until]
    found.append(arrived(feedback if about_scores else episodes))
    if wanted.channel:
        channel = feedback.c.channel if about_scores else conversations.c.channel
        found.append(channel == wanted.channel)
    if about_scores:
        found.append(feedback.c.score.is_not(None))
    if wanted.score:
        found.append(feedback.c.score == wanted.score)
    if wanted.unsatisfied:
        found.append(feedback.c.score <= 3)
    if wanted.issue:
        found.append(feedback.c.issue == wanted.issue)
    if wanted.handled:
        found.append(or_(_replied(), _handled_elsewhere()))
    return found


def _replied() -> ColumnElement[bool]:
    own = messages.c.episode_id == episodes.c.id
    return select(messages.c.id).where(own, messages.c.sender == Sender.AGENT).exists()


def _handled_elsewhere() -> ColumnElement[bool]:
    """Of an imported episode the handling is known, and no message."""
    own = handling_intervals.c.episode_id == episodes.c.id
    handled = select(handling_intervals.c.id).where(own).exists()
    return and_(episodes.c.source_id.is_not(None), handled)
