"""What the decision sees: consent, addresses, pressure, service; nobody twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from core.model import (
    Channel,
    ConsentState,
    DeliveryState,
    IdentityKind,
    Owner,
    RunState,
)
from storage import audience, customers, deliveries, runs
from storage.audience import Address, Asking, Candidate
from storage.customers import ALL_TOPICS
from storage.database import Connection, Database
from storage.deliveries import Planned
from storage.schema import (
    conversations,
    customer_features,
    episodes,
    feedback,
    identities,
    memberships,
    model_runs,
    segments,
)
from storage.schema import customers as table
from storage.schema import deliveries as delivery_table
from tests.storage.shop import NOW, TEST, new_customer, new_run

ANN = "ann@shop.example"
WEEK = timedelta(days=7)
ASKING = Asking(99, "win_back", "offers", NOW - WEEK)


@pytest.fixture
def ann(database: Database) -> int:
    """A customer with an e-mail address, and the key that hides addresses."""

    def work(connection: Connection) -> int:
        customers.is_suppressed(connection, Channel.EMAIL, ANN)
        return new_customer(connection, ANN)

    return database.write_now(TEST, work)


def seen(database: Database, customer_id: int, asking: Asking = ASKING) -> Candidate:
    [found] = database.read_now(lambda c: audience.candidates(c, [customer_id], asking))
    return found


def consent(
    database: Database,
    customer_id: int,
    topic: str,
    state: ConsentState = ConsentState.GRANTED,
    channel: Channel = Channel.EMAIL,
) -> None:
    database.write_now(
        TEST,
        lambda c: customers.record_consent(
            c, customer_id, channel, topic, state, "form", NOW
        ),
    )


def add(database: Database, target: Any, **values: Any) -> int:
    key = next(iter(target.primary_key.columns))
    return database.write_now(
        TEST,
        lambda c: c.execute(
            insert(target).values(**values).returning(key)
        ).scalar_one(),
    )


# --- who ------------------------------------------------------------------------------


def test_an_audience_comes_in_chunks_in_order(database: Database) -> None:
    ids = [
        database.write_now(TEST, lambda c, n=n: new_customer(c, f"c{n}@shop.example"))
        for n in range(5)
    ]

    first = database.read_now(lambda c: audience.customer_ids(c, None, 0, 3))
    second = database.read_now(lambda c: audience.customer_ids(c, None, first[-1], 3))

    assert first + second == ids


def test_merged_customers_are_not_in_it(database: Database, ann: int) -> None:
    alias = database.write_now(TEST, lambda c: new_customer(c, "old@shop.example"))
    merge = update(table).where(table.c.id == alias).values(alias_of=ann)
    database.write_now(TEST, lambda c: c.execute(merge))

    assert database.read_now(lambda c: audience.customer_ids(c, None, 0, 9)) == [ann]


def segmentation(
    database: Database, members: list[int], key: str, *, complete: bool = True
) -> None:
    """A newer segmentation of the same name, with one segment."""

    def work(connection: Connection) -> None:
        run = connection.execute(
            insert(model_runs)
            .values(
                kind="segments", name="behaviour", complete=complete, created_at=NOW
            )
            .returning(model_runs.c.id)
        ).scalar_one()
        values = {"model_run_id": run, "key": key, "name": key.title(), "size": 1}
        segment = connection.execute(
            insert(segments).values(**values).returning(segments.c.id)
        ).scalar_one()
        for member in members:
            connection.execute(
                insert(memberships).values(
                    model_run_id=run, customer_id=member, segment_id=segment
                )
            )

    database.write_now(TEST, work)


def test_only_the_newest_complete_segmentation_counts(
    database: Database, ann: int
) -> None:
    segmentation(database, [ann], "old")
    segmentation(database, [ann], "loyal")
    # It is being written: its rows don't count yet.
    segmentation(database, [ann], "unfinished", complete=False)

    members = {
        key: database.read_now(lambda c, key=key: audience.customer_ids(c, key, 0, 9))
        for key in ("old", "loyal", "unfinished")
    }

    assert members == {"old": [], "loyal": [ann], "unfinished": []}
    assert database.read_now(audience.segment_keys) == ["loyal"]
    assert seen(database, ann).segment == "loyal"
    assert seen(database, ann).segment_name == "Loyal"


def test_a_segment_is_known_or_not(database: Database, ann: int) -> None:
    segmentation(database, [ann], "loyal")

    assert database.read_now(lambda c: audience.has_segment(c, "loyal"))
    assert not database.read_now(lambda c: audience.has_segment(c, "royal"))


def test_features_come_from_the_newest_complete_run(
    database: Database, ann: int
) -> None:
    for frequency, complete in ((1, True), (2, True), (3, False)):
        run = add(
            database,
            model_runs,
            kind="features",
            name="customers",
            complete=complete,
            created_at=NOW,
        )
        add(
            database,
            customer_features,
            model_run_id=run,
            customer_id=ann,
            features={"frequency": frequency},
        )

    assert seen(database, ann).features == {"frequency": 2}


def test_candidates_come_in_the_order_asked_for(database: Database, ann: int) -> None:
    bob = database.write_now(TEST, lambda c: new_customer(c, "bob@shop.example"))

    found = database.read_now(lambda c: audience.candidates(c, [bob, 77, ann], ASKING))

    assert [each.customer_id for each in found] == [bob, ann]


def test_a_candidate_has_the_fields_and_the_first_phone(
    database: Database, ann: int
) -> None:
    told = {"gender": "female", "postcode": "10115", "preferences": {"size": "M"}}
    mine = update(table).where(table.c.id == ann).values(told)
    database.write_now(TEST, lambda c: c.execute(mine))
    for place, number in ((1, "+49 30 1"), (0, "+49 30 2")):
        phone = {"kind": "phone", "value": number, "typed": number, "place": place}
        add(database, identities, customer_id=ann, created_at=NOW, **phone)

    found = seen(database, ann)

    assert (found.gender, found.postcode) == ("female", "10115")
    assert (found.preferences, found.phone) == ({"size": "M"}, "+49 30 2")


def test_the_names_of_all_attributes_are_known(database: Database, ann: int) -> None:
    bob = database.write_now(TEST, lambda c: new_customer(c, "bob@shop.example"))
    told = {ann: {"plan": "gold", "会员": "1"}, bob: {"plan": "", "Shoe size": "42"}}
    for customer, attributes in told.items():
        mine = update(table).where(table.c.id == customer)
        work = mine.values(attributes=attributes)
        database.write_now(TEST, lambda c, w=work: c.execute(w))

    assert database.read_now(audience.open_names) == {
        "attributes": {"plan", "会员", "Shoe size"},
        "preferences": set(),
    }


def test_nobody_is_asked_for(database: Database) -> None:
    assert database.read_now(lambda c: audience.candidates(c, [], ASKING)) == []


# --- consent and addresses ------------------------------------------------------------


@pytest.mark.parametrize(
    ("ledger", "granted"),
    [
        ([("offers", "granted")], True),
        ([("news", "granted")], False),
        ([("offers", "granted"), ("offers", "withdrawn")], False),
        ([("offers", "granted"), (ALL_TOPICS, "withdrawn")], False),
        ([(ALL_TOPICS, "withdrawn"), ("offers", "granted")], True),
        ([("offers", "granted"), ("news", "withdrawn")], True),
        ([], False),
    ],
)
def test_the_newest_row_wins_as_in_the_ledger(
    database: Database, ann: int, ledger: list[tuple[str, str]], granted: bool
) -> None:
    for topic, state in ledger:
        consent(database, ann, topic, ConsentState(state))

    assert (Channel.EMAIL in seen(database, ann).consented) is granted
    assert (
        database.read_now(
            lambda c: customers.has_consent(c, ann, Channel.EMAIL, "offers")
        )
        is granted
    )


def test_consent_is_for_one_channel_and_one_customer(
    database: Database, ann: int
) -> None:
    bob = database.write_now(TEST, lambda c: new_customer(c, "bob@shop.example"))
    consent(database, ann, "offers", channel=Channel.TELEGRAM)
    consent(database, bob, "offers")

    assert seen(database, ann).consented == {Channel.TELEGRAM}


def test_an_address_that_is_suppressed_or_unreachable_says_so(
    database: Database, ann: int
) -> None:
    database.write_now(
        TEST,
        lambda c: customers.suppress(c, Channel.EMAIL, "ANN@shop.example", "x", NOW),
    )
    database.write_now(
        TEST,
        lambda c: customers.set_unreachable(c, IdentityKind.EMAIL, ANN, "mailbox_full"),
    )

    assert seen(database, ann).addresses == {
        Channel.EMAIL: Address(ANN, "mailbox_full", suppressed=True)
    }


def test_suppression_outlives_the_customer(database: Database, ann: int) -> None:
    database.write_now(
        TEST, lambda c: customers.suppress(c, Channel.EMAIL, ANN, "complaint", NOW)
    )
    database.write_now(TEST, lambda c: c.execute(identities.delete()))
    again = database.write_now(TEST, lambda c: new_customer(c, ANN))

    assert seen(database, again).addresses[Channel.EMAIL].suppressed


def test_the_first_address_that_can_be_used_is_taken(
    database: Database, ann: int
) -> None:
    for other in ("b@shop.example", "c@shop.example"):
        database.write_now(
            TEST,
            lambda c, other=other: customers.add_identity(
                c, ann, IdentityKind.EMAIL, other, NOW
            ),
        )
    database.write_now(
        TEST, lambda c: customers.set_unreachable(c, IdentityKind.EMAIL, ANN, "blocked")
    )

    assert seen(database, ann).addresses[Channel.EMAIL].value == "b@shop.example"


def test_what_is_no_channel_is_no_address(database: Database, ann: int) -> None:
    database.write_now(
        TEST,
        lambda c: customers.add_identity(c, ann, IdentityKind.PHONE, "+4930", NOW),
    )

    assert set(seen(database, ann).addresses) == {Channel.EMAIL}


# --- pressure -------------------------------------------------------------------------


def deliver(
    database: Database,
    customer_id: int,
    key: str = "other",
    state: DeliveryState = DeliveryState.ACCEPTED,
    at: datetime = NOW,
) -> int:
    """A delivery of another run; returns the run."""

    def work(connection: Connection) -> int:
        run = new_run(connection, key)
        row = Planned(customer_id, Channel.EMAIL, state, None, None, {})
        deliveries.add_planned(connection, run.id, [row], at)
        return run.id

    return database.write_now(TEST, work)


@pytest.mark.parametrize(
    ("state", "messages"),
    [
        ("planned", 1),
        ("claimed", 1),
        ("sending", 1),
        ("deferred", 1),
        ("accepted", 1),
        ("uncertain", 1),
        # Nothing of these reached anybody.
        ("skipped", 0),
        ("suppressed", 0),
        ("rejected", 0),
        ("expired", 0),
        ("cancelled", 0),
    ],
)
def test_what_reached_or_may_reach_a_customer_is_pressure(
    database: Database, ann: int, state: str, messages: int
) -> None:
    deliver(database, ann, state=DeliveryState(state))

    assert seen(database, ann).messages_in_cap_window == messages


def test_the_run_itself_is_no_pressure(database: Database, ann: int) -> None:
    own = deliver(database, ann)
    deliver(database, ann, "second")
    deliver(database, ann, "third")

    found = seen(database, ann, replace(ASKING, campaign_run_id=own))

    assert found.messages_in_cap_window == 2


@pytest.mark.parametrize(("days", "messages"), [(6.9, 1), (7, 1), (7.1, 0)])
def test_old_messages_press_no_more(
    database: Database, ann: int, days: float, messages: int
) -> None:
    deliver(database, ann, at=NOW - timedelta(days=days))

    assert seen(database, ann).messages_in_cap_window == messages


def test_the_end_counts_and_not_the_plan(database: Database, ann: int) -> None:
    deliver(database, ann, at=NOW - timedelta(days=30))
    late = update(delivery_table).values(ended_at=NOW)
    database.write_now(TEST, lambda c: c.execute(late))

    assert seen(database, ann).messages_in_cap_window == 1


def test_messages_of_the_same_campaign_are_counted_apart(
    database: Database, ann: int
) -> None:
    deliver(database, ann, "win_back")
    deliver(database, ann, "other")
    asking = replace(ASKING, campaign_since=NOW - timedelta(days=90))

    found = seen(database, ann, asking)

    assert (found.messages_in_cap_window, found.messages_of_campaign) == (2, 1)


def test_a_cancelled_run_presses_no_more(database: Database, ann: int) -> None:
    run_id = deliver(database, ann, state=DeliveryState.PLANNED)

    database.write_now(TEST, lambda c: runs.move(c, run_id, RunState.CANCELLED, NOW))

    assert seen(database, ann).messages_in_cap_window == 0


# --- service --------------------------------------------------------------------------


def converse(database: Database, customer_id: int, owner: Owner) -> int:
    return add(
        database,
        conversations,
        customer_id=customer_id,
        channel="webchat",
        address="visitor",
        owner=owner,
        language="en",
        created_at=NOW,
        last_message_at=NOW,
    )


@pytest.mark.parametrize(
    ("owner", "closed_at", "open_"),
    [
        (Owner.QUEUE, NOW, True),
        (Owner.BOT, None, True),
        (Owner.BOT, NOW, False),
    ],
)
def test_a_conversation_is_open_while_somebody_waits(
    database: Database, ann: int, owner: Owner, closed_at: datetime | None, open_: bool
) -> None:
    conversation_id = converse(database, ann, owner)
    add(
        database,
        episodes,
        conversation_id=conversation_id,
        kind="chat",
        opened_at=NOW,
        closed_at=closed_at,
    )

    assert seen(database, ann).has_open_conversation is open_


def test_the_newest_low_score_is_seen(database: Database, ann: int) -> None:
    scores = [(1, NOW - WEEK), (2, NOW - timedelta(days=3)), (3, NOW)]
    for score, at in scores:
        add(database, feedback, customer_id=ann, score=score, answered_at=at)
    add(database, feedback, customer_id=ann, asked_at=NOW)

    assert seen(database, ann).last_low_score_at == NOW - timedelta(days=3)


def test_without_feedback_there_is_no_low_score(database: Database, ann: int) -> None:
    found = seen(database, ann)

    assert found.last_low_score_at is None
    assert not found.has_open_conversation
