"""A running site over a fresh SQLite database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.database import open_database
from tests.web.site import Site, running


@contextmanager
def fresh(template: Path, folder: Path, *, bot: bool = False) -> Iterator[Site]:
    file = shutil.copy(template, folder / "rapport.db")
    with (
        open_database(f"sqlite:///{file}") as database,
        running(database, folder, bot=bot) as started,
    ):
        yield started


@pytest.fixture
def site(sqlite_template: Path, tmp_path: Path) -> Iterator[Site]:
    """The site as a browser sees it; nobody answers in its chat."""
    with fresh(sqlite_template, tmp_path) as started:
        yield started


@pytest.fixture
def talking_site(sqlite_template: Path, tmp_path: Path) -> Iterator[Site]:
    """The site with its bot."""
    with fresh(sqlite_template, tmp_path, bot=True) as started:
        yield started


@pytest.fixture(scope="module")
def shared_site(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """One site for the tests of a module that change nothing in it."""
    with fresh(sqlite_template, tmp_path_factory.mktemp("site")) as started:
        yield started
