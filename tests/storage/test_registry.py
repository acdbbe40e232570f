"""No foreign key to a customer is forgotten: merge, export and erase rely on it."""

from __future__ import annotations

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from storage.registry import CUSTOMER_KEYS, CustomerKey, OnErase, OnMerge
from storage.schema import customers, metadata


def keys_to_customers(tables: MetaData) -> set[tuple[str, str]]:
    return {
        (table.name, key.parent.name)
        for table in tables.tables.values()
        for key in table.foreign_keys
        if key.column.table.name == customers.name
    }


def registered() -> set[tuple[str, str]]:
    return {(key.table.name, key.column) for key in CUSTOMER_KEYS}


def test_every_key_to_a_customer_is_registered_and_nothing_else() -> None:
    assert registered() == keys_to_customers(metadata)


def test_no_key_is_registered_twice() -> None:
    assert len(CUSTOMER_KEYS) == len(registered())


def test_a_forgotten_key_is_found() -> None:
    grown = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(grown)
    Table("visits", grown, Column("customer_id", ForeignKey("customers.id")))

    assert keys_to_customers(grown) - registered() == {("visits", "customer_id")}


@pytest.mark.parametrize("key", CUSTOMER_KEYS, ids=lambda key: key.table.name)
def test_a_registered_column_exists(key: CustomerKey) -> None:
    assert key.key.table is key.table


def own_once(key: CustomerKey) -> bool:
    """Whether the table says what a customer has only once."""
    unique = (
        each.columns
        for each in key.table.constraints
        if isinstance(each, UniqueConstraint | PrimaryKeyConstraint)
    )
    return any(key.column in columns for columns in unique)


@pytest.mark.parametrize("key", CUSTOMER_KEYS, ids=lambda key: key.table.name)
def test_what_a_customer_has_once_does_not_simply_move(key: CustomerKey) -> None:
    assert not (own_once(key) and key.merge is OnMerge.MOVE)
    assert bool(key.per) is (key.merge is OnMerge.KEEP_SURVIVORS)


@pytest.mark.parametrize("name", ["identities", "customer_features", "inbox"])
def test_what_names_a_person_is_deleted(name: str) -> None:
    [key] = [each for each in CUSTOMER_KEYS if each.table.name == name]

    assert key.erase is OnErase.DELETE
