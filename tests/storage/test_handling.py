"""Handling intervals: from the first act to leaving, without the silent stretches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.model import Channel, Role, system
from storage import conversations, customers, episodes, handling, staff
from storage.database import Connection, Database
from storage.staff import NewMember

TEST = system("test")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
IDLE = timedelta(minutes=5)


class Work:
    """One episode and the people who work on it; times are minutes after nine."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.episode_id = database.write_now(TEST, _episode)
        self.ann, self.bob = (
            database.write_now(TEST, lambda c, n=name: _member(c, n))
            for name in ("ann", "bob")
        )

    def act(self, staff_id: int, minute: float) -> None:
        self._database.write_now(
            TEST,
            lambda c: handling.act(c, self.episode_id, staff_id, at(minute), IDLE),
        )

    def leave(self, staff_id: int, minute: float) -> None:
        self._database.write_now(
            TEST,
            lambda c: handling.leave(c, self.episode_id, staff_id, at(minute), IDLE),
        )

    def leave_all(self, minute: float) -> None:
        self._database.write_now(
            TEST, lambda c: handling.leave_all(c, self.episode_id, at(minute), IDLE)
        )

    def end_idle(self, minute: float) -> int:
        return self._database.write_now(
            TEST, lambda c: handling.end_idle(c, at(minute), IDLE)
        )

    @property
    def stretches(self) -> list[tuple[float, float | None]]:
        found = self._database.read_now(
            lambda c: handling.of_episode(c, self.episode_id)
        )
        return [
            (_minute(i.started_at), _minute(i.ended_at) if i.ended_at else None)
            for i in found
        ]


@pytest.fixture
def work(database: Database) -> Work:
    return Work(database)


def test_the_first_act_begins_an_interval(work: Work) -> None:
    work.act(work.ann, 0)

    assert work.stretches == [(0, None)]


def test_acts_within_five_minutes_are_one_interval(work: Work) -> None:
    for minute in (0, 4, 9):
        work.act(work.ann, minute)
    work.leave(work.ann, 10)

    assert work.stretches == [(0, 10)]


def test_an_act_after_silence_begins_another(work: Work) -> None:
    work.act(work.ann, 0)
    work.act(work.ann, 3)
    work.act(work.ann, 20)

    assert work.stretches == [(0, 3), (20, None)]


def test_who_leaves_after_silence_worked_until_their_last_act(work: Work) -> None:
    work.act(work.ann, 0)
    work.act(work.ann, 3)
    work.leave(work.ann, 20)

    assert work.stretches == [(0, 3)]


def test_silence_ends_an_interval_at_its_last_act(work: Work) -> None:
    work.act(work.ann, 0)
    work.act(work.ann, 2)

    ended = (work.end_idle(7), work.end_idle(7.1))

    assert ended == (0, 1)
    assert work.stretches == [(0, 2)]


def test_two_people_have_intervals_of_their_own(work: Work) -> None:
    work.act(work.ann, 0)
    work.act(work.bob, 1)
    work.leave(work.ann, 2)

    assert work.stretches == [(0, 2), (1, None)]


def test_a_close_ends_everybodys_interval(work: Work) -> None:
    work.act(work.ann, 0)
    work.act(work.bob, 1)
    work.leave_all(3)

    assert work.stretches == [(0, 3), (1, 3)]


def test_leaving_what_was_not_begun_is_harmless(work: Work) -> None:
    work.leave(work.ann, 1)

    assert work.stretches == []


def at(minute: float) -> datetime:
    return NOW + timedelta(minutes=minute)


def _minute(moment: datetime) -> float:
    return (moment - NOW) / timedelta(minutes=1)


def _episode(connection: Connection) -> int:
    customer_id = customers.create(connection, NOW)
    talk = conversations.start(connection, customer_id, Channel.WEBCHAT, "a", "en", NOW)
    return episodes.open_for(connection, talk, NOW, IDLE)


def _member(connection: Connection, name: str) -> int:
    new = NewMember(f"{name}@shop.example", name, Role.AGENT, "x")
    return staff.add_member(connection, new, NOW)
