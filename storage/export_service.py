"""Ratings and conversations, read back as the records that they came as.

Those that came by a file; what the bot and the agents did here has no id of a source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from core.model import CaseKind, EpisodeEnd
from core.records import Batch, ConversationRecord, FeedbackRecord
from storage.bulk import lookup
from storage.episodes import EventKind
from storage.export_rows import (
    Batches,
    ids_in_source,
    in_chunks,
    in_order,
    source_id_of,
)
from storage.ingest import arrived
from storage.schema import (
    conversation_events,
    conversations,
    episodes,
    feedback,
    handling_intervals,
    staff,
)

_STAFF = "staff:"


def feedback_batches(connection: Connection, source: str) -> Batches:
    """Ratings of a file of ratings; those of a file of conversations stand there."""
    source_id = source_id_of(connection, source)
    talk = episodes.c.external_id.label("conversation")
    query = (
        select(feedback, talk, episodes.c.source_id.label("talk_source"))
        .outerjoin(episodes, episodes.c.id == feedback.c.episode_id)
        .where(
            feedback.c.source_id == source_id,
            feedback.c.external_id.is_not(None),
            arrived(feedback),
        )
        .order_by(in_order(connection, feedback.c.external_id))
    )
    for rows in in_chunks(connection, query):
        people = ids_in_source(connection, source, (row.customer_id for row in rows))
        team = _team(connection, (row.staff_id for row in rows))
        yield Batch(
            [
                FeedbackRecord(
                    line=0,
                    external_id=row.external_id,
                    customer=people.get(row.customer_id),
                    answered_at=row.answered_at,
                    score=row.score,
                    given_score=row.given_score,
                    given_scale=row.given_scale,
                    issue=row.issue,
                    comment=row.comment,
                    agent=team.get(row.staff_id),
                    topic=row.topic,
                    channel=row.channel,
                    conversation=(
                        row.conversation if row.talk_source == source_id else None
                    ),
                )
                for row in rows
            ]
        )


def conversation_batches(connection: Connection, source: str) -> Batches:
    """Imported conversations with the handling that their rows told."""
    query = (
        select(episodes, conversations.c.customer_id)
        .join(conversations, conversations.c.id == episodes.c.conversation_id)
        .where(
            episodes.c.source_id == source_id_of(connection, source),
            episodes.c.external_id.is_not(None),
            arrived(episodes),
        )
        .order_by(in_order(connection, episodes.c.external_id))
    )
    for rows in in_chunks(connection, query):
        people = ids_in_source(connection, source, (row.customer_id for row in rows))
        about = _About(connection, [row.id for row in rows])
        yield Batch([about.record(row, people.get(row.customer_id)) for row in rows])


class _About:
    """What belongs to some episodes: replies, handling, ratings, and by whom."""

    def __init__(self, connection: Connection, ids: Sequence[int]) -> None:
        replied = conversation_events.c.kind == EventKind.AGENT_REPLY
        self._replies = _by_episode(connection, conversation_events, ids, replied)
        self._handled = _by_episode(connection, handling_intervals, ids)
        told_here = feedback.c.external_id.is_(None)
        self._rated = _by_episode(connection, feedback, ids, told_here)
        self._team = _team(connection, map(self._staff_id, ids))

    def record(self, row: Row[Any], customer: str | None) -> ConversationRecord:
        replied, rated = self._replies.get(row.id), self._rated.get(row.id)
        return ConversationRecord(
            line=0,
            external_id=row.external_id,
            customer=customer,
            kind=CaseKind(row.kind),
            opened_at=row.opened_at,
            closed_at=row.closed_at,
            ended=EpisodeEnd(row.ended) if row.ended else None,
            topic=row.topic,
            agent=self._team.get(self._staff_id(row.id)),
            first_response_at=replied.at if replied else None,
            handling_seconds=self._seconds(row.id),
            reopened=row.reopened,
            score=rated.score if rated else None,
            given_score=rated.given_score if rated else None,
            given_scale=rated.given_scale if rated else None,
            issue=rated.issue if rated else None,
            comment=rated.comment if rated else None,
        )

    def _seconds(self, episode_id: int) -> float | None:
        handled = self._handled.get(episode_id)
        if handled is None or handled.ended_at is None:
            return None
        took: timedelta = handled.ended_at - handled.started_at
        return took.total_seconds()

    def _staff_id(self, episode_id: int) -> int | None:
        """Who handled it, replied, or was rated: whatever the row had come to."""
        handled, rated = self._handled.get(episode_id), self._rated.get(episode_id)
        replied = self._replies.get(episode_id)
        if handled is not None:
            return int(handled.staff_id)
        if replied is not None and replied.actor.startswith(_STAFF):
            return int(replied.actor.removeprefix(_STAFF))
        return None if rated is None else rated.staff_id


def _by_episode(
    connection: Connection, table: Any, ids: Sequence[int], *conditions: Any
) -> Mapping[int, Row[Any]]:
    """The first row of each; a file's conversation has one at most."""
    rows = lookup(connection, table.c.episode_id, ids, list(table.c), *conditions)
    ordered = sorted(rows, key=lambda row: int(row.id), reverse=True)
    return {row.episode_id: row for row in ordered}


def _team(
    connection: Connection, staff_ids: Iterable[int | None]
) -> dict[int | None, str]:
    """Members by e-mail address; by name, who is known by a file alone."""
    wanted = {key for key in staff_ids if key is not None}
    columns = staff.c.id, staff.c.email, staff.c.name
    rows = lookup(connection, staff.c.id, wanted, columns)
    return {row.id: row.email if "@" in row.email else row.name for row in rows}
