"""Features of all customers from all order lines against the bare GROUP BY.

Bare is one statement over the same tables and indexes in the same database: order
lines joined to their orders, grouped by customer, with the count, the sums of sales
and of returns, the units and the first and last moment; its rows are read, nothing is
stored. Ours keeps the sums in a table (orders apart from lines, discounts, currencies
by the rate of the day), reads them with what is known of each customer, and computes
every feature; storing the features is not part of it. On the next night there is one
import more, with a hundredth of the lines: what lines cost are the sums; reading them
and computing features costs the same for each customer every night, because a day
more changes all of them. Each runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import text

from bench.contract import Promise, against_peer, alternate, at_most
from bench.databases import child, postgresql_databases, sqlite_databases
from bench.order_books import BENCH, Books, write_books
from storage import totals
from storage.database import open_database

QUICK = Books(10_000, 1_000_000)
FULL = Books(100_000, 10_000_000)
TIMES_BARE = 1.5
# Of a million lines a night is so short that its few commits are most of it, and of
# ten thousand customers the few queries.
NIGHT_RATIOS = {QUICK: 0.2, FULL: 0.05}
CUSTOMER_US = {QUICK: 60.0, FULL: 20.0}
WRITE_MS = 50.0
PEAK_MB = 500.0

BARE = """
SELECT orders.customer_id, count(*),
    sum(CASE WHEN orders.kind = 'sale' THEN order_lines.amount_minor ELSE 0 END),
    sum(CASE WHEN orders.kind = 'sale' THEN 0 ELSE order_lines.amount_minor END),
    sum(order_lines.quantity), min(orders.ordered_at), max(orders.ordered_at)
FROM order_lines JOIN orders ON orders.id = order_lines.order_id
GROUP BY orders.customer_id
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    full = f"{FULL.lines:,} lines of {FULL.customers:,} customers"
    parser.add_argument("--full", action="store_true", help=full)
    parser.add_argument("--rounds", type=int, default=3, help="at least 3")
    parser.add_argument(
        "--no-postgresql", action="store_true", help="measure SQLite alone"
    )


def run(options: argparse.Namespace) -> list[Promise]:
    books = FULL if options.full else QUICK
    found: list[Promise] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        databases = {"SQLite": sqlite_databases(Path(folder))}
        if not options.no_postgresql:
            server = stack.enter_context(postgresql_databases())
            databases |= {} if server is None else {"PostgreSQL": server}
        for kind, make in databases.items():
            found += _measure(kind, make(), books, options.rounds)
    return found


def _measure(kind: str, url: str, books: Books, rounds: int) -> list[Promise]:
    with open_database(url) as database:
        write_books(database, books)
    told: list[dict[str, float]] = []

    def ours() -> float:
        _forget(url)
        told.append(_ours(url, books, 0))
        return told[-1]["seconds"]

    def bare() -> float:
        return child("bench.bench_features", url)["seconds"]

    full, peers = alternate(rounds, ours, bare)
    nights = [_ours(url, books, number) for number in range(1, rounds + 1)]
    shares = [
        night["refresh_seconds"] / first["refresh_seconds"]
        for night, first in zip(nights, told, strict=True)
    ]
    per_customer = [
        (night["seconds"] - night["refresh_seconds"]) / books.customers * 1e6
        for night in nights
    ]
    place = f"{books.lines:,} lines on {kind}"

    def figures(name: str) -> list[float]:
        return [each[name] for each in [*told, *nights]]

    return [
        against_peer(
            f"features from {place} against GROUP BY",
            [books.lines / each for each in full],
            [books.lines / each for each in peers],
            "lines/s",
            1 / TIMES_BARE,
        ),
        at_most(
            f"sums on the night after, a hundredth more, {place}",
            shares,
            "of the full time",
            NIGHT_RATIOS[books],
        ),
        at_most(
            f"all features from the sums, {place}",
            per_customer,
            "µs a customer",
            CUSTOMER_US[books],
        ),
        at_most(f"peak memory, {place}", figures("peak_mb"), "MB", PEAK_MB),
        *(
            # Only on SQLite a write keeps others waiting.
            [at_most(f"longest write, {place}", figures("longest_ms"), "ms", WRITE_MS)]
            if kind == "SQLite"
            else []
        ),
    ]


def _ours(url: str, books: Books, night: int) -> dict[str, float]:
    numbers = map(str, (books.customers, books.lines, night))
    return child("bench.own_features", url, *numbers)


def _forget(url: str) -> None:
    """As on the first night: there are no totals yet."""
    with open_database(url) as database:
        database.write_now(BENCH, totals.start_anew)
        for table in ("customer_totals", "stale_totals"):
            database.write_now(
                BENCH, lambda c, t=table: c.execute(text(f"DELETE FROM {t}"))
            )


def bare_group_by(url: str) -> None:
    """Print how long the bare statement takes."""
    with open_database(url) as database:
        begun = time.perf_counter()
        rows = database.read_now(lambda c: c.execute(text(BARE)).all())
        found = {"seconds": time.perf_counter() - begun, "customers": len(rows)}
    print(json.dumps(found))


if __name__ == "__main__":
    bare_group_by(sys.argv[1])
