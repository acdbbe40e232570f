"""The schema is made whole or not at all, and a start on any other is refused."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from core.errors import SchemaOutdated
from storage import migrate as migrations
from storage.database import Connection, Database, DatabaseCorrupt, open_database
from storage.migrate import check_integrity, check_version, migrate, prepare, revision
from storage.schema import metadata
from tests.storage.shop import TEST, new_customer, postgresql_only, sqlite_only
from tests.storage.writers import ROOT, Child

PAGE_BYTES = 4096
# A migrating process that is killed right before its statement of this number.
KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from storage.database import open_database
from storage.migrate import migrate

url, limit = sys.argv[1], int(sys.argv[2])
statements = 0

@event.listens_for(Engine, "before_cursor_execute")
def count(*_):
    global statements
    statements += 1
    if statements == limit:
        os.kill(os.getpid(), signal.SIGKILL)

with open_database(url) as database:
    migrate(database)
"""


def definitions(connection: Connection) -> set[tuple[str, str]]:
    """What SQLite says that it was told, without spelling."""
    rows = connection.execute(
        text(
            "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
            " AND name != 'alembic_version' AND name NOT LIKE 'sqlite_%'"
        )
    )
    return {(row.name, spelling(row.sql)) for row in rows}


def spelling(sql: str) -> str:
    """One line a part, in one order: a migration may add and rename and quote."""
    plain = sql.replace('"', "")
    lines = [line.strip().rstrip(",").rstrip() for line in plain.splitlines()]
    return "\n".join(sorted(line for line in lines if line))


def test_migrations_lead_to_the_schema(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    assert database.read_now(differences) == []


@sqlite_only
def test_migrated_tables_are_told_in_the_same_words(
    database: Database, tmp_path: Path
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    metadata.create_all(engine)

    with engine.connect() as connection:
        declared = definitions(connection)
    engine.dispose()

    assert database.read_now(definitions) == declared


def test_an_empty_database_is_made(empty_database_url: str) -> None:
    with open_database(empty_database_url) as database:
        assert prepare(database)

        assert database.read_now(revision) == migrations.newest_revision()
        assert set(metadata.tables) < set(
            database.read_now(lambda c: inspect(c).get_table_names())
        )


def test_a_second_start_changes_nothing(database: Database) -> None:
    database.write_now(TEST, lambda c: new_customer(c, "ann@shop.example"))

    prepare(database)
    migrate(database)

    count = text("SELECT count(*) FROM customers")
    assert database.read_now(lambda c: c.scalar(count)) == 1


@pytest.mark.parametrize(
    ("change", "words", "command"),
    [
        (
            "UPDATE alembic_version SET version_num = '9999'",
            "newer version",
            "Install the newer program",
        ),
        ("DELETE FROM alembic_version", "older version", "rapport upgrade"),
    ],
)
def test_another_schema_is_refused_with_the_command_that_mends_it(
    database: Database, change: str, words: str, command: str
) -> None:
    database.write_now(TEST, lambda c: c.execute(text(change)))

    with pytest.raises(SchemaOutdated, match=words) as refusal:
        prepare(database)

    assert command in str(refusal.value)


def test_programs_that_start_together_make_one_schema(empty_database_url: str) -> None:
    with ExitStack() as stack:
        programs = [
            stack.enter_context(Child("start", empty_database_url)) for _ in range(4)
        ]
        assert {program.hear() for program in programs} == {"ready"}
        for program in programs:
            program.say()

        assert {program.hear() for program in programs} == {"started"}


# --- killed half-way ------------------------------------------------------------------


def migrate_and_die(url: str, statement: int) -> int:
    command = [sys.executable, "-c", KILLED, url, str(statement)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


@pytest.mark.parametrize(
    "statement",
    # At the version table, in the midst, and near the end.
    [5, 40, 70],
)
def test_a_killed_migration_leaves_nothing_and_the_next_start_mends(
    empty_database_url: str, statement: int
) -> None:
    assert migrate_and_die(empty_database_url, statement) == -signal.SIGKILL

    with open_database(empty_database_url) as database:
        assert database.read_now(migrations.is_empty)
        prepare(database)
        check_version(database)


# --- damage ---------------------------------------------------------------------------


@pytest.fixture
def full_file(sqlite_template: Path, tmp_path: Path) -> Path:
    """A database file with some customers, closed in good order."""
    file = tmp_path / "full.db"
    shutil.copy(sqlite_template, file)
    with open_database(f"sqlite:///{file}") as database:
        for number in range(300):
            email = f"customer{number}@shop.example"
            database.write_now(TEST, lambda c, email=email: new_customer(c, email))
    return file


def pages_in_use(file: Path) -> list[int]:
    """The first byte of each page that is part of a tree."""
    content = file.read_bytes()
    starts = range(0, len(content), PAGE_BYTES)
    return [start for start in starts if content[start] in {2, 5, 10, 13}]


def flip(file: Path, start: int, length: int) -> None:
    content = bytearray(file.read_bytes())
    for place in range(start, start + length):
        content[place] ^= 0xFF
    file.write_bytes(content)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 0.99])
def test_a_damaged_page_is_found_at_the_start(full_file: Path, share: float) -> None:
    pages = pages_in_use(full_file)
    flip(full_file, pages[int(share * len(pages))], 64)

    with (
        pytest.raises(DatabaseCorrupt, match="rapport restore"),
        open_database(f"sqlite:///{full_file}") as database,
    ):
        prepare(database)


def test_a_damaged_header_is_found_at_the_start(full_file: Path) -> None:
    flip(full_file, 0, 100)

    with pytest.raises(DatabaseCorrupt, match="rapport restore"):
        open_database(f"sqlite:///{full_file}")


def test_a_file_cut_short_is_found_at_the_start(full_file: Path) -> None:
    full_file.write_bytes(full_file.read_bytes()[: -8 * PAGE_BYTES])

    with (
        pytest.raises(DatabaseCorrupt, match="rapport restore"),
        open_database(f"sqlite:///{full_file}") as database,
    ):
        prepare(database)


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(migrations, "START_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(migrations, "STEPS_BETWEEN_LOOKS", 1)
    return iter(())


@sqlite_only
def test_the_check_of_a_large_file_is_finished_later(
    database: Database, no_time: None
) -> None:
    assert prepare(database) is False

    assert check_integrity(database) is True


@postgresql_only
def test_postgresql_checks_its_own_pages(database: Database) -> None:
    assert check_integrity(database, seconds=0.0) is True
