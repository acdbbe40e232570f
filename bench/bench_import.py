"""Import of order lines against bare csv + executemany (or COPY).

Both run in processes of their own, alternating, each into a new database with the
same tables, indexes and pragmas; starting Python and making the tables don't count.
The peer keeps all ids in memory and believes the file; see `bare_import.py`. The file
is a real one; `--full` adds one of a million generated lines.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench.contract import (
    Promise,
    against_peer,
    alternate,
    at_least,
    at_most,
    data_file,
    existing,
)
from bench.databases import (
    NewDatabase,
    child,
    postgresql_databases,
    sqlite_databases,
)
from bench.order_lines import write_order_lines
from core.model import system
from core.records import RecordKind
from storage import ingest
from storage.database import open_database

# Of SQLite, and of PostgreSQL.
RATIOS = {"SQLite": 0.4, "PostgreSQL": 0.5}
PEAK_MB = 120.0
WRITE_MS = 50.0
AGAIN = 5.0
FULL_LINES = 1_000_000
BENCH = system("bench")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--file",
        type=Path,
        default=data_file("online_retail", "online_retail_to_2011-09-09.csv.gz"),
        help="order lines in the columns of the online-retail mapping",
    )
    parser.add_argument(
        "--full", action="store_true", help="a million generated lines besides"
    )
    parser.add_argument(
        "--lines", type=int, default=0, help="so many generated lines besides"
    )
    parser.add_argument("--rounds", type=int, default=3, help="at least 3")
    parser.add_argument(
        "--no-postgresql", action="store_true", help="measure SQLite alone"
    )


def run(options: argparse.Namespace) -> list[Promise]:
    lines = options.lines or (FULL_LINES if options.full else 0)
    found: list[Promise] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        files = {"the real file": existing(options.file)}
        if lines:
            made = Path(folder) / "lines.csv"
            write_order_lines(made, lines)
            files[f"{lines:,} lines"] = made
        databases = {"SQLite": sqlite_databases(Path(folder))}
        if not options.no_postgresql:
            server = stack.enter_context(postgresql_databases())
            databases |= {} if server is None else {"PostgreSQL": server}
        for kind, make in databases.items():
            for what, file in files.items():
                found += _measure(kind, what, file, options.rounds, make)
    return found


def _measure(
    kind: str, what: str, file: Path, rounds: int, databases: NewDatabase
) -> list[Promise]:
    told: list[dict[str, float]] = []

    def ours() -> float:
        with tempfile.TemporaryDirectory() as directory:
            told.append(child("bench.own_import", str(file), databases(), directory))
        return told[-1]["seconds"]

    def peer() -> float:
        url = databases()
        with open_database(url) as database:
            file_key = ingest.ImportFile(
                "online-retail", RecordKind.ORDERS, file.name, "", ""
            )
            now = datetime.now(UTC)
            database.write_now(BENCH, lambda c: ingest.begin(c, file_key, now))
        return child("bench.bare_import", str(file), url)["seconds"]

    seconds, peer_seconds = alternate(rounds, ours, peer)
    rows = told[0]["rows"]
    bare = "csv + executemany" if kind == "SQLite" else "csv + COPY"
    place = f"{what} on {kind}"

    def figures(name: str) -> list[float]:
        return [each[name] for each in told]

    again = [each["seconds"] / each["again_seconds"] for each in told]
    return [
        against_peer(
            f"import of {place} against {bare}",
            [rows / each for each in seconds],
            [rows / each for each in peer_seconds],
            "rows/s",
            RATIOS[kind],
        ),
        at_most(f"peak memory, {place}", figures("peak_mb"), "MB", PEAK_MB),
        at_most(f"p99 of the writes, {place}", figures("p99_ms"), "ms", WRITE_MS),
        at_most(f"longest write, {place}", figures("longest_ms"), "ms", WRITE_MS),
        at_least(f"the same file again, {place}", again, "x faster", AGAIN),
    ]
