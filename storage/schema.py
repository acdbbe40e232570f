"""Every table, declared once. Money is integer minor units beside a currency."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.dialect import Id, Json, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[Any]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _at(name: str, *, required: bool = True) -> Column[Any]:
    return Column(name, UtcDateTime, nullable=not required)


def _word(name: str, *, required: bool = True) -> Column[Any]:
    return Column(name, String(64), nullable=not required)


def _text(name: str, *, required: bool = False) -> Column[Any]:
    return Column(name, Text, nullable=not required)


def _json(name: str) -> Column[Any]:
    return Column(name, Json, nullable=False, default=dict)


def _to(target: str, *, required: bool = True, name: str | None = None) -> Column[Any]:
    singular = {"staff": "staff", "deliveries": "delivery"}.get(target, target[:-1])
    return Column(
        name or f"{singular}_id",
        Id,
        ForeignKey(f"{target}.id"),
        nullable=not required,
    )


# --- the installation -------------------------------------------------------------

installation = Table(
    "installation",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# --- customers --------------------------------------------------------------------

sources = Table(
    "sources",
    metadata,
    _id(),
    Column("name", String(64), nullable=False, unique=True),
)

imports = Table(
    "imports",
    metadata,
    _id(),
    _to("sources"),
    _word("kind"),
    _text("file_name", required=True),
    Column("file_hash", String(64), nullable=False),
    Column("mapping_hash", String(64), nullable=False),
    _word("state"),
    Column("rows_read", Integer, nullable=False, default=0),
    Column("rows_accepted", Integer, nullable=False, default=0),
    Column("rows_corrected", Integer, nullable=False, default=0),
    Column("rows_rejected", Integer, nullable=False, default=0),
    _json("reasons"),
    _at("started_at"),
    _at("completed_at", required=False),
    UniqueConstraint("source_id", "kind", "file_hash", "mapping_hash"),
)

customers = Table(
    "customers",
    metadata,
    _id(),
    Column("alias_of", Id, ForeignKey("customers.id"), index=True),
    _text("name"),
    Column("language", String(16)),
    Column("gender", String(16)),
    Column("birth_date", Date),
    _text("address"),
    _text("city"),
    Column("country", String(64)),
    Column("income_minor", Id),
    Column("income_currency", String(3)),
    _json("preferences"),
    _json("attributes"),
    _to("sources", required=False),
    _at("created_at"),
    _at("updated_at"),
)

identities = Table(
    "identities",
    metadata,
    _id(),
    _to("customers"),
    _word("kind"),
    Column("value", String(320), nullable=False),
    _text("typed", required=True),
    _at("verified_at", required=False),
    # Why the channel is switched off for this address; null means reachable.
    _word("unreachable_reason", required=False),
    _at("created_at"),
    UniqueConstraint("kind", "value"),
    Index("ix_identities_customer", "customer_id", "kind"),
)

consents = Table(
    "consents",
    metadata,
    _id(),
    _to("customers"),
    _word("channel"),
    _word("topic"),
    _word("state"),
    _word("source"),
    _text("proof"),
    _at("at"),
    Index("ix_consents_newest", "customer_id", "channel", "topic", "id"),
)

suppressions = Table(
    "suppressions",
    metadata,
    _id(),
    _word("channel"),
    # HMAC of the address under the installation's key: it survives erasure.
    Column("address_hmac", String(64), nullable=False),
    _word("reason"),
    _at("at"),
    UniqueConstraint("channel", "address_hmac"),
)

corrections = Table(
    "corrections",
    metadata,
    _id(),
    _word("kind"),
    Column("record_id", Id, nullable=False),
    _word("field"),
    _text("before"),
    _text("after"),
    _word("rule"),
    _to("imports", required=False),
    _at("at"),
    Index("ix_corrections_record", "kind", "record_id"),
)

# --- products and orders ----------------------------------------------------------

products = Table(
    "products",
    metadata,
    _id(),
    _to("sources"),
    Column("external_id", String(64), nullable=False),
    _text("name", required=True),
    _text("category"),
    Column("price_minor", Id),
    Column("currency", String(3)),
    _text("url"),
    Column("active", Boolean, nullable=False, default=True),
    UniqueConstraint("source_id", "external_id"),
)

orders = Table(
    "orders",
    metadata,
    _id(),
    _to("sources"),
    Column("external_id", String(64), nullable=False),
    _to("customers", required=False),
    _word("kind"),
    _at("ordered_at"),
    Column("total_minor", Id, nullable=False),
    Column("currency", String(3), nullable=False),
    _to("imports", required=False),
    UniqueConstraint("source_id", "external_id"),
    Index("ix_orders_customer", "customer_id", "ordered_at"),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Id, ForeignKey("orders.id"), primary_key=True),
    Column("line_no", Integer, primary_key=True, autoincrement=False),
    _to("products", required=False),
    Column("quantity", Integer, nullable=False),
    Column("amount_minor", Id, nullable=False),
    sqlite_with_rowid=False,
)

# --- service ----------------------------------------------------------------------

inbox = Table(
    "inbox",
    metadata,
    _id(),
    _word("source"),
    Column("external_id", String(128), nullable=False),
    _json("payload"),
    _to("customers", required=False),
    _at("received_at"),
    _at("handled_at", required=False),
    # Why a stored update led to no turn; a person can see and replay it.
    _text("error"),
    UniqueConstraint("source", "external_id"),
    Index("ix_inbox_customer", "customer_id"),
    Index(
        "ix_inbox_unhandled",
        "id",
        sqlite_where=text("handled_at IS NULL"),
        postgresql_where=text("handled_at IS NULL"),
    ),
)

staff = Table(
    "staff",
    metadata,
    _id(),
    Column("email", String(320), nullable=False, unique=True),
    _text("name", required=True),
    _word("role"),
    _text("password_hash", required=True),
    Column("active", Boolean, nullable=False, default=True),
    _at("created_at"),
)

conversations = Table(
    "conversations",
    metadata,
    _id(),
    _to("customers"),
    _word("channel"),
    Column("address", String(320), nullable=False),
    _word("owner"),
    _to("staff", required=False, name="owner_staff_id"),
    # Grows with every change of owner; a writer that read another is refused.
    Column("version", Integer, nullable=False, default=0),
    Column("language", String(16), nullable=False),
    _json("dialogue"),
    Column("open", Boolean, nullable=False, default=True),
    _at("waiting_since", required=False),
    _at("created_at"),
    _at("last_message_at"),
    # A due survey or idle close; the turn's timer reads it.
    _at("due_at", required=False),
    _word("due_event", required=False),
    UniqueConstraint("channel", "address"),
    Index("ix_conversations_customer", "customer_id"),
    CheckConstraint(
        "(owner = 'agent') = (owner_staff_id IS NOT NULL)", name="agent_is_named"
    ),
    Index("ix_conversations_due", "due_at"),
    Index("ix_conversations_recent", "open", "last_message_at"),
)

episodes = Table(
    "episodes",
    metadata,
    _id(),
    _to("conversations"),
    _word("kind"),
    _word("topic", required=False),
    _to("campaign_runs", required=False),
    _at("opened_at"),
    _at("closed_at", required=False),
    _word("ended", required=False),
    Column("reopened", Integer, nullable=False, default=0),
    Index("ix_episodes_conversation", "conversation_id", "opened_at"),
    Index("ix_episodes_closed", "closed_at"),
)

messages = Table(
    "messages",
    metadata,
    _id(),
    _to("conversations"),
    _to("episodes", required=False),
    _word("sender"),
    _to("staff", required=False),
    _text("text", required=True),
    Column("buttons", Json, nullable=False, default=list),
    _word("state"),
    _text("reason"),
    # Replies to one update are numbered: a repeated turn makes no second reply.
    Column("inbox_id", Id, ForeignKey("inbox.id")),
    Column("ordinal", Integer),
    Column("external_id", String(128)),
    _at("created_at"),
    _at("sent_at", required=False),
    UniqueConstraint("inbox_id", "ordinal"),
    Index("ix_messages_episode", "episode_id"),
    Index("ix_messages_conversation", "conversation_id", "id"),
    Index("ix_messages_state", "state", "id"),
)

conversation_events = Table(
    "conversation_events",
    metadata,
    _id(),
    _to("conversations"),
    _to("episodes", required=False),
    _word("kind"),
    Column("actor", String(64), nullable=False),
    _json("data"),
    _at("at"),
    Index("ix_conversation_events_episode", "episode_id", "id"),
)

handling_intervals = Table(
    "handling_intervals",
    metadata,
    _id(),
    _to("episodes"),
    _to("staff"),
    _at("started_at"),
    _at("ended_at", required=False),
    # The last act inside; an interval ends there when the agent falls silent.
    _at("active_at"),
    Index("ix_handling_intervals_episode", "episode_id"),
    Index("ix_handling_intervals_staff", "staff_id", "started_at"),
)

feedback = Table(
    "feedback",
    metadata,
    _id(),
    _to("customers"),
    _to("episodes", required=False),
    _at("asked_at", required=False),
    _at("answered_at", required=False),
    Column("score", Integer),
    _word("issue", required=False),
    _text("comment"),
    # Snapshots at the time of asking: who answered, about what, after which campaign.
    _word("answered_by", required=False),
    _to("staff", required=False),
    _word("topic", required=False),
    _word("channel", required=False),
    _to("campaign_runs", required=False),
    CheckConstraint("score BETWEEN 1 AND 5", name="score_range"),
    UniqueConstraint("episode_id"),
    Index("ix_feedback_answered", "answered_at"),
    Index("ix_feedback_customer", "customer_id", "asked_at"),
)

utterances = Table(
    "utterances",
    metadata,
    _id(),
    _to("messages", required=False),
    _text("text", required=True),
    Column("language", String(16)),
    Column("article_key", String(64)),
    Column("score", Float),
    # answered, suggested, missed, or what the customer clicked.
    _word("outcome"),
    _at("at"),
    Index("ix_utterances_outcome", "outcome", "at"),
)

# --- content and campaigns --------------------------------------------------------

content_versions = Table(
    "content_versions",
    metadata,
    _id(),
    _word("kind"),
    _word("key"),
    Column("version", Integer, nullable=False),
    _json("files"),
    Column("content_hash", String(64), nullable=False),
    Column("author", String(64), nullable=False),
    _at("created_at"),
    UniqueConstraint("kind", "key", "version"),
)

campaign_runs = Table(
    "campaign_runs",
    metadata,
    _id(),
    _word("campaign_key"),
    _to("content_versions"),
    Column("content_hash", String(64), nullable=False),
    _word("state"),
    _text("state_reason"),
    _word("topic"),
    _word("on_uncertain"),
    _at("scheduled_for"),
    _at("planned_at", required=False),
    _at("finished_at", required=False),
    _at("expires_at", required=False),
    _at("created_at"),
    UniqueConstraint("campaign_key", "scheduled_for"),
    Index("ix_campaign_runs_state", "state"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    _to("campaign_runs"),
    _to("customers"),
    _word("channel"),
    Column("step", Integer, nullable=False, default=1),
    _word("variant", required=False),
    _word("segment", required=False),
    _word("state"),
    _word("reason", required=False),
    # What the message needs beyond the customer: items with their reasons.
    _json("content"),
    Column("message_id", String(128), unique=True),
    Column("claimed_by", String(64)),
    Column("fence", Integer),
    _at("lease_until", required=False),
    Column("attempts", Integer, nullable=False, default=0),
    _at("due_at", required=False),
    _at("planned_at"),
    _at("ended_at", required=False),
    UniqueConstraint("campaign_run_id", "customer_id", "channel", "step"),
    Index("ix_deliveries_run_state", "campaign_run_id", "state", "reason"),
    Index("ix_deliveries_customer", "customer_id", "ended_at"),
    Index("ix_deliveries_claimed", "claimed_by", "state"),
    Index("ix_deliveries_due", "state", "due_at"),
)

delivery_events = Table(
    "delivery_events",
    metadata,
    _id(),
    _to("deliveries"),
    _word("kind"),
    _text("detail"),
    _at("at"),
    Index("ix_delivery_events_delivery", "delivery_id"),
)

# --- analysis ---------------------------------------------------------------------

model_runs = Table(
    "model_runs",
    metadata,
    _id(),
    _word("kind"),
    _word("name"),
    # Results count from the moment the run is complete.
    Column("complete", Boolean, nullable=False, default=False),
    _at("window_start", required=False),
    _at("window_end", required=False),
    _json("parameters"),
    _json("metrics"),
    _json("baseline"),
    Column("rows", Integer, nullable=False, default=0),
    Column("artefact_hash", String(64)),
    _text("reason"),
    _at("created_at"),
    Index("ix_model_runs_newest", "kind", "name", "complete", "id"),
)

customer_features = Table(
    "customer_features",
    metadata,
    Column("model_run_id", Id, ForeignKey("model_runs.id"), primary_key=True),
    Column("customer_id", Id, ForeignKey("customers.id"), primary_key=True),
    _json("features"),
    Index("ix_customer_features_customer", "customer_id"),
    sqlite_with_rowid=False,
)

segments = Table(
    "segments",
    metadata,
    _id(),
    _to("model_runs"),
    _word("key"),
    _text("name", required=True),
    _text("rule"),
    Column("size", Integer, nullable=False),
    _json("profile"),
    UniqueConstraint("model_run_id", "key"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("model_run_id", Id, ForeignKey("model_runs.id"), primary_key=True),
    Column("customer_id", Id, ForeignKey("customers.id"), primary_key=True),
    _to("segments"),
    Index("ix_memberships_customer", "customer_id"),
    sqlite_with_rowid=False,
)

rules = Table(
    "rules",
    metadata,
    _id(),
    _to("model_runs"),
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
    _to("products"),
    Column("score", Float, nullable=False),
    _word("method"),
    _word("reason"),
    Column("reason_product_id", Id, ForeignKey("products.id")),
    Column("reason_share_ratio", Float),
    Index("ix_recommendations_customer", "customer_id"),
    sqlite_with_rowid=False,
)

# --- staff and the program itself -------------------------------------------------

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    _to("staff"),
    _at("created_at"),
    _at("seen_at"),
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    _id(),
    # An account or a network address, each counted apart.
    Column("subject", String(320), nullable=False),
    _at("at"),
    Index("ix_sign_in_attempts_subject", "subject", "at"),
)

audit_log = Table(
    "audit_log",
    metadata,
    _id(),
    Column("actor", String(64), nullable=False),
    _word("action"),
    _word("entity"),
    Column("entity_id", String(64)),
    _json("data"),
    _at("at"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(128), nullable=False),
    Column("fence", Integer, nullable=False),
    _at("expires_at"),
)

jobs = Table(
    "jobs",
    metadata,
    _id(),
    _word("kind"),
    _json("payload"),
    # A second job with the same key is the same job.
    Column("key", String(128), unique=True),
    _word("state"),
    Column("claimed_by", String(128)),
    _at("lease_until", required=False),
    Column("attempts", Integer, nullable=False, default=0),
    _text("error"),
    _at("created_at"),
    _at("finished_at", required=False),
    Index("ix_jobs_state", "state", "id"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("name", String(64), primary_key=True),
    _word("job_kind"),
    _json("payload"),
    Column("cron", String(64), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("catch_up_seconds", Integer, nullable=False),
    _at("since"),
)

occurrences = Table(
    "occurrences",
    metadata,
    _id(),
    Column("schedule", String(64), nullable=False),
    _at("scheduled_for"),
    _word("state"),
    _text("detail"),
    _at("started_at"),
    _at("finished_at", required=False),
    UniqueConstraint("schedule", "scheduled_for"),
)

changes = Table(
    "changes",
    metadata,
    _id(),
    _word("kind"),
    Column("entity_id", Id, nullable=False),
    Column("actor", String(64), nullable=False),
    _json("data"),
    _at("at"),
    # Ids must never be used again, or a listener would miss the second use.
    sqlite_autoincrement=True,
)
