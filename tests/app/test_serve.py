"""`rapport serve` in real processes: one at a time on a SQLite file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.process import ROOT

pytestmark = pytest.mark.flow

Start = Callable[..., subprocess.Popen[str]]
PATIENCE_SECONDS = 60.0


@pytest.fixture
def start(config: Path) -> Iterator[Start]:
    """Starts a server on the installation; what still runs at the end is ended."""
    running: list[subprocess.Popen[str]] = []

    def begin(**variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "app.cli", "serve", "--config", str(config)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            env=environment() | variables,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def environment() -> dict[str, str]:
    return {**os.environ, "RAPPORT_LOG__LEVEL": "warning"}


def address_of(process: subprocess.Popen[str]) -> str:
    """Where it serves, once it says so."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("Rapport serves on "), line + process.stderr.read()
    return line.split()[-1]


def answers(address: str) -> bool:
    with urllib.request.urlopen(f"{address}/chat", timeout=PATIENCE_SECONDS) as page:
        return page.status == 200


def test_a_second_server_on_the_same_file_is_refused(start: Start) -> None:
    first = start()
    address = address_of(first)

    second = start()
    _, said = second.communicate(timeout=PATIENCE_SECONDS)

    assert second.returncode == 1
    assert f"process {first.pid}" in said
    assert "another process serves this database" in said
    assert "Traceback" not in said
    assert answers(address)


def test_a_killed_server_is_followed_at_once(start: Start) -> None:
    first = start()
    address_of(first)
    first.kill()
    first.wait()

    second = start()

    assert answers(address_of(second))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_well_when_it_is_asked_to(
    start: Start, config: Path, number: signal.Signals
) -> None:
    server = start()
    address_of(server)

    server.send_signal(number)
    _, said = server.communicate(timeout=PATIENCE_SECONDS)

    assert server.returncode == 0
    assert said.splitlines()[1:] == []
    assert not list((config.parent / "journals").glob("*.journal"))


def test_a_port_that_is_taken_is_told(start: Start, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(RAPPORT_WEB__PORT=str(port))
        _, said = server.communicate(timeout=PATIENCE_SECONDS)

    assert server.returncode == 1
    assert f"127.0.0.1:{port}" in said
    assert "Traceback" not in said
