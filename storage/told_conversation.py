"""What one imported conversation comes to: its episode, log, handling and rating."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from core.model import EpisodeEnd, Sender
from core.records import ConversationRecord
from storage.episodes import EventKind

# The columns of `Told.episode` and `Told.rated`.
SAID = ("kind", "topic", "opened_at", "closed_at", "ended", "reopened")
_SCORE = ("score", "given_score", "given_scale", "issue", "comment")
RATED = (
    *("customer_id", "answered_at", *_SCORE, "answered_by", "staff_id", "topic"),
    "channel",
)

# kind, actor, data, at
Happened: TypeAlias = tuple[str, str, dict[str, str], datetime]
# staff, start, end
Handled: TypeAlias = tuple[int, datetime, datetime]


@dataclass(frozen=True, slots=True)
class Told:
    """What one row of the file comes to."""

    customer_id: int | None
    episode: tuple[Any, ...]
    log: tuple[Happened, ...]
    handled: tuple[Handled, ...]
    rated: tuple[Any, ...] | None


def told_of(
    record: ConversationRecord, customer: int | None, staff: int | None, actor: str
) -> Told:
    episode = tuple(getattr(record, name) for name in SAID)
    return Told(
        customer,
        episode,
        tuple(_log(record, customer, staff, actor)),
        _handling(record, staff),
        _rating(record, customer, staff),
    )


def _log(
    record: ConversationRecord, customer: int | None, staff: int | None, actor: str
) -> Iterable[Happened]:
    said_by = actor if customer is None else f"customer:{customer}"
    yield EventKind.OPENED, actor, {}, record.opened_at
    yield EventKind.CUSTOMER_MESSAGE, said_by, {}, record.opened_at
    if record.first_response_at is not None:
        replied_by = actor if staff is None else f"staff:{staff}"
        yield EventKind.AGENT_REPLY, replied_by, {}, record.first_response_at
    if record.closed_at is not None and record.ended is not None:
        ended = {"ended": record.ended.value}
        yield EventKind.CLOSED, actor, ended, record.closed_at


def _handling(record: ConversationRecord, staff: int | None) -> tuple[Handled, ...]:
    """The time from the first response on; else the time before the close.

    Who gave up before anybody replied was not handled, however long a phone rang.
    """
    replied_at = record.first_response_at
    gone = record.ended is EpisodeEnd.ABANDONED and replied_at is None
    if staff is None or not record.handling_seconds or gone:
        return ()
    took = timedelta(seconds=record.handling_seconds)
    if replied_at is not None:
        return ((staff, replied_at, replied_at + took),)
    if record.closed_at is not None:
        return ((staff, record.closed_at - took, record.closed_at),)
    return ()


def _rating(
    record: ConversationRecord, customer: int | None, staff: int | None
) -> tuple[Any, ...] | None:
    given = tuple(getattr(record, name) for name in _SCORE)
    if record.score is None and record.comment is None:
        return None
    answered_at = record.closed_at or record.opened_at
    answered_by = None if staff is None else Sender.AGENT.value
    about = answered_by, staff, record.topic, record.kind.value
    return (customer, answered_at, *given, *about)
