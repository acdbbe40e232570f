"""The feed: ids in the order of commits, and nobody who follows it misses one."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from storage import changes
from storage.changes import Change, ChangeFeed
from storage.database import Connection, Database, open_database
from storage.schema import changes as table
from tests.storage.shop import NOW, TEST, postgresql_only

WRITERS = 6
WRITES_EACH = 20


def record(connection: Connection, entity_id: int = 1) -> None:
    changes.record(connection, "thing", entity_id, NOW, why="test")


def ids(connection: Connection) -> list[int]:
    return list(connection.scalars(select(table.c.id).order_by(table.c.id)))


def write_in_threads(database: Database) -> None:
    def work() -> None:
        for number in range(WRITES_EACH):
            database.write_now(TEST, lambda c: record(c, number))  # noqa: B023

    threads = [threading.Thread(target=work) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def followed(database: Database, count: int) -> list[Change]:
    """The first `count` changes that a listener hears while others write."""
    heard: list[Change] = []
    writing = asyncio.ensure_future(asyncio.to_thread(write_in_threads, database))
    feed = ChangeFeed(database).follow(0)
    async for change in feed:
        heard.append(change)
        if len(heard) == count:
            break
    await feed.aclose()  # type: ignore[attr-defined]
    await writing
    return heard


def test_a_listener_hears_every_change_once_and_in_order(database: Database) -> None:
    heard = asyncio.run(followed(database, WRITERS * WRITES_EACH))

    assert [each.id for each in heard] == database.read_now(ids)


def test_a_listener_goes_on_where_it_left(database: Database) -> None:
    write_in_threads(database)
    all_ids = database.read_now(ids)

    rest = database.read_now(lambda c: changes.after(c, all_ids[9]))

    assert [each.id for each in rest] == all_ids[10:]


def test_a_listener_hears_what_another_process_wrote(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Our own commits wake it; it would sleep for an hour after the other's.
    monkeypatch.setattr(changes, "POLL_SECONDS", 0.05)

    async def hear() -> Change:
        feed = ChangeFeed(database).follow(0)
        waiting = asyncio.ensure_future(anext(feed))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        with open_database(database.url) as other:
            await asyncio.to_thread(other.write_now, TEST, record)
        try:
            return await waiting
        finally:
            await feed.aclose()  # type: ignore[attr-defined]

    assert asyncio.run(hear()).kind == "thing"


@postgresql_only
def test_ids_appear_in_the_order_of_commits(database: Database) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        record(connection, 1)
        entered.set()
        leave.wait(30)

    first = threading.Thread(target=database.write_now, args=(TEST, slow))
    first.start()
    entered.wait(30)
    second = threading.Thread(target=database.write_now, args=(TEST, record))
    second.start()
    # The second one waits: its change must not be seen before the first one's.
    second.join(0.3)
    seen_while_the_first_is_open = database.read_now(ids)
    leave.set()
    first.join()
    second.join()

    assert seen_while_the_first_is_open == []
    assert len(database.read_now(ids)) == 2


def test_old_changes_are_forgotten_and_their_ids_stay_used(database: Database) -> None:
    for _ in range(3):
        database.write_now(TEST, record)
    newest = database.read_now(changes.newest_id)

    later = NOW + timedelta(days=8)
    forgotten = database.write_now(
        TEST, lambda c: changes.forget(c, later, keep=timedelta(days=7))
    )
    database.write_now(TEST, record)

    assert forgotten == 3
    assert database.read_now(ids) == [newest + 1]


def test_an_empty_feed_is_heard_from_its_start(database: Database) -> None:
    assert database.read_now(changes.newest_id) == 0
