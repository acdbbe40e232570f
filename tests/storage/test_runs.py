"""Runs: one for each campaign and moment, and only the ways that the design names."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from core.errors import CampaignError
from core.model import DeliveryState, OnUncertain, RunState
from storage import changes, runs
from storage.database import Connection, Database
from storage.runs import Run
from storage.schema import campaign_runs
from tests.storage.shop import NOW, TEST, new_run, plan
from tests.storage.test_lease import at_once

LATER = NOW + timedelta(hours=1)
S = RunState
# Every way that there is, from the design; all others are refused.
WAYS = {
    (S.DRAFT, S.SCHEDULED),
    (S.SCHEDULED, S.PLANNING),
    (S.PLANNING, S.RUNNING),
    (S.RUNNING, S.PAUSED),
    (S.PAUSED, S.RUNNING),
    (S.RUNNING, S.FINISHED),
    *((state, S.CANCELLED) for state in S if state not in {S.FINISHED, S.CANCELLED}),
}


def running(database: Database) -> Run:
    return database.write_now(TEST, new_run)


def move(database: Database, run: Run, to: RunState, reason: str | None = None) -> Run:
    return database.write_now(TEST, lambda c: runs.move(c, run.id, to, LATER, reason))


def in_state(database: Database, state: RunState) -> Run:
    run = running(database)
    change = update(campaign_runs).values(state=state)
    database.write_now(TEST, lambda c: c.execute(change))
    return run


def reachable(database: Database, state: RunState) -> set[RunState]:
    """The states that a run in `state` can be moved to."""
    run = in_state(database, state)

    def arrives(to: RunState) -> bool:
        try:
            found = move(database, run, to).state
        except CampaignError:
            return False
        back = update(campaign_runs).values(state=state)
        database.write_now(TEST, lambda c: c.execute(back))
        return found is to

    return {to for to in RunState if to is not state and arrives(to)}


@pytest.mark.parametrize("state", RunState)
def test_a_run_goes_the_ways_of_the_design_and_no_other(
    database: Database, state: RunState
) -> None:
    assert reachable(database, state) == {to for one, to in WAYS if one is state}


def test_a_way_that_there_is_not_is_named(database: Database) -> None:
    run = in_state(database, RunState.FINISHED)

    with pytest.raises(CampaignError, match="is finished and can't become running"):
        move(database, run, RunState.RUNNING)


def test_the_same_state_again_changes_nothing(database: Database) -> None:
    run = running(database)
    before = database.read_now(changes.newest_id)

    assert move(database, run, RunState.RUNNING) == run

    assert database.read_now(changes.newest_id) == before


def test_a_run_that_is_not_there_is_named(database: Database) -> None:
    with pytest.raises(CampaignError, match="no run 7"):
        database.write_now(TEST, lambda c: runs.move(c, 7, RunState.PAUSED, NOW))
    assert database.read_now(lambda c: runs.get(c, 7)) is None


def test_a_pause_says_why(database: Database) -> None:
    run = move(database, running(database), RunState.PAUSED, "too many bounces")

    assert run.state_reason == "too many bounces"
    assert run.finished_at is None


def test_a_run_knows_when_it_was_planned_and_ended(database: Database) -> None:
    run = running(database)
    paused = move(database, run, RunState.PAUSED)
    again = move(database, paused, RunState.RUNNING)

    ended = move(database, again, RunState.FINISHED)

    assert (ended.planned_at, ended.finished_at) == (NOW, LATER)


def test_many_schedulers_make_one_run(database: Database) -> None:
    first = running(database)

    def create(connection: Connection) -> Run:
        return runs.create(
            connection,
            "win_back",
            first.content_version_id,
            first.content_hash,
            "offers",
            OnUncertain.RESEND,
            LATER,
            NOW,
        )

    made = at_once(4, lambda _: database.write_now(TEST, create))

    assert {each.id for each in made} != {first.id}
    assert len({each.id for each in made}) == 1


def test_a_repeated_command_meets_the_first_run(database: Database) -> None:
    first = running(database)

    def again(connection: Connection) -> Run:
        return runs.create(
            connection,
            first.campaign_key,
            first.content_version_id,
            "another hash",
            "news",
            OnUncertain.RESEND,
            first.scheduled_for,
            LATER,
        )

    assert database.write_now(TEST, again) == first


def test_a_run_is_finished_when_no_row_is_open(database: Database) -> None:
    done, open_ = (
        running(database),
        database.write_now(TEST, lambda c: new_run(c, "other")),
    )
    database.write_now(TEST, lambda c: plan(c, done, 2, state=DeliveryState.SKIPPED))
    database.write_now(TEST, lambda c: plan(c, open_, 1))

    finished = database.write_now(TEST, lambda c: runs.finish_done(c, LATER))

    assert finished == [done.id]
    assert [
        each.id
        for each in database.read_now(lambda c: runs.in_state(c, RunState.RUNNING))
    ] == [open_.id]


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.PLANNING])
def test_only_a_running_run_finishes_by_itself(
    database: Database, state: RunState
) -> None:
    in_state(database, state)

    assert database.write_now(TEST, lambda c: runs.finish_done(c, LATER)) == []


def test_a_cancelled_run_ends_what_waits(database: Database) -> None:
    run = running(database)
    database.write_now(TEST, lambda c: plan(c, run, 3))

    move(database, run, RunState.CANCELLED)

    funnel = database.read_now(lambda c: runs.funnel(c, run.id))
    assert [(row.state, row.reason, row.count) for row in funnel] == [
        ("cancelled", "run_cancelled", 3)
    ]


def test_runs_are_told_newest_first(database: Database) -> None:
    first, second = (
        running(database),
        database.write_now(TEST, lambda c: new_run(c, "other")),
    )

    everything = database.read_now(runs.newest)
    one_campaign = database.read_now(lambda c: runs.newest(c, "win_back"))

    assert [run.id for run in everything] == [second.id, first.id]
    assert [run.id for run in one_campaign] == [first.id]
    assert len(database.read_now(lambda c: runs.newest(c, limit=1))) == 1


def test_a_run_that_paused_itself_keeps_why_when_resumed(database: Database) -> None:
    run = running(database)
    paused = move(database, run, RunState.PAUSED, f"{runs.LIMIT_REACHED}5 of 9")

    resumed = move(database, paused, RunState.RUNNING, "by Ada")

    assert resumed.state_reason == "by Ada; limit reached: 5 of 9"


def test_a_run_paused_by_hand_keeps_its_limits(database: Database) -> None:
    paused = move(database, running(database), RunState.PAUSED, "by Ada")

    resumed = move(database, paused, RunState.RUNNING, "by Bo")

    assert resumed.state_reason == "by Bo"
