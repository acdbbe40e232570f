"""Async tests run on asyncio; the house is a shop with a bot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.database import Database
from tests.bot.house import House
from tests.servers.bot_api.client import Emulator


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def house(anyio_backend: str, database: Database, tmp_path: Path) -> House:
    """A shop whose bot is ready; nothing runs in the background."""
    return await House(database, tmp_path).open()


@pytest.fixture(scope="session")
def bot_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("bot_host")) as emulator:
        yield emulator


@pytest.fixture
def emulator(bot_host: Emulator, tmp_path: Path) -> Emulator:
    """A Bot API server in its own process, with a bot of its own for each test."""
    bot_host.renew(tmp_path)
    return bot_host
