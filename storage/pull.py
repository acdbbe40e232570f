"""Rows of somebody else's database, read by a query and left as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, create_engine, event, make_url, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.types import NullType

from core.errors import DataError, Problem

ROWS_AT_ONCE = 2000
MARK = "watermark"
# Whatever a driver says, a password of the URL must not reach a log or a page.
_PASSWORD = re.compile(r"://([^:/@\s]*):[^@\s]*@")

Row = dict[str, Any]


def pull(
    url: str, query: str, watermark: str | None = None, name: str = "the source"
) -> Iterator[Row]:
    """The query's rows, streamed, in values that JSON can hold.

    Parameters
    ----------
    url : of SQLAlchemy; its driver must be installed
    query : may name `:watermark`
    watermark : stands for it, as the database itself would write it
    name : for messages

    Raises
    ------
    DataError : the URL, the driver, the connection or the query is at fault
    """
    try:
        engine = _engine(url)
    except ModuleNotFoundError as error:
        hint = f"Install it beside Rapport: pip install {error.name}"
        raise _problem(name, "the database's driver is missing", error, hint) from error
    except (ArgumentError, NoSuchModuleError) as error:
        hint = "An address looks like postgresql+psycopg://reader@host/name"
        raise _problem(name, "the database's address is wrong", None, hint) from error
    try:
        with engine.connect() as connection:
            yield from _rows(connection, query, watermark)
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise _problem(name, "the query failed", cause, None) from error
    finally:
        engine.dispose()


def watermark_of(value: object) -> str:
    """A value as it stands in the next query."""
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def _engine(url: str) -> Engine:
    # What the data hold must never stand in a message of the driver.
    engine = create_engine(url, hide_parameters=True)
    if make_url(url).get_backend_name() == "sqlite":

        @event.listens_for(engine, "connect")
        def only_read(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA query_only=ON")

    return engine


def _rows(connection: Connection, query: str, watermark: str | None) -> Iterator[Row]:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    statement = text(query)
    if f":{MARK}" in query:
        # Without a type of ours the database compares in the column's own.
        mark = bindparam(MARK, value=watermark or "", type_=NullType())
        statement = statement.bindparams(mark)
    result = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(statement)
    for row in result.mappings():
        yield {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """A value that JSON holds, moments and days still as such."""
    if value is None or isinstance(value, bool | int | float | str | datetime | date):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _problem(
    name: str, expected: str, cause: BaseException | None, hint: str | None
) -> DataError:
    said = None if cause is None else str(cause).strip().partition("\n")[0]
    shown = None if said is None else _PASSWORD.sub(r"://\1:…@", said)
    return DataError(Problem(f"{expected} ({name})", shown, hint=hint))
