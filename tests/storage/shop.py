"""The least that a test of storage needs: customers, a campaign's run, deliveries."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.model import (
    Channel,
    DeliveryState,
    IdentityKind,
    OnUncertain,
    RunState,
    system,
)
from storage import customers, deliveries, runs, versions
from storage.database import Connection
from storage.deliveries import Planned
from storage.runs import Run
from storage.versions import ContentKind

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEST = system("test")

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])
postgresql_only = pytest.mark.parametrize("database_kind", ["postgresql"])


def new_customer(connection: Connection, email: str) -> int:
    return customers.identify(connection, IdentityKind.EMAIL, email, NOW).id


def new_run(
    connection: Connection,
    key: str = "win_back",
    *,
    expires_at: datetime | None = None,
    on_uncertain: OnUncertain = OnUncertain.HOLD,
) -> Run:
    """A run that is being sent."""
    files = {"subject.txt": "Hello"}
    version = versions.push(connection, ContentKind.CAMPAIGN, key, files, NOW)
    run = runs.create(
        connection,
        key,
        version.id,
        version.content_hash,
        "offers",
        on_uncertain,
        NOW,
        NOW,
        expires_at,
    )
    runs.move(connection, run.id, RunState.PLANNING, NOW)
    return runs.move(connection, run.id, RunState.RUNNING, NOW)


def plan(
    connection: Connection,
    run: Run,
    count: int,
    *,
    due_at: datetime | None = None,
    state: DeliveryState = DeliveryState.PLANNED,
) -> list[int]:
    """One row for each of `count` customers; returns the customers."""
    people = [
        new_customer(connection, f"{state}{number}@run{run.id}.example")
        for number in range(count)
    ]
    rows = [
        Planned(each, Channel.EMAIL, state, None, None, {}, due_at) for each in people
    ]
    deliveries.add_planned(connection, run.id, rows, NOW)
    return people
