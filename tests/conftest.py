"""What every test stands on: no network, a clean environment, real databases."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import structlog

from storage.database import Database, open_database
from storage.migrate import migrate
from tests.browser.chromium import ARGUMENTS, ChromiumMissing, chromium_path, watch
from tests.network import NetworkGuard
from tests.servers.postgresql import (
    PostgresqlMissing,
    cloned_database,
    postgresql_server,
)
from tests.skips import ALLOWED_FILE, allowed_reasons, unlisted

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("RAPPORT_DATA", ROOT.parent / "shared" / "data"))
# A zone that nobody expects, in a form that needs no zone files: a naive local time
# differs from UTC by five and three quarter hours.
LOCAL_ZONE = "TST-05:45"
# Generated cases are the same in every run: what passed here passes there.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.load_profile("same")
guard = NetworkGuard()
database_numbers = count()


def pytest_configure(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    guard.stand(patch)
    for name in list(os.environ):
        if name.startswith("RAPPORT_") or name.lower().endswith("_proxy"):
            patch.delenv(name)
    patch.setenv("RAPPORT_DATA", str(DATA))
    patch.setenv("TZ", LOCAL_ZONE)
    time.tzset()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    # Nobody can read bytes in a name, and compressed ones hold the present time: the
    # workers of one run would then disagree about the names of the tests.
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def network_guard() -> Iterator[NetworkGuard]:
    """Fails a test that tried to reach another machine, even if it hid the error."""
    guard.refused.clear()
    yield guard
    assert not guard.refused, f"the test tried to contact {guard.refused}"


@pytest.fixture(autouse=True)
def process_state() -> Iterator[None]:
    """Environment and logging after a test are as they were before it."""
    environment = dict(os.environ)
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    os.environ.clear()
    os.environ.update(environment)
    root.setLevel(level)
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def data_set() -> Callable[[str], Path]:
    """The place of a public data set by name; skips where it is absent."""

    def place(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"data set {name} is not below {DATA}")
        return path

    return place


# --- databases ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file, copied for each test."""
    file = tmp_path_factory.mktemp("template") / "rapport.db"
    with open_database(f"sqlite:///{file}") as database:
        migrate(database)
    return file


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a running server, one for each process of the test run."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgresql_server())
        except PostgresqlMissing as reason:
            pytest.skip(f"PostgreSQL: {reason}")
        yield url


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> Iterator[str]:
    """The name of a migrated database, cloned for each test."""
    with cloned_database(postgresql, "rapport_template", "template0") as url:
        with open_database(url) as database:
            migrate(database)
        yield "rapport_template"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Runs a test on each database that the program knows."""
    return str(request.param)


@pytest.fixture
def database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The URL of a migrated database that nobody else uses."""
    with ExitStack() as stack:
        if database_kind == "sqlite":
            template = request.getfixturevalue("sqlite_template")
            yield f"sqlite:///{shutil.copy(template, tmp_path / 'rapport.db')}"
        else:
            server = request.getfixturevalue("postgresql")
            template = request.getfixturevalue("postgresql_template")
            name = f"test_{next(database_numbers)}"
            yield stack.enter_context(cloned_database(server, name, template))


@pytest.fixture
def empty_database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The URL of a database without a table."""
    with ExitStack() as stack:
        if database_kind == "sqlite":
            yield f"sqlite:///{tmp_path / 'empty.db'}"
        else:
            server = request.getfixturevalue("postgresql")
            name = f"empty_{next(database_numbers)}"
            yield stack.enter_context(cloned_database(server, name, "template0"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open, migrated database, on SQLite and on PostgreSQL."""
    with open_database(database_url) as database:
        yield database


# --- the browser ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; ended with the module, for it holds the event loop."""
    from playwright.sync_api import sync_playwright

    try:
        executable = chromium_path()
    except ChromiumMissing as reason:
        pytest.skip(f"Chromium: {reason}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(ARGUMENTS)
        )
        yield browser
        browser.close()


@pytest.fixture
def page_errors() -> Iterator[list[str]]:
    """What went wrong in the pages; a test that expects an error takes it out."""
    errors: list[str] = []
    yield errors
    assert not errors, "the page reported errors"


@pytest.fixture
def page(browser: Browser, page_errors: list[str]) -> Iterator[Page]:
    """A page that fails the test on script errors and violations of the CSP."""
    from playwright.sync_api import Error as PlaywrightError

    with browser.new_context(locale="en-GB", timezone_id="Europe/Berlin") as context:
        page = context.new_page()
        watch(page, page_errors)
        yield page
        # Reports arrive in order: after this answer none is on its way. A page that
        # is closed, or being replaced, has none to give.
        with suppress(PlaywrightError):
            page.evaluate("0")


# --- skips ----------------------------------------------------------------------------


def unlisted_skips(config: pytest.Config) -> list[str]:
    """In CI, the reasons of skips that nobody agreed on; none elsewhere."""
    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or os.environ.get("CI", "") in {"", "false"}:
        return []
    reasons = [str(report.longrepr[2]) for report in terminal.stats.get("skipped", [])]
    return unlisted(reasons, allowed_reasons(ALLOWED_FILE.read_text()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if unlisted_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for reason in unlisted_skips(config):
        terminalreporter.write_line(f"not in {ALLOWED_FILE.name}: {reason}", red=True)
