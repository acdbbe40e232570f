"""Import of a real file of order lines against bare csv + executemany (or COPY).

Both run in processes of their own, alternating, each into a new database with the
same tables, indexes and pragmas; starting Python and making the tables don't count.
The peer keeps all ids in memory and believes the file; see `bare_import.py`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from bench.contract import (
    ROOT,
    Promise,
    against_peer,
    alternate,
    at_most,
    data_file,
    existing,
)
from core.model import system
from core.records import RecordKind
from storage import ingest
from storage.database import open_database
from storage.migrate import migrate

RATIO = 0.4
PEAK_MB = 150.0
BENCH = system("bench")
NewDatabase = Callable[[], str]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--file",
        type=Path,
        default=data_file("online_retail", "online_retail_to_2011-09-09.csv.gz"),
        help="order lines in the columns of the online-retail mapping",
    )
    parser.add_argument("--rounds", type=int, default=3, help="at least 3")
    parser.add_argument(
        "--no-postgresql", action="store_true", help="measure SQLite alone"
    )


def run(options: argparse.Namespace) -> list[Promise]:
    file = existing(options.file)
    with tempfile.TemporaryDirectory() as folder:
        found = _measure("SQLite", file, options.rounds, _sqlite(Path(folder)))
        if not options.no_postgresql:
            with _postgresql() as databases:
                if databases is not None:
                    found += _measure("PostgreSQL", file, options.rounds, databases)
    return found


def _measure(
    kind: str, file: Path, rounds: int, databases: NewDatabase
) -> list[Promise]:
    peaks: list[float] = []
    rows = 0

    def ours() -> float:
        nonlocal rows
        with tempfile.TemporaryDirectory() as directory:
            told = _child("bench.own_import", str(file), databases(), directory)
        peaks.append(told["peak_mb"])
        rows = int(told["rows"])
        return told["seconds"]

    def peer() -> float:
        url = databases()
        with open_database(url) as database:
            file_key = ingest.ImportFile(
                "online-retail", RecordKind.ORDERS, file.name, "", ""
            )
            now = datetime.now(UTC)
            database.write_now(BENCH, lambda c: ingest.begin(c, file_key, now))
        return _child("bench.bare_import", str(file), url)["seconds"]

    seconds, peer_seconds = alternate(rounds, ours, peer)
    bare = "csv + executemany" if kind == "SQLite" else "csv + COPY"
    return [
        against_peer(
            f"import on {kind} against {bare}",
            [rows / each for each in seconds],
            [rows / each for each in peer_seconds],
            "rows/s",
            RATIO,
        ),
        at_most(f"peak memory on {kind}", peaks, "MB", PEAK_MB),
    ]


def _child(module: str, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _sqlite(folder: Path) -> NewDatabase:
    numbers = count()

    def make() -> str:
        url = f"sqlite:///{folder / f'{next(numbers)}.db'}"
        with open_database(url) as database:
            migrate(database)
        return url

    return make


@contextmanager
def _postgresql() -> Iterator[NewDatabase | None]:
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
