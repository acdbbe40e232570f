"""Imports that are killed, run twice at once, or meet a full disk."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from itertools import repeat
from pathlib import Path

import pytest
from sqlalchemy import select

from app.import_commands import import_command
from app.importing import EXIT_OK, EXIT_PROBLEM
from core.settings import ROOT, Settings
from storage import ingest, schema
from storage.database import Database, open_database

START = "from app.cli import main; main()"
# What differs between two runs of the same import, or is not data.
OTHER = {"imports", "sources", "changes", "import_changes", "installation"}
MOMENTS = {"id", "created_at", "updated_at", "import_id"}


@pytest.fixture
def settings(database_url, tmp_path) -> Settings:
    return Settings(storage={"url": database_url, "data_directory": tmp_path / "data"})


@pytest.fixture
def calm(tmp_path) -> Settings:
    """Another installation, where nothing goes wrong."""
    url = f"sqlite:///{tmp_path / 'calm.db'}"
    return Settings(storage={"url": url, "data_directory": tmp_path / "calm"})


def start(
    settings: Settings, file: Path, mapping: str, file_size: int | None = None
) -> subprocess.Popen[str]:
    environment = os.environ | {
        "RAPPORT_STORAGE__URL": settings.storage.url,
        "RAPPORT_STORAGE__DATA_DIRECTORY": str(settings.storage.data_directory),
    }
    command = [sys.executable, "-c", START, "import", str(file), "--mapping", mapping]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if file_size is not None:
        # Long before the interpreter is up; a larger file fails to grow.
        limit = (file_size, file_size)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limit)
    return process


def stored(settings: Settings) -> dict[str, list[str]]:
    """All data but moments of the import; rows have their place instead of an id.

    PostgreSQL gives the ids of a write that was killed to nobody else.
    """

    def rows(connection, table, places):
        columns = [c for c in table.c if c.name not in MOMENTS]
        found = connection.execute(select(*columns))
        return sorted(
            repr(tuple(map(placed, columns, row, repeat(places)))) for row in found
        )

    def placed(column, value, places):
        keys = [key.column.table.name for key in column.foreign_keys]
        names = [column.table.name] if column.name == "id" else keys
        return places[names[0]].get(value) if names and names[0] in places else value

    def data(connection):
        tables = schema.metadata.sorted_tables
        numbered = [table for table in tables if "id" in table.c]
        places = {
            table.name: {
                key: place
                for place, key in enumerate(
                    connection.scalars(select(table.c.id).order_by(table.c.id))
                )
            }
            for table in numbered
        }
        return {
            table.name: rows(connection, table, places)
            for table in tables
            if table.name not in OTHER
        }

    with open_database(settings.storage.url) as database:
        return database.read_now(data)


def rejected(settings: Settings) -> list[bytes]:
    folder = settings.storage.data_directory / "rejects"
    return [path.read_bytes() for path in sorted(folder.glob("*.csv"))]


def customer_row(n: int) -> str:
    age = "x" if n % 97 == 3 else 30
    return f"{n},Customer {n},c{n % 900}@shop.example,City {n % 7},{age}"


def feedback_row(n: int) -> str:
    day = f"2026-01-{1 + n % 28:02} 10:00"
    return f"F{n},{n % 500},{day},{n % 7},Said {n},agent{n % 3}"


def order_row(n: int) -> str:
    day = f"2026-01-{1 + n % 28:02}"
    return f"A{n // 3},{day},{n % 500},P{n % 90},{1 + n % 4},{n % 50}.5"


FILES = {
    "customers": ("id,name,email,city,age", customer_row),
    "feedback": ("id,customer_id,answered_at,score,comment,agent", feedback_row),
    "orders": ("order_id,ordered_at,customer_id,product_id,quantity,price", order_row),
}


@pytest.fixture
def file(mapping, tmp_path) -> Path:
    header, row = FILES[mapping]
    path = tmp_path / f"{mapping}.csv"
    path.write_text("\n".join([header, *map(row, range(6000))]))
    return path


def rows_read(database: Database) -> int:
    found = database.read_now(ingest.all_imports)
    return found[0].progress.rows_read if found else 0


def killed(settings: Settings, file: Path, mapping: str, pause: float) -> int:
    """How many rows are stored when a child was killed, soon after its first."""
    with open_database(settings.storage.url) as database:
        before = rows_read(database)
        process = start(settings, file, mapping)
        while process.poll() is None and rows_read(database) == before:
            time.sleep(0.002)
        time.sleep(pause)
        process.kill()
        process.communicate()
        return rows_read(database)


# Orders are killed in test_importing.
@pytest.mark.flow
@pytest.mark.parametrize("mapping", ["customers", "feedback"])
def test_whatever_is_killed_ends_as_what_is_not(settings, calm, file, mapping):
    chance = random.Random(3)

    read = [killed(settings, file, mapping, chance.uniform(0, 0.02)) for _ in range(2)]
    codes = {import_command(each, str(file), mapping) for each in (settings, calm)}

    assert 0 < read[0] < 6000
    assert len(codes) == 1
    assert stored(settings) == stored(calm)
    assert rejected(settings) == rejected(calm)


@pytest.mark.flow
@pytest.mark.parametrize("mapping", ["customers", "orders"])
def test_two_imports_of_one_file_at_once_give_one_result(settings, calm, file, mapping):
    both = [start(settings, file, mapping) for _ in range(2)]
    told = [process.communicate()[1] for process in both]
    expected = import_command(calm, str(file), mapping)

    codes = sorted(process.returncode for process in both)
    refused = "another process is importing this file"
    # The second is refused, or comes when the first is done.
    assert expected in codes
    assert set(codes) <= {expected, EXIT_PROBLEM, EXIT_OK}
    assert EXIT_PROBLEM not in codes or any(refused in words for words in told)
    assert stored(settings) == stored(calm)
    assert rejected(settings) == rejected(calm)


@pytest.mark.flow
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("mapping", ["orders"])
def test_a_full_disk_is_told_and_the_import_goes_on_with_room(
    settings, calm, file, mapping
):
    size = Path(settings.storage.url.removeprefix("sqlite:///")).stat().st_size
    process = start(settings, file, mapping, file_size=size + 100_000)
    _, told = process.communicate()

    code = import_command(settings, str(file), mapping)

    assert process.returncode == EXIT_PROBLEM
    assert "no room on the disk" in told
    assert "it goes on" in told
    assert code == import_command(calm, str(file), mapping)
    assert stored(settings) == stored(calm)
    assert rejected(settings) == rejected(calm)
