"""Model runs with their results."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
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

model_runs = Table(
    "model_runs",
    metadata,
    id_column(),
    word("kind"),
    word("name"),
    # Results count from the moment the run is complete.
    Column("complete", Boolean, nullable=False, default=False),
    moment("window_start", required=False),
    moment("window_end", required=False),
    json_column("parameters"),
    json_column("metrics"),
    json_column("baseline"),
    Column("rows", Integer, nullable=False, default=0),
    Column("artefact_hash", String(64)),
    long_text("reason"),
    moment("created_at"),
    Index("ix_model_runs_newest", "kind", "name", "complete", "id"),
)

customer_features = Table(
    "customer_features",
    metadata,
    Column("model_run_id", Id, ForeignKey("model_runs.id"), primary_key=True),
    Column("customer_id", Id, ForeignKey("customers.id"), primary_key=True),
    json_column("features"),
    Index("ix_customer_features_customer", "customer_id"),
    sqlite_with_rowid=False,
)

segments = Table(
    "segments",
    metadata,
    id_column(),
    reference("model_runs"),
    word("key"),
    long_text("name", required=True),
    long_text("rule"),
    Column("size", Integer, nullable=False),
    json_column("profile"),
    UniqueConstraint("model_run_id", "key"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("model_run_id", Id, ForeignKey("model_runs.id"), primary_key=True),
    Column("customer_id", Id, ForeignKey("customers.id"), primary_key=True),
    reference("segments"),
    Index("ix_memberships_customer", "customer_id"),
    sqlite_with_rowid=False,
)

rules = Table(
    "rules",
    metadata,
    id_column(),
    reference("model_runs"),
    Column("antecedent", Json, nullable=False),
    Column("consequent", Json, nullable=False),
    Column("support_ratio", Float, nullable=False),
    Column("confidence_ratio", Float, nullable=False),
    Column("lift", Float, nullable=False),
    Column("leverage", Float, nullable=False),
    Column("baskets_count", Integer, nullable=False),
    Index("ix_rules_run", "model_run_id"),
)

recommendations = Table(
    "recommendations",
    metadata,
    Column("model_run_id", Id, ForeignKey("model_runs.id"), primary_key=True),
    Column("customer_id", Id, ForeignKey("customers.id"), primary_key=True),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    reference("products"),
    Column("score", Float, nullable=False),
    word("method"),
    word("reason"),
    Column("reason_product_id", Id, ForeignKey("products.id")),
    Column("reason_share_ratio", Float),
    Index("ix_recommendations_customer", "customer_id"),
    sqlite_with_rowid=False,
)
