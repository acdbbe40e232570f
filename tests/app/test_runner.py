"""Coarse jobs run in child processes, and their occurrences come to an end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.runner import JobRunner
from core.clock import SystemClock
from core.model import system
from storage import runs, schedules, schema
from storage.database import Database, open_database
from storage.schedules import Schedule

pytestmark = [pytest.mark.anyio, pytest.mark.flow]

TEST = system("test")
DUE = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
NEVER_LATE = timedelta(days=9999)


@pytest.fixture
def shop(config: Path) -> Iterator[Database]:
    with open_database(f"sqlite:///{config.parent / 'rapport.db'}") as database:
        yield database


@pytest.fixture
def runner(shop: Database, config: Path) -> JobRunner:
    return JobRunner(shop, SystemClock(), config, lease_seconds=30.0)


def begin(shop: Database, kind: str, payload: dict[str, Any]) -> None:
    """An occurrence that is due, with its job."""
    schedule = Schedule("pipeline", kind, payload, "0 2 * * *", "UTC", NEVER_LATE, DUE)
    now = SystemClock().now()
    shop.write_now(TEST, lambda c: schedules.begin(c, schedule, DUE, now))


def ends(shop: Database) -> tuple[str, str | None, str]:
    """State and error of the job, and the state of its occurrence."""
    job = shop.read_now(lambda c: c.execute(select(schema.jobs)).one())
    [(_, occurrence)] = shop.read_now(lambda c: schedules.occurrences_of(c, "pipeline"))
    return job.state, job.error, occurrence.value


async def test_a_pass_of_the_pipeline_runs_in_a_child(
    shop: Database, runner: JobRunner
) -> None:
    begin(shop, "pipeline", {"campaigns": ["new-product"]})

    assert await runner.step()

    assert ends(shop) == ("done", None, "done")
    [run] = shop.read_now(runs.newest)
    assert (run.campaign_key, run.scheduled_for) == ("new-product", DUE)
    assert not await runner.step()


async def test_a_failing_child_leaves_its_last_words(
    shop: Database, runner: JobRunner
) -> None:
    begin(shop, "pipeline", {"campaigns": ["winback"]})

    await runner.step()

    state, error, occurrence = ends(shop)
    assert (state, occurrence) == ("failed", "failed")
    assert "Did you mean `win-back`?" in (error or "")


async def test_a_job_of_an_unknown_kind_fails_in_words(
    shop: Database, runner: JobRunner
) -> None:
    begin(shop, "piplin", {})

    await runner.step()

    assert ends(shop) == ("failed", "unknown job kind: piplin", "failed")


async def test_a_stopped_runner_leaves_its_job_to_the_next(
    shop: Database, runner: JobRunner, config: Path
) -> None:
    begin(shop, "pipeline", {"campaigns": []})
    running = asyncio.ensure_future(runner.run_for_ever())
    while not shop.read_now(lambda c: c.scalar(select(schema.jobs.c.claimed_by))):  # noqa: ASYNC110  a database tells nobody
        await asyncio.sleep(0.01)

    runner.stop()
    await running

    assert ends(shop)[0] == "queued"
    await JobRunner(shop, SystemClock(), config, lease_seconds=30.0).step()
    assert ends(shop) == ("done", None, "done")
