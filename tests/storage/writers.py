"""A process that does to a database what a test asks for, and tells when it did.

`python -m tests.storage.writers ROLE ...` with the roles below.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from core.model import system
from storage import changes
from storage.database import open_database
from storage.dialect import sqlite_module
from storage.migrate import prepare
from tests.storage.shop import NOW

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """Another process with its own connections; killed at the end at the latest."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.writers", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("go on\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        """The next line that it says; empty when it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> int:
        self._process.communicate()
        return self._process.returncode

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def tell(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def hold_lock(file: str) -> None:
    """Keep a SQLite file locked until told to let go."""
    connection = sqlite_module().connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    tell("locked")
    sys.stdin.readline()
    connection.execute("COMMIT")
    connection.close()


def write_many(url: str, threads: str, writes: str) -> None:
    """Make changes in several threads at once; tells what went wrong, and how often."""
    errors: list[str] = []
    with open_database(url) as database:

        def work() -> None:
            for number in range(int(writes)):
                try:
                    database.write_now(
                        system("storm"),
                        lambda c: changes.record(c, "storm", number, NOW),  # noqa: B023
                    )
                except Exception as error:  # noqa: BLE001  the test counts them
                    errors.append(repr(error))

        tell("ready")
        sys.stdin.readline()
        workers = [threading.Thread(target=work) for _ in range(int(threads))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    tell(json.dumps(errors))


def start(url: str) -> None:
    """Open a database as the program does at its start."""
    tell("ready")
    sys.stdin.readline()
    with open_database(url) as database:
        prepare(database)
        database.read_now(lambda c: c.execute(text("SELECT 1 FROM customers")))
    tell("started")


ROLES: dict[str, Callable[..., None]] = {
    "hold_lock": hold_lock,
    "write_many": write_many,
    "start": start,
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](*sys.argv[2:])
