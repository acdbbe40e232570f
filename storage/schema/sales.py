"""Products, orders and their lines."""

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
    Column("currency", String(3), nullable=False),
    reference("imports", required=False),
    UniqueConstraint("source_id", "external_id"),
    Index("ix_orders_customer", "customer_id", "ordered_at"),
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
