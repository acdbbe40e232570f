"""Conversations, what was said and done in them, and how it was rated."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
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

inbox = Table(
    "inbox",
    metadata,
    id_column(),
    word("source"),
    Column("external_id", String(128), nullable=False),
    json_column("payload"),
    reference("customers", required=False),
    moment("received_at"),
    moment("handled_at", required=False),
    # Why a stored update led to no turn; a person can see and replay it.
    long_text("error"),
    UniqueConstraint("source", "external_id"),
    Index("ix_inbox_customer", "customer_id"),
    Index(
        "ix_inbox_unhandled",
        "id",
        sqlite_where=text("handled_at IS NULL"),
        postgresql_where=text("handled_at IS NULL"),
    ),
)

conversations = Table(
    "conversations",
    metadata,
    id_column(),
    # Null where an imported call or ticket names nobody.
    reference("customers", required=False),
    word("channel"),
    Column("address", String(320), nullable=False),
    word("owner"),
    reference("staff", required=False, name="owner_staff_id"),
    # Grows with every change of owner; a writer that read another is refused.
    Column("version", Integer, nullable=False, default=0),
    Column("language", String(16), nullable=False),
    json_column("dialogue"),
    Column("open", Boolean, nullable=False, default=True),
    moment("waiting_since", required=False),
    moment("created_at"),
    moment("last_message_at"),
    # A due survey or idle close; the turn's timer reads it.
    moment("due_at", required=False),
    word("due_event", required=False),
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
    id_column(),
    reference("conversations"),
    word("kind"),
    word("topic", required=False),
    reference("campaign_runs", required=False),
    moment("opened_at"),
    moment("closed_at", required=False),
    word("ended", required=False),
    Column("reopened", Integer, nullable=False, default=0),
    # Of an imported ticket or call.
    reference("sources", required=False),
    Column("external_id", String(64)),
    reference("imports", required=False),
    UniqueConstraint("source_id", "external_id"),
    Index("ix_episodes_conversation", "conversation_id", "opened_at"),
    Index("ix_episodes_closed", "closed_at"),
    Index("ix_episodes_import", "import_id"),
)

messages = Table(
    "messages",
    metadata,
    id_column(),
    reference("conversations"),
    reference("episodes", required=False),
    word("sender"),
    reference("staff", required=False),
    long_text("text", required=True),
    Column("buttons", Json, nullable=False, default=list),
    word("state"),
    long_text("reason"),
    # Replies to one update are numbered: a repeated turn makes no second reply.
    Column("inbox_id", Id, ForeignKey("inbox.id")),
    Column("ordinal", Integer),
    Column("external_id", String(128)),
    moment("created_at"),
    moment("sent_at", required=False),
    UniqueConstraint("inbox_id", "ordinal"),
    Index("ix_messages_episode", "episode_id"),
    Index("ix_messages_conversation", "conversation_id", "id"),
    Index("ix_messages_state", "state", "id"),
)

conversation_events = Table(
    "conversation_events",
    metadata,
    id_column(),
    reference("conversations"),
    reference("episodes", required=False),
    word("kind"),
    Column("actor", String(64), nullable=False),
    json_column("data"),
    moment("at"),
    Index("ix_conversation_events_episode", "episode_id", "id"),
)

handling_intervals = Table(
    "handling_intervals",
    metadata,
    id_column(),
    reference("episodes"),
    reference("staff"),
    moment("started_at"),
    moment("ended_at", required=False),
    # The last act inside; an interval ends there when the agent falls silent.
    moment("active_at"),
    Index("ix_handling_intervals_episode", "episode_id"),
    Index("ix_handling_intervals_staff", "staff_id", "started_at"),
)

feedback = Table(
    "feedback",
    metadata,
    id_column(),
    # Null where an imported rating names nobody.
    reference("customers", required=False),
    reference("episodes", required=False),
    moment("asked_at", required=False),
    moment("answered_at", required=False),
    Column("score", Integer),
    # As the source gave it, where its scale is another.
    Column("given_score", Float),
    Column("given_scale", String(16)),
    word("issue", required=False),
    long_text("comment"),
    # Snapshots at the time of asking: who answered, about what, after which campaign.
    word("answered_by", required=False),
    reference("staff", required=False),
    word("topic", required=False),
    word("channel", required=False),
    reference("campaign_runs", required=False),
    reference("sources", required=False),
    Column("external_id", String(64)),
    reference("imports", required=False),
    CheckConstraint("score BETWEEN 1 AND 5", name="score_range"),
    UniqueConstraint("episode_id"),
    UniqueConstraint("source_id", "external_id"),
    Index("ix_feedback_import", "import_id"),
    Index("ix_feedback_answered", "answered_at"),
    Index("ix_feedback_customer", "customer_id", "asked_at"),
)

utterances = Table(
    "utterances",
    metadata,
    id_column(),
    reference("messages", required=False),
    long_text("text", required=True),
    Column("language", String(16)),
    Column("article_key", String(64)),
    Column("score", Float),
    # answered, suggested, missed, or what the customer clicked.
    word("outcome"),
    moment("at"),
    Index("ix_utterances_outcome", "outcome", "at"),
)
