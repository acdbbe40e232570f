"""The inbox keeps each update once, until it had its turn."""

from __future__ import annotations

from datetime import UTC, datetime

from core.model import Channel, Update, system
from storage import inbox
from storage.database import Database
from storage.inbox import Stored

TEST = system("test")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def update(key: str, source: str = "telegram") -> Update:
    return Update(
        source=source,
        external_id=key,
        channel=Channel.TELEGRAM,
        address="7",
        received_at=NOW,
        text="你好 😀",
        display_name="Ann",
        language="zh-hans",
        raw={"kind": "text"},
    )


def stored(database: Database, key: str, source: str = "telegram") -> Stored | None:
    return database.write_now(TEST, lambda c: inbox.store(c, update(key, source)))


def waiting(database: Database) -> list[Stored]:
    return database.read_now(lambda c: inbox.unhandled(c, 0, 10))


def test_an_update_comes_back_as_it_was(database: Database) -> None:
    stored(database, "1")

    assert waiting(database)[0].update == update("1")


def test_the_same_update_is_kept_once(database: Database) -> None:
    first = stored(database, "1")
    second = stored(database, "1")

    assert first is not None
    assert second is None
    assert len(waiting(database)) == 1


def test_sources_number_their_updates_by_themselves(database: Database) -> None:
    stored(database, "1", "telegram")

    assert stored(database, "1", "webchat") is not None


def test_handled_updates_wait_no_more(database: Database) -> None:
    first = stored(database, "1")
    assert first is not None
    stored(database, "2")

    database.write_now(TEST, lambda c: inbox.mark_handled(c, first.id, None, NOW))

    assert [row.update.external_id for row in waiting(database)] == ["2"]
    assert not database.write_now(TEST, lambda c: inbox.is_waiting(c, first.id))


def test_what_waits_comes_in_the_order_of_arrival(database: Database) -> None:
    for key in ("b", "a", "c"):
        stored(database, key)

    assert [row.update.external_id for row in waiting(database)] == ["b", "a", "c"]


def test_errors_are_kept_with_their_end(database: Database) -> None:
    first = stored(database, "1")
    assert first is not None
    error = "x" * 10_000 + "ValueError: the end"

    database.write_now(
        TEST, lambda c: inbox.mark_handled(c, first.id, None, NOW, error)
    )

    kept = database.read_now(inbox.errors)
    assert kept[0].endswith("ValueError: the end")
    assert len(kept[0]) == inbox.ERROR_CHARACTERS


def test_only_ones_own_updates_are_looked_for(database: Database) -> None:
    stored(database, "ann_1:m1", "webchat")

    found = [
        database.read_now(lambda c, p=prefix: inbox.has_waiting(c, "webchat", p))
        for prefix in ("ann_1:", "annx1:", "ann:")
    ]

    assert found == [True, False, False]
