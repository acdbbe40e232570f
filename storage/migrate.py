"""The schema's version: make it, bring it up to date, or refuse to start on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect

from core.errors import Problem, RapportError, SchemaOutdated
from storage.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseCorrupt(RapportError):
    """SQLite finds the file damaged."""


def migrate(database: Database) -> None:
    """Bring the schema to this program's version, one transaction a step."""
    from alembic import command  # noqa: PLC0415  slow to import, seldom needed

    with _config(database) as config:
        command.upgrade(config, "head")


def prepare(database: Database) -> None:
    """Make the schema in an empty database; refuse a damaged, old or newer one.

    Raises
    ------
    DatabaseCorrupt : SQLite's quick check fails
    SchemaOutdated : made by another version of the program
    """
    check_integrity(database)
    if database.read_now(is_empty):
        migrate(database)
    check_version(database)


def is_empty(connection: Connection) -> bool:
    """Whether there is no table at all."""
    return not inspect(connection).get_table_names()


def check_integrity(database: Database) -> None:
    """Ask SQLite whether its file is sound; PostgreSQL checks its own pages."""
    if not database.is_sqlite:
        return
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415  only for this check

    try:
        found = database.read_now(
            lambda c: str(c.exec_driver_sql("PRAGMA quick_check(1)").scalar())
        )
    except DatabaseError as error:
        found = str(error.orig)
    if found != "ok":
        raise DatabaseCorrupt(
            Problem(
                "the database file is damaged",
                found,
                file=database.file,
                hint="Bring back the newest backup: rapport restore FILE",
            )
        )


def check_version(database: Database) -> None:
    """Refuse a schema that is not exactly this program's."""
    current, head = database.read_now(revision), newest_revision()
    if current == head:
        return
    newer = current is not None and current not in _known_revisions()
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


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415  slow

    scripts = ScriptDirectory(str(MIGRATIONS))
    return {script.revision for script in scripts.walk_revisions()}


@contextmanager
def _config(database: Database) -> Iterator[Config]:
    from alembic.config import Config  # noqa: PLC0415  slow

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.write_engine.connect() as connection:
        config.attributes["connection"] = connection
        yield config
