"""One pace for all that a Telegram bot sends: even, fair, and obedient to "wait".

Evenly spaced sending at 28/s never met a 429 where a bucket that starts full did. In
one private chat a second passes between messages, in a group three.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import IntEnum

from core.clock import Clock

GROUP_MESSAGES_PER_MINUTE = 20
# Chats that may be written to at once again need not be remembered.
CHATS_REMEMBERED = 10_000


class Priority(IntEnum):
    """Who goes first: a customer who waits for a reply, or a campaign."""

    REPLY = 0
    CAMPAIGN = 1


@dataclass(order=True)
class _Waiter:
    """One message that wants to leave."""

    priority: Priority
    number: int
    chat: str = field(compare=False)
    turn: asyncio.Future[None] = field(compare=False)


class Pacer:
    """Hands out turns; whoever has one sends at once."""

    def __init__(self, clock: Clock, per_second: float, per_chat_second: float) -> None:
        self._clock = clock
        self._gap = 1 / per_second
        self._chat_gap = 1 / per_chat_second
        self._group_gap = 60 / GROUP_MESSAGES_PER_MINUTE
        self._next_at = 0.0
        self._chats: dict[str, float] = {}
        self._waiters: list[_Waiter] = []
        self._count = 0
        self._arrived = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    async def turn(self, chat: str, priority: Priority) -> None:
        """Return when a message to this chat may leave."""
        loop = asyncio.get_running_loop()
        self._count += 1
        waiter = _Waiter(priority, self._count, chat, loop.create_future())
        self._waiters.append(waiter)
        self._arrived.set()
        if self._pump is None or self._pump.done():
            self._pump = loop.create_task(self._hand_out())
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def pause(self, seconds: float) -> None:
        """Nothing leaves for so long: the far side asked for it."""
        until = self._clock.boot_seconds() + seconds
        self._next_at = max(self._next_at, until)

    async def _hand_out(self) -> None:
        while self._waiters:
            now = self._clock.boot_seconds()
            waiter, wait = self._best(now)
            if waiter is None:
                await self._sleep(wait)
                continue
            self._waiters.remove(waiter)
            self._next_at = max(self._next_at, now) + self._gap
            self._chats[waiter.chat] = now + self._gap_of(waiter.chat)
            self._forget(now)
            if not waiter.turn.done():
                waiter.turn.set_result(None)

    def _best(self, now: float) -> tuple[_Waiter | None, float]:
        """Who may go now, else how long until somebody may."""
        if self._next_at > now:
            return None, self._next_at - now
        free = [w for w in self._waiters if self._chats.get(w.chat, 0.0) <= now]
        if free:
            return min(free), 0.0
        return None, min(self._chats[w.chat] for w in self._waiters) - now

    async def _sleep(self, seconds: float) -> None:
        """Wait, but see who arrives meanwhile: their chat may be free."""
        self._arrived.clear()
        pause = asyncio.ensure_future(self._clock.sleep(seconds))
        arrival = asyncio.ensure_future(self._arrived.wait())
        try:
            await asyncio.wait((pause, arrival), return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            arrival.cancel()

    def _gap_of(self, chat: str) -> float:
        # Telegram's groups have negative ids.
        return self._group_gap if chat.startswith("-") else self._chat_gap

    def _forget(self, now: float) -> None:
        if len(self._chats) > CHATS_REMEMBERED:
            self._chats = {c: at for c, at in self._chats.items() if at > now}
