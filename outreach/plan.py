"""Planning: everybody in the audience gets a row, to be sent or with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import islice

from content.campaign import Campaign, OfferFallback, OfferMethod, OfferSource
from core.clock import Clock
from core.errors import Problem, did_you_mean
from core.model import Channel, DeliveryState, RunState, SkipReason, system
from outreach.compose import Composer, Ready, skipped_state
from outreach.policy import Limits, Send, Skip, decide
from storage import audience, deliveries, offers, runs
from storage.audience import Candidate
from storage.database import Connection, Database
from storage.deliveries import Planned
from storage.offers import Choice, Item
from storage.runs import Run

PLANNER = system("planner")
CUSTOMERS_PER_CHUNK = 200
BESTSELLER_DAYS = 90.0


async def plan(database: Database, clock: Clock, composer: Composer, run: Run) -> Run:
    """Write every row of the run in small chunks, then set it running.

    Killed in the middle, it goes on where it stopped: rows are planned in the order
    of customers, a chunk a commit. A run that lacks its segment, or a channel, is
    cancelled and says so.
    """
    now = clock.now()
    ready = await database.read(lambda c: composer.ready(c, run))
    missing = await database.read(lambda c: _missing(c, ready))
    if missing is not None:
        return await database.write(
            PLANNER,
            lambda c: runs.move(c, run.id, RunState.CANCELLED, now, str(missing)),
        )
    await database.write(
        PLANNER, lambda c: runs.move(c, run.id, RunState.PLANNING, now)
    )
    fallback = await database.read(lambda c: _fallback(c, ready.compiled.campaign, now))
    last_id = await database.read(lambda c: deliveries.last_planned_customer(c, run.id))
    while True:
        last_id = await database.write(
            PLANNER,
            lambda c: _plan_chunk(c, ready, last_id, fallback, now),  # noqa: B023  done before the next round
        )
        if last_id == 0:
            break
    return await database.write(PLANNER, lambda c: _begin_sending(c, run, now))


def _begin_sending(connection: Connection, run: Run, now: datetime) -> Run:
    current = runs.get(connection, run.id) or run
    if current.state is not RunState.PLANNING:
        return current  # cancelled meanwhile, or another planner was faster
    return runs.move(connection, run.id, RunState.RUNNING, now)


def _plan_chunk(
    connection: Connection,
    ready: Ready,
    after_id: int,
    fallback: Sequence[Item],
    now: datetime,
) -> int:
    """The last customer of the chunk; 0 where there is nobody left."""
    run = runs.get(connection, ready.run.id)
    if run is None or run.state is not RunState.PLANNING:
        return 0  # a row that joins a cancelled run would stay open for ever
    campaign = ready.compiled.campaign
    ids = audience.customer_ids(
        connection, campaign.segment, after_id, CUSTOMERS_PER_CHUNK
    )
    if not ids:
        return 0
    people = audience.candidates(connection, ids, ready.asking(now))
    decisions = decide(people, ready.limits, now)
    items = _items(connection, campaign, ids, fallback)
    rows = [
        _row(person, decision, items.get(person.customer_id, []), campaign)
        for person, decision in zip(people, decisions, strict=True)
    ]
    if campaign.limits.per_hour is not None:
        already = deliveries.count_unended(connection, ready.run.id)
        hours = _hours(ready.limits, now)
        rows = list(_spread(rows, campaign.limits.per_hour, already, hours))
    deliveries.add_planned(connection, ready.run.id, rows, now)
    return ids[-1]


def _spread(
    rows: Iterable[Planned], per_hour: int, already: int, hours: Iterator[datetime]
) -> Iterator[Planned]:
    """The same rows, each hour's worth due an hour after the one before."""
    hour = next(islice(hours, already // per_hour, None))
    for row in rows:
        if row.state is not DeliveryState.PLANNED:
            yield row
            continue
        late = already >= per_hour and (row.due_at is None or row.due_at < hour)
        yield replace(row, due_at=hour) if late else row
        already += 1
        if already % per_hour == 0:
            hour = next(hours)


def _hours(limits: Limits, now: datetime) -> Iterator[datetime]:
    """When each hour of sending begins."""
    # Quiet hours are left out, or all that falls into them would leave at their end.
    quiet = limits.quiet_hours if limits.is_promotion else None
    while True:
        now = (quiet.next_allowed(now) if quiet else None) or now
        yield now
        now += timedelta(hours=1)


def _row(
    person: Candidate, decision: Send | Skip, items: Sequence[Item], campaign: Campaign
) -> Planned:
    if not items and _needs_items(campaign) and _is_assigned(decision):
        decision = Skip(decision.channel, SkipReason.NO_OFFER)
    if isinstance(decision, Skip):
        return _left_out(person, decision.channel, decision.reason)
    return Planned(
        person.customer_id,
        decision.channel,
        DeliveryState.PLANNED,
        None,
        person.segment,
        {"items": [asdict(item) for item in items]},
        decision.due_at,
    )


def _is_assigned(decision: Send | Skip) -> bool:
    """Whether the customer is in one of the arms that are compared."""
    return isinstance(decision, Send) or decision.reason is SkipReason.HOLDOUT


def _left_out(person: Candidate, channel: Channel, reason: SkipReason) -> Planned:
    return Planned(
        person.customer_id, channel, skipped_state(reason), reason, person.segment, {}
    )


def _needs_items(campaign: Campaign) -> bool:
    return campaign.offer.source is not OfferSource.NONE


def _items(
    connection: Connection,
    campaign: Campaign,
    ids: Sequence[int],
    fallback: Sequence[Item],
) -> dict[int, list[Item]]:
    """What each customer is offered: the recommender's choice, filled up if short."""
    offer = campaign.offer
    if offer.source is OfferSource.NONE:
        return {}
    found: dict[int, list[Item]] = {}
    if offer.source is OfferSource.RECOMMENDER:
        fresh = offer.method is OfferMethod.GOES_WITH
        choice = Choice.NEW_PRODUCTS if fresh else Choice.BLEND
        found = offers.recommended(connection, ids, offer.top, choice, offer.method)
    return {
        customer_id: (found.get(customer_id) or list(fallback))[: offer.top]
        for customer_id in ids
    }


def _fallback(
    connection: Connection, campaign: Campaign, now: datetime
) -> Sequence[Item]:
    offer = campaign.offer
    if offer.source is OfferSource.PRODUCT:
        return offers.chosen(connection, offer.products)
    if offer.fallback is OfferFallback.BESTSELLERS:
        # Imported data may end long ago: its own last weeks are the recent ones.
        newest = offers.newest_sale_at(connection) or now
        since = min(newest, now) - timedelta(days=BESTSELLER_DAYS)
        return offers.bestsellers(connection, since, offer.top)
    return ()


def _missing(connection: Connection, ready: Ready) -> Problem | None:
    """What the campaign needs and this installation has not, or None."""
    campaign = ready.compiled.campaign
    if not ready.limits.channels:
        return Problem(
            f"campaign `{campaign.key}` has no channel that can be used here",
            ", ".join(campaign.channels),
            hint="Telegram needs a token: RAPPORT_TELEGRAM__TOKEN.",
        )
    segment = campaign.segment
    if segment is None or audience.has_segment(connection, segment):
        return None
    known = audience.segment_keys(connection)
    return Problem(
        f"campaign `{campaign.key}` wants the segment `{segment}`, "
        "which the analysis has not found",
        hint=did_you_mean(segment, known)
        or f"There are: {', '.join(known) or 'none yet'}.",
    )
