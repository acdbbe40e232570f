"""Where records come from, how they came, and how good they were."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Float,
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

sources = Table(
    "sources",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False, unique=True),
    # Of two sources that differ about a field, the one with more priority is believed.
    Column("priority", Integer, nullable=False, default=50, server_default="50"),
    # How far a repeated pull has come, in the source's own words.
    Column("watermark", String(64)),
    moment("succeeded_at", required=False),
    moment("failed_at", required=False),
    long_text("error"),
    # When somebody was told that the source fails or is late.
    moment("alerted_at", required=False),
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
    # When its orders were added to `customer_totals`; until then, up to which customer
    # they were. Negative where it was taken up again after that.
    moment("totalled_at", required=False),
    Column("totalled_to", Id),
    # When what it changed was forgotten: since then it can't be undone.
    moment("journal_dropped_at", required=False),
    UniqueConstraint("source_id", "kind", "file_hash", "mapping_hash"),
)

# Rows as they were before an import changed them, so that it can be undone whole.
import_changes = Table(
    "import_changes",
    metadata,
    id_column(),
    reference("imports"),
    word("table_name"),
    Column("row_id", Id, nullable=False),
    # The row's values before; null where the import made the row.
    Column("before", Json),
    reference("customers", required=False),
    Index("ix_import_changes_import", "import_id", "id"),
    Index("ix_import_changes_customer", "customer_id"),
)

quality_scores = Table(
    "quality_scores",
    metadata,
    id_column(),
    reference("sources"),
    word("kind"),
    # 0 to 1; the parts that it is the mean of stand in `parts`.
    Column("score_ratio", Float, nullable=False),
    json_column("parts"),
    Column("rows", Integer, nullable=False),
    moment("at"),
    Index("ix_quality_scores_source", "source_id", "kind", "at"),
)

currency_rates = Table(
    "currency_rates",
    metadata,
    Column("currency", String(3), primary_key=True),
    Column("day", Date, primary_key=True),
    # What one unit is worth in the shop's currency, from this day on.
    Column("rate", Float, nullable=False),
    reference("imports", required=False),
    sqlite_with_rowid=False,
)

api_keys = Table(
    "api_keys",
    metadata,
    id_column(),
    long_text("name", required=True),
    reference("sources"),
    # SHA-256: the key itself is shown once.
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("kinds", Json, nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    moment("created_at"),
    moment("used_at", required=False),
)

api_requests = Table(
    "api_requests",
    metadata,
    id_column(),
    reference("api_keys"),
    Column("idempotency_key", String(128), nullable=False),
    Column("body_hash", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    json_column("answer"),
    moment("at"),
    UniqueConstraint("api_key_id", "idempotency_key"),
    Index("ix_api_requests_at", "at"),
)
