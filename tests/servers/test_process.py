from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.process import ROOT, ServerFailed, ServerProcess

SINK = "tests.servers.smtp_sink"


def refused(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def test_a_stopped_server_no_longer_listens(tmp_path: Path) -> None:
    server = ServerProcess(SINK, "--journal", str(tmp_path / "journal"))

    server.stop()

    assert refused(server.port)


def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    server = ServerProcess(SINK, "--journal", str(tmp_path / "journal"))

    server.stop()
    server.stop()

    assert not server.alive


def test_a_paused_server_is_stopped_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.servers.process.STOP_SECONDS", 0.1)
    server = ServerProcess(SINK, "--journal", str(tmp_path / "journal"))
    os.kill(server.pid, signal.SIGSTOP)

    server.stop()

    assert not server.alive


def test_a_server_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="ended before it was ready"):
        ServerProcess(SINK, "--journal", str(tmp_path / "absent" / "journal"))


def test_a_server_ends_after_its_lifetime(tmp_path: Path) -> None:
    arguments = ("--journal", str(tmp_path / "journal"), "--lifetime", "0.1")

    with ServerProcess(SINK, *arguments) as server:
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)

        assert refused(server.port)


def test_a_server_ends_when_its_parent_dies(tmp_path: Path) -> None:
    # The parent starts a server, says which port, and is gone without stopping it.
    parent = (
        "import os, sys; from tests.servers.process import ServerProcess;"
        f"server = ServerProcess({SINK!r}, '--journal', sys.argv[1]);"
        "os.write(1, str(server.port).encode()); os._exit(9)"
    )
    command = [sys.executable, "-c", parent, str(tmp_path / "journal")]

    # The server holds standard error until it ends, so this waits for its end.
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, timeout=60, check=False
    )

    assert ended.returncode == 9
    assert refused(int(ended.stdout))
