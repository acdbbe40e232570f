"""The queue of updates: kept until confirmed, given to one poller at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from tests.servers.bot_api.answers import ApiError, Json
from tests.servers.bot_api.params import Params

LIMIT_MOST = 100
TIMEOUT_MOST_SECONDS = 50
OTHER_POLLER = (
    "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running"
)
WEBHOOK_SET = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)
# Telegram sends these kinds only to bots that name them.
_ON_REQUEST = {"chat_member", "message_reaction", "message_reaction_count"}


class UpdateQueue:
    """Updates that no offset has confirmed yet, oldest first."""

    def __init__(self, first_id: int) -> None:
        self._pending: deque[Json] = deque()
        self._next_id = first_id
        self._given: dict[int, int] = {}
        self._poll: asyncio.Future[None] | None = None
        self.polling = asyncio.Event()
        self._allowed: Sequence[str] = ()
        self.webhook_url = ""
        self.replays = 0

    @property
    def pending_count(self) -> int:
        return len(self._pending)

    def put(self, kind: str, content: Json) -> int | None:
        """Queue an update; None if the bot does not want this kind."""
        if self._allowed and kind not in self._allowed:
            return None
        if not self._allowed and kind in _ON_REQUEST:
            return None
        update_id = self._next_id
        self._next_id += 1
        self._pending.append({"update_id": update_id, kind: content})
        self._end_poll(None)
        return update_id

    def drop_all(self) -> None:
        self._pending.clear()

    def allow(self, params: Params) -> None:
        """Remember the wanted kinds; a call without them changes nothing."""
        if params.given("allowed_updates"):
            self._allowed = params.tree("allowed_updates")

    async def get(self, params: Params) -> list[Json]:
        """Confirm what is before the offset; wait for the next ones, then give them."""
        if self.webhook_url:
            raise ApiError(409, WEBHOOK_SET)
        self._end_poll(ApiError(409, OTHER_POLLER))
        self.allow(params)
        self._confirm(params.integer("offset"))
        seconds = min(params.integer("timeout"), TIMEOUT_MOST_SECONDS)
        if not self._pending and seconds > 0:
            await self._wait(seconds)
        limit = min(max(params.integer("limit", LIMIT_MOST), 1), LIMIT_MOST)
        return self._take(limit)

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()
            return
        # A confirmed update that has to be replayed stays until it was given again.
        self._pending = deque(
            update
            for update in self._pending
            if update["update_id"] >= offset
            or 0 < self._given.get(update["update_id"], 0) <= self.replays
        )

    def _take(self, limit: int) -> list[Json]:
        taken = list(self._pending)[:limit]
        for update in taken:
            key = update["update_id"]
            self._given[key] = self._given.get(key, 0) + 1
        return taken

    async def _wait(self, seconds: float) -> None:
        poll = asyncio.get_running_loop().create_future()
        self._poll = poll
        self.polling.set()
        try:
            await asyncio.wait_for(poll, seconds)
        except TimeoutError:
            return
        finally:
            if self._poll is poll:
                self._poll = None
                self.polling.clear()

    def _end_poll(self, error: ApiError | None) -> None:
        poll, self._poll = self._poll, None
        self.polling.clear()
        if poll is None or poll.done():
            return
        if error is None:
            poll.set_result(None)
        else:
            poll.set_exception(error)
