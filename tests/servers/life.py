"""The bounded life of a test server: nobody has to clean up after a killed test."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

PARENT_CHECK_SECONDS = 0.25


def server_arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the options that every server here has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument(
        "--no-fsync",
        dest="sync",
        action="store_false",
        help="faster; the journal still survives a killed process",
    )
    parser.add_argument("--lifetime", type=float, default=900.0, help="seconds")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="process id")
    return parser


def announce(**ready: Any) -> None:
    """Tell who started this server that it listens, in one line of JSON."""
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


async def until_end(lifetime_seconds: float, parent: int) -> None:
    """Wait for a signal, the end of the parent, or the end of the time given."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    deadline = loop.time() + lifetime_seconds
    # A process whose parent died is given to another one.
    while os.getppid() == parent and loop.time() < deadline and not asked.is_set():
        try:
            await asyncio.wait_for(asked.wait(), PARENT_CHECK_SECONDS)
        except TimeoutError:
            continue
