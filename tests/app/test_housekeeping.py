"""The housekeeper does what the settings say, once a day, and tells what went."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from app.housekeeping import Housekeeper
from core.clock import SimulatedClock
from core.model import system
from core.settings import Privacy
from storage import schema
from storage.database import Database, open_database

NOW = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)
KEEP = Privacy()
FOR_EVER = Privacy(**dict.fromkeys(Privacy.model_fields, 0))


@pytest.fixture
def shop(config: Path) -> Iterator[Database]:
    """An audit entry, an utterance and a change of each of several ages."""
    with open_database(f"sqlite:///{config.parent / 'rapport.db'}") as database:
        database.write_now(system("test"), fill)
        yield database


def fill(connection: object) -> None:
    for days in (2000, 100, 1):
        at = {"at": NOW - timedelta(days=days)}
        for table, values in (
            (schema.audit_log, {"actor": "x", "action": "x", "entity": "x"}),
            (schema.utterances, {"text": "Where?", "outcome": "missed"}),
            (schema.changes, {"kind": "x", "entity_id": 1, "actor": "x"}),
        ):
            connection.execute(insert(table).values(**values, **at))  # type: ignore[attr-defined]


def keeper(database: Database, folder: Path, privacy: Privacy = KEEP) -> Housekeeper:
    return Housekeeper(database, SimulatedClock(NOW), 1.0, privacy, folder)


def counts(database: Database) -> list[int | None]:
    tables = schema.audit_log, schema.utterances, schema.changes
    return [
        database.read_now(
            lambda c, t=table: c.scalar(select(func.count()).select_from(t))
        )  # type: ignore[misc]
        for table in tables
    ]


def old_file(file: Path, days: int) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text("Ann")
    at = (NOW - timedelta(days=days)).timestamp()
    os.utime(file, (at, at))
    return file


def test_what_is_over_goes_and_is_told(shop: Database, tmp_path: Path) -> None:
    found = keeper(shop, tmp_path).tidy()

    assert found == {"changes": 2, "utterances": 1, "audit log": 1}
    assert counts(shop) == [2, 2, 1]


def test_zero_keeps_for_ever(shop: Database, tmp_path: Path) -> None:
    file = old_file(tmp_path / "rejects" / "1.csv", 5000)

    # The feed of changes is no record of people.
    assert keeper(shop, tmp_path, FOR_EVER).tidy() == {"changes": 2}
    assert counts(shop) == [3, 3, 1]
    assert file.exists()


@pytest.mark.parametrize(
    "name", ["rejects/1.csv", "pulls/erp.jsonl", "received/a.jsonl"]
)
def test_old_files_of_rows_go(shop: Database, tmp_path: Path, name: str) -> None:
    old = old_file(tmp_path / name, 91)
    young = old_file(tmp_path / f"{name}.young", 89)

    assert keeper(shop, tmp_path).tidy()["files"] == 1
    assert not old.exists()
    assert young.exists()


def test_a_database_and_backups_are_no_old_files(
    shop: Database, tmp_path: Path
) -> None:
    file = old_file(tmp_path / "backups" / "old.db", 5000)

    keeper(shop, tmp_path).tidy()

    assert file.exists()


async def run_until_tidied(housekeeper: Housekeeper, shop: Database) -> None:
    running = asyncio.create_task(housekeeper.run_for_ever())
    async with asyncio.timeout(20):
        while counts(shop) != [2, 2, 1]:  # noqa: ASYNC110  another thread works
            await asyncio.sleep(0.01)
        housekeeper.stop()
        await running


@pytest.mark.anyio
async def test_it_tidies_at_the_start_and_ends_when_told(
    shop: Database, tmp_path: Path
) -> None:
    await run_until_tidied(keeper(shop, tmp_path), shop)

    assert counts(shop) == [2, 2, 1]
