"""Planning: everybody in the audience gets a row, however the work is cut."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select

from content.files import CampaignSource
from core.model import OrderKind, RunState, system
from outreach import plan as planning
from outreach.campaigns import begin_run
from outreach.plan import plan
from storage import runs, schema
from storage.analysis import NewModelRun, ResultWriter, StoredSegment
from storage.database import Connection
from storage.runs import Run
from tests.outreach.house import NOON, House, Relay, campaign, settings_for

pytestmark = pytest.mark.anyio

HALF = campaign(lines="").files["campaign.yaml"].replace("holdout: 0%", "holdout: 50%")


def rows_of(house: House, run: Run) -> list[tuple[int, str, str | None, object]]:
    """Customer, state, reason and content of every row."""
    table = schema.deliveries.c
    query = select(table.customer_id, table.state, table.reason, table.content)
    found = house.read(
        lambda c: c.execute(
            query.where(table.campaign_run_id == run.id).order_by(table.customer_id)
        ).all()
    )
    return [tuple(row) for row in found]


def due_times(house: House, run: Run) -> list[datetime | None]:
    table = schema.deliveries.c
    query = select(table.due_at).where(table.campaign_run_id == run.id)
    return house.read(lambda c: list(c.scalars(query.order_by(table.id))))


async def test_everybody_gets_a_row(house: House) -> None:
    house.people(3)
    house.write(lambda c: c.execute(insert(schema.customers).values(**NOBODY)))

    run = await house.planned()

    assert run.state is RunState.RUNNING
    assert run.planned_at == NOON
    assert house.ends(run) == {"planned": 3, "skipped no_address": 1}


NOBODY = {"name": "Nobody", "attributes": {}, "created_at": NOON, "updated_at": NOON}


async def test_who_did_not_agree_gets_a_row_with_the_reason(house: House) -> None:
    house.people(2, consent=False)

    run = await house.planned()

    assert house.ends(run) == {"skipped no_consent": 2}


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_the_size_of_a_chunk_changes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    house.people(40)
    whole = await house.planned(campaign(campaign_yaml=HALF))
    monkeypatch.setattr(planning, "CUSTOMERS_PER_CHUNK", size)

    cut = await house.planned(campaign(campaign_yaml=HALF), NOON + timedelta(days=1))

    assert rows_of(house, cut) == rows_of(house, whole)
    assert house.ends(whole).keys() == {"planned", "skipped holdout"}


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs."""


async def test_goes_on_where_a_killed_planning_stopped(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.people(40)
    whole = await house.planned(campaign(campaign_yaml=HALF))
    monkeypatch.setattr(planning, "CUSTOMERS_PER_CHUNK", 10)
    at = NOON + timedelta(days=1)
    run = house.write(lambda c: begin_run(c, "hello", at, NOON))
    with monkeypatch.context() as patch:
        patch.setattr(planning, "_plan_chunk", dies_after(2))
        with pytest.raises(Killed):
            await plan(house.database, house.clock, house.composer, run)
    half = len(rows_of(house, run))

    again = await plan(house.database, house.clock, house.composer, house.run(run))

    assert half == 20
    assert again.state is RunState.RUNNING
    assert rows_of(house, again) == rows_of(house, whole)


def dies_after(chunks: int):
    """Planning of so many chunks, then the end."""
    left = iter(range(chunks))
    original = planning._plan_chunk

    def plan_chunk(*arguments):
        if next(left, None) is None:
            raise Killed
        return original(*arguments)

    return plan_chunk


async def test_planning_twice_plans_once(house: House) -> None:
    house.people(5)
    key = house.push()
    run = house.write(lambda c: begin_run(c, key, NOON, NOON))

    await asyncio.gather(
        plan(house.database, house.clock, house.composer, run),
        plan(house.database, house.clock, house.composer, run),
    )

    assert house.ends(run) == {"planned": 5}


# --- limits ---------------------------------------------------------------------------


async def test_the_cap_counts_over_campaigns(house: House, sink: Relay) -> None:
    house.renew(settings_for(sink.port, cap_messages=2, cap_days=7))
    house.people(3)
    runs = [await house.planned(campaign(key)) for key in ("one", "two", "three")]

    await house.send_all()

    assert [house.ends(run) for run in runs] == [
        {"accepted": 3},
        {"accepted": 3},
        {"skipped capped": 3},
    ]


async def test_the_cap_forgets_what_is_long_ago(house: House, sink: Relay) -> None:
    house.renew(settings_for(sink.port, cap_messages=1, cap_days=7))
    house.people(3)
    await house.planned(campaign("one"))
    await house.send_all()

    house.clock.advance(timedelta(days=7, minutes=1).total_seconds())
    later = await house.planned(campaign("two"), house.clock.now())

    assert house.ends(later) == {"planned": 3}


async def test_a_campaign_can_have_a_cap_of_its_own(house: House, sink: Relay) -> None:
    house.people(2)
    source = campaign(lines="limits: {per_customer: 1 per 30d}\n")
    await house.planned(source)
    await house.send_all()
    house.clock.advance(timedelta(days=29).total_seconds())
    soon = await house.planned(source, house.clock.now())
    await house.send_all()
    house.clock.advance(timedelta(days=2).total_seconds())

    late = await house.planned(source, house.clock.now())

    assert house.ends(soon) == {"skipped capped": 2}
    assert house.ends(late) == {"planned": 2}


async def test_so_many_an_hour_are_due(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "CUSTOMERS_PER_CHUNK", 3)
    house.people(10)

    run = await house.planned(campaign(lines="limits: {per_hour: 4}\n"))

    hours = Counter(due and due - NOON for due in due_times(house, run))
    assert hours == {None: 4, timedelta(hours=1): 4, timedelta(hours=2): 2}


async def test_quiet_hours_are_no_hours_of_sending(house: House) -> None:
    # It is 12:00 in Berlin: an hour's worth now, one at 13:00, the rest at 20:00.
    house.renew(settings_for(quiet_hours="14:00-20:00"))
    house.people(10)

    run = await house.planned(campaign(lines="limits: {per_hour: 3}\n"))

    hours = Counter(
        due and (due - NOON) / timedelta(hours=1) for due in due_times(house, run)
    )
    assert hours == {None: 3, 1: 3, 8: 3, 9: 1}


async def test_a_run_that_is_cancelled_while_it_is_planned_leaves_no_row_open(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "CUSTOMERS_PER_CHUNK", 3)
    house.people(9)
    original = planning._plan_chunk

    def plan_chunk(connection: Connection, ready, *others):
        reached = original(connection, ready, *others)
        runs.move(connection, ready.run.id, RunState.CANCELLED, NOON)
        return reached

    monkeypatch.setattr(planning, "_plan_chunk", plan_chunk)
    run = await house.planned()

    assert run.state is RunState.CANCELLED
    assert house.ends(run) == {"cancelled run_cancelled": 3}


# --- what a run needs -----------------------------------------------------------------


def segment(connection: Connection, house: House, key: str, people: list[int]) -> None:
    run = NewModelRun("segments", "behaviour", None, NOON, {}, {}, {}, 2, None, None)
    writer = ResultWriter(house.database, system("test"), NOON)
    stored = StoredSegment(key, key.title(), None, len(people), {})
    writer.segmentation(run, [stored], [(person, key) for person in people])


async def test_only_the_segment_gets_rows(house: House) -> None:
    people = house.people(4)
    segment(None, house, "at-risk", people[:2])  # type: ignore[arg-type]

    run = await house.planned(campaign(lines="segment: at-risk\n"))

    assert [row[0] for row in rows_of(house, run)] == people[:2]


async def test_an_unknown_segment_cancels_the_run_and_names_the_nearest(
    house: House,
) -> None:
    segment(None, house, "at-risk", house.people(2))  # type: ignore[arg-type]

    run = await house.planned(campaign(lines="segment: at-rsk\n"))

    assert run.state is RunState.CANCELLED
    assert "at-rsk" in (run.state_reason or "")
    assert "Did you mean `at-risk`?" in (run.state_reason or "")


async def test_without_an_analysis_a_segment_is_unknown(house: House) -> None:
    house.people(2)

    run = await house.planned(campaign(lines="segment: at-risk\n"))

    assert run.state is RunState.CANCELLED
    assert "There are: none yet." in (run.state_reason or "")


async def test_a_campaign_by_a_channel_that_is_off_is_cancelled(house: House) -> None:
    house.people(2)

    run = await house.planned(campaign(channel="telegram"))

    assert run.state is RunState.CANCELLED
    assert "RAPPORT_TELEGRAM__TOKEN" in (run.state_reason or "")


# --- what is offered ------------------------------------------------------------------


def add_product(connection: Connection, number: int, orders: int) -> None:
    """A product that so many orders hold."""
    source = schema.sources
    if number == 1:
        connection.execute(insert(source).values(id=1, name="shop"))
    connection.execute(
        insert(schema.products).values(
            id=number,
            source_id=1,
            external_id=f"p{number}",
            name=f"Product {number}",
            price_minor=1000 + number,
            currency="EUR",
            active=True,
        )
    )
    for order in range(orders):
        order_id = number * 100 + order
        connection.execute(
            insert(schema.orders).values(
                id=order_id,
                source_id=1,
                external_id=f"o{order_id}",
                kind=OrderKind.SALE,
                ordered_at=NOON - timedelta(days=300),
                total_minor=1000,
                currency="EUR",
            )
        )
        connection.execute(
            insert(schema.order_lines).values(
                order_id=order_id,
                line_no=1,
                product_id=number,
                quantity=1,
                amount_minor=1000,
            )
        )


def offering(words: str) -> CampaignSource:
    body = (
        "{% for item in items %}{{ item.name }} {% endfor %}\n{{ links.unsubscribe }}"
    )
    return campaign(lines=f"offer: {{{words}}}\n", body=body)


def offered(house: House, run: Run) -> list[list[str]]:
    return [
        [item["name"] for item in content.get("items", [])]  # type: ignore[attr-defined]
        for *_, content in rows_of(house, run)
    ]


async def test_bestsellers_stand_in_for_recommendations(house: House) -> None:
    house.people(2)
    for number, orders in ((1, 1), (2, 3), (3, 2)):
        house.write(lambda c, n=number, o=orders: add_product(c, n, o))

    # The data ended 300 days ago: their own last weeks are the recent ones.
    run = await house.planned(
        offering("from: recommender, top: 2, fallback: bestsellers")
    )

    assert offered(house, run) == [["Product 2", "Product 3"]] * 2


async def test_without_an_offer_nobody_is_written_to(house: House) -> None:
    house.people(2)

    run = await house.planned(offering("from: recommender, fallback: skip"))

    assert house.ends(run) == {"skipped no_offer": 2}


async def test_a_campaign_can_name_its_products(house: House) -> None:
    house.people(1)
    for number in (1, 2, 3):
        house.write(lambda c, n=number: add_product(c, n, 0))

    run = await house.planned(offering("from: product, products: [p3, p1]"))

    assert offered(house, run) == [["Product 3", "Product 1"]]
