"""The first schema."""

import sqlalchemy as sa
from alembic import op

from storage import dialect

revision = "0001"
down_revision = None


def upgrade():
    op.create_table(
        "audit_log",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("entity_id", sa.String(length=64), nullable=True),
        sa.Column("data", dialect.Json, nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "changes",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("entity_id", dialect.Id, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("data", dialect.Json, nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "content_versions",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("files", dialect.Json, nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=64), nullable=False),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_versions")),
        sa.UniqueConstraint(
            "kind", "key", "version", name=op.f("uq_content_versions_kind")
        ),
    )
    op.create_table(
        "installation",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_installation")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("payload", dialect.Json, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("claimed_by", sa.String(length=128), nullable=True),
        sa.Column("lease_until", dialect.UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("finished_at", dialect.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("key", name=op.f("uq_jobs_key")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index("ix_jobs_state", ["state", "id"], unique=False)

    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=128), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("expires_at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "model_runs",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("window_start", dialect.UtcDateTime(), nullable=True),
        sa.Column("window_end", dialect.UtcDateTime(), nullable=True),
        sa.Column("parameters", dialect.Json, nullable=False),
        sa.Column("metrics", dialect.Json, nullable=False),
        sa.Column("baseline", dialect.Json, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("artefact_hash", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_runs")),
    )
    with op.batch_alter_table("model_runs", schema=None) as batch_op:
        batch_op.create_index(
            "ix_model_runs_newest", ["kind", "name", "complete", "id"], unique=False
        )

    op.create_table(
        "occurrences",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("schedule", sa.String(length=64), nullable=False),
        sa.Column("scheduled_for", dialect.UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("started_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("finished_at", dialect.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occurrences")),
        sa.UniqueConstraint(
            "schedule", "scheduled_for", name=op.f("uq_occurrences_schedule")
        ),
    )
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("job_kind", sa.String(length=64), nullable=False),
        sa.Column("payload", dialect.Json, nullable=False),
        sa.Column("cron", sa.String(length=64), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("catch_up_seconds", sa.Integer(), nullable=False),
        sa.Column("since", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedules")),
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempts")),
    )
    with op.batch_alter_table("sign_in_attempts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_sign_in_attempts_subject", ["subject", "at"], unique=False
        )

    op.create_table(
        "sources",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("name", name=op.f("uq_sources_name")),
    )
    op.create_table(
        "staff",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("address_hmac", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint(
            "channel", "address_hmac", name=op.f("uq_suppressions_channel")
        ),
    )
    op.create_table(
        "campaign_runs",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("campaign_key", sa.String(length=64), nullable=False),
        sa.Column("content_version_id", dialect.Id, nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("on_uncertain", sa.String(length=64), nullable=False),
        sa.Column("scheduled_for", dialect.UtcDateTime(), nullable=False),
        sa.Column("planned_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("finished_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("expires_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_version_id"],
            ["content_versions.id"],
            name=op.f("fk_campaign_runs_content_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_runs")),
        sa.UniqueConstraint(
            "campaign_key", "scheduled_for", name=op.f("uq_campaign_runs_campaign_key")
        ),
    )
    with op.batch_alter_table("campaign_runs", schema=None) as batch_op:
        batch_op.create_index("ix_campaign_runs_state", ["state"], unique=False)

    op.create_table(
        "customers",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("alias_of", dialect.Id, nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("gender", sa.String(length=16), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("country", sa.String(length=64), nullable=True),
        sa.Column("income_minor", dialect.Id, nullable=True),
        sa.Column("income_currency", sa.String(length=3), nullable=True),
        sa.Column("preferences", dialect.Json, nullable=False),
        sa.Column("attributes", dialect.Json, nullable=False),
        sa.Column("source_id", dialect.Id, nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("updated_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alias_of"], ["customers.id"], name=op.f("fk_customers_alias_of")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_customers_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
    )
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_customers_alias_of"), ["alias_of"], unique=False
        )

    op.create_table(
        "imports",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("source_id", dialect.Id, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_hash", sa.String(length=64), nullable=False),
        sa.Column("mapping_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("rows_read", sa.Integer(), nullable=False),
        sa.Column("rows_accepted", sa.Integer(), nullable=False),
        sa.Column("rows_corrected", sa.Integer(), nullable=False),
        sa.Column("rows_rejected", sa.Integer(), nullable=False),
        sa.Column("reasons", dialect.Json, nullable=False),
        sa.Column("started_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("completed_at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_imports_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        sa.UniqueConstraint(
            "source_id",
            "kind",
            "file_hash",
            "mapping_hash",
            name=op.f("uq_imports_source_id"),
        ),
    )
    op.create_table(
        "products",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("source_id", dialect.Id, nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("price_minor", dialect.Id, nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_products_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint(
            "source_id", "external_id", name=op.f("uq_products_source_id")
        ),
    )
    op.create_table(
        "rules",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("model_run_id", dialect.Id, nullable=False),
        sa.Column("antecedent", dialect.Json, nullable=False),
        sa.Column("consequent", dialect.Json, nullable=False),
        sa.Column("support_ratio", sa.Float(), nullable=False),
        sa.Column("confidence_ratio", sa.Float(), nullable=False),
        sa.Column("lift", sa.Float(), nullable=False),
        sa.Column("leverage", sa.Float(), nullable=False),
        sa.Column("baskets_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_run_id"], ["model_runs.id"], name=op.f("fk_rules_model_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rules")),
    )
    with op.batch_alter_table("rules", schema=None) as batch_op:
        batch_op.create_index("ix_rules_run", ["model_run_id"], unique=False)

    op.create_table(
        "segments",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("model_run_id", dialect.Id, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("profile", dialect.Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_run_id"], ["model_runs.id"], name=op.f("fk_segments_model_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint(
            "model_run_id", "key", name=op.f("uq_segments_model_run_id")
        ),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("staff_id", dialect.Id, nullable=False),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("seen_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_sessions_staff_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_table(
        "consents",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("proof", sa.Text(), nullable=True),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_consents_customer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.create_index(
            "ix_consents_newest",
            ["customer_id", "channel", "topic", "id"],
            unique=False,
        )

    op.create_table(
        "conversations",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("owner_staff_id", dialect.Id, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("dialogue", dialect.Json, nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("waiting_since", dialect.UtcDateTime(), nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("last_message_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("due_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("due_event", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "(owner = 'agent') = (owner_staff_id IS NOT NULL)",
            name=op.f("ck_conversations_agent_is_named"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_conversations_customer_id")
        ),
        sa.ForeignKeyConstraint(
            ["owner_staff_id"],
            ["staff.id"],
            name=op.f("fk_conversations_owner_staff_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint(
            "channel", "address", name=op.f("uq_conversations_channel")
        ),
    )
    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_conversations_customer", ["customer_id"], unique=False
        )
        batch_op.create_index("ix_conversations_due", ["due_at"], unique=False)
        batch_op.create_index(
            "ix_conversations_recent", ["open", "last_message_at"], unique=False
        )

    op.create_table(
        "corrections",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("record_id", dialect.Id, nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("import_id", dialect.Id, nullable=True),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_corrections_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
    )
    with op.batch_alter_table("corrections", schema=None) as batch_op:
        batch_op.create_index(
            "ix_corrections_record", ["kind", "record_id"], unique=False
        )

    op.create_table(
        "customer_features",
        sa.Column("model_run_id", dialect.Id, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("features", dialect.Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_customer_features_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["model_run_id"],
            ["model_runs.id"],
            name=op.f("fk_customer_features_model_run_id"),
        ),
        sa.PrimaryKeyConstraint(
            "model_run_id", "customer_id", name=op.f("pk_customer_features")
        ),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("customer_features", schema=None) as batch_op:
        batch_op.create_index(
            "ix_customer_features_customer", ["customer_id"], unique=False
        )

    op.create_table(
        "deliveries",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("campaign_run_id", dialect.Id, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("variant", sa.String(length=64), nullable=True),
        sa.Column("segment", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("content", dialect.Json, nullable=False),
        sa.Column("message_id", sa.String(length=128), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=True),
        sa.Column("lease_until", dialect.UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("planned_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("ended_at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_run_id"],
            ["campaign_runs.id"],
            name=op.f("fk_deliveries_campaign_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_deliveries_customer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "campaign_run_id",
            "customer_id",
            "channel",
            "step",
            name=op.f("uq_deliveries_campaign_run_id"),
        ),
        sa.UniqueConstraint("message_id", name=op.f("uq_deliveries_message_id")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_deliveries_claimed", ["claimed_by", "state"], unique=False
        )
        batch_op.create_index(
            "ix_deliveries_customer", ["customer_id", "ended_at"], unique=False
        )
        batch_op.create_index("ix_deliveries_due", ["state", "due_at"], unique=False)
        batch_op.create_index(
            "ix_deliveries_run_state",
            ["campaign_run_id", "state", "reason"],
            unique=False,
        )

    op.create_table(
        "identities",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=320), nullable=False),
        sa.Column("typed", sa.Text(), nullable=False),
        sa.Column("verified_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("unreachable_reason", sa.String(length=64), nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_identities_customer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_identities_kind")),
    )
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.create_index(
            "ix_identities_customer", ["customer_id", "kind"], unique=False
        )

    op.create_table(
        "inbox",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=128), nullable=False),
        sa.Column("payload", dialect.Json, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=True),
        sa.Column("received_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("handled_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_inbox_customer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_inbox_source")),
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index("ix_inbox_customer", ["customer_id"], unique=False)
        batch_op.create_index(
            "ix_inbox_unhandled",
            ["id"],
            unique=False,
            sqlite_where=sa.text("handled_at IS NULL"),
            postgresql_where=sa.text("handled_at IS NULL"),
        )

    op.create_table(
        "memberships",
        sa.Column("model_run_id", dialect.Id, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("segment_id", dialect.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_memberships_customer_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_run_id"],
            ["model_runs.id"],
            name=op.f("fk_memberships_model_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["segment_id"], ["segments.id"], name=op.f("fk_memberships_segment_id")
        ),
        sa.PrimaryKeyConstraint(
            "model_run_id", "customer_id", name=op.f("pk_memberships")
        ),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.create_index("ix_memberships_customer", ["customer_id"], unique=False)

    op.create_table(
        "orders",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("source_id", dialect.Id, nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("ordered_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("total_minor", dialect.Id, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("import_id", dialect.Id, nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_orders_customer_id")
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_orders_import_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_orders_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint(
            "source_id", "external_id", name=op.f("uq_orders_source_id")
        ),
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index(
            "ix_orders_customer", ["customer_id", "ordered_at"], unique=False
        )

    op.create_table(
        "recommendations",
        sa.Column("model_run_id", dialect.Id, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("rank", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("product_id", dialect.Id, nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("reason_product_id", dialect.Id, nullable=True),
        sa.Column("reason_share_ratio", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_recommendations_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["model_run_id"],
            ["model_runs.id"],
            name=op.f("fk_recommendations_model_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_recommendations_product_id")
        ),
        sa.ForeignKeyConstraint(
            ["reason_product_id"],
            ["products.id"],
            name=op.f("fk_recommendations_reason_product_id"),
        ),
        sa.PrimaryKeyConstraint(
            "model_run_id", "customer_id", "rank", name=op.f("pk_recommendations")
        ),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("recommendations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_recommendations_customer", ["customer_id"], unique=False
        )

    op.create_table(
        "delivery_events",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("delivery_id", dialect.Id, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name=op.f("fk_delivery_events_delivery_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_events")),
    )
    with op.batch_alter_table("delivery_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_events_delivery", ["delivery_id"], unique=False
        )

    op.create_table(
        "episodes",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("conversation_id", dialect.Id, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=True),
        sa.Column("campaign_run_id", dialect.Id, nullable=True),
        sa.Column("opened_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("closed_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("ended", sa.String(length=64), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_run_id"],
            ["campaign_runs.id"],
            name=op.f("fk_episodes_campaign_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_episodes_conversation_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_episodes")),
    )
    with op.batch_alter_table("episodes", schema=None) as batch_op:
        batch_op.create_index("ix_episodes_closed", ["closed_at"], unique=False)
        batch_op.create_index(
            "ix_episodes_conversation", ["conversation_id", "opened_at"], unique=False
        )

    op.create_table(
        "order_lines",
        sa.Column("order_id", dialect.Id, nullable=False),
        sa.Column("line_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("product_id", dialect.Id, nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("amount_minor", dialect.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_order_lines_order_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_order_lines_product_id")
        ),
        sa.PrimaryKeyConstraint("order_id", "line_no", name=op.f("pk_order_lines")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "conversation_events",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("conversation_id", dialect.Id, nullable=False),
        sa.Column("episode_id", dialect.Id, nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("data", dialect.Json, nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_conversation_events_conversation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
            name=op.f("fk_conversation_events_episode_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation_events")),
    )
    with op.batch_alter_table("conversation_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_conversation_events_episode", ["episode_id", "id"], unique=False
        )

    op.create_table(
        "feedback",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("episode_id", dialect.Id, nullable=True),
        sa.Column("asked_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("answered_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("issue", sa.String(length=64), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.String(length=64), nullable=True),
        sa.Column("staff_id", dialect.Id, nullable=True),
        sa.Column("topic", sa.String(length=64), nullable=True),
        sa.Column("channel", sa.String(length=64), nullable=True),
        sa.Column("campaign_run_id", dialect.Id, nullable=True),
        sa.CheckConstraint(
            "score BETWEEN 1 AND 5", name=op.f("ck_feedback_score_range")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_run_id"],
            ["campaign_runs.id"],
            name=op.f("fk_feedback_campaign_run_id"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_feedback_customer_id")
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.id"], name=op.f("fk_feedback_episode_id")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_feedback_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("episode_id", name=op.f("uq_feedback_episode_id")),
    )
    with op.batch_alter_table("feedback", schema=None) as batch_op:
        batch_op.create_index("ix_feedback_answered", ["answered_at"], unique=False)
        batch_op.create_index(
            "ix_feedback_customer", ["customer_id", "asked_at"], unique=False
        )

    op.create_table(
        "handling_intervals",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("episode_id", dialect.Id, nullable=False),
        sa.Column("staff_id", dialect.Id, nullable=False),
        sa.Column("started_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("ended_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("active_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
            name=op.f("fk_handling_intervals_episode_id"),
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_handling_intervals_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handling_intervals")),
    )
    with op.batch_alter_table("handling_intervals", schema=None) as batch_op:
        batch_op.create_index(
            "ix_handling_intervals_episode", ["episode_id"], unique=False
        )
        batch_op.create_index(
            "ix_handling_intervals_staff", ["staff_id", "started_at"], unique=False
        )

    op.create_table(
        "messages",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("conversation_id", dialect.Id, nullable=False),
        sa.Column("episode_id", dialect.Id, nullable=True),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("staff_id", dialect.Id, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("buttons", dialect.Json, nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("inbox_id", dialect.Id, nullable=True),
        sa.Column("ordinal", sa.Integer(), nullable=True),
        sa.Column("external_id", sa.String(length=128), nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("sent_at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_messages_conversation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.id"], name=op.f("fk_messages_episode_id")
        ),
        sa.ForeignKeyConstraint(
            ["inbox_id"], ["inbox.id"], name=op.f("fk_messages_inbox_id")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_messages_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("inbox_id", "ordinal", name=op.f("uq_messages_inbox_id")),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(
            "ix_messages_conversation", ["conversation_id", "id"], unique=False
        )
        batch_op.create_index("ix_messages_episode", ["episode_id"], unique=False)
        batch_op.create_index("ix_messages_state", ["state", "id"], unique=False)

    op.create_table(
        "utterances",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("message_id", dialect.Id, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("article_key", sa.String(length=64), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_utterances_message_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_utterances")),
    )
    with op.batch_alter_table("utterances", schema=None) as batch_op:
        batch_op.create_index("ix_utterances_outcome", ["outcome", "at"], unique=False)
