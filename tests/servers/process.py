"""Starts a server of ours in a process of its own, and stops it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
STOP_SECONDS = 5.0


class ServerFailed(Exception):
    """The server ended, or said nothing, before it was ready."""


class ServerProcess:
    """One running server; `ready` is what it said when it began to listen."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, "--parent", str(os.getpid())]
        self._process = subprocess.Popen(
            [*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            self.ready = self._read_ready(module)
        except ServerFailed:
            self.stop()
            raise

    @property
    def port(self) -> int:
        return int(self.ready["port"])

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End it; by force when it does not listen. A second call is harmless."""
        if self.alive:
            self._process.terminate()
        self._wait_or_kill()
        self._close_pipe()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()
        self._close_pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_or_kill(self) -> None:
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _close_pipe(self) -> None:
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read_ready(self, module: str) -> dict[str, Any]:
        pipe = self._process.stdout
        if pipe is None or not select.select([pipe], [], [], START_SECONDS)[0]:
            raise ServerFailed(f"{module} said nothing within {START_SECONDS} s")
        line = pipe.readline()
        if not line:
            raise ServerFailed(f"{module} ended before it was ready")
        ready: dict[str, Any] = json.loads(line)
        return ready
