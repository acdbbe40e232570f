"""What a customer decides by a link in a message: topics, and who may write at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, union

from core.model import Channel, ConsentState, DeliveryState
from storage import customers
from storage.customers import ALL_TOPICS
from storage.deliveries import Delivery
from storage.schema import campaign_runs, consents, deliveries, delivery_events
from storage.schema import customers as people

UNSUBSCRIBED = "unsubscribed"
SOURCE = "link"


@dataclass(frozen=True, slots=True)
class Link:
    """The message that a link stood in."""

    delivery: Delivery
    topic: str
    at: datetime


def link(connection: Connection, delivery_id: int) -> Link | None:
    """The message that a signed link belongs to, or None if it is gone.

    Who was merged since acts as the survivor; who was erased has no message any more.
    """
    row = connection.execute(
        select(deliveries, campaign_runs.c.topic)
        .join(campaign_runs, campaign_runs.c.id == deliveries.c.campaign_run_id)
        .join(people, people.c.id == deliveries.c.customer_id)
        .where(deliveries.c.id == delivery_id, people.c.erased_at.is_(None))
    ).first()
    if row is None:
        return None
    fields: dict[str, Any] = {name: getattr(row, name) for name in Delivery.__slots__}
    fields["customer_id"] = customers.survivor_of(connection, row.customer_id)
    fields["channel"] = Channel(row.channel)
    fields["state"] = DeliveryState(row.state)
    return Link(Delivery(**fields), row.topic, row.ended_at or row.planned_at)


def unsubscribe(connection: Connection, found: Link, now: datetime) -> None:
    """No more messages about this topic on this channel; twice is as once."""
    customer_id, channel = found.delivery.customer_id, found.delivery.channel
    if not customers.has_consent(connection, customer_id, channel, found.topic):
        return
    _withdraw(connection, found, found.topic, now)
    connection.execute(
        insert(delivery_events).values(
            delivery_id=found.delivery.id, kind=UNSUBSCRIBED, at=now
        )
    )


def topics(connection: Connection, found: Link) -> dict[str, bool]:
    """Every topic that concerns this customer on this channel, and their answer."""
    customer_id, channel = found.delivery.customer_id, found.delivery.channel
    asked = select(consents.c.topic).where(
        consents.c.customer_id == customer_id, consents.c.channel == channel
    )
    got = (
        select(campaign_runs.c.topic)
        .join(deliveries, deliveries.c.campaign_run_id == campaign_runs.c.id)
        .where(deliveries.c.customer_id.in_(customers.one_person(customer_id)))
    )
    known = {found.topic, *connection.scalars(union(asked, got))} - {ALL_TOPICS}
    return {
        topic: customers.has_consent(connection, customer_id, channel, topic)
        for topic in sorted(known)
    }


def choose_topics(
    connection: Connection, found: Link, wanted: Collection[str], now: datetime
) -> None:
    """Grant what is wanted and withdraw the rest; what is so already stays."""
    for topic, granted in topics(connection, found).items():
        if granted and topic not in wanted:
            _withdraw(connection, found, topic, now)
        elif not granted and topic in wanted:
            _record(connection, found, topic, ConsentState.GRANTED, now)


def _withdraw(connection: Connection, found: Link, topic: str, now: datetime) -> None:
    _record(connection, found, topic, ConsentState.WITHDRAWN, now)


def _record(
    connection: Connection, found: Link, topic: str, state: ConsentState, now: datetime
) -> None:
    customers.record_consent(
        connection,
        found.delivery.customer_id,
        found.delivery.channel,
        topic,
        state,
        SOURCE,
        now,
        f"delivery {found.delivery.id}",
    )
