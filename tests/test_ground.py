"""The ground that all tests stand on does what it says."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Error, Page
from sqlalchemy import make_url, text

from storage.database import Database
from tests.network import ForeignAddress, NetworkGuard, is_local
from tests.servers.postgresql import postgresql_server
from tests.servers.process import ServerProcess
from tests.skips import allowed_reasons, unlisted

ROOT = Path(__file__).resolve().parent.parent
# An address that documentation may use, and nobody answers.
FOREIGN = "192.0.2.1"


def run_pytest(
    directory: Path, code: str, *arguments: str, ci: str = ""
) -> subprocess.CompletedProcess[str]:
    """The outcome of a run of its own on one test module, on this same ground."""
    module = directory / "test_inner.py"
    module.write_text(code)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", *arguments]
    return subprocess.run(
        [*command, str(module)],
        check=False,
        cwd=ROOT,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        # The rest is elsewhere, or would ask a name server.
        ("10.0.0.1", False),
        ("::ffff:192.0.2.1", False),
        ("localhost.example", False),
        ("shop.example", False),
    ],
)
def test_only_this_machine_is_local(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_refuses_a_foreign_address(network_guard: NetworkGuard) -> None:
    with socket.socket() as sock, pytest.raises(ForeignAddress):
        sock.connect((FOREIGN, 9))

    assert network_guard.refused == [FOREIGN]
    network_guard.refused.clear()


def test_refuses_a_foreign_address_to_asyncio(network_guard: NetworkGuard) -> None:
    with pytest.raises(ForeignAddress):
        asyncio.run(asyncio.open_connection(FOREIGN, 9))

    network_guard.refused.clear()


def test_refuses_a_datagram_and_a_lookup(network_guard: NetworkGuard) -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sock,
        pytest.raises(ForeignAddress),
    ):
        sock.sendto(b"", (FOREIGN, 53))
    with pytest.raises(ForeignAddress):
        socket.getaddrinfo("shop.example", 25)

    assert network_guard.refused == [FOREIGN, "shop.example"]
    network_guard.refused.clear()


SWALLOWING = f"""
import socket

def test_hides_its_error():
    try:
        socket.create_connection(("{FOREIGN}", 9))
    except OSError:
        pass
"""


def test_fails_a_test_that_swallowed_the_refusal(tmp_path: Path) -> None:
    outcome = run_pytest(tmp_path, SWALLOWING)

    assert outcome.returncode == 1
    assert f"tried to contact ['{FOREIGN}']" in outcome.stdout


SKIPPING = """
import pytest

def test_passes():
    pass

def test_skips():
    pytest.skip("the moon is down")
"""


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_ci_fails_on_a_skip_that_is_not_listed(tmp_path: Path, workers: str) -> None:
    outcome = run_pytest(tmp_path, SKIPPING, workers, ci="true")

    assert outcome.returncode == 1
    assert "not in allowed_skips.txt: the moon is down" in outcome.stdout
    assert "1 passed, 1 skipped" in outcome.stdout.splitlines()[-1]


def test_a_person_may_skip(tmp_path: Path) -> None:
    outcome = run_pytest(tmp_path, SKIPPING)

    assert outcome.returncode == 0


def test_a_listed_reason_may_skip() -> None:
    allowed = allowed_reasons("# why\ndata set # not shipped\n\n")

    found = unlisted(["Skipped: data set x is absent", "no data set"], allowed)

    assert found == ["no data set"]


def test_the_environment_is_clean() -> None:
    ours = [name for name in os.environ if name.startswith("RAPPORT_")]

    assert ours == ["RAPPORT_DATA"]
    assert time.localtime(0).tm_gmtoff == (5 * 60 + 45) * 60


async def _count_tables(database: Database) -> int:
    return await database.read(
        lambda c: len(c.execute(text("SELECT * FROM customers")).all())
    )


def test_each_test_has_an_empty_migrated_database(database: Database) -> None:
    assert asyncio.run(_count_tables(database)) == 0


def data_directory(url: str) -> Path:
    return Path(str(make_url(url).query["host"])) / "data"


def gone_within(path: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not path.exists()


@pytest.fixture
def killed_guard(postgresql: str) -> Iterator[Path]:
    """The data directory of a server whose guard was killed."""
    guard = ServerProcess("tests.servers.postgresql")
    data = data_directory(guard.ready["url"])
    guard.kill()
    yield data
    shutil.rmtree(data.parent)


def test_postgresql_ends_and_leaves_nothing(postgresql: str) -> None:
    with postgresql_server() as url:
        assert data_directory(url).exists()

    assert not data_directory(url).parent.exists()


def test_postgresql_ends_when_its_guard_is_killed(killed_guard: Path) -> None:
    assert gone_within(killed_guard / "postmaster.pid", seconds=20)


STYLED = """<!doctype html><title>Page</title><link rel="icon" href="data:,">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'">
<p style="color: red">Hello</p>"""


@pytest.mark.browser
def test_the_browser_reports_a_violation_of_the_policy(
    page: Page, page_errors: list[str]
) -> None:
    page.goto(f"data:text/html,{quote(STYLED)}")
    page.evaluate("0")

    assert any("CSP style-src" in error for error in page_errors)
    page_errors.clear()


@pytest.mark.browser
def test_the_browser_reports_a_script_error(page: Page, page_errors: list[str]) -> None:
    page.set_content("<script>undefined_name()</script>")

    assert page_errors == ["undefined_name is not defined"]
    page_errors.clear()


@pytest.mark.browser
def test_the_browser_reaches_no_other_machine(
    page: Page, page_errors: list[str]
) -> None:
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://shop.example/")

    page_errors.clear()
