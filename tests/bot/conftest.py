"""Async tests run on asyncio; the house is a shop with a bot."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.database import Database
from tests.bot.house import House


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def house(anyio_backend: str, database: Database, tmp_path: Path) -> House:
    """A shop whose bot is ready; nothing runs in the background."""
    return await House(database, tmp_path).open()
