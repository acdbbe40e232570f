"""Many rows at once by the driver's own means: executemany on SQLite, COPY else.

SQLAlchemy would build a statement's parameters row by row, which costs more than
SQLite takes to store them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, func, select, text

from storage.dialect import utc_text

Row = tuple[Any, ...]

# SQLite takes 32,766 parameters a statement; a short list is planned faster.
LOOKUP_VALUES = 500


def insert_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    """Insert raw rows; moments must be of `moment_value`'s form, ids may be given."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        with _copy(connection, table, columns) as stream:
            for row in rows:
                stream.write_row(row)
        return
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608  names of our schema
    connection.exec_driver_sql(statement, rows)


def insert_numbers(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[int | None, ...]],
) -> None:
    """`insert_rows` for rows of integers and None alone, the many lines of orders."""
    if not rows or connection.dialect.name != "postgresql":
        insert_rows(connection, table, columns, rows)
        return
    # One block of text costs a third of a call for each row.
    form = "\t".join(["%s"] * len(columns)) + "\n"
    block = "".join([form % row for row in rows]).replace("None", "\\N")
    with _copy(connection, table, columns) as stream:
        stream.write(block)


def update_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    """Set raw values of columns; each row ends with the id of the one to change."""
    if not rows:
        return
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    changes = ", ".join(f"{name} = {mark}" for name in columns)
    statement = f"UPDATE {table.name} SET {changes} WHERE id = {mark}"  # noqa: S608  names of our schema
    connection.exec_driver_sql(statement, rows)


def moment_value(connection: Connection, moment: datetime) -> Any:
    """A moment as the driver takes it."""
    return utc_text(moment) if connection.dialect.name == "sqlite" else moment


def new_ids(connection: Connection, table: Table, count: int) -> range | list[int]:
    """Ids for `count` new rows of a table, in ascending order.

    On SQLite the one writer may count on from the largest; on PostgreSQL the
    sequence gives them out.
    """
    if count == 0:
        return range(0)
    if connection.dialect.name == "postgresql":
        taken = connection.execute(
            text(
                "SELECT nextval(pg_get_serial_sequence(:table, 'id'))"
                " FROM generate_series(1, :count)"
            ),
            {"table": table.name, "count": count},
        )
        return list(taken.scalars())
    largest = connection.scalar(select(func.max(table.c.id))) or 0
    return range(largest + 1, largest + 1 + count)


def lookup(
    connection: Connection,
    key: Column[Any],
    wanted: Iterable[Any],
    columns: Sequence[Any],
    *conditions: Any,
    lock: bool = False,
) -> Iterator[Any]:
    """Rows of `columns` whose key is one of `wanted`, a few hundred at a time."""
    query = select(*columns).where(
        key.in_(bindparam("wanted", expanding=True)), *conditions
    )
    if lock:
        query = query.with_for_update()
    values = iter(wanted)
    while part := list(islice(values, LOOKUP_VALUES)):
        yield from connection.execute(query, {"wanted": part})


@contextmanager
def _copy(
    connection: Connection, table: Table, columns: Sequence[str]
) -> Iterator[Any]:
    driver: Any = connection.connection
    statement = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN"
    with driver.cursor() as cursor, cursor.copy(statement) as stream:
        yield stream
