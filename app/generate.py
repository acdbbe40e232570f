"""`rapport generate`: files of invented customers and of all that they did."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from datetime import time as clock_time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.generator.plan import UNTIL, Plan
from app.generator.sheet import KEY_FILE
from app.generator.write import FILES, write_files
from content.profile import PROFILES
from core.errors import DataError, Problem, did_you_mean

CUSTOMERS_MAX = 5_000_000
CLOSING = clock_time(18, 0, tzinfo=UTC)
LINE_EVERY_SECONDS = 10.0
Report = Callable[[int, int], None]


def generate_command(
    customers: int,
    seed: int,
    profile: str,
    folder: Path,
    dirty_ratio: float = 0.0,
    until: datetime | None = None,
) -> None:
    """Write the files; say how fast, and what to do with them.

    Raises
    ------
    DataError : an impossible number, an unknown profile, or a folder of something else
    """
    _check(customers, seed, profile, dirty_ratio)
    _make_room(folder)
    asof = UNTIL if until is None else datetime.combine(until.date(), CLOSING)
    plan = Plan(customers, seed, profile, dirty_ratio, asof)
    begun = time.monotonic()
    with _show_progress(customers, begun) as report:
        counts = write_files(plan, folder, report)
    _tell(folder, counts, time.monotonic() - begun, plan)


def _check(customers: int, seed: int, profile: str, dirty_ratio: float) -> None:
    problems = []
    if not 1 <= customers <= CUSTOMERS_MAX:
        words = f"1 to {CUSTOMERS_MAX:,} customers"
        problems.append(Problem(words, str(customers), "--customers"))
    if seed < 0:
        problems.append(Problem("a seed of 0 or more", str(seed), "--seed"))
    if not 0 <= dirty_ratio <= 1:
        words = "a share from 0 to 1, as 0.1 for 10 %"
        problems.append(Problem(words, str(dirty_ratio), "--dirty"))
    if profile not in PROFILES:
        hint = did_you_mean(profile, PROFILES) or f"There are: {', '.join(PROFILES)}."
        problems.append(Problem("unknown profile", profile, "--profile", hint=hint))
    if problems:
        raise DataError(*problems)


def _make_room(folder: Path) -> None:
    """Remove the files of an earlier time; never anything else."""
    ours = {*FILES, KEY_FILE}
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    others = [path.name for path in there if path.name not in ours]
    if others or (folder.exists() and not folder.is_dir()):
        raise DataError(
            Problem(
                "an empty folder, or one that was generated before",
                ", ".join(others[:3]) or None,
                file=folder,
                hint="Give another one: --out FOLDER",
            )
        )
    for path in there:
        path.unlink()


@contextmanager
def _show_progress(customers: int, begun: float) -> Iterator[Report]:
    """A bar with the rate; away from a terminal, a line every 10 s."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(begun)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("customers", total=customers, rate="")

        def report(done: int, rows: int) -> None:
            rate = f"{_rate(rows, time.monotonic() - begun)} rows/s"
            bar.update(task, completed=done, rate=rate)

        yield report


class _Lines:
    """Progress for logs."""

    def __init__(self, begun: float) -> None:
        self._begun = self._said = begun

    def __call__(self, done: int, rows: int) -> None:
        now = time.monotonic()
        if now - self._said >= LINE_EVERY_SECONDS:
            self._said = now
            rate = _rate(rows, now - self._begun)
            sys.stderr.write(f"{done:,} customers, {rows:,} rows, {rate} rows/s\n")


def _tell(folder: Path, counts: Mapping[str, int], seconds: float, plan: Plan) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file", overflow="fold")
    table.add_column("rows", justify="right")
    for name in FILES:
        table.add_row(name, f"{counts.get(name, 0):,}")
    console = Console(highlight=False)
    console.print(table)
    rows = sum(counts.values())
    rate = _rate(rows, seconds)
    console.print(f"{rows:,} rows in {seconds:.1f} s, {rate} rows/s, in {folder}")
    if plan.dirty_ratio:
        console.print(f"What is wrong in them stands in {folder / KEY_FILE}")
    file = folder / "customers.csv"
    console.print(f"Next: rapport import {file} --mapping customers", soft_wrap=True)


def _rate(rows: int, seconds: float) -> str:
    return f"{rows / seconds:,.0f}" if seconds > 0 else "-"
