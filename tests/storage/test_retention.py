"""What is old goes in small steps; what is young, open or needed stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from core.clock import SystemClock
from core.errors import DataError
from core.model import ImportState
from core.records import ProductRecord, RecordKind
from storage import retention, schema
from storage.import_journal import corrected
from storage.retention import drop_journals, erase_silent, sweep
from storage.undo import undo_import
from tests.storage.crowd import crowd
from tests.storage.importer import ACTOR, NOW, Importer
from tests.storage.shop import NOW as TODAY

DAY = timedelta(days=1)


@pytest.fixture
def people(database):
    return database.write_now(ACTOR, lambda c: crowd(c, 2))


@pytest.fixture
def small(monkeypatch):
    """Two rows a write."""
    monkeypatch.setattr(retention, "ROWS_PER_WRITE", 2)


def count(database, table, *conditions):
    query = select(func.count()).select_from(table).where(*conditions)
    return database.read_now(lambda c: c.scalar(query))


def fill(database, table, ages, **values):
    """A row for each age in days, the oldest first."""
    rows = [values | {"at": NOW - age * DAY} for age in ages]
    database.write_now(ACTOR, lambda c: c.execute(insert(table), rows))


def test_old_rows_go_and_young_ones_stay(database, small):
    values = {"kind": "x", "entity_id": 1, "actor": "system:test"}
    fill(database, schema.changes, [9, 8, 7, 6, 5, 2, 1], **values)

    gone = sweep(database, ACTOR, retention.CHANGES, NOW - 3 * DAY)

    assert gone == 5
    assert count(database, schema.changes) == 2
    assert sweep(database, ACTOR, retention.CHANGES, NOW - 3 * DAY) == 0


def test_each_step_is_a_write_of_its_own(database, small, monkeypatch):
    values = {"actor": "system:test", "action": "x", "entity": "x"}
    fill(database, schema.audit_log, [9] * 7, **values)
    sizes = []
    drop = retention.AUDIT.drop
    counting = retention.Ageing(
        schema.audit_log,
        schema.audit_log.c.at,
        lambda c, ids: sizes.append(len(ids)) or drop(c, ids),
    )

    sweep(database, ACTOR, counting, NOW)

    assert sizes == [2, 2, 2, 1]


def test_utterances_go_by_age(database):
    fill(database, schema.utterances, [9, 1], text="Where?", outcome="missed")

    sweep(database, ACTOR, retention.UTTERANCES, NOW - 3 * DAY)

    assert count(database, schema.utterances) == 1


def test_updates_go_and_their_messages_stay(database, people):
    talks = count(database, schema.messages)

    gone = sweep(database, ACTOR, retention.INBOX, TODAY + DAY)

    assert gone == 2
    assert count(database, schema.inbox) == 0
    assert count(database, schema.messages, schema.messages.c.text != "") == talks


def test_words_of_closed_conversations_go(database, people):
    def close(connection):
        first = schema.conversations.c.customer_id == people[0]
        own = select(schema.conversations.c.id).where(first)
        connection.execute(update(schema.conversations).where(first).values(open=False))
        connection.execute(
            update(schema.episodes)
            .where(schema.episodes.c.conversation_id.in_(own))
            .values(closed_at=TODAY)
        )

    database.write_now(ACTOR, close)

    gone = sweep(database, ACTOR, retention.MESSAGES, TODAY + DAY)

    assert gone == 1
    assert count(database, schema.messages) == 2
    assert count(database, schema.messages, schema.messages.c.text == "") == 1


def test_words_of_open_conversations_stay(database, people):
    assert sweep(database, ACTOR, retention.MESSAGES, TODAY + DAY) == 0


def test_an_import_can_be_undone_until_its_journal_goes(database):
    bring = Importer(database)
    first = bring(RecordKind.PRODUCTS, ProductRecord("P1", "Lamp"))
    second = bring(RecordKind.PRODUCTS, ProductRecord("P1", "Light"))
    drop_journals(database, ACTOR, NOW - DAY, NOW)

    undo_import(database, ACTOR, second, SystemClock())

    assert count(database, schema.products, schema.products.c.name == "Lamp") == 1
    assert undo_import(database, ACTOR, first, SystemClock()).row.state == "undone"


def test_an_import_whose_journal_is_gone_says_so(database):
    bring = Importer(database)
    bring(RecordKind.PRODUCTS, ProductRecord("P1", "Lamp"))
    second = bring(RecordKind.PRODUCTS, ProductRecord("P1", "Light"))

    gone = drop_journals(database, ACTOR, NOW + DAY, NOW)

    assert gone == 2
    with pytest.raises(DataError, match="no longer kept"):
        undo_import(database, ACTOR, second, SystemClock())
    assert count(database, schema.products, schema.products.c.name == "Light") == 1


def test_rows_that_were_corrected_are_remembered(database):
    bring = Importer(database)
    first = bring.begin(RecordKind.PRODUCTS)
    database.write_now(ACTOR, lambda c: corrected(c, first, [(first.id, 7)]))
    database.write_now(
        ACTOR,
        lambda c: c.execute(
            update(schema.imports).values(state=ImportState.CLOSED, completed_at=NOW)
        ),
    )

    assert drop_journals(database, ACTOR, NOW + DAY, NOW) == 0
    assert count(database, schema.import_changes) == 1


def test_a_running_import_keeps_its_journal(database):
    bring = Importer(database)
    bring(RecordKind.PRODUCTS, ProductRecord("P1", "Lamp"))
    bring(RecordKind.PRODUCTS, ProductRecord("P1", "Light"))
    database.write_now(
        ACTOR,
        lambda c: c.execute(update(schema.imports).values(state=ImportState.RUNNING)),
    )

    assert drop_journals(database, ACTOR, NOW + DAY, NOW) == 0


def test_the_silent_are_erased_and_others_are_not(database, people, monkeypatch):
    monkeypatch.setattr(retention, "CUSTOMERS_AT_ONCE", 1)
    later = TODAY + 800 * DAY
    database.write_now(
        ACTOR,
        lambda c: c.execute(
            update(schema.orders)
            .where(schema.orders.c.customer_id == people[1])
            .values(ordered_at=later)
        ),
    )

    assert erase_silent(database, ACTOR, later - 10 * DAY, later) == 1

    erased = select(schema.customers.c.id).where(
        schema.customers.c.erased_at.is_not(None)
    )
    assert database.read_now(lambda c: c.scalars(erased).all()) == [people[0]]
    why = select(schema.audit_log.c.data).where(
        schema.audit_log.c.action == "customer_erased"
    )
    assert database.read_now(lambda c: c.scalars(why).all())[0]["why"] == "silent"
