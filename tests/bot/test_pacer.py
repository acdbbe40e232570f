"""The pace of a bot, on a clock that jumps when somebody waits."""

from __future__ import annotations

import asyncio

import pytest

from bot.pacer import Pacer, Priority
from core.clock import SimulatedClock
from tests.bot.house import MORNING

pytestmark = pytest.mark.anyio


class Line:
    """Messages that wait for their turn, and the moments when they got it."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(MORNING)
        self.pacer = Pacer(self.clock, 28, 1)
        self.left: list[tuple[str, float]] = []

    async def send(self, name: str, chat: str, priority: Priority) -> None:
        await self.pacer.turn(chat, priority)
        self.left.append((name, self.clock.boot_seconds()))

    async def send_all(self, *messages: tuple[str, str, Priority]) -> None:
        await asyncio.gather(*(self.send(*message) for message in messages))

    @property
    def moments(self) -> list[float]:
        return [moment for _, moment in self.left]


REPLY, CAMPAIGN = Priority.REPLY, Priority.CAMPAIGN


async def test_many_chats_are_written_to_evenly() -> None:
    line = Line()

    await line.send_all(*((f"m{n}", str(n), CAMPAIGN) for n in range(57)))

    gaps = [
        later - sooner
        for sooner, later in zip(line.moments, line.moments[1:], strict=False)
    ]
    assert min(gaps) == pytest.approx(1 / 28)
    assert line.moments[-1] == pytest.approx(2.0)


async def test_one_chat_gets_one_message_a_second() -> None:
    line = Line()

    await line.send_all(*((f"m{n}", "7", REPLY) for n in range(4)))

    assert line.moments == pytest.approx([0, 1, 2, 3])


async def test_a_group_gets_twenty_a_minute() -> None:
    line = Line()

    await line.send_all(*((f"m{n}", "-100", REPLY) for n in range(3)))

    assert line.moments == pytest.approx([0, 3, 6])


async def test_replies_go_before_campaigns() -> None:
    line = Line()

    await line.send_all(
        ("offer 1", "1", CAMPAIGN),
        ("offer 2", "2", CAMPAIGN),
        ("answer", "3", REPLY),
    )

    assert [name for name, _ in line.left] == ["answer", "offer 1", "offer 2"]


async def test_a_chat_that_has_to_wait_holds_nobody_up() -> None:
    line = Line()

    await line.send_all(("a", "7", REPLY), ("b", "7", REPLY), ("c", "8", CAMPAIGN))

    assert [name for name, _ in line.left] == ["a", "c", "b"]


async def test_a_pause_holds_everybody() -> None:
    line = Line()
    line.pacer.pause(3)

    await line.send_all(("a", "7", REPLY), ("b", "8", REPLY))

    assert line.moments == pytest.approx([3, 3 + 1 / 28])


async def test_who_gave_up_takes_no_turn() -> None:
    line = Line()
    line.pacer.pause(3)
    gone = asyncio.ensure_future(line.send("gone", "7", REPLY))
    await asyncio.sleep(0)
    gone.cancel()

    await line.send("b", "8", REPLY)

    assert line.left == [("b", pytest.approx(3))]
