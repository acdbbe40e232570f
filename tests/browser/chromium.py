"""Chromium for the tests: found, or installed by `python -m tests.browser.chromium`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Where `playwright install` puts its own, by system.
PLAYWRIGHT_HOMES = ("~/.cache/ms-playwright", "~/Library/Caches/ms-playwright")
PLAYWRIGHT_PATTERNS = (
    "chromium-*/chrome-linux*/chrome",
    "chromium_headless_shell-*/*/*headless*shell",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)
# Nothing but our server is reached: no name has an address, no service starts.
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--headless",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--no-sandbox",
)
START_SECONDS = 30.0
INSTALL_SECONDS = 600.0
REPORT_VIOLATIONS = """document.addEventListener("securitypolicyviolation",
    event => console.error(`CSP ${event.violatedDirective}: ${event.blockedURI}`))"""


class ChromiumMissing(Exception):
    """There is no Chromium that starts; the message says what to do."""


def chromium_path() -> Path:
    """The first Chromium on this machine that starts.

    Raises
    ------
    ChromiumMissing : none does
    """
    for candidate in _candidates():
        if _starts(candidate):
            return candidate
    raise ChromiumMissing("install it with: apt-get install chromium")


def watch(page: Page, errors: list[str]) -> None:
    """Collect script errors, console errors and violations of the CSP."""

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(REPORT_VIOLATIONS)


def _candidates() -> Iterator[Path]:
    yield from (Path(path) for name in NAMES if (path := shutil.which(name)))
    homes = (os.environ.get("PLAYWRIGHT_BROWSERS_PATH"), *PLAYWRIGHT_HOMES)
    for home in homes:
        for pattern in PLAYWRIGHT_PATTERNS if home else ():
            yield from sorted(Path(str(home)).expanduser().glob(pattern))


def _starts(candidate: Path) -> bool:
    # A distribution may ship a stand-in that only says where to get the real one.
    try:
        return _run(START_SECONDS, str(candidate), "--version")
    except OSError:
        return False


def _run(seconds: float, *command: str) -> bool:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=quiet,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _install() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        packages = ("chromium", "fonts-noto-cjk")
        options = ("install", "-y", "--no-install-recommends")
        _run(INSTALL_SECONDS, "apt-get", "update")
        _run(INSTALL_SECONDS, "apt-get", *options, *packages)
    else:
        _run(INSTALL_SECONDS, sys.executable, "-m", "playwright", "install", "chromium")


def main() -> None:
    try:
        chromium_path()
    except ChromiumMissing:
        sys.stderr.write("Installing Chromium for the tests of the pages ...\n")
        _install()
        try:
            chromium_path()
        except ChromiumMissing as reason:
            sys.stderr.write(f"Pages are not tested in a browser; {reason}\n")


if __name__ == "__main__":
    main()
