"""What a run did: its funnel, and what it changed against the hold-out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from content.campaign import Campaign
from core.errors import CampaignError, Problem
from outreach.campaigns import frozen_campaign
from storage import outcomes, runs
from storage.database import Connection
from storage.outcomes import Outcome
from storage.runs import FunnelRow, Run

if TYPE_CHECKING:
    from analytics.effect import Effect

DEFAULT_WINDOW = timedelta(days=14)
MEANS = ("orders", "revenue", "contacts", "score")


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run in figures; the funnel's counts add up to `planned_count`."""

    run: Run
    funnel: list[FunnelRow]
    since: datetime | None
    until: datetime | None
    outcomes: list[Outcome]

    @property
    def planned_count(self) -> int:
        """Everybody in the audience."""
        return sum(row.count for row in self.funnel)

    @property
    def open_count(self) -> int:
        """Rows that are not in a terminal state."""
        return sum(row.count for row in self.funnel if not row.state.terminal)

    def effect(self) -> Effect:
        """The change on orders, revenue, contacts and score, with intervals."""
        import pandas as pd

        from analytics.effect import effect

        members = pd.DataFrame(
            [
                {
                    "customer_id": each.customer_id,
                    "arm": each.arm.value,
                    "converted": each.orders_count > 0,
                    "orders": each.orders_count,
                    "revenue": each.revenue,
                    "contacts": each.contacts_count,
                    "score": each.mean_score,
                }
                for each in self.outcomes
            ],
            columns=["customer_id", "arm", "converted", *MEANS],
        )
        return effect(members, ("converted",), MEANS)


def report_run(connection: Connection, run_id: int, now: datetime) -> RunReport:
    """The funnel of a run, and what both arms did in the goal window until now.

    Raises
    ------
    CampaignError : there is no such run
    """
    run = runs.get(connection, run_id)
    if run is None:
        raise CampaignError(Problem(f"there is no run {run_id}"))
    funnel = runs.funnel(connection, run.id)
    if run.planned_at is None:
        return RunReport(run, funnel, None, None, [])
    window = goal_window(frozen_campaign(connection, run))
    until = min(now, run.planned_at + window)
    found = outcomes.of_run(connection, run.id, run.planned_at, until)
    return RunReport(run, funnel, run.planned_at, until, found)


def goal_window(campaign: Campaign) -> timedelta:
    """How long an order counts as an answer to the campaign."""
    return DEFAULT_WINDOW if campaign.goal is None else campaign.goal.within
