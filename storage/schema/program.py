"""The installation, its staff, and what keeps the program going."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
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

installation = Table(
    "installation",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

staff = Table(
    "staff",
    metadata,
    id_column(),
    Column("email", String(320), nullable=False, unique=True),
    long_text("name", required=True),
    word("role"),
    long_text("password_hash", required=True),
    Column("active", Boolean, nullable=False, default=True),
    moment("created_at"),
)


sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    reference("staff"),
    moment("created_at"),
    moment("seen_at"),
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    id_column(),
    # An account or a network address, each counted apart.
    Column("subject", String(320), nullable=False),
    moment("at"),
    Index("ix_sign_in_attempts_subject", "subject", "at"),
)

audit_log = Table(
    "audit_log",
    metadata,
    id_column(),
    Column("actor", String(64), nullable=False),
    word("action"),
    word("entity"),
    Column("entity_id", String(64)),
    json_column("data"),
    moment("at"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(128), nullable=False),
    Column("fence", Integer, nullable=False),
    moment("expires_at"),
)

jobs = Table(
    "jobs",
    metadata,
    id_column(),
    word("kind"),
    json_column("payload"),
    # A second job with the same key is the same job.
    Column("key", String(128), unique=True),
    word("state"),
    Column("claimed_by", String(128)),
    moment("lease_until", required=False),
    Column("attempts", Integer, nullable=False, default=0),
    long_text("error"),
    moment("created_at"),
    moment("finished_at", required=False),
    Index("ix_jobs_state", "state", "id"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("name", String(64), primary_key=True),
    word("job_kind"),
    json_column("payload"),
    Column("cron", String(64), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("catch_up_seconds", Integer, nullable=False),
    moment("since"),
)

occurrences = Table(
    "occurrences",
    metadata,
    id_column(),
    Column("schedule", String(64), nullable=False),
    moment("scheduled_for"),
    word("state"),
    long_text("detail"),
    moment("started_at"),
    moment("finished_at", required=False),
    UniqueConstraint("schedule", "scheduled_for"),
)

changes = Table(
    "changes",
    metadata,
    id_column(),
    word("kind"),
    Column("entity_id", Id, nullable=False),
    Column("actor", String(64), nullable=False),
    json_column("data"),
    moment("at"),
    # Ids must never be used again, or a listener would miss the second use.
    sqlite_autoincrement=True,
)
