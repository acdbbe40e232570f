"""How long the program takes to start, and how much memory it needs to serve.

`rapport demo` is started twice in a new folder: the first start makes the shop and
trains the bot, the second is measured.
"""

from __future__ import annotations

import argparse
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bench.contract import ROOT, BenchmarkStopped, Promise, at_most

HELP_SECONDS = 0.5
PAGE_SECONDS = 4.0
READY_SECONDS = 12.0
SERVE_MB = 450.0

FIRST_START_SECONDS = 180.0
SETTLE_SECONDS = 3.0
PROGRAM = "from app.cli import main; main()"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
# The log says so when the model that answers customers is loaded.
_READY = "model_ready"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3, help="at least 3")
    parser.add_argument(
        "--no-serve", action="store_true", help="measure the command line alone"
    )


def run(options: argparse.Namespace) -> list[Promise]:
    found = [
        at_most(
            "rapport --help",
            [_help_seconds() for _ in range(options.rounds)],
            "s",
            HELP_SECONDS,
        )
    ]
    if not options.no_serve:
        found += _serving(options.rounds)
    return found


def _help_seconds() -> float:
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", PROGRAM, "--help"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun


def _serving(rounds: int) -> list[Promise]:
    with tempfile.TemporaryDirectory() as folder:
        with _Demo.running(Path(folder)) as demo:
            demo.await_ready(FIRST_START_SECONDS)
        starts = [_start(Path(folder)) for _ in range(rounds)]
    pages, ready, memory = zip(*starts, strict=True)
    return [
        at_most("page up, at a later start", pages, "s", PAGE_SECONDS),
        at_most("everything ready, at a later start", ready, "s", READY_SECONDS),
        at_most("memory of the serving process", memory, "MB", SERVE_MB),
    ]


def _start(folder: Path) -> tuple[float, float, float]:
    with _Demo.running(folder) as demo:
        page = demo.await_page(FIRST_START_SECONDS)
        ready = demo.await_ready(FIRST_START_SECONDS)
        time.sleep(SETTLE_SECONDS)
        return page, ready, demo.memory_mb()


class _Demo:
    """A running demo and what it says."""

    def __init__(self, folder: Path) -> None:
        self._begun = time.perf_counter()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", PROGRAM, "demo", "--port", "0"),
                *("--directory", str(folder)),
            ],
            cwd=ROOT,
            env=os.environ | {"NO_COLOR": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: queue.Queue[tuple[float, str]] = queue.Queue()
        self._heard: list[str] = []
        self._ready: float | None = None
        stream = self._process.stderr
        if stream is None:
            message = "the demo has no standard error"
            raise BenchmarkStopped(message)
        threading.Thread(target=self._listen, args=(stream,), daemon=True).start()

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[_Demo]:
        demo = cls(folder)
        try:
            yield demo
        finally:
            demo.stop()

    def await_page(self, patience: float) -> float:
        """Seconds from the start until a page was answered."""
        _, line = self._await(_ADDRESS, patience)
        address = _ADDRESS.search(line)
        if address is None:
            message = f"no address in: {line}"
            raise BenchmarkStopped(message)
        with urllib.request.urlopen(f"{address[0]}/sign-in", timeout=10) as page:
            page.read()
        return time.perf_counter() - self._begun

    def await_ready(self, patience: float) -> float:
        """Seconds from the start until questions are answered."""
        if self._ready is None:
            self._await(re.compile(_READY), patience)
        return (self._ready or 0.0) - self._begun

    def memory_mb(self) -> float:
        """Resident memory of the serving process; its children don't count."""
        status = Path(f"/proc/{self._process.pid}/status")
        if not status.exists():
            message = "memory is read from /proc, which is not here"
            raise BenchmarkStopped(message)
        (line,) = re.findall(r"VmRSS:\s+(\d+) kB", status.read_text())
        return int(line) / 1024

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self, stream: IO[str]) -> None:
        for line in stream:
            self._said.put((time.perf_counter(), line))
        self._said.put((time.perf_counter(), ""))

    def _await(self, wanted: re.Pattern[str], patience: float) -> tuple[float, str]:
        ends = time.perf_counter() + patience
        while (left := ends - time.perf_counter()) > 0:
            try:
                at, line = self._said.get(timeout=left)
            except queue.Empty:
                break
            if not line:
                message = f"the demo ended: {' '.join(self._heard[-3:])}"
                raise BenchmarkStopped(message)
            self._heard.append(line.strip())
            if _READY in line:
                self._ready = at
            if wanted.search(line):
                return at, line
        message = f"the demo did not say {wanted.pattern} within {patience:.0f} s"
        raise BenchmarkStopped(message)
