"""The process is killed between storing a message and answering it."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.failpoint import VARIABLE
from tests.servers.bot_api.client import Emulator
from tests.servers.process import ServerProcess

pytestmark = [
    pytest.mark.flow,
    pytest.mark.parametrize("database_kind", ["sqlite"]),
]

Start = Callable[[], ServerProcess]
CUSTOMERS = range(1001, 1007)
GREETING = "the shop's assistant"
PATIENCE_SECONDS = 30.0


@pytest.fixture
def start(database_url: str, emulator: Emulator, tmp_path: Path) -> Iterator[Start]:
    """Starts the shop on one database; what still runs at the end is stopped."""
    running: list[ServerProcess] = []

    def begin() -> ServerProcess:
        process = ServerProcess(
            "tests.bot.serving",
            *("--url", database_url, "--token", emulator.token),
            *("--api-url", emulator.url, "--base", str(tmp_path)),
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.stop()


def greetings(emulator: Emulator) -> Counter[int]:
    """How many greetings each customer has got."""
    return Counter(
        {
            customer: sum(GREETING in m.text for m in emulator.from_bot(customer))
            for customer in CUSTOMERS
        }
    )


def wait_for_all(emulator: Emulator) -> None:
    for customer in CUSTOMERS:
        emulator.from_bot(customer, at_least=1, seconds=PATIENCE_SECONDS)


def wait_for_end(process: ServerProcess) -> None:
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while process.alive and time.monotonic() < ends_at:
        time.sleep(0.02)
    assert not process.alive, "the fail point was not reached"


@pytest.mark.parametrize(
    ("point", "doubles_allowed"),
    [
        ("update_stored:1", 0),  # stored, not confirmed, no turn
        ("turn_before_record:3", 0),  # understood, nothing written
        ("turn_after_record:3", 0),  # replies queued, not sent
        ("reply_taken:3", 0),  # marked as being sent, not sent
        ("reply_sent:3", 1),  # sent, and nobody knows
    ],
)
def test_every_message_is_answered_after_a_kill(
    start: Start,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    doubles_allowed: int,
) -> None:
    monkeypatch.setenv(VARIABLE, point)
    first = start()
    for customer in CUSTOMERS:
        emulator.say(customer, "hello")
    wait_for_end(first)
    monkeypatch.delenv(VARIABLE)

    start()
    wait_for_all(emulator)

    found = greetings(emulator)
    assert min(found.values()) == 1
    assert found.total() - len(CUSTOMERS) <= doubles_allowed


def test_every_message_is_answered_through_kills_at_random(
    start: Start, emulator: Emulator
) -> None:
    moments = random.Random(7)
    kills = 4
    for number in range(kills):
        process = start()
        for customer in CUSTOMERS:
            emulator.say(customer, f"/start {number}")
        time.sleep(moments.uniform(0.0, 1.5))
        process.kill()

    start()
    for customer in CUSTOMERS:
        emulator.from_bot(customer, at_least=kills, seconds=PATIENCE_SECONDS)

    # One reply at a time is in flight, so a kill doubles one at most.
    found = greetings(emulator)
    assert min(found.values()) >= kills
    assert found.total() <= len(CUSTOMERS) * kills + kills
