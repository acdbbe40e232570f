"""What a message that did not go through means for its row and for its run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from content.campaign import StopIf
from core.errors import CampaignError, DeliveryError, RateLimited, TemplateError
from core.model import DeliveryState, OnUncertain, RunState, SkipReason
from core.settings import Outreach
from outreach.compose import Composer
from storage import runs
from storage.database import Connection
from storage.deliveries import Delivery, Result
from storage.runs import FunnelRow, Run

# Fewer failures say nothing about a run.
FAILURES_MINIMUM = 5
BOUNCED = "mailbox_unknown"
# These concern every message alike: no row spends a try, and a person is asked.
HALTING = {
    "sign_in_refused": "the mail relay refused our sign-in",
    "sender_refused": "the mail relay refused our sender address",
}
# The channel went from this process after the claim: whoever has it goes on.
NOT_HERE = frozenset({"not_connected", "lease_lost"})


def after_failure(
    row: Delivery,
    on_uncertain: OnUncertain,
    error: DeliveryError,
    settings: Outreach,
    now: datetime,
) -> Result:
    """The next state after a refusal, a cut or a request to wait."""
    if error.uncertain:
        if on_uncertain is OnUncertain.HOLD:
            return Result(row.id, DeliveryState.UNCERTAIN, error.reason)
        return Result(row.id, DeliveryState.PLANNED, error.reason)
    if error.reason in HALTING or error.reason in NOT_HERE:
        return Result(row.id, DeliveryState.PLANNED, error.reason, tried=False)
    if error.permanent:
        return Result(row.id, DeliveryState.REJECTED, error.reason)
    tries = row.attempts + 1
    if tries >= settings.attempts_max:
        return Result(row.id, DeliveryState.REJECTED, "gave_up", detail=error.reason)
    wait_seconds = settings.retry_first_seconds * 2 ** (tries - 1)
    if isinstance(error, RateLimited):
        wait_seconds = error.retry_after_seconds
    due_at = now + timedelta(seconds=wait_seconds)
    return Result(row.id, DeliveryState.DEFERRED, error.reason, due_at)


def after_cancelling(result: Result) -> Result:
    """The same result in a cancelled run: what would be tried again ends here."""
    if result.state.terminal:
        return result
    return replace(
        result, state=DeliveryState.CANCELLED, reason="run_cancelled", due_at=None
    )


def pause_broken(
    connection: Connection,
    run: Run,
    stop_if: StopIf,
    settings: Outreach,
    results: Iterable[Result],
    now: datetime,
) -> None:
    """Pause a run that goes wrong for too many, and say why."""
    if run.state is not RunState.RUNNING:
        return
    told = next((HALTING[r.reason] for r in results if r.reason in HALTING), None)
    # A person who resumed the run has lifted the limit.
    if runs.LIMIT_REACHED not in (run.state_reason or ""):
        told = told or _too_many(runs.funnel(connection, run.id), stop_if, settings)
    if told is not None:
        runs.move(connection, run.id, RunState.PAUSED, now, told)


def pause_unusable(
    connection: Connection,
    composer: Composer,
    rows: Iterable[Delivery],
    now: datetime,
) -> set[int]:
    """Pause the runs whose content can't be read any more; returns their ids."""
    paused: set[int] = set()
    for run_id in sorted({row.campaign_run_id for row in rows}):
        run = runs.get(connection, run_id)
        try:
            if run is not None:
                composer.ready(connection, run)
        except (CampaignError, TemplateError) as error:
            reason = str(error.problems[0])
            runs.move(connection, run_id, RunState.PAUSED, now, reason)
            paused.add(run_id)
    return paused


def _too_many(
    funnel: Iterable[FunnelRow], stop_if: StopIf, settings: Outreach
) -> str | None:
    limits = {
        SkipReason.RENDER_ERROR: (
            stop_if.render_errors or settings.render_error_limit_ratio,
            "messages could not be written",
        ),
        BOUNCED: (stop_if.bounce_rate or 1.0, "addresses do not exist"),
    }
    counts: dict[str | None, int] = {}
    for row in funnel:
        if row.state in {DeliveryState.ACCEPTED, DeliveryState.REJECTED}:
            counts[row.reason] = counts.get(row.reason, 0) + row.count
    tried = sum(counts.values())
    for reason, (limit_ratio, words) in limits.items():
        bad = counts.get(reason, 0)
        if bad >= FAILURES_MINIMUM and bad > limit_ratio * tried:
            return f"{runs.LIMIT_REACHED}{bad} of {tried} {words}"
    return None
