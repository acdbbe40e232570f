"""A person can read all that is stored, and be forgotten without a hole in figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import JSON, Column, String, Table, func, insert, select, update

from core.errors import DataError
from core.model import Channel, DeliveryState, IdentityKind, MergeMethod
from storage import customers, merges, person, schema
from storage.database import Connection, Database
from storage.erasure import BLANKED, due_for_erasure, erase, erased_ids
from storage.registry import CHILDREN, CUSTOMER_KEYS, OnErase
from tests.storage.crowd import crowd
from tests.storage.shop import NOW, TEST, sqlite_only

# Stands in every word of the first customer's rows.
SECRET = "Zanzibar"
# Words that stay in rows that stay, because they tell of no person.
KEPT = {
    "customers": {"language", "country"},
    "consents": {"channel", "topic", "state", "source"},
    "merges": {"method", "actor"},
    "orders": {"external_id", "kind", "coupon", "status", "currency", "set_aside"},
    "order_lines": set(),
    "events": {"external_id", "kind", "currency"},
    "customer_totals": set(),
    # The address is freed by a statement of its own.
    "conversations": {"channel", "owner", "language", "address"},
    "episodes": {"kind", "topic", "ended", "external_id"},
    "messages": {"sender", "state"},
    "conversation_events": {"kind", "actor"},
    "handling_intervals": set(),
    "feedback": {"issue", "given_scale", "answered_by", "topic", "channel"}
    | {"external_id"},
    "deliveries": {"channel", "variant", "segment", "state", "reason"}
    | {"message_id", "claimed_by"},
    "delivery_events": {"kind"},
}


@pytest.fixture
def people(database: Database) -> list[int]:
    """Three customers with a row of everything; the first one's hold the secret."""

    def make(connection: Connection) -> list[int]:
        ids = crowd(connection, 3)
        for table, owned in _rows_of(ids[0]):
            words = {c.name: _word(c) for c in _wordy(table) if _is_blanked(table, c)}
            if words:
                connection.execute(update(table).where(owned).values(**words))
        return ids

    return database.write_now(TEST, make)


def _rows_of(customer_id: int) -> Iterator[tuple[Table, Any]]:
    parents: dict[Table, Any] = {}
    own = schema.customers.c.id == customer_id
    yield schema.customers, own
    for key in CUSTOMER_KEYS:
        if key.column == "customer_id":
            owned = key.key == customer_id
            if "id" in key.table.c:
                parents[key.table] = select(key.table.c.id).where(owned)
            yield key.table, owned
    for child in CHILDREN:
        owned = child.table.c[child.column].in_(parents[child.parent])
        if "id" in child.table.c:
            parents[child.table] = select(child.table.c.id).where(owned)
        yield child.table, owned


def _wordy(table: Table) -> list[Column[Any]]:
    """Columns that can hold words of a person."""
    return [
        each
        for each in table.columns
        if isinstance(each.type, String | JSON) and each.name != "id"
    ]


def _is_blanked(table: Table, column: Column[Any]) -> bool:
    return column.name in BLANKED.get(table, {}) and column.name not in {
        "due_event",
        "income_currency",
        "gender",
        "postcode",
    }


def _word(column: Column[Any]) -> Any:
    return {"words": SECRET} if isinstance(column.type, JSON) else SECRET


def everything(connection: Connection) -> str:
    tables = {
        table.name: [list(map(str, row)) for row in connection.execute(select(table))]
        for table in schema.metadata.sorted_tables
    }
    return json.dumps(tables, ensure_ascii=False)


def count(database: Database, table: Table, *conditions: Any) -> int:
    query = select(func.count()).select_from(table).where(*conditions)
    return database.read_now(lambda c: c.scalar(query)) or 0


def forget(database: Database, customer_id: int) -> None:
    database.write_now(TEST, lambda c: erase(c, customer_id, NOW))


@pytest.mark.parametrize(
    "table",
    sorted(
        {key.table for key in CUSTOMER_KEYS if key.erase is OnErase.ANONYMISE}
        | {child.table for child in CHILDREN if child.table is not schema.utterances},
        key=str,
    ),
    ids=lambda table: table.name,
)
def test_every_word_of_rows_that_stay_is_blanked_or_named(table: Table) -> None:
    words = {column.name for column in _wordy(table)}

    assert words == (set(BLANKED[table]) & words) | KEPT[table.name]


def test_nothing_that_was_said_or_known_is_left(
    database: Database, people: list[int]
) -> None:
    address = database.read_now(
        lambda c: customers.address_of(c, people[0], Channel.EMAIL)
    )
    assert SECRET in database.read_now(everything)

    forget(database, people[0])

    left = database.read_now(everything)
    assert SECRET not in left
    assert str(address) not in left


@sqlite_only
def test_the_file_holds_no_word_of_theirs_either(
    database: Database, people: list[int]
) -> None:
    forget(database, people[0])
    database.close()

    assert database.file is not None
    assert SECRET.encode() not in database.file.read_bytes()


def test_what_happened_stays_without_a_name(
    database: Database, people: list[int]
) -> None:
    facts = schema.orders, schema.feedback, schema.episodes, schema.order_lines
    before = [count(database, table) for table in facts]

    forget(database, people[0])

    assert [count(database, table) for table in facts] == before
    own = schema.feedback.c.customer_id == people[0]
    assert count(database, schema.feedback, own, schema.feedback.c.score > 0) > 0


def test_others_keep_everything(database: Database, people: list[int]) -> None:
    def others(connection: Connection) -> list[person.Person]:
        return [person.collect(connection, each, NOW) for each in people[1:]]

    before = database.read_now(others)

    forget(database, people[0])

    assert database.read_now(others) == before


def test_a_forgotten_address_is_never_written_to_again(
    database: Database, people: list[int]
) -> None:
    address = database.read_now(
        lambda c: customers.address_of(c, people[0], Channel.EMAIL)
    )

    forget(database, people[0])

    assert database.read_now(
        lambda c: customers.is_suppressed(c, Channel.EMAIL, str(address))
    )


def test_nothing_that_waits_is_sent(database: Database, people: list[int]) -> None:
    forget(database, people[0])

    mine = schema.deliveries.c.customer_id == people[0]
    waiting = schema.deliveries.c.state.in_(
        [DeliveryState.PLANNED, DeliveryState.CLAIMED, DeliveryState.DEFERRED]
    )
    assert count(database, schema.deliveries, mine) > 0
    assert count(database, schema.deliveries, mine, waiting) == 0


def test_the_ids_of_sources_are_known_as_forgotten(database: Database) -> None:
    def make(connection: Connection) -> int:
        made = customers.create(connection, NOW)
        kind = IdentityKind.EXTERNAL
        customers.add_identity(connection, made, kind, "till:77", NOW)
        return made

    made = database.write_now(TEST, make)
    forget(database, made)

    found = database.read_now(lambda c: erased_ids(c, ["till:77", "till:78"]))
    assert found == {"till:77"}


def test_a_merged_person_is_forgotten_whole(
    database: Database, people: list[int]
) -> None:
    first, second, _ = people
    database.write_now(
        TEST, lambda c: merges.merge(c, second, first, MergeMethod.PERSON, NOW)
    )

    forget(database, first)

    assert SECRET not in database.read_now(everything)
    erased = schema.customers.c.erased_at.is_not(None)
    assert count(database, schema.customers, erased) == 2


def test_forgetting_twice_changes_nothing_more(
    database: Database, people: list[int]
) -> None:
    forget(database, people[0])

    forget(database, people[0])

    assert count(database, schema.customers) == 3


def test_nobody_is_forgotten_by_a_wrong_number(database: Database) -> None:
    with pytest.raises(DataError, match="no such customer"):
        forget(database, 99)


def test_a_person_is_told_everything_with_names(
    database: Database, people: list[int]
) -> None:
    def buy(connection: Connection) -> None:
        own = schema.orders.c.customer_id == people[1]
        order = connection.scalar(select(func.min(schema.orders.c.id)).where(own))
        line = {"order_id": order, "line_no": 1, "quantity": 1, "amount_minor": 5}
        connection.execute(insert(schema.order_lines).values(product_id=1, **line))

    database.write_now(TEST, buy)

    told = database.read_now(lambda c: person.collect(c, people[1], NOW))

    exported = {key.table.name for key in CUSTOMER_KEYS if key.export}
    assert set(told) - {"exported_at", "customer"} <= exported
    assert {"identities", "consents", "orders", "conversations", "feedback"} <= set(
        told
    )
    assert told["orders"][0]["order_lines"][0]["product"] == "Lamp"
    assert json.loads(json.dumps(told)) == told


def test_the_silent_are_found_by_age(database: Database, people: list[int]) -> None:
    def due(days: int) -> list[int]:
        before = NOW + timedelta(days=days)
        return database.read_now(lambda c: list(due_for_erasure(c, before, 10)))

    assert due(-1000) == []
    assert due(1000) == people
