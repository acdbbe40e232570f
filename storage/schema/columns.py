"""What all tables share: their naming, and the kinds of column that recur."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, MetaData, String, Text

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


def id_column() -> Column[Any]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def moment(name: str, *, required: bool = True) -> Column[Any]:
    return Column(name, UtcDateTime, nullable=not required)


def word(name: str, *, required: bool = True) -> Column[Any]:
    return Column(name, String(64), nullable=not required)


def long_text(name: str, *, required: bool = False) -> Column[Any]:
    return Column(name, Text, nullable=not required)


def json_column(name: str, server_default: str | None = None) -> Column[Any]:
    """An object; one that joins a table with rows needs a server default."""
    return Column(
        name, Json, nullable=False, default=dict, server_default=server_default
    )


def reference(
    target: str, *, required: bool = True, name: str | None = None
) -> Column[Any]:
    singular = {"staff": "staff", "deliveries": "delivery"}.get(target, target[:-1])
    return Column(
        name or f"{singular}_id",
        Id,
        ForeignKey(f"{target}.id"),
        nullable=not required,
    )
