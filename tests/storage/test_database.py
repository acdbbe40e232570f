"""The doors: all or nothing, named actors, one thread that writes, patience."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from storage import changes, database
from storage.changes import Change
from storage.database import (
    Connection,
    Database,
    DatabaseBusy,
    actor_of,
    open_database,
)
from storage.schema import sources
from tests.storage.shop import NOW, TEST, postgresql_only, sqlite_only
from tests.storage.writers import Child

PROCESSES = 4
THREADS_EACH = 4
WRITES_EACH = 25


class Failure(Exception):
    pass


def add(name: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(insert(sources).values(name=name))

    return work


def add_and_fail(connection: Connection) -> None:
    add("lost")(connection)
    raise Failure


def names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(sources.c.name).order_by(sources.c.name)))


def all_changes(connection: Connection) -> list[Change]:
    return changes.after(connection, 0, limit=10_000)


async def write_together(
    opened: Database, *works: Callable[[Connection], Any]
) -> list[Any]:
    """The outcomes of writes that wait behind one and the same commit."""
    gate = threading.Event()
    first = asyncio.ensure_future(opened.write(TEST, lambda _: gate.wait(30) and None))
    rest = [asyncio.ensure_future(opened.write(TEST, work)) for work in works]
    await asyncio.sleep(0)
    gate.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


def test_a_failing_write_takes_no_other_with_it(database: Database) -> None:
    works = [add("a"), add_and_fail, add("b")]

    outcomes = asyncio.run(write_together(database, *works))

    assert [type(outcome) for outcome in outcomes] == [type(None), Failure, type(None)]
    assert database.read_now(names) == ["a", "b"]


@sqlite_only
def test_waiting_writes_share_a_commit(database: Database) -> None:
    commits: list[None] = []
    database.on_commit(lambda: commits.append(None))

    asyncio.run(write_together(database, *[add(str(n)) for n in range(100)]))

    assert len(commits) <= 2
    assert len(database.read_now(names)) == 100


def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(Failure):
        database.write_now(TEST, add_and_fail)

    assert database.read_now(names) == []


def test_a_statement_that_fails_leaves_the_others(database: Database) -> None:
    database.write_now(TEST, add("a"))

    with pytest.raises(DBAPIError):
        database.write_now(TEST, add("a"))

    database.write_now(TEST, add("b"))
    assert database.read_now(names) == ["a", "b"]


def test_a_change_knows_its_actor(database: Database) -> None:
    database.write_now(TEST, lambda c: changes.record(c, "thing", 7, NOW))

    assert [each.actor for each in database.read_now(all_changes)] == ["system:test"]


def test_without_an_actor_there_is_no_change(database: Database) -> None:
    with (
        database.write_engine.connect() as connection,
        pytest.raises(KeyError, match="actor"),
    ):
        changes.record(connection, "thing", 7, NOW)


def test_each_write_of_a_commit_has_its_own_actor(database: Database) -> None:
    async def both() -> list[str]:
        return list(
            await asyncio.gather(
                database.write(TEST, actor_of),
                database.write(database_actor, actor_of),
            )
        )

    database_actor = type(TEST)(TEST.kind, "other")

    assert asyncio.run(both()) == ["system:test", "system:other"]


def test_a_write_inside_a_write_is_refused(database: Database) -> None:
    with pytest.raises(RuntimeError, match="inside a write"):
        database.write_now(TEST, lambda _: database.write_now(TEST, add("inner")))

    database.write_now(TEST, add("after"))
    assert database.read_now(names) == ["after"]


def test_a_read_changes_nothing(database: Database) -> None:
    with pytest.raises(DBAPIError):
        database.read_now(add("a"))


def test_a_read_sees_one_moment(database: Database) -> None:
    def read(connection: Connection) -> tuple[list[str], list[str]]:
        before = names(connection)
        database.write_now(TEST, add("meanwhile"))
        return before, names(connection)

    assert database.read_now(read) == ([], [])


def test_a_closed_database_takes_no_writes(database_url: str) -> None:
    opened = open_database(database_url)
    opened.write_now(TEST, add("a"))

    opened.close()

    with pytest.raises(RuntimeError):
        asyncio.run(opened.write(TEST, add("b")))


def test_a_listener_hears_until_it_leaves(database: Database) -> None:
    heard: list[str] = []
    leave = database.on_commit(lambda: heard.append("commit"))

    database.write_now(TEST, add("a"))
    leave()
    database.write_now(TEST, add("b"))

    assert heard == ["commit"]


# --- locked by others -----------------------------------------------------------------


async def tick(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0.01)


async def write_while_locked(opened: Database, child: Child) -> bool:
    """Whether the write still waited after the loop had gone round 100 times."""
    writing = asyncio.ensure_future(opened.write(TEST, add("late")))
    await tick(100)
    waited = not writing.done()
    child.say()
    await writing
    return waited


@sqlite_only
@pytest.mark.parametrize(
    "busy_timeout_ms",
    # The driver waits for the lock, or gives up again and again and we go on.
    [5000, 50],
)
def test_the_loop_goes_on_while_another_process_has_the_lock(
    database_url: str, monkeypatch: pytest.MonkeyPatch, busy_timeout_ms: int
) -> None:
    monkeypatch.setattr("storage.dialect.BUSY_TIMEOUT_MS", busy_timeout_ms)
    with (
        open_database(database_url) as opened,
        Child("hold_lock", str(opened.file)) as child,
    ):
        assert child.hear() == "locked"

        assert asyncio.run(write_while_locked(opened, child))

        assert opened.read_now(names) == ["late"]


@sqlite_only
def test_patience_with_a_lock_ends(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.dialect.BUSY_TIMEOUT_MS", 10)
    monkeypatch.setattr(database, "WRITE_PATIENCE_SECONDS", 0.1)
    with (
        open_database(database_url) as opened,
        Child("hold_lock", str(opened.file)) as child,
    ):
        assert child.hear() == "locked"

        with pytest.raises(DatabaseBusy, match="stayed locked"):
            opened.write_now(TEST, add("never"))


@sqlite_only
def test_a_column_may_be_called_locked(database: Database) -> None:
    with pytest.raises(OperationalError, match="no such column: locked"):
        database.write_now(TEST, lambda c: c.execute(text("SELECT locked")))


def test_many_writers_see_no_error(database_url: str) -> None:
    with ExitStack() as stack:
        arguments = (database_url, str(THREADS_EACH), str(WRITES_EACH))
        writers = [
            stack.enter_context(Child("write_many", *arguments))
            for _ in range(PROCESSES)
        ]
        assert {writer.hear() for writer in writers} == {"ready"}
        for writer in writers:
            writer.say()
        errors = [json.loads(writer.hear()) for writer in writers]

    assert errors == [[]] * PROCESSES
    with open_database(database_url) as opened:
        written = opened.read_now(all_changes)
    assert len(written) == PROCESSES * THREADS_EACH * WRITES_EACH


@postgresql_only
def test_a_broken_connection_is_tried_again(database: Database) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        if len(tries) == 1:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        add("a")(connection)

    database.write_now(TEST, work)

    assert (len(tries), database.read_now(names)) == (2, ["a"])
