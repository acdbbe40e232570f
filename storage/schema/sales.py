"""Products, orders with their lines, and what else customers did."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
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

products = Table(
    "products",
    metadata,
    id_column(),
    reference("sources"),
    Column("external_id", String(64), nullable=False),
    long_text("name", required=True),
    long_text("category"),
    Column("price_minor", Id),
    Column("currency", String(3)),
    long_text("url"),
    Column("active", Boolean, nullable=False, default=True),
    reference("imports", required=False),
    UniqueConstraint("source_id", "external_id"),
)

orders = Table(
    "orders",
    metadata,
    id_column(),
    reference("sources"),
    Column("external_id", String(64), nullable=False),
    reference("customers", required=False),
    word("kind"),
    moment("ordered_at"),
    Column("total_minor", Id, nullable=False),
    # Part of what the lines add up to before it; never negative.
    Column("discount_minor", Id, nullable=False, default=0, server_default="0"),
    Column("coupon", String(64)),
    # paid, shipped, delivered, cancelled ..., as the source says it.
    word("status", required=False),
    # Why the order does not count, as cleaning found: its date lies in the future.
    word("set_aside", required=False),
    Column("currency", String(3), nullable=False),
    reference("imports", required=False),
    UniqueConstraint("source_id", "external_id"),
    Index("ix_orders_customer", "customer_id", "ordered_at"),
    Index("ix_orders_import", "import_id"),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Id, ForeignKey("orders.id"), primary_key=True),
    Column("line_no", Integer, primary_key=True, autoincrement=False),
    reference("products", required=False),
    Column("quantity", Integer, nullable=False),
    Column("amount_minor", Id, nullable=False),
    sqlite_with_rowid=False,
)

# What a customer did that is neither an order nor a conversation.
events = Table(
    "events",
    metadata,
    id_column(),
    reference("sources"),
    Column("external_id", String(64)),
    reference("customers"),
    word("kind"),
    moment("at"),
    reference("products", required=False),
    Column("value_minor", Id),
    Column("currency", String(3)),
    json_column("data"),
    reference("imports", required=False),
    UniqueConstraint("source_id", "external_id"),
    Index("ix_events_customer", "customer_id", "at"),
    Index("ix_events_import", "import_id"),
)

# Sums over a customer's orders, kept up to date by what has arrived since.
customer_totals = Table(
    "customer_totals",
    metadata,
    Column("customer_id", Id, ForeignKey("customers.id"), primary_key=True),
    Column("sales_count", Integer, nullable=False),
    Column("returns_count", Integer, nullable=False),
    # In the shop's currency, by the rate of the order's day.
    Column("sales_minor", Id, nullable=False),
    Column("returns_minor", Id, nullable=False),
    Column("discount_minor", Id, nullable=False),
    # Of lines with a product and a positive quantity in sales.
    Column("units", Id, nullable=False),
    Column("units_minor", Id, nullable=False),
    moment("first_sale_at", required=False),
    moment("last_sale_at", required=False),
    # Orders that are in none of the sums, for want of a currency rate.
    Column("unpriced_count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Customers whose totals must be counted anew: an order of theirs changed or moved.
stale_totals = Table(
    "stale_totals",
    metadata,
    Column("customer_id", Id, ForeignKey("customers.id"), primary_key=True),
    # Grows with every mark: who counted before the last one has counted too early.
    Column("marks", Integer, nullable=False, default=1, server_default="1"),
    sqlite_with_rowid=False,
)
