"""The peer of the import: bare `csv` and `executemany`, one process, one file.

`python -m bench.bare_import FILE DATABASE` stores the same rows of the online-retail
file in the same tables, on SQLite with the same pragmas or on PostgreSQL by COPY. It
keeps all ids in memory, can't be interrupted, and believes the file.
"""

from __future__ import annotations

import csv
import gzip
import json
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from storage.database import Database, open_database
from storage.dialect import utc_text

ROWS_PER_COMMIT = 10_000
LONDON = ZoneInfo("Europe/London")
NO_PRODUCTS = frozenset(
    {"POST", "DOT", "M", "m", "D", "S", "B", "C2", "CRUK", "PADS", "AMAZONFEE"}
    | {"BANK CHARGES"}
)
TABLES = {
    "customers": (
        *("id", "country", "preferences", "attributes", "source_id"),
        *("created_at", "updated_at"),
    ),
    "identities": ("customer_id", "kind", "value", "typed", "created_at"),
    "products": (
        *("id", "source_id", "external_id", "name", "price_minor", "currency"),
        "active",
    ),
    "orders": (
        *("id", "source_id", "external_id", "customer_id", "kind", "ordered_at"),
        *("total_minor", "currency", "import_id"),
    ),
    "order_lines": ("order_id", "line_no", "product_id", "quantity", "amount_minor"),
}


class Rows:
    """What is to be stored next, by table."""

    def __init__(self, *, text: bool) -> None:
        self._moment: Any = utc_text if text else (lambda moment: moment)
        self._now = self._moment(datetime.now(UTC))
        self._customers: dict[str, int] = {}
        self._products: dict[str, int | None] = dict.fromkeys(NO_PRODUCTS)
        self._orders: dict[str, list[int]] = {}
        self.waiting: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}

    def read(self, file: IO[str]) -> Iterator[None]:
        """Yields whenever enough rows wait."""
        reader = csv.reader(file)
        next(reader)
        lines = self.waiting["order_lines"]
        for number, group in _orders(reader):
            order = self._orders.get(number)
            parsed = [
                (self._product(row[1], row), int(row[3]), _amount(row[3], row[5]))
                for row in group
            ]
            if order is None:
                order = self._order(number, group[0], sum(line[2] for line in parsed))
            for product, quantity, amount in parsed:
                order[1] += 1
                lines.append((order[0], order[1], product, quantity, amount))
            if len(lines) >= ROWS_PER_COMMIT:
                yield
        yield

    def _order(self, number: str, row: list[str], total: int) -> list[int]:
        moment = datetime.fromisoformat(row[4]).replace(tzinfo=LONDON)
        order = self._orders[number] = [len(self._orders) + 1, 0]
        kind = "return" if number[0] == "C" or row[3][0] == "-" else "sale"
        customer = self._customer(row[6], row[7]) if row[6] else None
        at = self._moment(moment.astimezone(UTC))
        self.waiting["orders"].append(
            (order[0], 1, number, customer, kind, at, total, "GBP", 1)
        )
        return order

    def _customer(self, name: str, country: str) -> int:
        key = self._customers.get(name)
        if key is None:
            key = self._customers[name] = len(self._customers) + 1
            now, value = self._now, f"online-retail:{name}"
            self.waiting["customers"].append((key, country, "{}", "{}", 1, now, now))
            self.waiting["identities"].append((key, "external", value, value, now))
        return key

    def _product(self, code: str, row: list[str]) -> int | None:
        if code not in self._products:
            key = self._products[code] = len(self._products) + 1
            price = round(float(row[5]) * 100)
            self.waiting["products"].append(
                (key, 1, code, row[2] or code, price, "GBP", True)
            )
        return self._products[code]


def _orders(reader: Iterator[list[str]]) -> Iterator[tuple[str, list[list[str]]]]:
    group: list[list[str]] = []
    for row in reader:
        if group and row[0] != group[0][0]:
            yield group[0][0], group
            group = []
        group.append(row)
    if group:
        yield group[0][0], group


def _amount(quantity: str, price: str) -> int:
    return int(quantity) * round(float(price) * 100)


def _store_sqlite(database: Database, rows: Rows) -> None:
    with database.write_engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("BEGIN IMMEDIATE")
        for table, waiting in rows.waiting.items():
            marks = ", ".join("?" * len(TABLES[table]))
            names = ", ".join(TABLES[table])
            driver.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", waiting
            )
            waiting.clear()
        driver.execute("COMMIT")


def _store_postgresql(database: Database, rows: Rows) -> None:
    with database.write_engine.connect() as connection, connection.begin():
        driver: Any = connection.connection
        for table, waiting in rows.waiting.items():
            names = ", ".join(TABLES[table])
            into = f"COPY {table} ({names}) FROM STDIN"
            with driver.cursor() as cursor, cursor.copy(into) as copy:
                for row in waiting:
                    copy.write_row(row)
            waiting.clear()


def main(file: Path, url: str) -> None:
    """Store the file and print rows, seconds and peak memory as JSON."""
    opener: Any = gzip.open if file.suffix == ".gz" else open
    with open_database(url) as database:
        store = _store_sqlite if database.is_sqlite else _store_postgresql
        begun = time.perf_counter()
        with opener(file, "rt", encoding="utf-8", newline="") as text:
            rows = Rows(text=database.is_sqlite)
            for _ in rows.read(text):
                store(database, rows)
        seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
