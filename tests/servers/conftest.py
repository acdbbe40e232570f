from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.bot_api.client import Emulator


@pytest.fixture(scope="session")
def bot_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("bot_host")) as emulator:
        yield emulator


@pytest.fixture
def emulator(bot_host: Emulator, tmp_path: Path) -> Emulator:
    bot_host.renew(tmp_path)
    return bot_host
