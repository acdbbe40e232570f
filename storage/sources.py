"""Where records come from: how far each source is, and how its last pull went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from storage import changes
from storage.dialect import upsert
from storage.schema import sources


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source; the moments are None until such a thing happened."""

    id: int
    name: str
    priority: int
    watermark: str | None
    succeeded_at: datetime | None
    failed_at: datetime | None
    error: str | None
    alerted_at: datetime | None


def set_up(connection: Connection, name: str, priority: int) -> SourceState:
    """The source, made where there is none, with this priority from now on."""
    connection.execute(
        upsert(connection, sources)
        .values(name=name, priority=priority)
        .on_conflict_do_update(index_elements=["name"], set_={"priority": priority})
    )
    return _states(connection, sources.c.name == name)[0]


def state_of(connection: Connection, name: str) -> SourceState | None:
    """How a source is; None where nothing came from it yet."""
    return next(iter(_states(connection, sources.c.name == name)), None)


def all_states(connection: Connection) -> list[SourceState]:
    """Every source that anything came from, by name."""
    return _states(connection)


def succeeded(
    connection: Connection, name: str, watermark: str | None, now: datetime
) -> None:
    """A pull has come to its end; the next one begins at `watermark`.

    Parameters
    ----------
    connection : a writing one
    name : of the source
    watermark : None leaves it as it is
    now : aware
    """
    values: dict[str, object] = {"succeeded_at": now, "error": None, "alerted_at": None}
    if watermark is not None:
        values["watermark"] = watermark
    _set(connection, name, values, now, outcome="succeeded")


def failed(connection: Connection, name: str, error: str, now: datetime) -> None:
    """A pull has failed; `error` says in words why."""
    values: dict[str, object] = {"failed_at": now, "error": error}
    _set(connection, name, values, now, outcome="failed")


def alerted(connection: Connection, name: str, now: datetime) -> None:
    """Somebody was told; not again before the source has succeeded."""
    connection.execute(
        update(sources).where(sources.c.name == name).values(alerted_at=now)
    )


def _set(
    connection: Connection,
    name: str,
    values: dict[str, object],
    now: datetime,
    outcome: str,
) -> None:
    key = connection.execute(
        update(sources)
        .where(sources.c.name == name)
        .values(**values)
        .returning(sources.c.id)
    ).scalar_one()
    changes.record(connection, "source", key, now, outcome=outcome)


def _states(connection: Connection, *conditions: Any) -> list[SourceState]:
    rows = connection.execute(
        select(sources).where(*conditions).order_by(sources.c.name)
    )
    return [
        SourceState(
            row.id,
            row.name,
            row.priority,
            row.watermark,
            row.succeeded_at,
            row.failed_at,
            row.error,
            row.alerted_at,
        )
        for row in rows
    ]
