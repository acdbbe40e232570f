"""What a run changed against those held out, ready for the page."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from core.errors import CampaignError
from outreach.monitor import report_run
from storage.database import Database

# Per customer most outcomes are small; people compare them per hundred.
HEAD = 100
PER_HUNDRED = frozenset({"orders", "contacts"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One outcome: both sides, and how sure the difference is.

    Orders and contacts are per 100 customers; `verdict` is a word of
    `analytics.effect.Verdict`.
    """

    outcome: str
    treated: float | None
    holdout: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class RunEffect:
    """All outcomes of a run in its goal window."""

    treated_count: int
    holdout_count: int
    since: datetime
    until: datetime
    differences: tuple[Difference, ...]

    @property
    def main(self) -> Difference:
        """The outcome that a shop looks at first."""
        return next(each for each in self.differences if each.outcome == "orders")


async def run_effect(
    database: Database, run_id: int, now: datetime
) -> RunEffect | None:
    """The effect of a run, computed in a thread; None before it is planned."""
    return await asyncio.to_thread(_compute, database, run_id, now)


def _compute(database: Database, run_id: int, now: datetime) -> RunEffect | None:
    try:
        report = database.read_now(lambda c: report_run(c, run_id, now))
    except CampaignError:
        # The frozen definition can't be read any more; the funnel stands without.
        return None
    if report.since is None or report.until is None or not report.outcomes:
        return None
    found = report.effect()
    first = next(each for each in found.differences if each.outcome == "orders")
    return RunEffect(
        treated_count=first.treated_n,
        holdout_count=first.holdout_n,
        since=report.since,
        until=report.until,
        differences=tuple(
            Difference(
                each.outcome,
                _scaled(each.outcome, each.treated),
                _scaled(each.outcome, each.holdout),
                _scaled(each.outcome, each.difference),
                _scaled(each.outcome, each.interval.low if each.interval else None),
                _scaled(each.outcome, each.interval.high if each.interval else None),
                each.verdict.value,
            )
            for each in found.differences
        ),
    )


def _scaled(outcome: str, value: float | None) -> float | None:
    return value * HEAD if value is not None and outcome in PER_HUNDRED else value
