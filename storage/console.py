"""Read models of the service pages: the queue, a thread, a customer's card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, func, select

from core.model import (
    CaseKind,
    Channel,
    MessageState,
    OrderKind,
    Owner,
    Sender,
    contact_channel,
)
from storage.customers import one_person, survivor_of
from storage.episodes import EventKind
from storage.schema import (
    campaign_runs,
    conversation_events,
    conversations,
    customers,
    deliveries,
    episodes,
    feedback,
    identities,
    memberships,
    messages,
    orders,
    segments,
    staff,
)

# Messages show themselves; these stand between them.
TELLING_EVENTS = (
    EventKind.HANDED_OVER,
    EventKind.LEFT_QUEUE,
    EventKind.TAKEN,
    EventKind.GIVEN_BACK,
    EventKind.CLOSED,
    EventKind.SURVEY_SENT,
    EventKind.SCORED,
)
QUEUE_LIMIT = 100
THREAD_LIMIT = 300


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One conversation in the list of the inbox."""

    id: int
    customer_id: int
    customer: str | None
    channel: Channel
    owner: Owner
    staff_name: str | None
    staff_id: int | None
    waiting_since: datetime | None
    last_message_at: datetime
    last_text: str
    last_sender: Sender | None
    open: bool


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation as the agent sees it; `version` guards every act.

    An imported one was held elsewhere: there is nothing to take over.
    """

    id: int
    customer_id: int | None
    customer: str | None
    erased: bool
    channel: Channel | CaseKind
    owner: Owner
    staff_id: int | None
    staff_name: str | None
    version: int
    language: str
    waiting_since: datetime | None
    open: bool
    episode_id: int | None
    episode_closed_at: datetime | None

    @property
    def imported(self) -> bool:
        return isinstance(self.channel, CaseKind)


@dataclass(frozen=True, slots=True)
class Line:
    """One message, or one event between messages (`sender` is None)."""

    id: int
    at: datetime
    sender: Sender | None
    staff_name: str | None
    text: str
    labels: tuple[str, ...]
    state: MessageState | None
    reason: str | None
    event: str | None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order on a customer's card."""

    ordered_at: datetime
    kind: OrderKind
    total_minor: int
    currency: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Score:
    """One answer to the survey."""

    answered_at: datetime
    score: int
    issue: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Mailing:
    """One campaign message that a customer was to get."""

    campaign_key: str
    run_id: int
    state: str
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Card:
    """Who writes: what an agent should know before answering."""

    id: int
    name: str | None
    language: str | None
    city: str | None
    country: str | None
    since: datetime
    identities: tuple[tuple[str, str], ...]
    segment: str | None
    orders_count: int
    orders: tuple[OrderLine, ...]
    scores: tuple[Score, ...]
    mailings: tuple[Mailing, ...]
    # Who were merged into this customer, by the names that they had.
    aliases: tuple[str, ...] = ()


def waiting_count(connection: Connection) -> int:
    """How many customers wait for a person."""
    query = select(func.count()).where(
        conversations.c.open, conversations.c.owner == Owner.QUEUE
    )
    return connection.scalar(query) or 0


def queue(connection: Connection) -> list[QueueEntry]:
    """Open conversations: who waits longest first, then people's, then the bot's."""
    newest = (
        select(messages.c.conversation_id, func.max(messages.c.id).label("id"))
        .group_by(messages.c.conversation_id)
        .subquery()
    )
    order = case(
        (conversations.c.owner == Owner.QUEUE, 0),
        (conversations.c.owner == Owner.AGENT, 1),
        else_=2,
    )
    query = (
        _named(conversations, messages.c.text, messages.c.sender)
        .outerjoin(newest, newest.c.conversation_id == conversations.c.id)
        .outerjoin(messages, messages.c.id == newest.c.id)
        .where(conversations.c.open)
        .order_by(
            order,
            case((order == 0, conversations.c.waiting_since)),
            conversations.c.last_message_at.desc(),
        )
        .limit(QUEUE_LIMIT)
    )
    return [_entry(row) for row in connection.execute(query)]


def _named(*columns: Any) -> Select[Any]:
    """Conversations with the names of the customer and of the agent."""
    return (
        select(
            *columns,
            customers.c.name.label("customer_name"),
            customers.c.erased_at,
            staff.c.name.label("staff_name"),
        )
        .select_from(conversations)
        .outerjoin(customers, customers.c.id == conversations.c.customer_id)
        .outerjoin(staff, staff.c.id == conversations.c.owner_staff_id)
    )


def _entry(row: Row[Any]) -> QueueEntry:
    return QueueEntry(
        id=row.id,
        customer_id=row.customer_id,
        customer=row.customer_name,
        channel=Channel(row.channel),
        owner=Owner(row.owner),
        staff_name=row.staff_name,
        staff_id=row.owner_staff_id,
        waiting_since=row.waiting_since,
        last_message_at=row.last_message_at,
        last_text=row.text or "",
        last_sender=Sender(row.sender) if row.sender else None,
        open=row.open,
    )


def talk(connection: Connection, conversation_id: int) -> Talk | None:
    """One conversation with its newest episode."""
    newest = (
        select(func.max(episodes.c.id))
        .where(episodes.c.conversation_id == conversation_id)
        .scalar_subquery()
    )
    query = (
        _named(
            conversations,
            episodes.c.id.label("episode_id"),
            episodes.c.closed_at.label("episode_closed_at"),
        )
        .outerjoin(episodes, episodes.c.id == newest)
        .where(conversations.c.id == conversation_id)
    )
    row = connection.execute(query).first()
    return _talk(row) if row else None


def _talk(row: Row[Any]) -> Talk:
    return Talk(
        id=row.id,
        customer_id=row.customer_id,
        customer=row.customer_name,
        erased=row.erased_at is not None,
        channel=contact_channel(row.channel),
        owner=Owner(row.owner),
        staff_id=row.owner_staff_id,
        staff_name=row.staff_name,
        version=row.version,
        language=row.language,
        waiting_since=row.waiting_since,
        open=row.open,
        episode_id=row.episode_id,
        episode_closed_at=row.episode_closed_at,
    )


def thread(connection: Connection, conversation_id: int) -> list[Line]:
    """The newest messages and events, oldest first."""
    said = connection.execute(
        select(messages, staff.c.name.label("staff_name"))
        .outerjoin(staff, staff.c.id == messages.c.staff_id)
        .where(messages.c.conversation_id == conversation_id)
        .order_by(messages.c.id.desc())
        .limit(THREAD_LIMIT)
    )
    happened = connection.execute(
        select(conversation_events)
        .where(
            conversation_events.c.conversation_id == conversation_id,
            conversation_events.c.kind.in_(TELLING_EVENTS),
        )
        .order_by(conversation_events.c.id.desc())
        .limit(THREAD_LIMIT)
    )
    names = {
        f"staff:{row.id}": row.name
        for row in connection.execute(select(staff.c.id, staff.c.name))
    }
    lines = [_message(row) for row in said]
    lines += [_event(row, names) for row in happened]
    return sorted(lines, key=lambda line: (line.at, line.sender is None, line.id))


def _message(row: Row[Any]) -> Line:
    return Line(
        id=row.id,
        at=row.created_at,
        sender=Sender(row.sender),
        staff_name=row.staff_name,
        text=row.text,
        labels=tuple(button["label"] for button in row.buttons),
        state=MessageState(row.state),
        reason=row.reason,
        event=None,
    )


def _event(row: Row[Any], names: dict[str, str]) -> Line:
    return Line(
        id=row.id,
        at=row.at,
        sender=None,
        staff_name=names.get(row.actor),
        text="",
        labels=(),
        state=None,
        reason=None,
        event=row.kind,
    )


def card(connection: Connection, customer_id: int) -> Card | None:
    """What is known of one customer; of the survivor, where this one was merged."""
    customer_id = survivor_of(connection, customer_id)
    row = connection.execute(
        select(customers).where(customers.c.id == customer_id)
    ).first()
    if row is None:
        return None
    known = connection.execute(
        select(identities.c.kind, identities.c.typed)
        .where(identities.c.customer_id == customer_id)
        .order_by(identities.c.place, identities.c.id)
    )
    bought = and_(orders.c.customer_id == customer_id, orders.c.kind == OrderKind.SALE)
    return Card(
        id=row.id,
        name=row.name,
        language=row.language,
        city=row.city,
        country=row.country,
        since=row.created_at,
        identities=tuple((kind, typed) for kind, typed in known),
        segment=_segment(connection, customer_id),
        orders_count=connection.scalar(select(func.count()).where(bought)) or 0,
        orders=_orders(connection, customer_id),
        scores=_scores(connection, customer_id),
        mailings=_mailings(connection, customer_id),
        aliases=_aliases(connection, customer_id, row.name),
    )


def _aliases(
    connection: Connection, customer_id: int, name: str | None
) -> tuple[str, ...]:
    query = (
        select(customers.c.name)
        .where(customers.c.alias_of == customer_id, customers.c.name.is_not(None))
        .distinct()
        .order_by(customers.c.name)
    )
    return tuple(each for each in connection.scalars(query) if each != name)


def _segment(connection: Connection, customer_id: int) -> str | None:
    return connection.scalar(
        select(segments.c.name)
        .join(memberships, memberships.c.segment_id == segments.c.id)
        .where(memberships.c.customer_id == customer_id)
        .order_by(memberships.c.model_run_id.desc())
        .limit(1)
    )


def _orders(connection: Connection, customer_id: int) -> tuple[OrderLine, ...]:
    rows = connection.execute(
        select(orders)
        .where(orders.c.customer_id == customer_id)
        .order_by(orders.c.ordered_at.desc())
        .limit(5)
    )
    return tuple(
        OrderLine(
            row.ordered_at,
            OrderKind(row.kind),
            row.total_minor,
            row.currency,
            row.external_id,
        )
        for row in rows
    )


def _scores(connection: Connection, customer_id: int) -> tuple[Score, ...]:
    rows = connection.execute(
        select(feedback)
        .where(feedback.c.customer_id == customer_id, feedback.c.score.is_not(None))
        .order_by(feedback.c.answered_at.desc())
        .limit(5)
    )
    return tuple(
        Score(row.answered_at, row.score, row.issue, row.comment) for row in rows
    )


def _mailings(connection: Connection, customer_id: int) -> tuple[Mailing, ...]:
    at = func.coalesce(deliveries.c.ended_at, deliveries.c.planned_at)
    rows = connection.execute(
        select(deliveries, campaign_runs.c.campaign_key)
        .join(campaign_runs, campaign_runs.c.id == deliveries.c.campaign_run_id)
        .where(deliveries.c.customer_id.in_(one_person(customer_id)))
        .order_by(at.desc())
        .limit(5)
    )
    return tuple(
        Mailing(
            row.campaign_key,
            row.campaign_run_id,
            row.state,
            row.reason,
            row.ended_at or row.planned_at,
        )
        for row in rows
    )
