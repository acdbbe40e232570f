"""The pipeline's steps in order, and where it stops."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from core.errors import CampaignError
from core.model import ImportState, RunState
from outreach.pipeline import Parts, run
from storage import schema
from storage.database import Connection
from tests.outreach.house import NOON, House, Relay, campaign

pytestmark = pytest.mark.anyio


def parts(house: House) -> Parts:
    return Parts(house.database, house.clock, house.settings, house.composer)


def leave_import_open(connection: Connection) -> None:
    connection.execute(insert(schema.sources).values(id=1, name="shop"))
    connection.execute(
        insert(schema.imports).values(
            source_id=1,
            kind="orders",
            file_name="retail.csv",
            file_hash="0" * 64,
            mapping_hash="0" * 64,
            reasons={},
            state=ImportState.RUNNING,
            started_at=NOON,
        )
    )


async def test_stops_at_an_incomplete_import_and_says_so(house: House) -> None:
    house.people(3)
    key = house.push()
    house.write(leave_import_open)

    report = await run(parts(house), [key])

    assert report.stopped is not None
    assert "retail.csv (orders)" in report.stopped
    assert "import again" in report.stopped
    assert report.runs == []


async def test_too_few_orders_are_a_reason_and_no_obstacle(
    house: House, sink: Relay
) -> None:
    house.people(3)
    key = house.push()

    async with house.sender() as sender:
        report = await run(
            Parts(house.database, house.clock, house.settings, house.composer, sender),
            [key],
        )

    assert report.analysed is not None
    assert report.analysed.reasons == ("0 orders; an analysis needs 20",)
    assert [each.run.state for each in report.runs] == [RunState.FINISHED]
    assert len(sink.taken()) == 3


async def test_without_a_sender_the_serving_process_sends(house: House) -> None:
    house.people(3)
    key = house.push()

    report = await run(parts(house), [key])

    [planned] = report.runs
    assert planned.run.state is RunState.RUNNING
    assert planned.open_count == planned.planned_count == 3


async def test_the_same_moment_meets_the_same_run(house: House, sink: Relay) -> None:
    house.people(3)
    key = house.push()
    first = await run(parts(house), [key], NOON)
    await house.send_all()

    second = await run(parts(house), [key], NOON)

    assert [each.run.id for each in second.runs] == [each.run.id for each in first.runs]
    assert len(sink.taken()) == 3


async def test_an_unknown_campaign_is_named_with_the_nearest(house: House) -> None:
    house.push(campaign("thank-you"))

    with pytest.raises(CampaignError, match="Did you mean `thank-you`"):
        await run(parts(house), ["thankyou"])
