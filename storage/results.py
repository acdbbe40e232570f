"""Read models of the campaign pages: what went to whom, run by run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from core.model import Channel, DeliveryState
from storage.runs import Run, newest
from storage.schema import (
    campaign_runs,
    content_versions,
    customers,
    deliveries,
    identities,
    segments,
)
from storage.versions import ContentKind


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One campaign in the list, with its newest run."""

    key: str
    version: int
    changed_at: datetime
    runs_count: int
    newest_run: Run | None
    accepted_count: int


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version in a campaign's history."""

    id: int
    version: int
    author: str
    created_at: datetime
    content_hash: str


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which rows of a run are wanted."""

    state: DeliveryState | None = None
    reason: str | None = None
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One row of a run, as a person reads it."""

    id: int
    customer_id: int
    customer: str
    address: str | None
    channel: Channel
    segment: str | None
    state: DeliveryState
    reason: str | None
    message_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ChannelCount:
    """How many rows of a run stand in one state on one channel."""

    channel: Channel
    state: DeliveryState
    count: int


def campaigns(connection: Connection) -> list[CampaignRow]:
    """Every campaign that has a version, by key."""
    rows = connection.execute(
        select(
            content_versions.c.key,
            func.max(content_versions.c.version).label("version"),
            func.max(content_versions.c.created_at).label("changed_at"),
        )
        .where(content_versions.c.kind == ContentKind.CAMPAIGN)
        .group_by(content_versions.c.key)
        .order_by(content_versions.c.key)
    )
    return [_campaign(connection, row) for row in rows]


def _campaign(connection: Connection, row: Any) -> CampaignRow:
    own = campaign_runs.c.campaign_key == row.key
    accepted = (
        select(func.count())
        .select_from(deliveries)
        .join(campaign_runs, campaign_runs.c.id == deliveries.c.campaign_run_id)
        .where(own, deliveries.c.state == DeliveryState.ACCEPTED)
    )
    runs = newest(connection, row.key, limit=1)
    return CampaignRow(
        key=row.key,
        version=row.version,
        changed_at=row.changed_at,
        runs_count=connection.scalar(select(func.count()).where(own)) or 0,
        newest_run=runs[0] if runs else None,
        accepted_count=connection.scalar(accepted) or 0,
    )


def versions(connection: Connection, key: str) -> list[VersionRow]:
    """The history of one campaign, newest first."""
    rows = connection.execute(
        select(content_versions)
        .where(
            content_versions.c.kind == ContentKind.CAMPAIGN,
            content_versions.c.key == key,
        )
        .order_by(content_versions.c.version.desc())
        .limit(50)
    )
    return [
        VersionRow(row.id, row.version, row.author, row.created_at, row.content_hash)
        for row in rows
    ]


def channel_counts(connection: Connection, run_id: int) -> list[ChannelCount]:
    """Rows of a run by channel and state."""
    rows = connection.execute(
        select(deliveries.c.channel, deliveries.c.state, func.count())
        .where(deliveries.c.campaign_run_id == run_id)
        .group_by(deliveries.c.channel, deliveries.c.state)
        .order_by(deliveries.c.channel, deliveries.c.state)
    )
    return [
        ChannelCount(Channel(channel), DeliveryState(state), count)
        for channel, state, count in rows
    ]


def delivery_rows(
    connection: Connection,
    run_id: int,
    wanted: DeliveryFilter,
    limit: int,
    offset: int,
) -> tuple[int, list[DeliveryRow]]:
    """How many rows match, and one page of them in the order of planning."""
    conditions: list[Any] = [deliveries.c.campaign_run_id == run_id]
    for column, value in (
        (deliveries.c.state, wanted.state),
        (deliveries.c.reason, wanted.reason),
        (deliveries.c.channel, wanted.channel),
    ):
        if value is not None:
            conditions.append(column == value)
    total = connection.scalar(select(func.count()).where(*conditions)) or 0
    address = (
        select(identities.c.typed)
        .where(
            identities.c.customer_id
            == func.coalesce(customers.c.alias_of, customers.c.id),
            identities.c.kind == deliveries.c.channel,
        )
        .order_by(identities.c.place, identities.c.id)
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(
            deliveries,
            customers.c.name.label("customer_name"),
            address.label("address"),
        )
        .join(customers, customers.c.id == deliveries.c.customer_id)
        .where(*conditions)
        .order_by(deliveries.c.id)
        .limit(limit)
        .offset(offset)
    )
    return total, [_delivery(row) for row in rows]


def _delivery(row: Any) -> DeliveryRow:
    return DeliveryRow(
        id=row.id,
        customer_id=row.customer_id,
        customer=row.customer_name or f"#{row.customer_id}",
        address=row.address,
        channel=Channel(row.channel),
        segment=row.segment,
        state=DeliveryState(row.state),
        reason=row.reason,
        message_id=row.message_id,
        at=row.ended_at or row.planned_at,
    )


def segment_names(connection: Connection) -> dict[str, str]:
    """The newest name of each segment key."""
    rows = connection.execute(
        select(segments.c.key, segments.c.name).order_by(segments.c.id)
    )
    return {row.key: row.name for row in rows}
