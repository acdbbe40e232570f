"""New databases for benchmarks, and processes of their own to measure in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from bench.contract import ROOT
from storage.database import open_database
from storage.migrate import migrate

NewDatabase = Callable[[], str]


def child(module: str, *arguments: str) -> dict[str, float]:
    """The figures that a module prints as JSON, run as a program."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def sqlite_databases(folder: Path) -> NewDatabase:
    """Makes new files in a folder; returns the URL of each."""
    numbers = count()

    def make() -> str:
        url = f"sqlite:///{folder / f'{next(numbers)}.db'}"
        with open_database(url) as database:
            migrate(database)
        return url

    return make


@contextmanager
def postgresql_databases() -> Iterator[NewDatabase | None]:
    """Makes new databases on a server of its own; None where there is none."""
    from tests.servers.postgresql import (
        PostgresqlMissing,
        cloned_database,
        postgresql_server,
    )

    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgresql_server())
        except PostgresqlMissing as reason:
            print(f"PostgreSQL is left out: {reason}", file=sys.stderr)
            yield None
            return
        numbers = count()

        def make() -> str:
            name = f"bench_{next(numbers)}"
            url = stack.enter_context(cloned_database(server, name, "template0"))
            with open_database(url) as database:
                migrate(database)
            return url

        yield make
