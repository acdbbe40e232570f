"""The scheduler's way through the program, told by `run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from core.clock import Clock
from core.log import get_logger
from core.model import RunState, system
from core.settings import Settings
from outreach.analysis import Analysed, analyse_customers
from outreach.campaigns import begin_run
from outreach.cleaning import Cleaned, clean_data
from outreach.compose import Composer
from outreach.delivery import Sender
from outreach.matching import Matched, match_customers
from outreach.monitor import RunReport, report_run
from outreach.plan import plan
from storage import ingest
from storage.database import Database
from storage.runs import Run

log = get_logger("pipeline")
PIPELINE = system("pipeline")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pipeline works with; without a sender, the serving process sends."""

    database: Database
    clock: Clock
    settings: Settings
    composer: Composer
    sender: Sender | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What one pass did; `stopped` says why it ended early, or None."""

    stopped: str | None = None
    cleaned: Cleaned | None = None
    analysed: Analysed | None = None
    runs: list[RunReport] = field(default_factory=list)
    matched: Matched | None = None


async def run(
    parts: Parts, campaigns: Sequence[str], scheduled_for: datetime | None = None
) -> Report:
    """Collect → clean → analyse → decide → send → monitor, once.

    Each campaign named gets its run for `scheduled_for` (now, where it is None); a
    repeated call meets the same runs and goes on where the last one ended.
    """
    unfinished = await collect(parts)
    if unfinished is not None:
        return Report(stopped=unfinished)
    cleaned, matched = await clean(parts)
    analysed = await analyse(parts)
    decided = await decide(parts, campaigns, scheduled_for or parts.clock.now())
    await send(parts)
    return Report(None, cleaned, analysed, await monitor(parts, decided), matched)


async def collect(parts: Parts) -> str | None:
    """None where all data has arrived; else what a person should finish first."""
    waiting = await parts.database.read(ingest.incomplete_imports)
    if not waiting:
        return None
    named = ", ".join(f"{each.file_name} ({each.kind})" for each in waiting)
    log.warning("imports_incomplete", count=len(waiting))
    return f"not complete: {named}. Run the same import again; it goes on."


async def clean(parts: Parts) -> tuple[Cleaned, Matched]:
    """Correct what is certainly wrong, then make one customer of one person."""
    database, clock, settings = parts.database, parts.clock, parts.settings
    cleaned = await clean_data(database, clock, settings)
    return cleaned, await match_customers(database, clock, settings.matching)


async def analyse(parts: Parts) -> Analysed:
    """Features, segments, rules and recommendations, each with its model run."""
    return await analyse_customers(
        parts.database,
        parts.clock,
        parts.settings.analysis,
        parts.settings.shop.currency,
    )


async def decide(
    parts: Parts, campaigns: Sequence[str], scheduled_for: datetime
) -> list[Run]:
    """Begin each campaign's run and write down who gets what, or why not."""
    database, now = parts.database, parts.clock.now()
    decided = []
    for key in campaigns:
        begun = await database.write(
            PIPELINE,
            partial(begin_run, key=key, scheduled_for=scheduled_for, now=now),
        )
        if begun.state in {RunState.SCHEDULED, RunState.PLANNING}:
            begun = await plan(database, parts.clock, parts.composer, begun)
        decided.append(begun)
    return decided


async def send(parts: Parts) -> None:
    """Send what is due and wait for what is due later, unless another process does."""
    if parts.sender is not None:
        await parts.sender.run_until_done()


async def monitor(parts: Parts, decided: Sequence[Run]) -> list[RunReport]:
    """The figures of these runs as they stand now."""
    now = parts.clock.now()
    return [
        await parts.database.read(partial(report_run, run_id=each.id, now=now))
        for each in decided
    ]
