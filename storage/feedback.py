"""What customers say of an episode: asked once, with snapshots of who answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from core.model import Channel, Sender
from storage.dialect import upsert
from storage.schema import feedback, utterances


class Outcome(StrEnum):
    """What became of a question to the knowledge base."""

    ANSWERED = "answered"
    MISSED = "missed"
    HELPED = "helped"
    NOT_HELPED = "not_helped"
    CLICKED = "clicked"


@dataclass(frozen=True, slots=True)
class Asking:
    """A survey about one episode; the rest is how things stood when it was asked."""

    customer_id: int
    episode_id: int
    answered_by: Sender
    staff_id: int | None
    topic: str | None
    channel: Channel
    campaign_run_id: int | None


@dataclass(frozen=True, slots=True)
class Feedback:
    """One survey and what was answered."""

    episode_id: int
    asked_at: datetime | None
    answered_at: datetime | None
    score: int | None
    issue: str | None
    comment: str | None
    answered_by: str | None
    staff_id: int | None
    topic: str | None
    channel: str | None
    campaign_run_id: int | None


@dataclass(frozen=True, slots=True)
class Utterance:
    """A customer's words and what they led to."""

    text: str
    outcome: Outcome
    language: str | None = None
    article: str | None = None
    score: float | None = None
    message_id: int | None = None


def ask(connection: Connection, asking: Asking, now: datetime) -> bool:
    """Note that the customer is asked; False where this episode was asked about."""
    made = connection.execute(
        upsert(connection, feedback)
        .values(
            customer_id=asking.customer_id,
            episode_id=asking.episode_id,
            asked_at=now,
            answered_by=asking.answered_by,
            staff_id=asking.staff_id,
            topic=asking.topic,
            channel=asking.channel,
            campaign_run_id=asking.campaign_run_id,
        )
        .on_conflict_do_nothing(index_elements=["episode_id"])
        .returning(feedback.c.id)
    ).scalar()
    return made is not None


def last_asked_at(connection: Connection, customer_id: int) -> datetime | None:
    """When this customer was asked last, about whatever."""
    newest: datetime | None = connection.scalar(
        select(func.max(feedback.c.asked_at)).where(
            feedback.c.customer_id == customer_id
        )
    )
    return newest


def of_episode(connection: Connection, episode_id: int) -> Feedback | None:
    """The survey about an episode, or None where none was asked."""
    row = connection.execute(
        select(feedback).where(feedback.c.episode_id == episode_id)
    ).first()
    return None if row is None else _feedback(row)


def record_score(
    connection: Connection, episode_id: int, score: int, now: datetime
) -> None:
    """The newest score counts; the events keep the earlier ones."""
    _answer(connection, episode_id, score=score, answered_at=now)


def record_issue(connection: Connection, episode_id: int, issue: str) -> None:
    """What went wrong, from the lead's list."""
    _answer(connection, episode_id, issue=issue)


def record_comment(connection: Connection, episode_id: int, text: str) -> None:
    """The customer's own words."""
    _answer(connection, episode_id, comment=text)


def record_utterance(
    connection: Connection, utterance: Utterance, now: datetime
) -> None:
    """Keep what was asked and what it led to, to learn from."""
    connection.execute(
        insert(utterances).values(
            message_id=utterance.message_id,
            text=utterance.text,
            language=utterance.language,
            article_key=utterance.article,
            score=utterance.score,
            outcome=utterance.outcome,
            at=now,
        )
    )


def most_answered(connection: Connection, limit: int) -> tuple[str, ...]:
    """The articles that customers asked for most, by all that was kept."""
    rows = connection.scalars(
        select(utterances.c.article_key)
        .where(
            utterances.c.outcome == Outcome.ANSWERED,
            utterances.c.article_key.is_not(None),
        )
        .group_by(utterances.c.article_key)
        .order_by(func.count().desc(), utterances.c.article_key)
        .limit(limit)
    )
    return tuple(rows)


def _answer(connection: Connection, episode_id: int, **values: Any) -> None:
    connection.execute(
        update(feedback).where(feedback.c.episode_id == episode_id).values(**values)
    )


def _feedback(row: Row[Any]) -> Feedback:
    return Feedback(**{name: getattr(row, name) for name in Feedback.__slots__})
