"""Content as versions, runs of campaigns, and their deliveries."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, UniqueConstraint

from storage.schema.columns import (
    id_column,
    json_column,
    long_text,
    metadata,
    moment,
    reference,
    word,
)

content_versions = Table(
    "content_versions",
    metadata,
    id_column(),
    word("kind"),
    word("key"),
    Column("version", Integer, nullable=False),
    json_column("files"),
    Column("content_hash", String(64), nullable=False),
    Column("author", String(64), nullable=False),
    moment("created_at"),
    UniqueConstraint("kind", "key", "version"),
)

campaign_runs = Table(
    "campaign_runs",
    metadata,
    id_column(),
    word("campaign_key"),
    reference("content_versions"),
    Column("content_hash", String(64), nullable=False),
    word("state"),
    long_text("state_reason"),
    word("topic"),
    word("on_uncertain"),
    moment("scheduled_for"),
    moment("planned_at", required=False),
    moment("finished_at", required=False),
    moment("expires_at", required=False),
    moment("created_at"),
    UniqueConstraint("campaign_key", "scheduled_for"),
    Index("ix_campaign_runs_state", "state"),
)

deliveries = Table(
    "deliveries",
    metadata,
    id_column(),
    reference("campaign_runs"),
    reference("customers"),
    word("channel"),
    Column("step", Integer, nullable=False, default=1),
    word("variant", required=False),
    word("segment", required=False),
    word("state"),
    word("reason", required=False),
    # What the message needs beyond the customer: items with their reasons.
    json_column("content"),
    Column("message_id", String(128), unique=True),
    Column("claimed_by", String(64)),
    Column("fence", Integer),
    moment("lease_until", required=False),
    Column("attempts", Integer, nullable=False, default=0),
    moment("due_at", required=False),
    moment("planned_at"),
    moment("ended_at", required=False),
    UniqueConstraint("campaign_run_id", "customer_id", "channel", "step"),
    Index("ix_deliveries_run_state", "campaign_run_id", "state", "reason"),
    Index("ix_deliveries_customer", "customer_id", "ended_at"),
    Index("ix_deliveries_claimed", "claimed_by", "state"),
    Index("ix_deliveries_due", "state", "due_at"),
)

delivery_events = Table(
    "delivery_events",
    metadata,
    id_column(),
    reference("deliveries"),
    word("kind"),
    long_text("detail"),
    moment("at"),
    Index("ix_delivery_events_delivery", "delivery_id"),
)
