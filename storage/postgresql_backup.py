"""A PostgreSQL database as one zip: a COPY of each table and a manifest.

It needs no client program, and no right beyond that of the tables' owner.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, MetaData, Table, inspect, text
from sqlalchemy.exc import OperationalError

from core.errors import DataError, Problem
from storage.archive import Contents, fsync_file
from storage.database import Database
from storage.migrate import revision, step

MANIFEST = "manifest.json"
FORMAT = 1
VERSION_TABLE = "alembic_version"
BLOCK_BYTES = 1 << 16
LOCK_PATIENCE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Part:
    """One table in the archive; `next_id` is where its sequence goes on."""

    table: str
    columns: list[str]
    rows: int
    sha256: str
    next_id: int | None

    @property
    def member(self) -> str:
        return f"tables/{self.table}.copy"


def dump(database: Database, target: Path, now: datetime) -> None:
    """Write all tables as of one moment."""
    with (
        database.read_engine.connect() as connection,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        connection.execution_options(isolation_level="REPEATABLE READ")
        parts = [_dump(connection, archive, table) for table in _tables(connection)]
        manifest = {
            "format": FORMAT,
            "made_at": now.isoformat(),
            "revision": revision(connection),
            # In this order every row finds the rows that it points at.
            "tables": [asdict(part) for part in parts],
        }
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
    fsync_file(target)


def check(file: Path) -> Contents:
    """Read every table, and compare it with the manifest."""
    try:
        with zipfile.ZipFile(file) as archive:
            found, parts = _manifest(archive, file)
            for part in parts:
                _check(archive, part, file)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, EOFError) as error:
        raise DataError(
            Problem("the backup is damaged", str(error), file=file)
        ) from error
    return Contents(found, {part.table: part.rows for part in parts})


def load(connection: Connection, file: Path) -> None:
    """Replace everything in the database by the backup, and bring it up to date.

    All of it happens in the caller's transaction.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_PATIENCE_SECONDS}s'"))
    _drop_all(connection)
    with zipfile.ZipFile(file) as archive:
        found, parts = _manifest(archive, file)
        step(connection, found)
        for part in parts:
            _load(connection, archive, part)
    while step(connection):
        continue


def _tables(connection: Connection) -> list[Table]:
    reflected = MetaData()
    reflected.reflect(connection)
    return [each for each in reflected.sorted_tables if each.name != VERSION_TABLE]


def _dump(connection: Connection, archive: zipfile.ZipFile, table: Table) -> Part:
    columns = [column.name for column in table.columns]
    digest, rows = hashlib.sha256(), 0
    part = Part(table.name, columns, 0, "", _next_id(connection, table.name))
    driver: Any = connection.connection
    with (
        archive.open(part.member, "w", force_zip64=True) as stream,
        driver.cursor() as cursor,
        cursor.copy(f"COPY {_quoted(connection, part)} TO STDOUT") as source,
    ):
        for block in source:
            digest.update(block)
            # A line break inside a text is written as two letters.
            rows += bytes(block).count(b"\n")
            stream.write(block)
    return Part(part.table, columns, rows, digest.hexdigest(), part.next_id)


def _next_id(connection: Connection, table: str) -> int | None:
    columns = {column["name"] for column in inspect(connection).get_columns(table)}
    if "id" not in columns:
        return None
    sequence = _sequence(connection, table)
    if sequence is None:
        return None
    row = connection.execute(text(f"SELECT last_value, is_called FROM {sequence}"))  # noqa: S608  quoted by the server
    last, called = row.one()
    return int(last) + int(called)


def _sequence(connection: Connection, table: str) -> str | None:
    """The sequence of a table's ids, quoted by the server."""
    quoted = connection.dialect.identifier_preparer.quote(table)
    sequence: str | None = connection.scalar(
        text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": quoted}
    )
    return sequence


def _quoted(connection: Connection, part: Part) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return f"{quote(part.table)} ({', '.join(quote(name) for name in part.columns)})"


def _manifest(archive: zipfile.ZipFile, file: Path) -> tuple[str, list[Part]]:
    try:
        manifest = json.loads(archive.read(MANIFEST))
        if manifest["format"] != FORMAT:
            raise DataError(
                Problem(
                    "the backup has an unknown form",
                    str(manifest["format"]),
                    file=file,
                )
            )
        parts = [Part(**each) for each in manifest["tables"]]
        return str(manifest["revision"]), parts
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            Problem("the file is no backup of this program", file=file)
        ) from error


def _check(archive: zipfile.ZipFile, part: Part, file: Path) -> None:
    digest, rows = hashlib.sha256(), 0
    try:
        member = archive.open(part.member)
    except KeyError as error:
        raise DataError(
            Problem("the backup is incomplete", part.member, file=file)
        ) from error
    with member:
        for block in _blocks(member):
            digest.update(block)
            rows += block.count(b"\n")
    if digest.hexdigest() != part.sha256 or rows != part.rows:
        raise DataError(Problem("the backup is damaged", part.member, file=file))


def _drop_all(connection: Connection) -> None:
    names = inspect(connection).get_table_names()
    if names and VERSION_TABLE not in names:
        raise DataError(
            Problem(
                "the database holds tables of another program",
                ", ".join(sorted(names)[:3]),
                hint="Name an empty database in storage.url.",
            )
        )
    quote = connection.dialect.identifier_preparer.quote
    for name in names:
        try:
            connection.execute(text(f"DROP TABLE {quote(name)} CASCADE"))
        except OperationalError as error:
            raise DataError(
                Problem(
                    "somebody is using the database",
                    str(error.orig).strip(),
                    hint="Stop all programs that use it, then restore again.",
                )
            ) from error


def _load(connection: Connection, archive: zipfile.ZipFile, part: Part) -> None:
    driver: Any = connection.connection
    with (
        archive.open(part.member) as member,
        driver.cursor() as cursor,
        cursor.copy(f"COPY {_quoted(connection, part)} FROM STDIN") as target,
    ):
        for block in _blocks(member):
            target.write(block)
    if part.next_id is not None:
        connection.execute(
            text("SELECT setval(:sequence, :next_id, false)"),
            {
                "sequence": _sequence(connection, part.table),
                "next_id": part.next_id,
            },
        )


def _blocks(member: IO[bytes]) -> Iterator[bytes]:
    while block := member.read(BLOCK_BYTES):
        yield block
