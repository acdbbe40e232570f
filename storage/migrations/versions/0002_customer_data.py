"""Customer data."""

import sqlalchemy as sa
from alembic import op

from storage import dialect

revision = "0002"
down_revision = "0001"


def upgrade():
    # What SQLite adds by itself stands outside the words that a table is told in.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    recreate = "always" if is_sqlite else "never"
    op.create_table(
        "api_keys",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source_id", dialect.Id, nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("kinds", dialect.Json, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.Column("used_at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_api_keys_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_table(
        "quality_scores",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("source_id", dialect.Id, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("score_ratio", sa.Float(), nullable=False),
        sa.Column("parts", dialect.Json, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_quality_scores_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_scores")),
    )
    with op.batch_alter_table("quality_scores", schema=None) as batch_op:
        batch_op.create_index(
            "ix_quality_scores_source", ["source_id", "kind", "at"], unique=False
        )

    op.create_table(
        "api_requests",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("api_key_id", dialect.Id, nullable=False),
        sa.Column("idempotency_key", sa.String(length=128), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", dialect.Json, nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["api_key_id"], ["api_keys.id"], name=op.f("fk_api_requests_api_key_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_requests")),
        sa.UniqueConstraint(
            "api_key_id", "idempotency_key", name=op.f("uq_api_requests_api_key_id")
        ),
    )
    with op.batch_alter_table("api_requests", schema=None) as batch_op:
        batch_op.create_index("ix_api_requests_at", ["at"], unique=False)

    op.create_table(
        "currency_rates",
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("import_id", dialect.Id, nullable=True),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_currency_rates_import_id")
        ),
        sa.PrimaryKeyConstraint("currency", "day", name=op.f("pk_currency_rates")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "customer_totals",
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("sales_count", sa.Integer(), nullable=False),
        sa.Column("returns_count", sa.Integer(), nullable=False),
        sa.Column("sales_minor", dialect.Id, nullable=False),
        sa.Column("returns_minor", dialect.Id, nullable=False),
        sa.Column("discount_minor", dialect.Id, nullable=False),
        sa.Column("units", dialect.Id, nullable=False),
        sa.Column("units_minor", dialect.Id, nullable=False),
        sa.Column("first_sale_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("last_sale_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("unpriced_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_customer_totals_customer_id"),
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customer_totals")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("source_id", dialect.Id, nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=True),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.Column("product_id", dialect.Id, nullable=True),
        sa.Column("value_minor", dialect.Id, nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("data", dialect.Json, nullable=False),
        sa.Column("import_id", dialect.Id, nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_events_customer_id")
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_events_import_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_events_product_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_events_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint(
            "source_id", "external_id", name=op.f("uq_events_source_id")
        ),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_customer", ["customer_id", "at"], unique=False)
        batch_op.create_index("ix_events_import", ["import_id"], unique=False)

    op.create_table(
        "identity_claims",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=320), nullable=False),
        sa.Column("typed", sa.Text(), nullable=False),
        sa.Column("import_id", dialect.Id, nullable=True),
        sa.Column("created_at", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_identity_claims_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_identity_claims_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_claims")),
        sa.UniqueConstraint(
            "customer_id", "kind", "value", name=op.f("uq_identity_claims_customer_id")
        ),
    )
    with op.batch_alter_table("identity_claims", schema=None) as batch_op:
        batch_op.create_index(
            "ix_identity_claims_value", ["kind", "value"], unique=False
        )

    op.create_table(
        "import_changes",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("import_id", dialect.Id, nullable=False),
        sa.Column("table_name", sa.String(length=64), nullable=False),
        sa.Column("row_id", dialect.Id, nullable=False),
        sa.Column("before", dialect.Json, nullable=True),
        sa.Column("customer_id", dialect.Id, nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_import_changes_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_import_changes_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_changes")),
    )
    with op.batch_alter_table("import_changes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_import_changes_customer", ["customer_id"], unique=False
        )
        batch_op.create_index(
            "ix_import_changes_import", ["import_id", "id"], unique=False
        )

    op.create_table(
        "match_candidates",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("low_id", dialect.Id, nullable=False),
        sa.Column("high_id", dialect.Id, nullable=False),
        sa.Column("probability_ratio", sa.Float(), nullable=False),
        sa.Column("evidence", dialect.Json, nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at", dialect.UtcDateTime(), nullable=True),
        sa.Column("found_at", dialect.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "low_id < high_id", name=op.f("ck_match_candidates_ordered_pair")
        ),
        sa.ForeignKeyConstraint(
            ["high_id"], ["customers.id"], name=op.f("fk_match_candidates_high_id")
        ),
        sa.ForeignKeyConstraint(
            ["low_id"], ["customers.id"], name=op.f("fk_match_candidates_low_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_candidates")),
        sa.UniqueConstraint(
            "low_id", "high_id", name=op.f("uq_match_candidates_low_id")
        ),
    )
    with op.batch_alter_table("match_candidates", schema=None) as batch_op:
        batch_op.create_index("ix_match_candidates_high", ["high_id"], unique=False)
        batch_op.create_index(
            "ix_match_candidates_state", ["state", "probability_ratio"], unique=False
        )

    op.create_table(
        "merges",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("survivor_id", dialect.Id, nullable=False),
        sa.Column("merged_id", dialect.Id, nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("probability_ratio", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("moved", dialect.Json, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("at", dialect.UtcDateTime(), nullable=False),
        sa.Column("undone_at", dialect.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merged_id"], ["customers.id"], name=op.f("fk_merges_merged_id")
        ),
        sa.ForeignKeyConstraint(
            ["survivor_id"], ["customers.id"], name=op.f("fk_merges_survivor_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merges")),
    )
    with op.batch_alter_table("merges", schema=None) as batch_op:
        batch_op.create_index("ix_merges_merged", ["merged_id"], unique=False)
        batch_op.create_index("ix_merges_survivor", ["survivor_id"], unique=False)

    op.create_table(
        "stale_totals",
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("marks", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_stale_totals_customer_id")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_stale_totals")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "supplied_figures",
        sa.Column("id", dialect.Id, autoincrement=True, nullable=False),
        sa.Column("customer_id", dialect.Id, nullable=False),
        sa.Column("source_id", dialect.Id, nullable=False),
        sa.Column("import_id", dialect.Id, nullable=True),
        sa.Column("purchase_count", sa.Integer(), nullable=True),
        sa.Column("purchase_days", sa.Integer(), nullable=True),
        sa.Column("average_price_minor", dialect.Id, nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("as_of", dialect.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customers.id"],
            name=op.f("fk_supplied_figures_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_supplied_figures_import_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_supplied_figures_source_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplied_figures")),
        sa.UniqueConstraint(
            "customer_id", "source_id", name=op.f("uq_supplied_figures_customer_id")
        ),
    )
    with op.batch_alter_table("consents", recreate=recreate) as batch_op:
        batch_op.add_column(sa.Column("import_id", dialect.Id, nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_consents_import_id"), "imports", ["import_id"], ["id"]
        )

    with op.batch_alter_table("conversations", recreate=recreate) as batch_op:
        batch_op.alter_column("customer_id", existing_type=dialect.Id, nullable=True)

    with op.batch_alter_table("corrections", recreate=recreate) as batch_op:
        batch_op.add_column(sa.Column("customer_id", dialect.Id, nullable=True))
        batch_op.create_index("ix_corrections_customer", ["customer_id"], unique=False)
        batch_op.create_index("ix_corrections_rule", ["rule", "at"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_corrections_customer_id"),
            "customers",
            ["customer_id"],
            ["id"],
        )

    with op.batch_alter_table("customers", recreate=recreate) as batch_op:
        batch_op.add_column(sa.Column("postcode", sa.String(length=16), nullable=True))
        batch_op.add_column(
            sa.Column("provenance", dialect.Json, server_default="{}", nullable=False)
        )
        batch_op.add_column(sa.Column("import_id", dialect.Id, nullable=True))
        batch_op.add_column(
            sa.Column("erased_at", dialect.UtcDateTime(), nullable=True)
        )
        batch_op.create_index("ix_customers_import", ["import_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_customers_import_id"), "imports", ["import_id"], ["id"]
        )

    with op.batch_alter_table("episodes", recreate=recreate) as batch_op:
        batch_op.add_column(sa.Column("source_id", dialect.Id, nullable=True))
        batch_op.add_column(
            sa.Column("external_id", sa.String(length=64), nullable=True)
        )
        batch_op.add_column(sa.Column("import_id", dialect.Id, nullable=True))
        batch_op.create_index("ix_episodes_import", ["import_id"], unique=False)
        batch_op.create_unique_constraint(
            batch_op.f("uq_episodes_source_id"), ["source_id", "external_id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_episodes_import_id"), "imports", ["import_id"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_episodes_source_id"), "sources", ["source_id"], ["id"]
        )

    with op.batch_alter_table("feedback", recreate=recreate) as batch_op:
        batch_op.add_column(sa.Column("given_score", sa.Float(), nullable=True))
        batch_op.add_column(
            sa.Column("given_scale", sa.String(length=16), nullable=True)
        )
        batch_op.add_column(sa.Column("source_id", dialect.Id, nullable=True))
        batch_op.add_column(
            sa.Column("external_id", sa.String(length=64), nullable=True)
        )
        batch_op.add_column(sa.Column("import_id", dialect.Id, nullable=True))
        batch_op.alter_column("customer_id", existing_type=dialect.Id, nullable=True)
        batch_op.create_index("ix_feedback_import", ["import_id"], unique=False)
        batch_op.create_unique_constraint(
            batch_op.f("uq_feedback_source_id"), ["source_id", "external_id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_feedback_import_id"), "imports", ["import_id"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_feedback_source_id"), "sources", ["source_id"], ["id"]
        )

    with op.batch_alter_table("identities", recreate=recreate) as batch_op:
        batch_op.add_column(
            sa.Column("place", sa.Integer(), server_default="0", nullable=False)
        )
        batch_op.add_column(sa.Column("import_id", dialect.Id, nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_identities_import_id"), "imports", ["import_id"], ["id"]
        )

    with op.batch_alter_table("imports", recreate=recreate) as batch_op:
        batch_op.add_column(
            sa.Column("totalled_at", dialect.UtcDateTime(), nullable=True)
        )
        batch_op.add_column(sa.Column("totalled_to", dialect.Id, nullable=True))
        batch_op.add_column(
            sa.Column("journal_dropped_at", dialect.UtcDateTime(), nullable=True)
        )

    with op.batch_alter_table("orders", recreate=recreate) as batch_op:
        batch_op.add_column(
            sa.Column("discount_minor", dialect.Id, server_default="0", nullable=False)
        )
        batch_op.add_column(sa.Column("coupon", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("status", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("set_aside", sa.String(length=64), nullable=True))
        batch_op.create_index("ix_orders_import", ["import_id"], unique=False)

    with op.batch_alter_table("products", recreate=recreate) as batch_op:
        batch_op.add_column(sa.Column("import_id", dialect.Id, nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_products_import_id"), "imports", ["import_id"], ["id"]
        )

    with op.batch_alter_table("sources", recreate=recreate) as batch_op:
        batch_op.add_column(
            sa.Column("priority", sa.Integer(), server_default="50", nullable=False)
        )
        batch_op.add_column(sa.Column("watermark", sa.String(length=64), nullable=True))
        batch_op.add_column(
            sa.Column("succeeded_at", dialect.UtcDateTime(), nullable=True)
        )
        batch_op.add_column(
            sa.Column("failed_at", dialect.UtcDateTime(), nullable=True)
        )
        batch_op.add_column(sa.Column("error", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column("alerted_at", dialect.UtcDateTime(), nullable=True)
        )
