"""A shop's orders made in SQL alone, for benchmarks of what is computed from them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from core.model import system
from storage.database import Database

BENCH = system("bench")
LINES_PER_ORDER = 10
PRODUCTS = 1000
YEARS = 2
SECONDS_PER_YEAR = 31_536_000
FIRST_SECOND = 1_704_067_200  # 2024-01-01
BEGIN = "'2024-01-01T00:00:00.000000Z'"
# Odd and large: neighbours in time are different customers.
STRIDE = 2_654_435_761


@dataclass(frozen=True, slots=True)
class Books:
    """How many customers, and the lines that are there before the first night."""

    customers: int
    lines: int

    @property
    def orders(self) -> int:
        return self.lines // LINES_PER_ORDER


def write_books(database: Database, books: Books) -> None:
    """Customers with two years of orders: 5 % returns, 2 % in another currency."""

    def work(connection: Connection) -> None:
        _people(connection, books.customers)
        _orders(connection, books, 1, 1, books.orders)

    database.write_now(BENCH, work)
    _analyse(database)


def write_night(database: Database, books: Books, night: int) -> None:
    """One more import, with a hundredth of the lines."""
    count = books.orders // 100
    first = books.orders + (night - 1) * count + 1

    def work(connection: Connection) -> None:
        _orders(connection, books, night + 1, first, first + count - 1)

    database.write_now(BENCH, work)
    _analyse(database)


def _people(connection: Connection, customers: int) -> None:
    _run(connection, "INSERT INTO sources (id, name, priority) VALUES (1, 'bench', 50)")
    _run(
        connection, "INSERT INTO currency_rates VALUES ('USD', '2024-01-01', 0.9, NULL)"
    )
    _run(
        connection,
        _numbers(connection, "products", 1, PRODUCTS)
        + "(id, source_id, external_id, name, active)"
        " SELECT i, 1, CAST(i AS text), 'Product', true FROM n",
    )
    _run(
        connection,
        _numbers(connection, "customers", 1, customers)
        + "(id, preferences, attributes, provenance, created_at, updated_at)"
        f" SELECT i, '{{}}', '{{}}', '{{}}', {BEGIN}, {BEGIN} FROM n",
    )


def _orders(
    connection: Connection, books: Books, import_id: int, first: int, last: int
) -> None:
    _run(
        connection,
        "INSERT INTO imports (id, source_id, kind, file_name, file_hash, mapping_hash,"
        " state, rows_read, rows_accepted, rows_corrected, rows_rejected, reasons,"
        f" started_at, completed_at) VALUES ({import_id}, 1, 'orders', 'bench',"
        f" '{import_id}', '', 'complete', 0, 0, 0, 0, '{{}}', {BEGIN}, {BEGIN})",
    )
    if connection.dialect.name == "postgresql":
        # What we made needs no look at each of its keys.
        _run(connection, "SET LOCAL session_replication_role = replica")
    pace = YEARS * SECONDS_PER_YEAR // books.orders
    second = f"{FIRST_SECOND} + i * {pace}"
    _run(
        connection,
        _numbers(connection, "orders", first, last)
        + "(id, source_id, external_id, customer_id, kind, ordered_at, total_minor,"
        " currency, import_id)"
        f" SELECT i, 1, CAST(i AS text), 1 + (i * {STRIDE}) % {books.customers},"
        f" CASE WHEN i % 20 = 0 THEN 'return' ELSE 'sale' END,"
        f" {_moment(connection, second)},"
        f" CASE WHEN i % 20 = 0 THEN -1000 ELSE 1000 END * {LINES_PER_ORDER},"
        f" CASE WHEN i % 50 = 0 THEN 'USD' ELSE 'EUR' END, {import_id} FROM n",
    )
    of_line = f"i / {LINES_PER_ORDER}"
    begin, end = first * LINES_PER_ORDER, (last + 1) * LINES_PER_ORDER - 1
    _run(
        connection,
        _numbers(connection, "order_lines", begin, end)
        + "(order_id, line_no, product_id, quantity, amount_minor)"
        f" SELECT {of_line}, 1 + i % {LINES_PER_ORDER},"
        f" 1 + (i * {STRIDE}) % {PRODUCTS},"
        f" CASE WHEN ({of_line}) % 20 = 0 THEN -2 ELSE 2 END,"
        f" CASE WHEN ({of_line}) % 20 = 0 THEN -1000 ELSE 1000 END FROM n",
    )


def _run(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


def _numbers(connection: Connection, table: str, first: int, last: int) -> str:
    """The head of an INSERT that selects from numbers `n(i)`."""
    if connection.dialect.name == "postgresql":
        series = f"SELECT generate_series(CAST({first} AS bigint), {last})"
        return f"WITH n(i) AS ({series}) INSERT INTO {table} "
    steps = f"SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}"
    return f"WITH RECURSIVE n(i) AS ({steps}) INSERT INTO {table} "


def _moment(connection: Connection, second: str) -> str:
    if connection.dialect.name == "postgresql":
        return f"to_timestamp({second})"
    return f"strftime('%Y-%m-%dT%H:%M:%S.000000Z', {second}, 'unixepoch')"


def _analyse(database: Database) -> None:
    """What PostgreSQL does by itself some time after a load."""
    if not database.is_sqlite:
        database.write_now(BENCH, lambda c: c.execute(text("ANALYZE")))
