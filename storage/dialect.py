"""Where SQLite and PostgreSQL differ: types, upserts, engines, locks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    Select,
    String,
    Table,
    TypeDecorator,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL

BUSY_TIMEOUT_MS = 5000
# SQLITE_BUSY and SQLITE_LOCKED; SQLITE_CORRUPT and SQLITE_NOTADB.
SQLITE_LOCKED_CODES = frozenset({5, 6})
SQLITE_CORRUPT_CODES = frozenset({11, 26})
SQLITE_INTERRUPT = 9
# SQLITE_FULL, and SQLITE_IOERR: a limit of the system shows as a failed write.
SQLITE_FULL_CODES = frozenset({10, 13})
POSTGRESQL_DISK_FULL = "53100"
# One arbitrary number that all our processes know; it orders commits of changes.
CHANGES_LOCK_KEY = 7_245_001
MIGRATIONS_LOCK_KEY = 7_245_002

# Ids grow past 32 bits on PostgreSQL; SQLite autoincrements only INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")
Json = JSON().with_variant(postgresql.JSONB, "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC: timestamptz, or on SQLite text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Any) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"a stored moment needs a time zone: {value!r}"
            raise ValueError(message)
        return utc_text(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:  # noqa: ARG002  the base class calls with it
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return value.astimezone(UTC) if isinstance(value, datetime) else None


def utc_text(moment: datetime) -> str:
    """The one fixed form of a moment in SQLite: 2026-01-31T08:05:00.000000Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def upsert(connection: Connection, table: Table) -> Any:
    """An INSERT that understands `on_conflict_do_nothing` and `..._do_update`."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def earlier(connection: Connection, moment: Any, by: timedelta) -> Any:
    """A column's moment less some time, to be compared with another column."""
    seconds = by.total_seconds()
    if connection.dialect.name == "postgresql":
        return moment - text(f"interval '{seconds} seconds'")
    # SQLite computes to the millisecond; the rest is the form of `utc_text`.
    form = "%Y-%m-%dT%H:%M:%f000Z"
    return func.strftime(form, moment, f"-{seconds} seconds", type_=String)


def json_keys(connection: Connection, column: Column[Any]) -> Select[tuple[str]]:
    """A query for all names that the objects in a column of JSON have."""
    if connection.dialect.name == "postgresql":
        return select(func.jsonb_object_keys(column)).distinct()
    each = func.json_each(column).table_valued("key")
    return select(each.c.key).select_from(column.table.join(each, true())).distinct()


def skip_locked(connection: Connection, query: Any, table: Table) -> Any:
    """Take rows of `table` for update, passing over those that another worker has.

    SQLite needs nothing: its one writer has the whole database.
    """
    if connection.dialect.name == "postgresql":
        # A lock on joined tables too would hide all rows of a run from the others.
        return query.with_for_update(skip_locked=True, of=table)
    return query


def serialise_changes(connection: Connection) -> None:
    """Let change ids appear in the order of commits until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": CHANGES_LOCK_KEY}
        )


@contextmanager
def overwriting(connection: Connection) -> Iterator[None]:
    """What SQLite deletes meanwhile is overwritten in the file, too."""
    if connection.dialect.name != "sqlite":
        yield
        return
    before = connection.exec_driver_sql("PRAGMA secure_delete").scalar()
    connection.exec_driver_sql("PRAGMA secure_delete=ON")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA secure_delete={before}")


def serialise_migrations(connection: Connection) -> None:
    """Let one program at a time change the schema; on SQLite only one can."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATIONS_LOCK_KEY}
        )


def is_sound(version: tuple[int, int, int]) -> bool:
    """Whether a SQLite of this version is free of the WAL-reset corruption.

    References
    ----------
    sqlite.org/wal.html, "The WAL-reset bug": fixed in 3.51.3, 3.50.7 and 3.44.6.
    """
    if version[:2] == (3, 50):
        return version >= (3, 50, 7)
    if version[:2] == (3, 44):
        return version >= (3, 44, 6)
    return version >= (3, 51, 3)


def sqlite_module() -> ModuleType:
    """The system's sqlite3 where it is sound, else the one from its own package."""
    if is_sound(sqlite3.sqlite_version_info):
        return sqlite3
    try:
        from pysqlite3 import dbapi2  # noqa: PLC0415  absent on some platforms
    except ImportError:
        return sqlite3
    return dbapi2  # type: ignore[no-any-return]


def sqlite_file(url: str | URL) -> Path | None:
    """The database file of a SQLite URL; None for PostgreSQL."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    return Path(parsed.database or "")


def sqlite_engine(file: Path, *, writer: bool) -> Engine:
    """An engine on one SQLite file.

    A writer begins IMMEDIATE: a deferred transaction that reads first and writes
    then fails at once when another has written in between.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        module=sqlite_module(),
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        # The driver must not open transactions of its own.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if not writer:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def postgresql_engine(url: str) -> Engine:
    """An engine on PostgreSQL; sessions think in UTC."""
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=8,
        connect_args={"options": "-c timezone=UTC"},
    )
