"""What a run did: its funnel, and the difference from those held out."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from core.errors import CampaignError
from core.model import OrderKind, SkipReason
from core.records import RecordKind
from outreach.campaigns import begin_run
from outreach.monitor import report_run
from storage import customers, ingest, schema
from storage.database import Connection
from storage.ingest import ImportFile
from storage.outcomes import Arm
from storage.runs import Run
from tests.outreach.house import NOON, House, campaign

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
HALF = (
    campaign()
    .files["campaign.yaml"]
    .replace("holdout: 0%", "holdout: 50%\ngoal: {event: order, within: 10d}")
)


def order(
    connection: Connection,
    person: int,
    at: datetime,
    minor: int = 2500,
    kind: OrderKind = OrderKind.SALE,
) -> None:
    known = connection.scalar(select(schema.sources.c.id))
    if known is None:
        connection.execute(insert(schema.sources).values(id=1, name="shop"))
    connection.execute(
        insert(schema.orders).values(
            source_id=1,
            external_id=f"{person}-{at.isoformat()}-{kind}",
            customer_id=person,
            kind=kind,
            ordered_at=at,
            total_minor=minor,
            currency="EUR",
        )
    )


async def planned(house: House, people: int) -> Run:
    house.people(people)
    return await house.planned(campaign(campaign_yaml=HALF))


def arms(house: House, run: Run) -> tuple[list[int], list[int]]:
    """The customers who are written to, and those held out."""
    table = schema.deliveries.c
    rows = house.read(
        lambda c: c.execute(
            select(table.customer_id, table.reason).where(
                table.campaign_run_id == run.id
            )
        ).all()
    )
    held = [row.customer_id for row in rows if row.reason == SkipReason.HOLDOUT]
    return [row.customer_id for row in rows if row.reason is None], held


async def test_the_funnel_adds_up(house: House) -> None:
    run = await planned(house, 20)
    sent, held = arms(house, run)

    report = house.read(lambda c: report_run(c, run.id, NOON))

    assert report.planned_count == 20
    assert report.open_count == len(sent)
    assert len(sent) + len(held) == 20
    assert (report.since, report.until) == (NOON, NOON)


async def test_orders_count_in_the_goal_window_alone(house: House) -> None:
    run = await planned(house, 8)
    [person, *_], [other, *_] = arms(house, run)
    for at in (NOON - DAY, NOON, NOON + 9 * DAY, NOON + 10 * DAY):
        house.write(lambda c, at=at: order(c, person, at))
    house.write(lambda c: order(c, person, NOON + 2 * DAY, -500, OrderKind.RETURN))
    house.write(lambda c: order(c, other, NOON + DAY))

    report = house.read(lambda c: report_run(c, run.id, NOON + 30 * DAY))

    found = {each.customer_id: each for each in report.outcomes}
    # Two sales in the window; what came back is taken off.
    assert found[person].orders_count == 2
    assert found[person].revenue == 2 * 25.00 - 5.00
    assert found[other].orders_count == 1
    assert report.until == NOON + 10 * DAY


async def test_revenue_has_the_places_of_its_currency(house: House) -> None:
    run = await planned(house, 8)
    [person, *_], _ = arms(house, run)
    house.write(lambda c: order(c, person, NOON + DAY))
    house.write(lambda c: c.execute(update(schema.orders).values(currency="JPY")))

    report = house.read(lambda c: report_run(c, run.id, NOON + 2 * DAY))

    assert {each.revenue for each in report.outcomes} == {0, 2500}


async def test_the_effect_is_the_difference_of_the_arms(house: House) -> None:
    run = await planned(house, 160)
    sent, held = arms(house, run)
    for person in [*sent[: len(sent) // 2], *held[: len(held) // 4]]:
        house.write(lambda c, p=person: order(c, p, NOON + DAY))

    effect = house.read(lambda c: report_run(c, run.id, NOON + 9 * DAY)).effect()

    orders = next(each for each in effect.differences if each.outcome == "orders")
    expected = (len(sent) // 2) / len(sent) - (len(held) // 4) / len(held)
    assert orders.difference == pytest.approx(expected)
    assert orders.interval is not None
    assert (orders.treated_n, orders.holdout_n) == (len(sent), len(held))


async def test_who_is_left_out_after_planning_stays_in_the_arm(house: House) -> None:
    run = await planned(house, 20)
    sent, held = arms(house, run)
    for person in sent[:3]:
        house.write(
            lambda c, p=person: customers.withdraw_everywhere(c, p, "chat", NOON)
        )
    await house.send_chunk()

    report = house.read(lambda c: report_run(c, run.id, NOON + DAY))

    assert house.ends(run)["skipped no_consent"] == 3
    assert [each.arm for each in report.outcomes].count(Arm.TREATED) == len(sent)
    assert len(report.outcomes) == len(sent) + len(held)


async def test_orders_of_an_import_that_is_not_complete_do_not_count(
    house: House,
) -> None:
    run = await planned(house, 8)
    [person, *_], _ = arms(house, run)
    house.write(lambda c: order(c, person, NOON + DAY))
    house.write(begin_import)

    report = house.read(lambda c: report_run(c, run.id, NOON + 2 * DAY))

    assert {each.orders_count for each in report.outcomes} == {0}


def begin_import(connection: Connection) -> None:
    file = ImportFile("shop", RecordKind.ORDERS, "orders.csv", "f" * 64, "m" * 64)
    found = ingest.begin(connection, file, NOON)
    connection.execute(update(schema.orders).values(import_id=found.id))


async def test_a_few_customers_are_not_enough_data(house: House) -> None:
    run = await planned(house, 10)

    effect = house.read(lambda c: report_run(c, run.id, NOON + DAY)).effect()

    assert {each.verdict.value for each in effect.differences} == {"not_enough_data"}


async def test_a_run_that_is_not_planned_has_no_outcome(house: House) -> None:
    house.push()
    run = house.write(lambda c: begin_run(c, "hello", NOON, NOON))

    report = house.read(lambda c: report_run(c, run.id, NOON))

    assert (report.planned_count, report.outcomes, report.since) == (0, [], None)
    assert report.effect().differences[0].verdict.value == "not_enough_data"


async def test_an_unknown_run_is_told(house: House) -> None:
    with pytest.raises(CampaignError, match="there is no run 7"):
        house.read(lambda c: report_run(c, 7, NOON))
