"""What goes wrong on request, and the limits that Telegram enforces."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tests.servers.bot_api.answers import ApiError, too_many_requests

# Both count: an edit costs as much as a message.
PACED_METHODS = frozenset({"sendmessage", "editmessagetext"})
OVERALL_PER_SECOND = 30.0
CHAT_PER_SECOND = 1.0
# "Short bursts" are tolerated in one chat; Telegram does not say how short.
CHAT_BURST = 3.0
GROUP_PER_MINUTE = 20.0


@dataclass(slots=True)
class Faults:
    """Settings of the control surface; `…_times` count down to 0 with each call."""

    limits: bool = False
    flood_times: int = 0
    flood_seconds: int = 1
    gateway_times: int = 0
    slow_times: int = 0
    slow_seconds: float = 0.0
    slow_method: str = "sendMessage"
    drop_times: int = 0
    drop_method: str = "sendMessage"

    def before(self, method: str) -> None:
        """Refuse a paced call before anything is delivered."""
        if method not in PACED_METHODS:
            return
        if self.flood_times > 0:
            self.flood_times -= 1
            raise too_many_requests(self.flood_seconds)
        if self.gateway_times > 0:
            self.gateway_times -= 1
            raise ApiError(502, "Bad Gateway")

    def pause(self, method: str) -> float:
        """Seconds between the journal entry and the answer."""
        if self.slow_times <= 0 or method != self.slow_method.lower():
            return 0.0
        self.slow_times -= 1
        return self.slow_seconds

    def drops(self, method: str) -> bool:
        """Whether the connection closes where the answer was due."""
        if self.drop_times <= 0 or method != self.drop_method.lower():
            return False
        self.drop_times -= 1
        return True


@dataclass(slots=True)
class Bucket:
    """Tokens that refill with time; `level` is what is left."""

    per_second: float
    capacity: float
    level: float = field(init=False)
    seen: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.level = self.capacity

    def wait_seconds(self, now: float) -> float:
        """How long until one token is there; 0 if it is now."""
        refill = (now - self.seen) * self.per_second
        self.level = min(self.capacity, self.level + refill)
        self.seen = now
        return max(0.0, (1.0 - self.level) / self.per_second)


class Limits:
    """30 a second overall, 1 a second in one chat, 20 a minute in one group."""

    def __init__(self) -> None:
        self._overall = Bucket(OVERALL_PER_SECOND, OVERALL_PER_SECOND)
        self._chats: dict[int, Bucket] = {}

    def admit(self, chat_id: int, now: float) -> None:
        """Take a token of each bucket, or refuse with the longest wait."""
        chat = self._chats.setdefault(chat_id, _chat_bucket(chat_id))
        wait = max(bucket.wait_seconds(now) for bucket in (self._overall, chat))
        if wait > 0:
            raise too_many_requests(math.ceil(wait))
        self._overall.level -= 1
        chat.level -= 1


def _chat_bucket(chat_id: int) -> Bucket:
    if chat_id < 0:
        return Bucket(GROUP_PER_MINUTE / 60, GROUP_PER_MINUTE)
    return Bucket(CHAT_PER_SECOND, CHAT_BURST)
