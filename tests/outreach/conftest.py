"""A sending shop on SQLite, and an SMTP sink in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage.database import Database
from tests.outreach.house import House, Relay, settings_for
from tests.servers.sink import Sink
from tests.servers.smtp_modes import Modes


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """What differs between the databases is tested in storage, and in the flows."""
    return str(request.param)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    """A shop without customers; its relay is nowhere."""
    return House(database, tmp_path)


@pytest.fixture
def sink_of(tmp_path: Path) -> Iterator[Callable[..., Sink]]:
    """Starts a sink with options of its own, and stops it in the end."""
    with ExitStack() as stack:
        yield lambda *words: stack.enter_context(Sink(tmp_path, "--no-fsync", *words))


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    """One plain sink for the tests of a module."""
    folder = tmp_path_factory.mktemp("relay")
    with Sink(folder, "--no-fsync", "--maildir", str(folder / "mail")) as sink:
        yield sink


@pytest.fixture
def sink(relay: Sink, house: House) -> Relay:
    """The shop's relay; it takes everything until it is told otherwise."""
    relay.set(Modes())
    house.renew(settings_for(relay.port))
    return Relay(relay)
