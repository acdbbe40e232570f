"""One feed of what changed, with ids in the order of commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from storage.database import Database, actor_of
from storage.dialect import serialise_changes
from storage.schema import changes

# Another process on the same SQLite file can't wake us, so we look ourselves.
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """Something of `kind` (conversation, delivery, run ...) is new or different."""

    id: int
    kind: str
    entity_id: int
    actor: str
    data: dict[str, Any]
    at: datetime


def record(
    connection: Connection,
    kind: str,
    entity_id: int,
    now: datetime,
    **data: Any,
) -> None:
    """Tell the feed; call it last in a write, since it orders the commits."""
    serialise_changes(connection)
    connection.execute(
        insert(changes).values(
            kind=kind,
            entity_id=entity_id,
            actor=actor_of(connection),
            data=data,
            at=now,
        )
    )


def newest_id(connection: Connection) -> int:
    """The id to listen from; 0 in an empty feed."""
    return connection.scalar(select(func.max(changes.c.id))) or 0


def after(connection: Connection, last_id: int, limit: int = 200) -> list[Change]:
    """Changes newer than `last_id`, oldest first."""
    rows = connection.execute(
        select(changes)
        .where(changes.c.id > last_id)
        .order_by(changes.c.id)
        .limit(limit)
    )
    return [
        Change(row.id, row.kind, row.entity_id, row.actor, row.data, row.at)
        for row in rows
    ]


def forget(connection: Connection, now: datetime, keep: timedelta) -> int:
    """Drop changes older than `keep`; returns how many."""
    result = connection.execute(delete(changes).where(changes.c.at < now - keep))
    return result.rowcount


class ChangeFeed:
    """Waits for changes: at once for our own commits, within a second for others'."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def follow(self, last_id: int) -> AsyncIterator[Change]:
        """Every change after `last_id`, for ever."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        stop = self._database.on_commit(lambda: _call_if_running(loop, woken.set))
        try:
            while True:
                woken.clear()
                found = await self._database.read(lambda c: after(c, last_id))  # noqa: B023  called before the next round
                for change in found:
                    last_id = change.id
                    yield change
                if not found:
                    await _wait(woken, POLL_SECONDS)
        finally:
            stop()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _call_if_running(loop: asyncio.AbstractEventLoop, callback: Any) -> None:
    # The loop may end between a commit and its notice.
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)
