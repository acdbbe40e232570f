"""One person is one customer: everything moves, nothing is lost, all can be undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, func, select, update

from core.model import (
    CaseKind,
    Channel,
    ConsentState,
    DeliveryState,
    IdentityKind,
    MergeMethod,
    RunState,
    SkipReason,
    customer_self,
    staff_member,
)
from storage import (
    console,
    conversations,
    customers,
    merges,
    outcomes,
    pairs,
    preferences,
    runs,
    schema,
)
from storage.customers import ALL_TOPICS
from storage.database import Connection, Database
from storage.merges import MergeError
from storage.outcomes import Arm
from storage.registry import CUSTOMER_KEYS, CustomerKey, OnMerge
from tests.storage.crowd import (
    add,
    converse,
    crowd,
    deliver,
    picture,
    rate,
    say,
)
from tests.storage.shop import NOW, TEST, new_customer, new_run

LATER = NOW + timedelta(hours=1)
PEOPLE = 5
MOVING = [key for key in CUSTOMER_KEYS if key.merge is OnMerge.MOVE]
KEEPING = [key for key in CUSTOMER_KEYS if key.merge is OnMerge.KEEP_SURVIVORS]
by_table = pytest.mark.parametrize("key", MOVING, ids=lambda key: str(key.table.name))
by_kept = pytest.mark.parametrize("key", KEEPING, ids=lambda key: str(key.table.name))


@pytest.fixture
def people(database: Database) -> list[int]:
    """Five customers with a row in every table."""
    return database.write_now(TEST, lambda c: crowd(c, PEOPLE))


@pytest.fixture
def two(database: Database) -> tuple[int, int]:
    """Two customers of whom nothing is known but an e-mail address."""
    names = ("ann", "anna")
    ann, anna = (
        database.write_now(TEST, partial(new_customer, email=f"{name}@shop.example"))
        for name in names
    )
    return ann, anna


def write(database: Database, work: Callable[[Connection], Any]) -> Any:
    return database.write_now(TEST, work)


def unite(
    connection: Connection,
    survivor_id: int,
    merged_id: int,
    method: MergeMethod = MergeMethod.PERSON,
) -> int:
    return merges.merge(connection, survivor_id, merged_id, method, NOW)


def merged(database: Database, survivor_id: int, merged_id: int) -> int:
    return int(write(database, lambda c: unite(c, survivor_id, merged_id)))


def undo(database: Database, merge_id: int) -> None:
    write(database, lambda c: merges.unmerge(c, merge_id, LATER))


def owned(database: Database, key: CustomerKey, customer_id: int) -> int:
    query = select(func.count()).where(key.key == customer_id)
    return database.read_now(lambda c: c.scalar(query)) or 0


def field(database: Database, customer_id: int, name: str) -> Any:
    query = select(schema.customers.c[name]).where(schema.customers.c.id == customer_id)
    return database.read_now(lambda c: c.scalar(query))


def describe(database: Database, customer_id: int, **values: Any) -> None:
    own = schema.customers.c.id == customer_id
    write(
        database,
        lambda c: c.execute(update(schema.customers).where(own).values(**values)),
    )


# --- what moves -----------------------------------------------------------------------


@by_table
def test_all_that_belongs_to_a_person_goes_to_the_survivor(
    database: Database, people: list[int], key: CustomerKey
) -> None:
    before = sum(owned(database, key, each) for each in people[:2])

    merged(database, people[0], people[1])

    # The alias itself points at the survivor as well.
    new = 1 if key.table is schema.customers else 0
    assert owned(database, key, people[0]) == before + new
    assert owned(database, key, people[1]) == 0


@by_kept
def test_of_what_one_has_once_the_survivors_stands(
    database: Database, people: list[int], key: CustomerKey
) -> None:
    query = select(key.table).where(key.key == people[0])
    before = set(map(str, database.read_now(lambda c: c.execute(query).all())))
    both = sum(owned(database, key, each) for each in people[:2])

    merged(database, people[0], people[1])

    after = set(map(str, database.read_now(lambda c: c.execute(query).all())))
    assert before <= after
    assert owned(database, key, people[0]) + owned(database, key, people[1]) == both


def test_a_merge_names_what_it_moved_and_what_it_left(
    database: Database, people: list[int]
) -> None:
    merge_id = merged(database, people[0], people[1])

    found = database.read_now(lambda c: merges.get(c, merge_id))
    assert found is not None
    assert found.moved_count["orders"] == 2
    assert found.left_count["deliveries"] == 1


def test_a_merged_customer_leads_to_the_last_survivor(
    database: Database, people: list[int]
) -> None:
    merged(database, people[1], people[2])
    merged(database, people[0], people[1])

    assert database.read_now(lambda c: customers.survivor_of(c, people[2])) == people[0]


def test_addresses_of_the_survivor_are_written_to_first(
    database: Database, two: tuple[int, int]
) -> None:
    ann, anna = two

    # The other way round: the address of the merged one is the older row.
    merged(database, anna, ann)

    address = database.read_now(lambda c: customers.address_of(c, anna, Channel.EMAIL))
    assert address == "anna@shop.example"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_second_merge_keeps_the_order_of_addresses(
    database: Database, people: list[int], order: tuple[int, int]
) -> None:
    first, second = (people[each] for each in order)
    merged(database, first, second)
    merged(database, people[4], first)

    address = database.read_now(
        lambda c: customers.address_of(c, second, Channel.EMAIL)
    )
    assert address == "ann4@shop.example"


# --- fields ---------------------------------------------------------------------------


def test_gaps_are_filled_and_values_stay(
    database: Database, two: tuple[int, int]
) -> None:
    ann, anna = two
    describe(database, ann, name="Ann Lee")
    describe(
        database, anna, name="A. Lee", gender="female", birth_date=date(1990, 5, 1)
    )

    merged(database, ann, anna)

    assert field(database, ann, "name") == "Ann Lee"
    assert field(database, ann, "gender") == "female"
    assert field(database, ann, "birth_date") == date(1990, 5, 1)


def test_what_an_agent_corrected_stands_above_a_source(
    database: Database, two: tuple[int, int]
) -> None:
    ann, anna = two
    describe(database, ann, city="Berlin")
    database.write_now(
        staff_member(3), lambda c: customers.set_fields(c, anna, {"city": "Bonn"}, NOW)
    )

    merged(database, ann, anna)

    assert field(database, ann, "city") == "Bonn"
    assert field(database, ann, "provenance")["city"]["by"] == "staff:3"


def test_a_value_that_an_agent_took_out_stays_out(
    database: Database, two: tuple[int, int]
) -> None:
    ann, anna = two
    describe(database, ann, name="Wrong")
    describe(database, anna, name="Ann Lee")
    database.write_now(
        staff_member(3), lambda c: customers.set_fields(c, ann, {"name": None}, NOW)
    )

    merged(database, ann, anna)

    assert field(database, ann, "name") is None


def test_an_address_is_not_made_of_two(
    database: Database, two: tuple[int, int]
) -> None:
    ann, anna = two
    describe(database, ann, city="Berlin")
    describe(database, anna, city="Bonn", postcode="53111")

    merged(database, ann, anna)

    assert field(database, ann, "postcode") is None


def test_attributes_are_united(database: Database, two: tuple[int, int]) -> None:
    ann, anna = two
    describe(database, ann, attributes={"size": "L"})
    describe(database, anna, attributes={"size": "M", "colour": "red"})

    merged(database, ann, anna)

    assert field(database, ann, "attributes") == {"size": "L", "colour": "red"}


def test_what_was_changed_since_the_merge_stays(
    database: Database, two: tuple[int, int]
) -> None:
    ann, anna = two
    describe(database, anna, name="Ann Lee", gender="female")
    merge_id = merged(database, ann, anna)
    database.write_now(
        staff_member(3), lambda c: customers.set_fields(c, ann, {"name": "Annie"}, NOW)
    )

    undo(database, merge_id)

    assert field(database, ann, "name") == "Annie"
    assert field(database, ann, "gender") is None


# --- consent --------------------------------------------------------------------------


def say_to(
    database: Database, customer_id: int, state: ConsentState, topic: str = "offers"
) -> None:
    write(
        database,
        lambda c: customers.record_consent(
            c, customer_id, Channel.EMAIL, topic, state, "form", NOW
        ),
    )


def agrees(database: Database, customer_id: int, topic: str = "offers") -> bool:
    return database.read_now(
        lambda c: customers.has_consent(c, customer_id, Channel.EMAIL, topic)
    )


@pytest.mark.parametrize("topic", ["offers", ALL_TOPICS])
@pytest.mark.parametrize("who", [0, 1])
def test_what_either_withdrew_is_withdrawn(
    database: Database, two: tuple[int, int], who: int, topic: str
) -> None:
    say_to(database, two[who], ConsentState.WITHDRAWN, topic)
    # The yes of the other is the newer row.
    say_to(database, two[1 - who], ConsentState.GRANTED)

    merged(database, *two)

    assert not agrees(database, two[0])


def test_what_one_agreed_to_and_the_other_never_heard_of_is_agreed_to(
    database: Database, two: tuple[int, int]
) -> None:
    say_to(database, two[1], ConsentState.GRANTED)

    merged(database, *two)

    assert agrees(database, two[0])


@pytest.fixture
def three(database: Database, two: tuple[int, int]) -> tuple[int, int, int]:
    """Two customers and a third one."""
    annie = write(database, lambda c: new_customer(c, "annie@shop.example"))
    return *two, int(annie)


def test_a_yes_after_the_merge_counts_even_if_another_merge_is_undone(
    database: Database, three: tuple[int, int, int]
) -> None:
    ann, anna, annie = three
    # Nothing had to be added while the third one's no was the newest word.
    say_to(database, annie, ConsentState.WITHDRAWN)
    say_to(database, ann, ConsentState.GRANTED)
    say_to(database, anna, ConsentState.WITHDRAWN)
    first = merged(database, ann, anna)
    merged(database, ann, annie)
    say_to(database, ann, ConsentState.GRANTED)

    undo(database, first)

    assert agrees(database, ann)


def test_a_no_that_is_added_again_keeps_its_place_before_a_later_yes(
    database: Database, three: tuple[int, int, int]
) -> None:
    ann, anna, annie = three
    say_to(database, annie, ConsentState.WITHDRAWN, ALL_TOPICS)
    say_to(database, ann, ConsentState.GRANTED, ALL_TOPICS)
    first = merged(database, ann, anna)
    merged(database, ann, annie)
    say_to(database, ann, ConsentState.GRANTED, "offers")

    undo(database, first)

    assert agrees(database, ann, "offers")
    assert not agrees(database, ann, "news")


def test_who_withdraws_while_one_has_withdrawn_for_both(
    database: Database, two: tuple[int, int]
) -> None:
    ann, anna = two
    say_to(database, ann, ConsentState.GRANTED)
    say_to(database, anna, ConsentState.GRANTED)
    merge_id = merged(database, ann, anna)
    say_to(database, ann, ConsentState.WITHDRAWN)

    undo(database, merge_id)

    assert not agrees(database, ann)
    assert not agrees(database, anna)


# --- deliveries and effect ------------------------------------------------------------


def rows_of(database: Database, run_id: int) -> list[tuple[int, str, str | None]]:
    table = schema.deliveries
    query = (
        select(table.c.customer_id, table.c.state, table.c.reason)
        .where(table.c.campaign_run_id == run_id)
        .order_by(table.c.id)
    )
    return [tuple(row) for row in database.read_now(lambda c: c.execute(query).all())]


def planned_for(database: Database, *ids: int, key: str = "win_back") -> int:
    def work(connection: Connection) -> int:
        run = new_run(connection, key)
        for each in ids:
            deliver(connection, run.id, each)
        return run.id

    return int(write(database, work))


def test_one_person_gets_a_campaign_once(
    database: Database, two: tuple[int, int]
) -> None:
    run_id = planned_for(database, *two)

    merged(database, *two)

    assert rows_of(database, run_id) == [
        (two[0], DeliveryState.PLANNED, None),
        (two[1], DeliveryState.SKIPPED, SkipReason.MERGED),
    ]


def test_a_message_that_waits_for_the_merged_one_alone_goes_to_the_survivor(
    database: Database, two: tuple[int, int]
) -> None:
    run_id = planned_for(database, two[1])

    merged(database, *two)

    assert rows_of(database, run_id) == [(two[0], DeliveryState.PLANNED, None)]


def test_a_run_that_is_being_planned_keeps_its_rows(
    database: Database, two: tuple[int, int]
) -> None:
    run_id = planned_for(database, two[0])
    own = schema.campaign_runs.c.id == run_id
    planning = update(schema.campaign_runs).where(own).values(state=RunState.PLANNING)
    write(database, lambda c: c.execute(planning))

    # The planner goes up by number: the survivor's comes later.
    merged(database, two[1], two[0])

    assert rows_of(database, run_id) == [
        (two[0], DeliveryState.SKIPPED, SkipReason.MERGED)
    ]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (RunState.PAUSED, (DeliveryState.PLANNED, None)),
        (RunState.FINISHED, (DeliveryState.SKIPPED, SkipReason.MERGED)),
    ],
)
def test_an_undone_merge_lets_wait_again_where_the_run_goes_on(
    database: Database,
    two: tuple[int, int],
    end: RunState,
    expected: tuple[str, str | None],
) -> None:
    run_id = planned_for(database, *two)
    merge_id = merged(database, *two)
    write(database, lambda c: runs.move(c, run_id, end, NOW))

    undo(database, merge_id)

    assert rows_of(database, run_id)[1] == (two[1], *expected)


@pytest.mark.parametrize(
    ("state", "reason", "arms"),
    [
        (DeliveryState.ACCEPTED, None, [Arm.TREATED]),
        (DeliveryState.SKIPPED, SkipReason.HOLDOUT, [Arm.HOLDOUT, Arm.TREATED]),
    ],
)
def test_who_was_in_both_arms_stands_in_both_and_in_one_once(
    database: Database,
    two: tuple[int, int],
    state: DeliveryState,
    reason: str | None,
    arms: list[Arm],
) -> None:
    run_id = planned_for(database, two[0])
    write(database, lambda c: deliver(c, run_id, two[1], state, reason))

    merged(database, *two)

    found = database.read_now(lambda c: outcomes.of_run(c, run_id, NOW, LATER))
    assert [(each.customer_id, each.arm) for each in found] == [
        (two[0], arm) for arm in arms
    ]


def test_a_waiting_row_that_ended_as_merged_was_to_be_treated(
    database: Database, two: tuple[int, int]
) -> None:
    run_id = planned_for(database, two[1])
    held_out = DeliveryState.SKIPPED, SkipReason.HOLDOUT
    write(database, lambda c: deliver(c, run_id, two[0], *held_out))

    merged(database, *two)

    found = database.read_now(lambda c: outcomes.of_run(c, run_id, NOW, LATER))
    assert {each.arm for each in found} == {Arm.HOLDOUT, Arm.TREATED}


def test_a_link_in_an_old_mail_acts_on_the_survivor(
    database: Database, two: tuple[int, int]
) -> None:
    ann, anna = two
    run_id = planned_for(database, *two)
    query = select(schema.deliveries.c.id).where(
        schema.deliveries.c.customer_id == anna
    )
    delivery_id = database.read_now(lambda c: c.scalar(query)) or 0
    say_to(database, ann, ConsentState.GRANTED)
    merged(database, ann, anna)

    def unsubscribe(connection: Connection) -> None:
        found = preferences.link(connection, delivery_id)
        assert found is not None
        preferences.unsubscribe(connection, found, NOW)

    database.write_now(customer_self(anna), unsubscribe)

    assert not agrees(database, ann)
    assert rows_of(database, run_id)[1][0] == anna


# --- undo -----------------------------------------------------------------------------

steps = st.lists(
    st.tuples(st.booleans(), st.integers(0, 99), st.integers(0, 99)), max_size=10
)


class Undone(Exception):
    """Ends a write so that nothing of it stays."""


def play(
    connection: Connection, people: list[int], script: list[tuple[bool, int, int]]
) -> list[tuple[int, int, int]]:
    """Merge and undo as the script says; returns the merges that stand."""
    standing: list[tuple[int, int, int]] = []
    for merging, one, other in script:
        gone = {merged_id for _, _, merged_id in standing}
        alone = [each for each in people if each not in gone]
        survivor, lost = alone[one % len(alone)], alone[other % len(alone)]
        if merging and survivor != lost:
            merge_id = unite(connection, survivor, lost)
            standing.append((merge_id, survivor, lost))
        elif not merging and standing:
            merge_id, *_ = standing.pop(one % len(standing))
            merges.unmerge(connection, merge_id, NOW)
    return standing


def rehearse(database: Database, work: Callable[[Connection], None]) -> None:
    """Run it on the database and leave no trace."""

    def once(connection: Connection) -> None:
        work(connection)
        raise Undone

    with pytest.raises(Undone):
        write(database, once)


each_example = settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@each_example
@given(script=steps)
def test_undoing_all_merges_in_any_order_leaves_all_as_it_was(
    database: Database, people: list[int], script: list[tuple[bool, int, int]]
) -> None:
    def work(connection: Connection) -> None:
        before = picture(connection)

        standing = play(connection, people, script)
        for number, (merge_id, *_) in enumerate(standing):
            # From both ends, so that neither order is the only one.
            chosen = merge_id if number % 2 else standing[-1 - number // 2][0]
            found = merges.get(connection, chosen)
            if found is not None and found.undone_at is None:
                merges.unmerge(connection, chosen, NOW)
        for merge_id, *_ in standing:
            found = merges.get(connection, merge_id)
            if found is not None and found.undone_at is None:
                merges.unmerge(connection, merge_id, NOW)

        assert picture(connection) == before

    rehearse(database, work)


@each_example
@given(script=steps)
def test_an_undone_merge_leaves_what_was_never_made(
    database: Database, people: list[int], script: list[tuple[bool, int, int]]
) -> None:
    def work(connection: Connection) -> None:
        trial = connection.begin_nested()
        standing = play(connection, people, script)
        after = picture(connection)
        trial.rollback()

        for _, survivor, lost in standing:
            unite(connection, survivor, lost)

        assert picture(connection) == after

    rehearse(database, work)


def test_a_conversation_goes_on_after_its_customer_was_merged(
    database: Database, people: list[int]
) -> None:
    merged(database, people[0], people[1])

    found = database.read_now(
        lambda c: conversations.find(c, Channel.WEBCHAT, "visitor1")
    )
    assert found is not None
    assert (found.customer_id, found.open, found.version) == (people[0], True, 0)


def test_what_came_to_an_address_since_the_merge_goes_with_it(
    database: Database, two: tuple[int, int]
) -> None:
    ann, anna = two
    visitor = IdentityKind.WEBCHAT, "visitor"
    write(database, lambda c: customers.add_identity(c, anna, *visitor, NOW))
    merge_id = merged(database, ann, anna)
    conversation_id = write(database, lambda c: converse(c, ann, "visitor"))

    undo(database, merge_id)

    found = database.read_now(lambda c: conversations.get(c, conversation_id))
    assert found is not None
    assert found.customer_id == anna


def test_messages_and_scores_go_with_their_conversation(
    database: Database, people: list[int]
) -> None:
    ann, anna = people[:2]
    merge_id = merged(database, ann, anna)
    rated, heard = write(database, lambda c: hear(c, ann, "visitor1"))

    undo(database, merge_id)

    assert owner_of(database, schema.inbox, heard) == anna
    assert owner_of(database, schema.feedback, rated) == anna


def hear(connection: Connection, customer_id: int, address: str) -> tuple[int, int]:
    """A new score and a new message in a conversation that there is."""
    found = conversations.find(connection, Channel.WEBCHAT, address)
    assert found is not None
    episode_id = add(
        connection,
        schema.episodes,
        conversation_id=found.id,
        kind=CaseKind.CHAT,
        opened_at=NOW,
    )
    rated = rate(connection, customer_id, episode_id)
    return rated, say(connection, found.id, customer_id)


def owner_of(database: Database, table: Table, row_id: int) -> int | None:
    query = select(table.c.customer_id).where(table.c.id == row_id)
    return database.read_now(lambda c: c.scalar(query))


def test_what_came_without_an_address_stays_with_the_survivor(
    database: Database, people: list[int]
) -> None:
    merge_id = merged(database, people[0], people[1])
    order = {"source_id": 1, "external_id": "new", "kind": "sale", "ordered_at": NOW}
    money = {"total_minor": 1, "currency": "EUR", "customer_id": people[0]}
    order_id = write(database, lambda c: add(c, schema.orders, **order, **money))

    undo(database, merge_id)

    assert owner_of(database, schema.orders, order_id) == people[0]


def test_an_undone_merge_marks_the_two_as_apart(
    database: Database, two: tuple[int, int]
) -> None:
    undo(database, merged(database, *two))

    assert database.read_now(pairs.apart) == {two: False}


def test_the_name_of_an_alias_stands_on_the_card(
    database: Database, two: tuple[int, int]
) -> None:
    ann, anna = two
    describe(database, ann, name="Ann Lee")
    describe(database, anna, name="A. Lee")
    merged(database, ann, anna)

    # By either number: who has an old one sees the survivor.
    card = database.read_now(lambda c: console.card(c, anna))
    assert card is not None
    assert (card.id, card.name, card.aliases) == (ann, "Ann Lee", ("A. Lee",))


# --- what is refused ------------------------------------------------------------------


def refusal(database: Database, work: Callable[[Connection], Any]) -> str:
    with pytest.raises(MergeError) as caught:
        write(database, work)
    return str(caught.value)


def test_a_customer_is_not_merged_with_itself(
    database: Database, two: tuple[int, int]
) -> None:
    assert "one with itself" in refusal(database, lambda c: unite(c, two[0], two[0]))


def test_nobody_is_merged_with_a_number_that_nobody_has(
    database: Database, two: tuple[int, int]
) -> None:
    assert "no customer 99" in refusal(database, lambda c: unite(c, two[0], 99))


def test_an_alias_is_refused_with_the_number_to_use(
    database: Database, people: list[int]
) -> None:
    merged(database, people[0], people[1])

    words = refusal(database, lambda c: unite(c, people[2], people[1]))

    assert f"Use {people[0]} instead" in words


def test_who_was_erased_is_neither_merged_nor_parted(
    database: Database, people: list[int]
) -> None:
    merge_id = merged(database, people[0], people[1])
    describe(database, people[0], erased_at=NOW)

    assert "erased" in refusal(database, lambda c: unite(c, people[2], people[0]))
    assert "erased" in refusal(database, lambda c: merges.unmerge(c, merge_id, NOW))


def test_a_merge_is_undone_once(database: Database, two: tuple[int, int]) -> None:
    merge_id = merged(database, *two)
    undo(database, merge_id)

    words = refusal(database, lambda c: merges.unmerge(c, merge_id, NOW))

    assert "undone already" in words


def test_an_unknown_merge_is_told(database: Database) -> None:
    assert "no merge 7" in refusal(database, lambda c: merges.unmerge(c, 7, NOW))


# --- accounts -------------------------------------------------------------------------


def test_a_merge_and_its_undoing_stand_in_the_audit_log(
    database: Database, two: tuple[int, int]
) -> None:
    undo(database, merged(database, *two))

    query = select(schema.audit_log.c.action, schema.audit_log.c.actor)
    rows = database.read_now(lambda c: c.execute(query).all())
    assert [tuple(row) for row in rows] == [
        ("customers_merged", "system:test"),
        ("merge_undone", "system:test"),
    ]


def test_totals_of_both_are_counted_anew(
    database: Database, two: tuple[int, int]
) -> None:
    merged(database, *two)

    query = select(schema.stale_totals.c.customer_id)
    assert set(database.read_now(lambda c: c.scalars(query).all())) == set(two)
