"""Only one holder at a time, and the old one finds out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import TypeVar

import pytest

from core.errors import LeaseLost
from storage import lease
from storage.database import Connection, Database
from storage.lease import Lease
from tests.storage.shop import NOW, TEST

T = TypeVar("T")
SECONDS = 30.0
LATER = NOW + timedelta(seconds=SECONDS)


def taken(database: Database, holder: str, now: datetime = NOW) -> Lease | None:
    return database.write_now(
        TEST, lambda c: lease.acquire(c, "clock", holder, now, SECONDS)
    )


def held(database: Database, holder: str, now: datetime = NOW) -> Lease:
    found = taken(database, holder, now)
    assert found is not None
    return found


def renew(database: Database, mine: Lease, now: datetime) -> Lease:
    return database.write_now(TEST, lambda c: lease.renew(c, mine, now, SECONDS))


def holder(database: Database, now: datetime) -> str | None:
    return database.read_now(lambda c: lease.holder(c, "clock", now))


def test_a_second_holder_is_refused(database: Database) -> None:
    held(database, "a")

    assert taken(database, "b") is None
    assert holder(database, NOW) == "a"


def test_an_expired_lease_is_taken_with_a_higher_fence(database: Database) -> None:
    first = held(database, "a")

    second = held(database, "b", LATER)

    assert second.fence > first.fence
    assert holder(database, LATER) == "b"


def test_the_same_holder_takes_its_own_lease_again(database: Database) -> None:
    first = held(database, "a")

    assert held(database, "a").fence > first.fence


def test_the_old_holder_finds_out(database: Database) -> None:
    first = held(database, "a")
    held(database, "b", LATER)

    with pytest.raises(LeaseLost, match="another process"):
        renew(database, first, LATER)


def test_a_lease_that_ran_out_is_not_renewed(database: Database) -> None:
    first = held(database, "a")

    with pytest.raises(LeaseLost):
        renew(database, first, LATER)


def test_a_renewed_lease_lasts_longer_with_the_same_fence(database: Database) -> None:
    first = held(database, "a")
    soon = NOW + timedelta(seconds=20)

    renewed = renew(database, first, soon)

    assert (renewed.fence, renewed.expires_at) == (
        first.fence,
        soon + timedelta(seconds=SECONDS),
    )
    assert holder(database, LATER) == "a"


def test_a_lease_given_back_is_free_at_once(database: Database) -> None:
    mine = held(database, "a")

    database.write_now(TEST, lambda c: lease.release(c, mine, NOW))

    assert held(database, "b").fence > mine.fence


def test_giving_back_what_is_another_s_changes_nothing(database: Database) -> None:
    old = held(database, "a")
    held(database, "b", LATER)

    database.write_now(TEST, lambda c: lease.release(c, old, LATER))

    assert holder(database, LATER) == "b"


def test_a_name_that_nobody_took_has_no_holder(database: Database) -> None:
    assert holder(database, NOW) is None


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """The results of `count` threads that begin together."""
    barrier, results = Barrier(count), []

    def run(number: int) -> None:
        barrier.wait()
        results.append(work(number))

    threads = [Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_at_once_one_wins(database: Database) -> None:
    outcomes = at_once(6, lambda number: taken(database, f"holder {number}"))

    assert len(outcomes) == 6
    assert sum(outcome is not None for outcome in outcomes) == 1


def test_fences_of_many_at_once_all_differ(database: Database) -> None:
    def work(connection: Connection) -> int:
        return lease.next_fence(connection, "sender", "worker", NOW)

    fences = at_once(6, lambda _: database.write_now(TEST, work))

    assert sorted(fences) == [1, 2, 3, 4, 5, 6]
