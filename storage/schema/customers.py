"""Customers, what identifies them, what they agreed to, and how they came."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from storage.dialect import Id
from storage.schema.columns import (
    id_column,
    json_column,
    long_text,
    metadata,
    moment,
    reference,
    word,
)

sources = Table(
    "sources",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False, unique=True),
)

imports = Table(
    "imports",
    metadata,
    id_column(),
    reference("sources"),
    word("kind"),
    long_text("file_name", required=True),
    Column("file_hash", String(64), nullable=False),
    Column("mapping_hash", String(64), nullable=False),
    word("state"),
    Column("rows_read", Integer, nullable=False, default=0),
    Column("rows_accepted", Integer, nullable=False, default=0),
    Column("rows_corrected", Integer, nullable=False, default=0),
    Column("rows_rejected", Integer, nullable=False, default=0),
    json_column("reasons"),
    moment("started_at"),
    moment("completed_at", required=False),
    UniqueConstraint("source_id", "kind", "file_hash", "mapping_hash"),
)

customers = Table(
    "customers",
    metadata,
    id_column(),
    Column("alias_of", Id, ForeignKey("customers.id"), index=True),
    long_text("name"),
    Column("language", String(16)),
    Column("gender", String(16)),
    Column("birth_date", Date),
    long_text("address"),
    long_text("city"),
    Column("country", String(64)),
    Column("income_minor", Id),
    Column("income_currency", String(3)),
    json_column("preferences"),
    json_column("attributes"),
    reference("sources", required=False),
    moment("created_at"),
    moment("updated_at"),
)

identities = Table(
    "identities",
    metadata,
    id_column(),
    reference("customers"),
    word("kind"),
    Column("value", String(320), nullable=False),
    long_text("typed", required=True),
    moment("verified_at", required=False),
    # Why the channel is switched off for this address; null means reachable.
    word("unreachable_reason", required=False),
    moment("created_at"),
    UniqueConstraint("kind", "value"),
    Index("ix_identities_customer", "customer_id", "kind"),
)

consents = Table(
    "consents",
    metadata,
    id_column(),
    reference("customers"),
    word("channel"),
    word("topic"),
    word("state"),
    word("source"),
    long_text("proof"),
    moment("at"),
    Index("ix_consents_newest", "customer_id", "channel", "topic", "id"),
)

suppressions = Table(
    "suppressions",
    metadata,
    id_column(),
    word("channel"),
    # HMAC of the address under the installation's key: it survives erasure.
    Column("address_hmac", String(64), nullable=False),
    word("reason"),
    moment("at"),
    UniqueConstraint("channel", "address_hmac"),
)

corrections = Table(
    "corrections",
    metadata,
    id_column(),
    word("kind"),
    Column("record_id", Id, nullable=False),
    word("field"),
    long_text("before"),
    long_text("after"),
    word("rule"),
    reference("imports", required=False),
    moment("at"),
    Index("ix_corrections_record", "kind", "record_id"),
)
