"""What the decision must know of customers, read in chunks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from core.model import Channel, ConsentState, DeliveryState, IdentityKind, Owner
from storage import installation
from storage.customers import ALL_TOPICS
from storage.dialect import json_keys
from storage.schema import (
    campaign_runs,
    consents,
    conversations,
    customer_features,
    customers,
    deliveries,
    episodes,
    feedback,
    identities,
    memberships,
    model_runs,
    segments,
    suppressions,
)

# States in which a message has reached, or may still reach, the customer.
_PRESSURE_STATES = (
    DeliveryState.PLANNED,
    DeliveryState.CLAIMED,
    DeliveryState.SENDING,
    DeliveryState.DEFERRED,
    DeliveryState.ACCEPTED,
    DeliveryState.UNCERTAIN,
)
_NO_PRESSURE_STATES = tuple(set(DeliveryState) - set(_PRESSURE_STATES))
LOW_SCORE_MAX = 2


@dataclass(frozen=True, slots=True)
class Address:
    """A place to reach a customer on one channel."""

    value: str
    unreachable_reason: str | None
    suppressed: bool


@dataclass(frozen=True, slots=True)
class Asking:
    """For which run the candidates are read, and how far back pressure counts."""

    campaign_run_id: int
    campaign_key: str
    topic: str
    cap_since: datetime
    # Messages of the same campaign count from here; None where it has no such cap.
    campaign_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One customer as the decision sees them."""

    customer_id: int
    name: str | None
    language: str | None
    city: str | None
    country: str | None
    segment: str | None
    segment_name: str | None
    features: dict[str, Any]
    attributes: dict[str, Any]
    addresses: dict[Channel, Address] = field(default_factory=dict)
    consented: frozenset[Channel] = frozenset()
    messages_in_cap_window: int = 0
    messages_of_campaign: int = 0
    has_open_conversation: bool = False
    last_low_score_at: datetime | None = None
    gender: str | None = None
    birth_date: date | None = None
    address: str | None = None
    postcode: str | None = None
    phone: str | None = None
    preferences: dict[str, Any] = field(default_factory=dict)


def customer_ids(
    connection: Connection, segment: str | None, after_id: int, limit: int
) -> list[int]:
    """The next ids of an audience, ascending; without a segment, of everybody."""
    query = select(customers.c.id).where(
        customers.c.alias_of.is_(None),
        customers.c.erased_at.is_(None),
        customers.c.id > after_id,
    )
    if segment is not None:
        query = (
            query.join(memberships, memberships.c.customer_id == customers.c.id)
            .join(segments, segments.c.id == memberships.c.segment_id)
            .where(
                segments.c.key == segment,
                memberships.c.model_run_id.in_(_current_runs("segments")),
            )
            .distinct()
        )
    return list(connection.scalars(query.order_by(customers.c.id).limit(limit)))


def in_segment(segment: str) -> Select[tuple[int]]:
    """The ids of a segment's members, as a query."""
    return (
        select(memberships.c.customer_id)
        .join(segments, segments.c.id == memberships.c.segment_id)
        .where(
            segments.c.key == segment,
            memberships.c.model_run_id.in_(_current_runs("segments")),
        )
    )


def has_segment(connection: Connection, segment: str) -> bool:
    """Whether any current segmentation knows the segment."""
    return segment in segment_keys(connection)


def segment_keys(connection: Connection) -> list[str]:
    """The keys of all current segments."""
    return list(
        connection.scalars(
            select(segments.c.key)
            .where(segments.c.model_run_id.in_(_current_runs("segments")))
            .order_by(segments.c.key)
        )
    )


def candidates(
    connection: Connection, ids: Sequence[int], asking: Asking
) -> list[Candidate]:
    """The customers with these ids, in this order, with all that decides.

    Who was merged into another, or erased, is left out.
    """
    addresses = _addresses(connection, ids)
    consented = _consented(connection, ids, asking.topic)
    pressure = _pressure(connection, ids, asking.cap_since, asking)
    own_pressure: dict[int, int] = {}
    if asking.campaign_since is not None:
        same_campaign = campaign_runs.c.campaign_key == asking.campaign_key
        own_pressure = _pressure(
            connection, ids, asking.campaign_since, asking, same_campaign
        )
    in_conversation = _open_conversations(connection, ids)
    low_scores = _low_scores(connection, ids)
    phones = _phones(connection, ids)
    found = {
        row.id: Candidate(
            customer_id=row.id,
            name=row.name,
            language=row.language,
            city=row.city,
            country=row.country,
            segment=row.segment,
            segment_name=row.segment_name,
            features=row.features or {},
            attributes=row.attributes,
            addresses=addresses.get(row.id, {}),
            consented=frozenset(consented.get(row.id, ())),
            messages_in_cap_window=pressure.get(row.id, 0),
            messages_of_campaign=own_pressure.get(row.id, 0),
            has_open_conversation=row.id in in_conversation,
            last_low_score_at=low_scores.get(row.id),
            gender=row.gender,
            birth_date=row.birth_date,
            address=row.address,
            postcode=row.postcode,
            phone=phones.get(row.id),
            preferences=row.preferences,
        )
        for row in connection.execute(_profile_query(ids))
    }
    return [found[customer_id] for customer_id in ids if customer_id in found]


def erased(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those who asked to be forgotten."""
    query = select(customers.c.id).where(customers.c.id.in_(ids))
    return set(connection.scalars(query.where(customers.c.erased_at.is_not(None))))


def _current_runs(kind: str) -> Any:
    """Ids of the newest complete model run of each name."""
    return (
        select(func.max(model_runs.c.id))
        .where(model_runs.c.kind == kind, model_runs.c.complete.is_(True))
        .group_by(model_runs.c.name)
    )


def _profile_query(ids: Sequence[int]) -> Any:
    # By name, not by id: the same one before and after each analysis.
    first_segmentation = (
        select(model_runs.c.id)
        .where(model_runs.c.id.in_(_current_runs("segments")))
        .order_by(model_runs.c.name)
        .limit(1)
        .scalar_subquery()
    )
    member = and_(
        memberships.c.customer_id == customers.c.id,
        memberships.c.model_run_id == first_segmentation,
    )
    has_features = and_(
        customer_features.c.customer_id == customers.c.id,
        customer_features.c.model_run_id.in_(_current_runs("features")),
    )
    return (
        select(
            customers.c.id,
            customers.c.name,
            customers.c.language,
            customers.c.city,
            customers.c.country,
            customers.c.gender,
            customers.c.birth_date,
            customers.c.address,
            customers.c.postcode,
            customers.c.preferences,
            customers.c.attributes,
            segments.c.key.label("segment"),
            segments.c.name.label("segment_name"),
            customer_features.c.features,
        )
        .select_from(customers)
        .outerjoin(memberships, member)
        .outerjoin(segments, segments.c.id == memberships.c.segment_id)
        .outerjoin(customer_features, has_features)
        .where(
            customers.c.id.in_(ids),
            customers.c.alias_of.is_(None),
            customers.c.erased_at.is_(None),
        )
    )


def _addresses(
    connection: Connection, ids: Sequence[int]
) -> dict[int, dict[Channel, Address]]:
    rows = connection.execute(
        select(identities)
        .where(
            identities.c.customer_id.in_(ids),
            identities.c.kind.in_([channel.value for channel in Channel]),
        )
        .order_by(identities.c.place, identities.c.id)
    ).all()
    key = installation.key(connection, "address") if rows else b""
    digests = {row.id: installation.address_hmac(key, row.value) for row in rows}
    suppressed = {
        (row.channel, row.address_hmac)
        for row in connection.execute(
            select(suppressions.c.channel, suppressions.c.address_hmac).where(
                # The index begins with the channel.
                suppressions.c.channel.in_(tuple(Channel)),
                suppressions.c.address_hmac.in_(list(digests.values())),
            )
        )
    }
    found: dict[int, dict[Channel, Address]] = {}
    for row in rows:
        address = Address(
            row.value,
            row.unreachable_reason,
            (row.kind, digests[row.id]) in suppressed,
        )
        channels = found.setdefault(row.customer_id, {})
        current = channels.get(Channel(row.kind))
        # The first address that can be used; else the first of all, for its reason.
        if current is None or (not _usable(current) and _usable(address)):
            channels[Channel(row.kind)] = address
    return found


def _phones(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """The first telephone of each, as it was typed."""
    rows = connection.execute(
        select(identities.c.customer_id, identities.c.typed)
        .where(
            identities.c.customer_id.in_(ids),
            identities.c.kind == IdentityKind.PHONE,
        )
        .order_by(identities.c.place.desc(), identities.c.id.desc())
    )
    return {row.customer_id: row.typed for row in rows}


def _usable(address: Address) -> bool:
    return not address.suppressed and address.unreachable_reason is None


def _consented(
    connection: Connection, ids: Sequence[int], topic: str
) -> dict[int, set[Channel]]:
    newest = (
        select(func.max(consents.c.id))
        .where(
            consents.c.customer_id.in_(ids),
            consents.c.topic.in_((topic, ALL_TOPICS)),
        )
        .group_by(consents.c.customer_id, consents.c.channel)
    )
    granted: dict[int, set[Channel]] = {}
    for customer_id, channel in connection.execute(
        select(consents.c.customer_id, consents.c.channel).where(
            consents.c.id.in_(newest), consents.c.state == ConsentState.GRANTED
        )
    ):
        granted.setdefault(customer_id, set()).add(Channel(channel))
    return granted


def _pressure(
    connection: Connection,
    ids: Sequence[int],
    since: datetime,
    asking: Asking,
    condition: Any = None,
) -> dict[int, int]:
    """Messages of other runs that reached, or may reach, each customer."""
    moment = func.coalesce(deliveries.c.ended_at, deliveries.c.planned_at)
    # What the customer got under a name from before a merge was got all the same.
    survivor_of = {each: each for each in ids} | _aliases(connection, ids)
    query = (
        select(deliveries.c.customer_id, func.count().label("messages"))
        .where(
            deliveries.c.customer_id.in_(survivor_of),
            deliveries.c.campaign_run_id != asking.campaign_run_id,
            # Told as exclusion: SQLite would else read all rows in these states
            # instead of those of the customers.
            deliveries.c.state.not_in(_NO_PRESSURE_STATES),
            moment >= since,
        )
        .group_by(deliveries.c.customer_id)
    )
    if condition is not None:
        query = query.join(
            campaign_runs, campaign_runs.c.id == deliveries.c.campaign_run_id
        ).where(condition)
    found: Counter[int] = Counter()
    for row in connection.execute(query):
        found[survivor_of[row.customer_id]] += row.messages
    return found


def _aliases(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Those merged into these customers, each with the survivor."""
    query = select(customers.c.id, customers.c.alias_of)
    rows = connection.execute(query.where(customers.c.alias_of.in_(ids)))
    return {row.id: row.alias_of for row in rows}


def _open_conversations(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Customers who wait for a person, or speak with one or with the bot."""
    return set(
        connection.scalars(
            select(conversations.c.customer_id)
            .outerjoin(
                episodes,
                and_(
                    episodes.c.conversation_id == conversations.c.id,
                    episodes.c.closed_at.is_(None),
                    # Of a ticket in a file, nobody tells us that it was closed.
                    episodes.c.source_id.is_(None),
                ),
            )
            .where(
                conversations.c.customer_id.in_(ids),
                or_(conversations.c.owner != Owner.BOT, episodes.c.id.is_not(None)),
            )
        )
    )


def _low_scores(connection: Connection, ids: Sequence[int]) -> dict[int, datetime]:
    rows = connection.execute(
        select(feedback.c.customer_id, func.max(feedback.c.answered_at).label("at"))
        .where(
            feedback.c.customer_id.in_(ids),
            feedback.c.score <= LOW_SCORE_MAX,
            feedback.c.answered_at.is_not(None),
        )
        .group_by(feedback.c.customer_id)
    )
    return {row.customer_id: row.at for row in rows}


def open_names(connection: Connection) -> dict[str, set[str]]:
    """The names of all attributes and preferences that any customer has."""
    return {
        column.name: set(connection.scalars(json_keys(connection, column)))
        for column in (customers.c.attributes, customers.c.preferences)
    }
