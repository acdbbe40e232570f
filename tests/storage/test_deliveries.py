"""Deliveries: due rows of running runs, each in one pair of hands, all counted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select

from core.model import Channel, DeliveryState, RunState
from storage import changes, deliveries, runs
from storage.database import Connection, Database
from storage.deliveries import Claim, Delivery, Result
from storage.runs import Run
from storage.schema import deliveries as table
from storage.schema import delivery_events
from tests.storage.shop import (
    NOW,
    TEST,
    new_run,
    plan,
    postgresql_only,
    sqlite_only,
)
from tests.storage.test_lease import at_once

SECONDS = 60.0
LATER = NOW + timedelta(seconds=SECONDS)
MINE, OTHERS = Claim("mine", 1), Claim("other", 2)


def planned_run(database: Database, count: int, **details: Any) -> Run:
    """A running run with `count` rows that may be sent."""

    def work(connection: Connection) -> Run:
        run = new_run(connection)
        plan(connection, run, count, **details)
        return run

    return database.write_now(TEST, work)


def claim(
    database: Database,
    by: Claim = MINE,
    *,
    now: datetime = NOW,
    limit: int = 100,
    channels: tuple[Channel, ...] = tuple(Channel),
) -> list[Delivery]:
    return database.write_now(
        TEST, lambda c: deliveries.claim(c, by, now, SECONDS, limit, channels)
    )


def start(database: Database, rows: list[Delivery], by: Claim = MINE) -> set[int]:
    message_ids = {row.id: f"<{row.id}@shop.example>" for row in rows}
    return database.write_now(
        TEST, lambda c: deliveries.start_sending(c, by, message_ids)
    )


def record(
    database: Database,
    rows: list[Delivery],
    state: DeliveryState,
    by: Claim = MINE,
    **details: Any,
) -> int:
    results = [Result(row.id, state, **details) for row in rows]
    return database.write_now(TEST, lambda c: deliveries.record(c, by, results, LATER))


def move(database: Database, run: Run, to: RunState) -> None:
    database.write_now(TEST, lambda c: runs.move(c, run.id, to, NOW))


def state_of(database: Database, run: Run) -> RunState:
    found = database.read_now(lambda c: runs.get(c, run.id))
    assert found is not None
    return found.state


def rows_of(connection: Connection) -> list[Any]:
    return list(connection.execute(select(table).order_by(table.c.id)))


def states(database: Database) -> list[DeliveryState]:
    return [DeliveryState(row.state) for row in database.read_now(rows_of)]


# --- claims ---------------------------------------------------------------------------


def test_a_claim_takes_the_oldest_rows_up_to_its_limit(database: Database) -> None:
    planned_run(database, 5)

    first, second = claim(database, limit=2), claim(database, OTHERS, limit=9)

    assert [row.id for row in first + second] == [1, 2, 3, 4, 5]
    assert len(first) == 2


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.CANCELLED])
def test_a_run_that_does_not_run_gives_no_rows(
    database: Database, state: RunState
) -> None:
    run = planned_run(database, 3)

    move(database, run, state)

    assert claim(database) == []


def test_a_row_waits_until_it_is_due(database: Database) -> None:
    planned_run(database, 1, due_at=LATER)

    assert claim(database) == []
    assert len(claim(database, now=LATER)) == 1


def test_what_had_to_wait_comes_first(database: Database) -> None:
    planned_run(database, 3)
    first_two = claim(database, limit=2)
    record(database, first_two[1:], DeliveryState.DEFERRED, due_at=LATER)
    record(database, first_two[:1], DeliveryState.PLANNED)

    [row] = claim(database, now=LATER, limit=1)

    assert row.id == 2


@sqlite_only
@pytest.mark.parametrize("due_at", [None, NOW])
def test_a_claim_reads_no_more_rows_than_it_takes(
    database: Database, due_at: datetime | None
) -> None:
    planned_run(database, 3, due_at=due_at)
    plans: list[str] = []

    @event.listens_for(database.write_engine, "before_cursor_execute")
    def explain(_: Any, cursor: Any, statement: str, values: Any, *__: Any) -> None:
        if statement.startswith("SELECT"):
            explained = cursor.connection.execute(
                f"EXPLAIN QUERY PLAN {statement}", values
            )
            plans.extend(row[3] for row in explained)

    claim(database)

    assert plans
    assert not [step for step in plans if "TEMP B-TREE" in step or "SCAN" in step]


def test_a_worker_takes_only_its_channels(database: Database) -> None:
    planned_run(database, 1)

    assert claim(database, channels=(Channel.TELEGRAM,)) == []
    assert len(claim(database, channels=(Channel.EMAIL,))) == 1


@pytest.mark.parametrize(
    "state", [each for each in DeliveryState if each not in {"planned", "deferred"}]
)
def test_only_waiting_rows_are_claimed(
    database: Database, state: DeliveryState
) -> None:
    planned_run(database, 1, state=state)

    assert claim(database) == []


def test_many_workers_at_once_never_share_a_row(database: Database) -> None:
    planned_run(database, 60)

    taken = at_once(
        4, lambda number: claim(database, Claim(f"worker {number}", number), limit=15)
    )

    ids = [row.id for rows in taken for row in rows]
    assert len(ids) == len(set(ids))
    assert sorted(ids + [row.id for row in claim(database)]) == list(range(1, 61))


@postgresql_only
def test_rows_of_one_run_are_free_for_the_second_worker(database: Database) -> None:
    planned_run(database, 4)

    with database.write_engine.connect() as first, first.begin():
        mine = deliveries.claim(first, MINE, NOW, SECONDS, 2)
        others = claim(database, OTHERS, limit=2)

    assert [row.id for row in mine + others] == [1, 2, 3, 4]


def test_planning_again_changes_no_row(database: Database) -> None:
    run = planned_run(database, 3)
    claim(database, limit=1)

    database.write_now(TEST, lambda c: plan(c, run, 4))

    assert states(database) == ["claimed", "planned", "planned", "planned"]


def test_a_plan_goes_on_after_its_last_customer(database: Database) -> None:
    run = planned_run(database, 3)

    last = database.read_now(lambda c: deliveries.last_planned_customer(c, run.id))
    none = database.read_now(lambda c: deliveries.last_planned_customer(c, run.id + 1))

    assert (last, none) == (3, 0)


# --- fences ---------------------------------------------------------------------------


def taken_over(database: Database) -> list[Delivery]:
    """Rows that `MINE` was sending and `OTHERS` has now."""
    planned_run(database, 3)
    rows = claim(database)
    start(database, rows)
    found = database.read_now(lambda c: deliveries.expired(c, LATER))
    assert [each for each, _ in found] == [MINE] * 3
    record(database, rows, DeliveryState.PLANNED, tried=False)
    claim(database, OTHERS, now=LATER)
    return rows


def test_an_old_fence_writes_nothing(database: Database) -> None:
    rows = taken_over(database)

    assert record(database, rows, DeliveryState.ACCEPTED) == 0
    assert states(database) == ["claimed"] * 3


def test_an_old_fence_sends_and_renews_nothing(database: Database) -> None:
    rows = taken_over(database)

    assert start(database, rows) == set()
    renewed = database.write_now(
        TEST, lambda c: deliveries.renew(c, MINE, LATER, SECONDS)
    )
    assert renewed == 0


def test_the_same_worker_with_a_newer_fence_is_another(database: Database) -> None:
    planned_run(database, 1)
    rows = claim(database, Claim("mine", 7))

    assert record(database, rows, DeliveryState.ACCEPTED, Claim("mine", 6)) == 0
    assert record(database, rows, DeliveryState.ACCEPTED, Claim("mine", 7)) == 1


def test_a_result_counts_once(database: Database) -> None:
    planned_run(database, 1)
    rows = claim(database)

    assert record(database, rows, DeliveryState.ACCEPTED) == 1
    assert record(database, rows, DeliveryState.REJECTED) == 0
    assert states(database) == ["accepted"]


def test_a_renewed_claim_does_not_expire(database: Database) -> None:
    planned_run(database, 2)
    claim(database)

    database.write_now(TEST, lambda c: deliveries.renew(c, MINE, LATER, SECONDS))

    assert database.read_now(lambda c: deliveries.expired(c, LATER)) == []


def test_a_worker_knows_what_it_has_in_hand(database: Database) -> None:
    planned_run(database, 3)
    rows = claim(database, limit=2)
    claim(database, OTHERS)
    record(database, rows[:1], DeliveryState.ACCEPTED)

    hand = database.read_now(lambda c: deliveries.in_hand(c, MINE.worker))
    claims = database.read_now(lambda c: deliveries.claims_of(c, MINE.worker))

    assert [row.id for row in hand] == [2]
    assert claims == {2: MINE}


# --- results --------------------------------------------------------------------------


def test_a_try_is_counted_and_told(database: Database) -> None:
    planned_run(database, 1)
    rows = claim(database)

    record(database, rows, DeliveryState.DEFERRED, reason="greylisted", due_at=LATER)

    [row] = database.read_now(rows_of)
    assert (row.attempts, row.reason, row.due_at) == (1, "greylisted", LATER)
    assert (row.claimed_by, row.fence, row.lease_until, row.ended_at) == (None,) * 4
    events = database.read_now(lambda c: c.execute(select(delivery_events)).all())
    assert [(each.kind, each.detail) for each in events] == [("deferred", "greylisted")]


def test_what_went_back_unsent_costs_no_try(database: Database) -> None:
    planned_run(database, 1)

    record(database, claim(database), DeliveryState.PLANNED, tried=False)

    [row] = claim(database)
    assert row.attempts == 0


@pytest.mark.parametrize("state", [each for each in DeliveryState if each.terminal])
def test_a_terminal_row_has_an_end(database: Database, state: DeliveryState) -> None:
    planned_run(database, 1)

    record(database, claim(database), state)

    [row] = database.read_now(rows_of)
    assert row.ended_at == LATER


def test_planned_is_the_sum_of_the_terminal_states(database: Database) -> None:
    run = planned_run(database, 12)
    database.write_now(TEST, lambda c: plan(c, run, 3, state=DeliveryState.SKIPPED))
    rows = claim(database)
    record(database, rows[:5], DeliveryState.ACCEPTED)
    record(database, rows[5:7], DeliveryState.REJECTED, reason="mailbox_unknown")
    record(database, rows[7:8], DeliveryState.UNCERTAIN)
    record(database, rows[8:], DeliveryState.PLANNED)

    move(database, run, RunState.CANCELLED)

    funnel = database.read_now(lambda c: runs.funnel(c, run.id))
    assert sum(row.count for row in funnel if row.state.terminal) == 15
    assert [(row.state, row.count) for row in funnel] == [
        ("accepted", 5),
        ("cancelled", 4),
        ("skipped", 3),
        ("rejected", 2),
        ("uncertain", 1),
    ]


@pytest.mark.parametrize("state", [DeliveryState.PLANNED, DeliveryState.DEFERRED])
def test_what_goes_back_into_a_cancelled_run_is_cancelled(
    database: Database, state: DeliveryState
) -> None:
    run = planned_run(database, 2)
    rows = claim(database)
    move(database, run, RunState.CANCELLED)

    record(database, rows, state)

    assert states(database) == ["cancelled", "cancelled"]


def test_what_was_sent_in_a_cancelled_run_stays_sent(database: Database) -> None:
    run = planned_run(database, 1)
    rows = claim(database)
    move(database, run, RunState.CANCELLED)

    record(database, rows, DeliveryState.ACCEPTED)

    assert states(database) == ["accepted"]


# --- what is open ---------------------------------------------------------------------


def test_the_next_due_row_is_known(database: Database) -> None:
    run = planned_run(database, 1, due_at=LATER)
    due = database.read_now(deliveries.next_due_at)

    move(database, run, RunState.PAUSED)

    assert (due, database.read_now(deliveries.next_due_at)) == (LATER, None)


def test_open_rows_are_counted_until_they_end(database: Database) -> None:
    run = planned_run(database, 2)
    counts = lambda c: deliveries.count_unended(c, run.id)  # noqa: E731
    before = database.read_now(counts), database.read_now(deliveries.has_open)

    record(database, claim(database), DeliveryState.ACCEPTED)

    after = database.read_now(counts), database.read_now(deliveries.has_open)
    assert (before, after) == ((2, True), (0, False))


def test_a_listener_hears_that_rows_moved(database: Database) -> None:
    run = planned_run(database, 1)
    before = database.read_now(changes.newest_id)

    database.write_now(TEST, lambda c: deliveries.record_change(c, run.id, NOW))

    [told] = database.read_now(lambda c: changes.after(c, before))
    assert (told.kind, told.entity_id) == ("deliveries", run.id)


# --- the offer is over ----------------------------------------------------------------


def expiring(connection: Connection) -> None:
    plan(connection, new_run(connection, "sale", expires_at=LATER), 3)
    plan(connection, new_run(connection, "lasting"), 1)


def test_rows_expire_with_their_offer(database: Database) -> None:
    database.write_now(TEST, expiring)
    claim(database, limit=1)

    early = database.write_now(TEST, lambda c: deliveries.expire(c, NOW))
    late = database.write_now(TEST, lambda c: deliveries.expire(c, LATER))

    assert (early, late) == (0, 2)
    assert states(database) == ["claimed", "expired", "expired", "planned"]


# --- in doubt -------------------------------------------------------------------------


def uncertain_run(database: Database) -> Run:
    """A finished run of which one row is in doubt."""
    run = planned_run(database, 2)
    rows = claim(database)
    record(database, rows[:1], DeliveryState.UNCERTAIN, reason="no_answer")
    record(database, rows[1:], DeliveryState.ACCEPTED)
    database.write_now(TEST, lambda c: runs.finish_done(c, LATER))
    assert state_of(database, run) is RunState.FINISHED
    return run


def decide(database: Database, delivery_id: int, *, resend: bool) -> bool:
    return database.write_now(
        TEST,
        lambda c: deliveries.decide_uncertain(c, delivery_id, resend=resend, now=LATER),
    )


def test_a_row_in_doubt_that_is_sent_again_opens_its_run(database: Database) -> None:
    run = uncertain_run(database)

    assert decide(database, 1, resend=True)

    assert state_of(database, run) is RunState.RUNNING
    assert [row.id for row in claim(database)] == [1]


def test_a_row_in_doubt_that_is_taken_as_sent_ends(database: Database) -> None:
    run = uncertain_run(database)

    assert decide(database, 1, resend=False)

    assert states(database) == ["accepted", "accepted"]
    assert state_of(database, run) is RunState.FINISHED


@pytest.mark.parametrize("resend", [True, False])
def test_only_what_is_in_doubt_is_decided(database: Database, resend: bool) -> None:
    uncertain_run(database)

    assert not decide(database, 2, resend=resend)
    assert not decide(database, 99, resend=resend)
    assert states(database) == ["uncertain", "accepted"]


def test_a_second_decision_comes_too_late(database: Database) -> None:
    uncertain_run(database)
    decide(database, 1, resend=False)

    assert not decide(database, 1, resend=True)


def test_a_cancelled_run_sends_nothing_again(database: Database) -> None:
    run = planned_run(database, 1)
    record(database, claim(database), DeliveryState.UNCERTAIN)
    move(database, run, RunState.CANCELLED)

    assert not decide(database, 1, resend=True)
    assert decide(database, 1, resend=False)


def test_a_decision_is_told(database: Database) -> None:
    uncertain_run(database)

    decide(database, 1, resend=False)

    count = select(func.count()).where(delivery_events.c.detail == "decided")
    assert database.read_now(lambda c: c.scalar(count)) == 1
