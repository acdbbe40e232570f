"""The schema's version: make it, bring it up to date, or refuse to start on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DatabaseError, OperationalError

from core.errors import Problem, SchemaOutdated
from storage.database import Database, DatabaseCorrupt, corrupt, sqlite_code
from storage.dialect import (
    SQLITE_CORRUPT_CODES,
    SQLITE_INTERRUPT,
    serialise_migrations,
)

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
# A start does not wait longer for the check of a large file.
START_CHECK_SECONDS = 1.0
STEPS_BETWEEN_LOOKS = 10_000


def migrate(database: Database) -> None:
    """Bring the schema to this program's version, one transaction a step."""
    with database.write_engine.connect() as connection, _unchecked(connection):
        while True:
            with connection.begin():
                if not step(connection):
                    return
                _check_references(connection)


def step(connection: Connection, revision_: str | None = None) -> bool:
    """Apply the next migration, or all up to `revision_`; False where none is left."""
    from alembic import command  # noqa: PLC0415  slow to import, seldom needed

    # Of two programs that start together the second finds the work done.
    serialise_migrations(connection)
    if revision(connection) == (revision_ or newest_revision()):
        return False
    command.upgrade(_config(connection), revision_ or "+1")
    return True


@contextmanager
def _unchecked(connection: Connection) -> Iterator[None]:
    """Let SQLite make a table anew, its only way to change one that others point at."""
    if connection.dialect.name != "sqlite":
        yield
        return
    # The switch does nothing inside a transaction, so SQLAlchemy must not begin one.
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _check_references(connection: Connection) -> None:
    """Undo a step that leaves a row pointing at none."""
    if connection.dialect.name != "sqlite":
        return
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if lost:
        tables = ", ".join(sorted({row[0] for row in lost}))
        raise DatabaseCorrupt(Problem("rows point at nothing", tables))


def prepare(database: Database) -> bool:
    """Make the schema in an empty database; refuse a damaged, old or newer one.

    Returns False where the file was too large to be checked in full at the start:
    `check_integrity` then does it beside the work.

    Raises
    ------
    DatabaseCorrupt : SQLite's quick check finds damage
    SchemaOutdated : made by another version of the program
    """
    checked = check_integrity(database, START_CHECK_SECONDS)
    if database.read_now(is_empty):
        migrate(database)
    check_version(database)
    return checked


def is_empty(connection: Connection) -> bool:
    """Whether there is no table at all."""
    return not inspect(connection).get_table_names()


def check_integrity(database: Database, seconds: float | None = None) -> bool:
    """Ask SQLite whether its file is sound; False where `seconds` were too few.

    PostgreSQL checks its own pages. A byte that changed inside a text is no damage
    that SQLite could see.

    Raises
    ------
    DatabaseCorrupt : it is not
    """
    if not database.is_sqlite:
        return True
    try:
        found = database.read_now(lambda c: _quick_check(c, seconds))
    except DatabaseError as error:
        if sqlite_code(error) not in SQLITE_CORRUPT_CODES:
            raise
        found = str(error.orig)
    if found not in {"ok", None}:
        raise corrupt(database.file, found or "")
    return found is not None


def _quick_check(connection: Connection, seconds: float | None) -> str | None:
    """What SQLite says; None where it was stopped, for it reads about 60 MB/s."""
    driver: Any = connection.connection.driver_connection
    ends = None if seconds is None else time.monotonic() + seconds
    driver.set_progress_handler(
        lambda: ends is not None and time.monotonic() > ends, STEPS_BETWEEN_LOOKS
    )
    try:
        return str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    except OperationalError as error:
        if sqlite_code(error) == SQLITE_INTERRUPT:
            return None
        raise
    finally:
        driver.set_progress_handler(None, 0)


def check_version(database: Database) -> None:
    """Refuse a schema that is not exactly this program's."""
    current, head = database.read_now(revision), newest_revision()
    if current == head:
        return
    newer = current is not None and current not in known_revisions()
    raise SchemaOutdated(
        Problem(
            "the database was made by a newer version of the program"
            if newer
            else "the database was made by an older version of the program",
            f"schema {current}, program {head}",
            file=database.file,
            hint="Install the newer program."
            if newer
            else "Bring it up to date, with a backup first: rapport upgrade",
        )
    )


def revision(connection: Connection) -> str | None:
    """The schema version that the database says it has."""
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  slow

    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """The schema version of this program."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415  slow

    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def known_revisions() -> set[str]:
    """Every schema version that this program can bring up to date."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415  slow

    scripts = ScriptDirectory(str(MIGRATIONS))
    return {script.revision for script in scripts.walk_revisions()}


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415  slow

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
