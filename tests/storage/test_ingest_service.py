"""Events, ratings, conversations and rates as files tell of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from core.model import CaseKind, EpisodeEnd, Role
from core.records import (
    ConversationRecord,
    CustomerRecord,
    EventRecord,
    FeedbackRecord,
    ProductRecord,
    RateRecord,
    RecordKind,
)
from storage import audience, behind, console, conversations, staff
from storage.schema import (
    conversation_events,
    currency_rates,
    customers,
    episodes,
    events,
    feedback,
    handling_intervals,
    products,
)
from storage.schema import conversations as talks
from storage.schema import staff as people
from tests.storage.importer import ACTOR, NOW, Importer

EVENTS, FEEDBACK = RecordKind.EVENTS, RecordKind.FEEDBACK
CONVERSATIONS, RATES = RecordKind.CONVERSATIONS, RecordKind.RATES
MINUTE = timedelta(minutes=1)
VISIT = EventRecord(2, None, "7", "visit", NOW, "P1", 250, "EUR", {"page": "/"})
RATING = FeedbackRecord(2, "F1", "7", NOW, 4, 7.0, "0-10", comment="Fine")
TICKET = ConversationRecord(
    *(2, "T1", "7", CaseKind.MAIL, NOW, NOW + 60 * MINUTE, EpisodeEnd.RESOLVED),
    topic="returns",
    agent="Bea",
    first_response_at=NOW + 5 * MINUTE,
    handling_seconds=300.0,
    score=5,
    comment="Quick",
)
OPEN = replace(
    TICKET, closed_at=None, ended=None, handling_seconds=None, score=None, comment=None
)
WRITTEN = (
    *(events, feedback, episodes, talks, conversation_events, handling_intervals),
    *(customers, products, currency_rates, people),
)


@pytest.fixture
def bring(database):
    return Importer(database)


@pytest.fixture
def rows(database):
    def rows(*columns):
        query = select(*columns).order_by(*columns)
        return [tuple(row) for row in database.read_now(lambda c: c.execute(query))]

    return rows


@pytest.fixture
def everything(rows):
    return lambda: [
        rows(*table.primary_key.columns, *_plain(table)) for table in WRITTEN
    ]


def _plain(table):
    """Columns that can be put in order in both databases."""
    objects = {"data", "dialogue", "attributes", "preferences", "provenance"}
    return [column for column in table.c if column.name not in objects]


# --- all of them ----------------------------------------------------------------------

RECORDS = [
    pytest.param(EVENTS, VISIT, id="events"),
    pytest.param(FEEDBACK, RATING, id="feedback"),
    pytest.param(CONVERSATIONS, TICKET, id="conversations"),
    pytest.param(CONVERSATIONS, OPEN, id="open conversations"),
    pytest.param(RATES, RateRecord(2, "USD", date(2026, 3, 1), 0.9), id="rates"),
]


@pytest.mark.parametrize(("kind", "record"), RECORDS)
def test_what_is_told_again_changes_nothing(bring, everything, kind, record):
    bring(kind, record)
    before = everything()

    bring(kind, [record], [record])

    assert everything() == before


@pytest.mark.parametrize(("kind", "record"), RECORDS)
def test_nothing_of_a_row_is_told_twice_in_a_batch(bring, everything, kind, record):
    bring(kind, [record, record])

    assert max(len(found) for found in everything()[:4]) <= 1


# --- events ---------------------------------------------------------------------------


def test_an_event_makes_its_customer_and_its_product(bring, rows):
    bring(EVENTS, VISIT)

    assert rows(
        events.c.kind, events.c.at, events.c.value_minor, events.c.currency
    ) == [("visit", NOW, 250, "EUR")]
    assert rows(products.c.external_id, products.c.name) == [("P1", "P1")]
    assert len(rows(customers.c.id)) == 1


def test_an_event_finds_what_is_known(bring, rows):
    bring(RecordKind.CUSTOMERS, CustomerRecord("7", 2))
    bring(RecordKind.PRODUCTS, ProductRecord("P1", "Lamp"))

    bring(EVENTS, VISIT)

    assert rows(events.c.customer_id) == rows(customers.c.id)
    assert rows(products.c.name) == [("Lamp",)]


def test_a_newer_file_corrects_an_event(bring, rows, database):
    bring(EVENTS, VISIT)

    newer = bring(EVENTS, replace(VISIT, value_minor=300, data={"page": "/b"}))

    assert rows(events.c.value_minor, events.c.import_id) == [(300, newer)]
    told = database.read_now(lambda c: c.scalar(select(events.c.data)))
    assert told == {"page": "/b"}


def test_events_that_differ_in_what_tells_them_are_two(bring, rows):
    bring(EVENTS, VISIT, replace(VISIT, product="P2"), replace(VISIT, kind="cart"))

    assert len(rows(events.c.id)) == 3


# --- rates ----------------------------------------------------------------------------


def test_a_newer_rate_of_a_day_counts(bring, rows):
    day = date(2026, 3, 1)
    bring(RATES, RateRecord(2, "USD", day, 0.9), RateRecord(3, "JPY", day, 0.006))

    newer = bring(RATES, RateRecord(2, "USD", day, 0.95))

    columns = currency_rates.c.currency, currency_rates.c.rate
    assert rows(*columns) == [("JPY", 0.006), ("USD", 0.95)]
    assert ("USD", newer) in rows(currency_rates.c.currency, currency_rates.c.import_id)


# --- ratings --------------------------------------------------------------------------


def test_a_rating_keeps_what_was_given(bring, rows):
    bring(FEEDBACK, replace(RATING, agent="Bea", topic="returns", channel="call"))

    columns = ("score", "given_score", "given_scale", "comment", "topic", "channel")
    assert rows(*(feedback.c[name] for name in columns)) == [
        (4, 7.0, "0-10", "Fine", "returns", "call")
    ]
    assert rows(feedback.c.answered_by, feedback.c.staff_id) == [
        ("agent", *rows(people.c.id)[0])
    ]


def test_a_rating_of_nobody_is_kept(bring, rows):
    bring(FEEDBACK, replace(RATING, customer=None))

    assert rows(feedback.c.customer_id, feedback.c.score) == [(None, 4)]


def test_a_rating_of_an_unknown_conversation_is_counted(bring, rows):
    bring(FEEDBACK, replace(RATING, conversation="T9"))

    assert bring.progress.corrected == {"conversation_unknown": 1}
    assert rows(feedback.c.episode_id, feedback.c.score) == [(None, 4)]


def test_a_rating_file_corrects_the_rating_of_a_conversation(bring, rows):
    bring(CONVERSATIONS, TICKET)

    bring(FEEDBACK, replace(RATING, score=2, conversation="T1"))

    assert rows(feedback.c.score, feedback.c.topic) == [(2, "returns")]
    assert rows(feedback.c.episode_id) == rows(episodes.c.id)


def test_a_conversation_leaves_the_rating_of_a_rating_file(bring, rows):
    bring(CONVERSATIONS, OPEN)
    bring(FEEDBACK, replace(RATING, score=2, conversation="T1"))

    bring(CONVERSATIONS, TICKET)

    assert rows(feedback.c.score) == [(2,)]


def test_a_conversation_has_one_rating(bring, rows):
    bring(CONVERSATIONS, OPEN, replace(OPEN, external_id="T2"))
    first = replace(RATING, conversation="T1")
    bring(FEEDBACK, first, replace(RATING, external_id="F2", conversation="T2"))

    # F1 can't move to the conversation that F2 rates.
    bring(FEEDBACK, replace(first, conversation="T2", score=1))

    assert len({key for (key,) in rows(feedback.c.episode_id)}) == 2
    assert rows(feedback.c.external_id, feedback.c.score) == [("F1", 1), ("F2", 4)]


# --- conversations --------------------------------------------------------------------


def test_a_row_becomes_a_conversation_that_is_over(bring, rows):
    bring(CONVERSATIONS, TICKET)

    columns = ("channel", "address", "owner", "open", "due_at", "last_message_at")
    assert rows(*(talks.c[name] for name in columns)) == [
        ("mail", "shop:T1", "bot", False, None, NOW + 60 * MINUTE)
    ]
    columns = ("kind", "topic", "opened_at", "closed_at", "ended", "reopened")
    assert rows(*(episodes.c[name] for name in columns)) == [
        ("mail", "returns", NOW, NOW + 60 * MINUTE, "resolved", 0)
    ]


def test_the_log_says_what_happened_when(bring, rows):
    bring(CONVERSATIONS, TICKET)

    (customer,), (agent,) = rows(customers.c.id)[0], rows(people.c.id)[0]
    columns = ("id", "kind", "actor", "at")
    log = rows(*(conversation_events.c[name] for name in columns))
    assert [row[1:] for row in log] == [
        ("opened", "system:test", NOW),
        ("customer_message", f"customer:{customer}", NOW),
        ("agent_reply", f"staff:{agent}", NOW + 5 * MINUTE),
        ("closed", "system:test", NOW + 60 * MINUTE),
    ]


@pytest.mark.parametrize(
    ("change", "begun", "ended"),
    [
        ({}, 5 * MINUTE, 10 * MINUTE),
        ({"first_response_at": None}, 55 * MINUTE, 60 * MINUTE),
        ({"closed_at": None, "ended": None}, 5 * MINUTE, 10 * MINUTE),
        # Who gave up after the first reply was handled.
        ({"ended": EpisodeEnd.ABANDONED}, 5 * MINUTE, 10 * MINUTE),
    ],
)
def test_the_handling_has_its_place(bring, rows, change, begun, ended):
    bring(CONVERSATIONS, replace(TICKET, **change))

    table = handling_intervals
    assert rows(table.c.started_at, table.c.ended_at) == [(NOW + begun, NOW + ended)]


@pytest.mark.parametrize(
    "change",
    [
        {"handling_seconds": None},
        {"agent": None},
        {"ended": EpisodeEnd.ABANDONED, "first_response_at": None},
        {"closed_at": None, "ended": None, "first_response_at": None},
    ],
)
def test_without_agent_time_or_reply_there_is_no_handling(bring, rows, change):
    bring(CONVERSATIONS, replace(TICKET, **change))

    assert rows(handling_intervals.c.id) == []


def test_handling_without_an_agent_is_counted(bring):
    bring(CONVERSATIONS, replace(TICKET, agent=None))

    assert bring.progress.corrected == {"handling_without_agent": 1}


def test_the_last_row_of_a_conversation_counts(bring, rows):
    bring(CONVERSATIONS, [OPEN], [replace(TICKET, kind=CaseKind.CALL, reopened=2)])

    assert rows(episodes.c.kind, episodes.c.reopened) == [("call", 2)]
    assert rows(talks.c.channel) == [("call",)]
    assert len(rows(conversation_events.c.id)) == 4
    assert rows(feedback.c.score) == [(5,)]


def test_a_newer_file_brings_a_conversation_to_its_newest_state(bring, rows):
    bring(CONVERSATIONS, OPEN)

    newer = bring(CONVERSATIONS, replace(TICKET, agent="Cem"))

    assert rows(episodes.c.ended, episodes.c.import_id) == [("resolved", newer)]
    handlers = rows(handling_intervals.c.staff_id)
    assert handlers == rows(people.c.id)[-1:]


# --- what must not look open ----------------------------------------------------------


def test_an_imported_conversation_can_be_read_and_not_answered(bring, rows, database):
    bring(CONVERSATIONS, replace(OPEN, customer=None))
    (key,) = rows(talks.c.id)[0]

    talk = database.read_now(lambda c: console.talk(c, key))

    assert talk is not None
    assert (talk.imported, talk.customer_id) == (True, None)
    assert database.read_now(lambda c: conversations.get(c, key)) is None
    assert database.read_now(console.queue) == []


def test_an_open_ticket_of_a_file_holds_no_campaign(bring, rows, database):
    bring(CONVERSATIONS, OPEN)
    (customer,) = rows(customers.c.id)[0]
    asking = audience.Asking(1, "win_back", "offers", NOW)

    (seen,) = database.read_now(lambda c: audience.candidates(c, [customer], asking))

    assert not seen.has_open_conversation


def test_an_imported_conversation_of_nobody_is_behind_the_figures(bring, database):
    bring(CONVERSATIONS, replace(TICKET, customer=None))
    wanted = behind.Wanted(NOW - MINUTE, NOW + 90 * MINUTE, handled=True)

    total, (row,) = database.read_now(lambda c: behind.rows(c, wanted, 9, 0))

    assert (total, row.customer, row.channel, row.score) == (1, None, "mail", 5)


# --- agents ---------------------------------------------------------------------------


def add_member(database, name, email):
    new = staff.NewMember(email, name, Role.AGENT, "hash")
    return database.write_now(ACTOR, lambda c: staff.add_member(c, new, NOW))


@pytest.mark.parametrize("agent", ["Bea Lind", "bea lind ", "BEA@shop.example"])
def test_an_agent_is_known_by_name_or_address(bring, rows, database, agent):
    bea = add_member(database, "Bea Lind", "bea@shop.example")

    bring(CONVERSATIONS, replace(TICKET, agent=agent))

    assert rows(handling_intervals.c.staff_id) == [(bea,)]
    assert len(rows(people.c.id)) == 1


def test_an_unknown_agent_cannot_sign_in(bring, rows, database):
    bring(CONVERSATIONS, replace(TICKET, agent="bea@shop.example"))

    columns = people.c.email, people.c.name, people.c.active
    assert rows(*columns) == [("bea@shop.example", "bea@shop.example", False)]
    assert not database.read_now(lambda c: staff.credentials(c, "bea@shop.example"))
    # The first account of an installation can still be made.
    assert database.read_now(staff.is_empty)


def test_an_agent_of_a_file_can_become_a_member(bring, rows, database):
    bring(CONVERSATIONS, replace(TICKET, agent="bea@shop.example"))

    bea = add_member(database, "Bea Lind", "bea@shop.example")

    assert rows(people.c.id, people.c.name, people.c.active) == [
        (bea, "Bea Lind", True)
    ]
    assert rows(handling_intervals.c.staff_id) == [(bea,)]


def test_an_address_with_an_account_is_refused(database):
    add_member(database, "Bea Lind", "bea@shop.example")

    with pytest.raises(staff.StaffError, match="has an account"):
        add_member(database, "Bea Two", "bea@shop.example")
