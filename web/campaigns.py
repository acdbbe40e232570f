"""Campaigns: what they are, and what became of each run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from content.campaign import Campaign, parse_campaign
from content.files import DEFINITION
from core.errors import CampaignError
from core.model import (
    Channel,
    DeliveryState,
    RunState,
    SkipReason,
    staff_member,
)
from storage import results, runs, staff, versions
from storage.database import Connection
from storage.results import DeliveryFilter
from storage.runs import FunnelRow, Run
from storage.versions import ContentKind, Version
from web.access import Marketers, services
from web.effect import run_effect
from web.forms import ChannelChoice, StateChoice, fields, see
from web.paging import SIZE, page_of
from web.render import pages

ENDED = frozenset({RunState.FINISHED, RunState.CANCELLED})
STEPS = {
    "pause": RunState.PAUSED,
    "resume": RunState.RUNNING,
    "cancel": RunState.CANCELLED,
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the funnel; `filter` leads to its rows."""

    name: str
    count: int
    ratio: float
    filter: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Funnel:
    """What became of everybody in the audience of a run."""

    total: int
    steps: tuple[Step, ...]
    skips: tuple[Step, ...]
    failures: tuple[Step, ...]
    held_out: int
    accepted: int


def funnel_of(rows: list[FunnelRow]) -> Funnel:
    """The steps from the audience to the sent messages, in their order."""
    total = sum(row.count for row in rows)
    by_state = dict.fromkeys(DeliveryState, 0)
    for row in rows:
        by_state[row.state] += row.count
    held_out = sum(row.count for row in rows if row.reason == SkipReason.HOLDOUT)
    steps = [Step("audience", total, 1.0, "")]
    steps += [
        Step(state, count, count / total, f"state={state}", _kind(state))
        for state, count in by_state.items()
        if count
    ]
    return Funnel(
        total=total,
        steps=tuple(steps),
        skips=_reasons(rows, DeliveryState.SKIPPED, total),
        failures=_reasons(rows, DeliveryState.REJECTED, total),
        held_out=held_out,
        accepted=by_state[DeliveryState.ACCEPTED],
    )


def _kind(state: DeliveryState) -> str:
    if state is DeliveryState.ACCEPTED:
        return ""
    bad = {DeliveryState.REJECTED, DeliveryState.UNCERTAIN}
    return "of-bad" if state in bad else "of-quiet"


def _reasons(
    rows: list[FunnelRow], state: DeliveryState, total: int
) -> tuple[Step, ...]:
    found = [row for row in rows if row.state is state]
    return tuple(
        Step(
            row.reason or "",
            row.count,
            row.count / total,
            f"state={state}&reason={row.reason or ''}",
            _kind(state),
        )
        for row in sorted(found, key=lambda row: -row.count)
    )


def definition_of(version: Version) -> Campaign | None:
    """The campaign of a version; None where the file needs a repair."""
    try:
        return parse_campaign(version.files.get(DEFINITION, ""), DEFINITION)
    except CampaignError:
        return None


@router.get("/campaigns")
async def campaigns(request: Request, member: Marketers) -> Response:
    database = services(request).database
    rows = await database.read(results.campaigns)
    newest = await database.read(
        lambda c: {
            row.key: versions.newest(c, ContentKind.CAMPAIGN, row.key) for row in rows
        }
    )
    titles = {
        key: (found.title if (found := version and definition_of(version)) else key)
        for key, version in newest.items()
    }
    return await pages(request).page(
        request, member, "campaigns.html", rows=rows, titles=titles
    )


@router.get("/campaigns/{key}")
async def campaign(request: Request, member: Marketers, key: str) -> Response:
    database = services(request).database
    newest = await database.read(
        lambda c: versions.newest(c, ContentKind.CAMPAIGN, key)
    )
    if newest is None:
        raise HTTPException(404)
    return await pages(request).page(
        request,
        member,
        "campaign.html",
        version=newest,
        campaign=definition_of(newest),
        segments=await database.read(results.segment_names),
        history=await database.read(lambda c: results.versions(c, key)),
        runs=await database.read(lambda c: runs.newest(c, key)),
        default_holdout=services(request).settings.outreach.holdout_ratio,
    )


async def _run(request: Request, run_id: int) -> Run:
    run = await services(request).database.read(lambda c: runs.get(c, run_id))
    if run is None:
        raise HTTPException(404)
    return run


@router.get("/campaigns/runs/{run_id}")
async def run_page(
    request: Request,
    member: Marketers,
    run_id: int,
    state: StateChoice = None,
    reason: Annotated[str | None, Query(max_length=64)] = None,
    channel: ChannelChoice = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    database, run = services(request).database, await _run(request, run_id)
    wanted = DeliveryFilter(state, reason or None, channel)
    version = await database.read(lambda c: versions.get(c, run.content_version_id))
    total, rows = await database.read(
        lambda c: results.delivery_rows(c, run_id, wanted, SIZE, (page - 1) * SIZE)
    )
    return await pages(request).page(
        request,
        member,
        "run.html",
        run=run,
        version=version,
        campaign=definition_of(version),
        effect=await run_effect(database, run_id, services(request).clock.now()),
        funnel=funnel_of(await database.read(lambda c: runs.funnel(c, run_id))),
        by_channel=await database.read(lambda c: results.channel_counts(c, run_id)),
        rows=rows,
        wanted=wanted,
        page=page_of(request, page, total),
        live=run.state not in ENDED,
        has_mailbox=services(request).maildir is not None,
        states=list(DeliveryState),
        channels=list(Channel),
    )


@router.post("/campaigns/runs/{run_id}")
async def change_run(request: Request, member: Marketers, run_id: int) -> Response:
    form, service = await fields(request), services(request)
    to = STEPS.get(form["step"])
    if to is None:
        raise HTTPException(422)
    run = await _run(request, run_id)
    if to is RunState.RUNNING and run.state is RunState.PLANNING:
        raise HTTPException(409)  # it begins by itself, once everybody has a row
    reason, now = f"by {member.name}", service.clock.now()

    def change(connection: Connection) -> None:
        runs.move(connection, run_id, to, now, reason)
        staff.audit(connection, f"run_{to}", "run", run_id, now)

    await service.database.write(staff_member(member.id), change)
    return see(f"/campaigns/runs/{run_id}")
