"""Whoever asked to be forgotten does not come back by a file, and nothing is lost."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from sqlalchemy import func, select

from core.errors import Problem
from core.model import CaseKind, EpisodeEnd, IdentityKind, MergeMethod
from core.records import (
    Batch,
    ConversationRecord,
    CustomerRecord,
    EventRecord,
    FeedbackRecord,
    RecordKind,
)
from storage import audience, customers, frames, merges, schema
from storage.erasure import erase
from storage.ingest_orders import OrderWriter
from storage.merges import MergeError
from tests.storage.importer import ACTOR, NOW, Importer, codes_of, order
from tests.storage.test_erasure import everything

GONE, STAYS = "7", "8"


@pytest.fixture
def shop(database):
    """Customer 7 was erased, customer 8 is known; both have told everything."""
    bring = Importer(database)
    for kind, records in told().items():
        bring(kind, records)
    gone = owner(database, GONE)
    database.write_now(ACTOR, lambda c: erase(c, gone, NOW))
    return bring


def told(comment="Zanzibar"):
    """A row of each kind from two customers; what they say holds a word."""
    people = [
        CustomerRecord(name, n, name=f"{comment} {name}")
        for n, name in enumerate((GONE, STAYS), 2)
    ]
    return {
        RecordKind.CUSTOMERS: people,
        RecordKind.ORDERS: [
            order(f"A{name}", ("P1", 2, 500), customer=name) for name in (GONE, STAYS)
        ],
        RecordKind.EVENTS: [
            EventRecord(2, f"E{name}", name, "visit", NOW, data={"page": comment})
            for name in (GONE, STAYS)
        ],
        RecordKind.CONVERSATIONS: [
            ConversationRecord(
                2, f"C{name}", name, CaseKind.CALL, NOW, NOW, EpisodeEnd.RESOLVED
            )
            for name in (GONE, STAYS)
        ],
        RecordKind.FEEDBACK: [
            FeedbackRecord(2, f"F{name}", name, NOW, 2, comment=comment)
            for name in (GONE, STAYS)
        ],
    }


def owner(database, name):
    ids = IdentityKind.EXTERNAL
    found = database.read_now(lambda c: customers.find(c, ids, f"shop:{name}"))
    return found.id if found else None


def owners(database, table):
    query = select(table.c.customer_id).order_by(table.c.id)
    return list(database.read_now(lambda c: c.scalars(query).all()))


@pytest.mark.parametrize("kind", list(told()))
def test_a_file_of_before_changes_nothing(database, shop, kind):
    before = database.read_now(lambda c: Counter(_rows(c)))

    shop(kind, told()[kind])

    assert owner(database, GONE) is None
    assert "Zanzibar 7" not in database.read_now(everything)
    assert shop.progress.corrected["erased"] == 1
    assert database.read_now(lambda c: Counter(_rows(c))) == before


def _rows(connection):
    """Who owns what; the journal of imports aside."""
    for table in (schema.customers, schema.orders, schema.events, schema.feedback):
        key = table.c.id if table is schema.customers else table.c.customer_id
        for row in connection.execute(select(table.c.id, key)):
            yield (table.name, *row)
    talks = schema.conversations
    for row in connection.execute(select(talks.c.id, talks.c.customer_id)):
        yield ("conversations", *row)


def test_what_they_said_does_not_come_back(database, shop):
    for kind in (RecordKind.FEEDBACK, RecordKind.EVENTS):
        shop(kind, told("Honolulu")[kind])

    words = [
        *database.read_now(lambda c: c.scalars(select(schema.feedback.c.comment)).all())
    ]
    assert words == [None, "Honolulu"]


def test_new_orders_of_theirs_are_nobodys_and_count(database, shop):
    shop(RecordKind.ORDERS, [order("B1", ("P1", 1, 90), customer=GONE)])

    assert owners(database, schema.orders)[-1] is None
    assert shop.progress.corrected == {"erased": 1}
    assert shop.progress.rows_accepted == 1


def test_orders_in_later_batches_are_nobodys_too(database, shop):
    shop(
        RecordKind.ORDERS,
        [order("B1", ("P1", 1, 90), customer=GONE)],
        [order("B2", ("P1", 1, 90), customer=GONE)],
    )

    assert owners(database, schema.orders)[-2:] == [None, None]
    assert shop.progress.corrected == {"erased": 2}


def test_a_changed_order_stays_with_the_nameless_customer(database, shop):
    before = owners(database, schema.orders)

    shop(RecordKind.ORDERS, [order("A7", ("P1", 5, 900), customer=GONE)])

    assert owners(database, schema.orders) == before
    total = select(schema.orders.c.total_minor).where(schema.orders.c.id == 1)
    assert database.read_now(lambda c: c.scalar(total)) == 900


def test_a_new_conversation_of_theirs_is_nobodys(database, shop):
    record = ConversationRecord(
        2, "C99", GONE, CaseKind.CALL, NOW, NOW, score=1, comment="Honolulu"
    )

    shop(RecordKind.CONVERSATIONS, [record])

    assert owners(database, schema.conversations)[-1] is None
    assert "Honolulu" not in database.read_now(everything)


def test_a_new_event_of_theirs_is_left_out(database, shop):
    shop(RecordKind.EVENTS, [EventRecord(2, "E9", GONE, "visit", NOW)])

    count = select(func.count()).select_from(schema.events)
    assert database.read_now(lambda c: c.scalar(count)) == 2
    assert shop.progress.corrected == {"erased": 1}


def test_who_is_forgotten_in_the_middle_of_an_import_stays_so(database):
    bring = Importer(database)
    row = bring.begin(RecordKind.ORDERS)
    writer = OrderWriter(row)
    write(database, writer, order("A1", ("P1", 1, 10), customer=GONE))
    gone = owner(database, GONE)
    database.write_now(ACTOR, lambda c: erase(c, gone, NOW))

    write(database, writer, order("A2", ("P1", 1, 10), customer=GONE))

    assert owner(database, GONE) is None
    assert owners(database, schema.orders) == [gone, None]


def write(database, writer, *records):
    batch = Batch(list(records), codes_of(records), rows=len(records))
    writer.learn(database.write_now(ACTOR, lambda c: writer.write(c, batch, NOW)))


def test_the_journal_of_imports_forgets_them_too(database):
    bring = Importer(database)
    for records in (told(), told("Honolulu"), told("Oslo")):
        for kind, rows in records.items():
            bring(kind, rows)
    gone = owner(database, GONE)

    database.write_now(ACTOR, lambda c: erase(c, gone, NOW))

    query = select(schema.import_changes.c.before)
    kept = str(database.read_now(lambda c: c.scalars(query).all()))
    assert "Zanzibar 8" in kept
    assert "Zanzibar 7" not in kept
    mine = schema.import_changes.c.customer_id == gone
    left = select(func.count()).where(mine)
    assert database.read_now(lambda c: c.scalar(left)) == 0


# --- the rest of the program ----------------------------------------------------------


def test_campaigns_and_matching_leave_them_out(database, shop):
    stays = owner(database, STAYS)
    asking = audience.Asking(1, "hello", "offers", NOW)

    ids = database.read_now(lambda c: audience.customer_ids(c, None, 0, 10))
    found = database.read_now(lambda c: audience.candidates(c, [1, 2], asking))
    people = database.read_now(frames.people_frame)

    assert ids == [stays]
    assert [each.customer_id for each in found] == [stays]
    assert list(people["customer_id"]) == [stays]


def test_their_purchases_count_as_nobodys(database, shop):
    found = database.read_now(frames.purchases_frame)

    assert len(found) == 2
    assert found["customer_id"].notna().sum() == 1


def test_a_merge_with_them_can_not_be_taken_back(database):
    bring = Importer(database)
    bring(RecordKind.CUSTOMERS, told()[RecordKind.CUSTOMERS])
    merge_id = database.write_now(
        ACTOR, lambda c: merges.merge(c, 1, 2, MergeMethod.PERSON, NOW)
    )
    database.write_now(ACTOR, lambda c: erase(c, 1, NOW))

    with pytest.raises(MergeError) as refused:
        database.write_now(ACTOR, lambda c: merges.unmerge(c, merge_id, NOW))

    assert "was erased" in str(refused.value)
    assert isinstance(refused.value.problems[0], Problem)


def test_forgetting_finds_the_right_ones_among_many(database):
    bring = Importer(database)
    names = [f"C{number}" for number in range(1200)]
    bring(RecordKind.CUSTOMERS, [CustomerRecord(name, 2) for name in names])
    gone = set(random.Random(5).sample(names, 7))
    for name in gone:
        key = owner(database, name)
        database.write_now(ACTOR, lambda c, key=key: erase(c, key, NOW))

    bring(RecordKind.CUSTOMERS, [CustomerRecord(name, 2) for name in names])

    assert bring.progress.corrected == {"erased": 7}
    assert {name for name in names if owner(database, name) is None} == gone
