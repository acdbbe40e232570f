"""Customers, what identifies them, what they agreed to, who they are one with."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from storage.dialect import Id, Json
from storage.schema.columns import (
    id_column,
    json_column,
    long_text,
    metadata,
    moment,
    reference,
    word,
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
    Column("postcode", String(16)),
    Column("country", String(64)),
    Column("income_minor", Id),
    Column("income_currency", String(3)),
    json_column("preferences"),
    json_column("attributes"),
    # Per field: who set its value, and how much that counts against a later one.
    json_column("provenance", server_default="{}"),
    reference("sources", required=False),
    reference("imports", required=False),
    moment("created_at"),
    moment("updated_at"),
    moment("erased_at", required=False),
    Index("ix_customers_import", "import_id"),
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
    # Of several addresses of one kind the lowest is written to first.
    Column("place", Integer, nullable=False, default=0, server_default="0"),
    reference("imports", required=False),
    moment("created_at"),
    UniqueConstraint("kind", "value"),
    Index("ix_identities_customer", "customer_id", "kind"),
)

# An address that a source gave for one customer while it is another's: the two may
# be one person.
identity_claims = Table(
    "identity_claims",
    metadata,
    id_column(),
    reference("customers"),
    word("kind"),
    Column("value", String(320), nullable=False),
    long_text("typed", required=True),
    reference("imports", required=False),
    moment("created_at"),
    UniqueConstraint("customer_id", "kind", "value"),
    Index("ix_identity_claims_value", "kind", "value"),
)

# What a file says that a customer bought, for where there are no orders.
supplied_figures = Table(
    "supplied_figures",
    metadata,
    id_column(),
    reference("customers"),
    reference("sources"),
    reference("imports", required=False),
    Column("purchase_count", Integer),
    Column("purchase_days", Integer),
    Column("average_price_minor", Id),
    Column("currency", String(3)),
    moment("as_of"),
    UniqueConstraint("customer_id", "source_id"),
)

# Two customers who may be one person, and what was decided about them.
match_candidates = Table(
    "match_candidates",
    metadata,
    id_column(),
    Column("low_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("high_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("probability_ratio", Float, nullable=False),
    # Each comparison with its words and its weight in bits.
    Column("evidence", Json, nullable=False),
    word("state"),
    Column("decided_by", String(64)),
    moment("decided_at", required=False),
    moment("found_at"),
    UniqueConstraint("low_id", "high_id"),
    CheckConstraint("low_id < high_id", name="ordered_pair"),
    Index("ix_match_candidates_state", "state", "probability_ratio"),
    Index("ix_match_candidates_high", "high_id"),
)

# One merge, with what is needed to take it back.
merges = Table(
    "merges",
    metadata,
    id_column(),
    Column("survivor_id", Id, ForeignKey("customers.id"), nullable=False),
    Column("merged_id", Id, ForeignKey("customers.id"), nullable=False),
    word("method"),
    Column("probability_ratio", Float),
    long_text("reason"),
    # What was moved, dropped and overwritten, by table.
    json_column("moved"),
    Column("actor", String(64), nullable=False),
    moment("at"),
    moment("undone_at", required=False),
    Index("ix_merges_survivor", "survivor_id"),
    Index("ix_merges_merged", "merged_id"),
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
    reference("imports", required=False),
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
    # Whose record it is: who is erased takes the values along.
    reference("customers", required=False),
    word("field"),
    long_text("before"),
    long_text("after"),
    word("rule"),
    reference("imports", required=False),
    moment("at"),
    Index("ix_corrections_record", "kind", "record_id"),
    Index("ix_corrections_rule", "rule", "at"),
    Index("ix_corrections_customer", "customer_id"),
)
