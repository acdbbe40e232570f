"""Server-sent events: what changed, as it changes, to whoever has a page open."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import Request
from fastapi.responses import StreamingResponse

from storage.changes import Change, ChangeFeed, newest_id
from storage.database import Database

# A proxy may close a silent connection after a minute.
HEARTBEAT_SECONDS = 15.0
# The browser comes back by itself, and is asked again who it is.
LIFETIME_SECONDS = 600.0

# The databases' integers end here.
LAST_ID_MAX = 2**62
# Who was away for longer loads the page anew instead.
CHANGES_BACK_MAX = 5_000

Wanted = Callable[[Change], Awaitable[bool]]


def last_seen(request: Request, after: int) -> int:
    """Where to go on: after a break the browser says what it saw last."""
    told = request.headers.get("last-event-id", "")
    seen = int(told) if told.isdecimal() and len(told) < 19 else after
    return min(max(seen, 0), LAST_ID_MAX)


def stream(database: Database, last_id: int, wanted: Wanted) -> StreamingResponse:
    """The changes that `wanted` lets through, for as long as the page is open."""
    return StreamingResponse(
        _events(database, last_id, wanted),
        media_type="text/event-stream",
        # Buffering in between would make live news old ones.
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(
    database: Database, last_id: int, wanted: Wanted
) -> AsyncIterator[str]:
    newest = await database.read(newest_id)
    start = max(last_id, newest - CHANGES_BACK_MAX)
    changes = aiter(ChangeFeed(database).follow(start))
    coming: asyncio.Task[Change] | None = None
    yield "retry: 2000\n\n"
    try:
        async with asyncio.timeout(LIFETIME_SECONDS):
            while True:
                coming = coming or asyncio.ensure_future(_next(changes))
                done, _ = await asyncio.wait({coming}, timeout=HEARTBEAT_SECONDS)
                if not done:
                    yield ": alive\n\n"
                    continue
                change, coming = coming.result(), None
                if await wanted(change):
                    yield _event(change)
    except TimeoutError:
        return
    finally:
        if coming is not None:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await coming


async def _next(changes: AsyncIterator[Change]) -> Change:
    return await anext(changes)


def _event(change: Change) -> str:
    data = json.dumps({"id": change.entity_id})
    return f"id: {change.id}\nevent: {change.kind}\ndata: {data}\n\n"
