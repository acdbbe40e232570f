"""The analysis as a step: what it stores, and that a second pass agrees."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import case, func, select, update

from app.demo.load import load_shop
from app.demo.shop import make_shop
from core.clock import SimulatedClock
from core.model import system
from core.settings import Analysis, Segmentation
from outreach.analysis import Analysed, analyse_customers
from storage import analysis, schema
from storage.database import Database, open_database
from tests.outreach.house import NOON, House

pytestmark = pytest.mark.anyio

CUSTOMERS = 80
TEST = system("test")


@dataclass(frozen=True)
class Twice:
    """A small shop, analysed on two nights."""

    database: Database
    first: Analysed
    second: Analysed
    keys: list[set[str]]


@pytest.fixture(scope="module")
def twice(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Twice]:
    folder = tmp_path_factory.mktemp("analysis")
    file = shutil.copy(sqlite_template, folder / "rapport.db")
    clock = SimulatedClock(NOON)
    with open_database(f"sqlite:///{file}") as database:
        load_shop(database, make_shop(7, NOON, CUSTOMERS), NOON)
        first = asyncio.run(analyse_customers(database, clock, Analysis(), "EUR"))
        before = segment_keys(database)
        clock.advance(timedelta(days=1).total_seconds())
        second = asyncio.run(analyse_customers(database, clock, Analysis(), "EUR"))
        yield Twice(database, first, second, [before, segment_keys(database)])


def segment_keys(database: Database) -> set[str]:
    run = database.read_now(lambda c: analysis.current(c, "segments", "behaviour"))
    assert run is not None
    found = database.read_now(lambda c: analysis.segments_of(c, run.id))
    return {each.key for each in found}


async def test_everybody_who_bought_belongs_to_a_segment(twice: Twice) -> None:
    table = schema.orders.c
    buyers = twice.database.read_now(
        lambda c: c.scalar(select(func.count(table.customer_id.distinct())))
    )

    assert twice.first.reasons == ()
    assert sum(twice.first.segments.values()) == buyers


async def test_segments_keep_their_keys_from_night_to_night(twice: Twice) -> None:
    assert twice.keys[0] == twice.keys[1]
    assert twice.first.segments == twice.second.segments


async def test_every_result_names_its_run_with_a_baseline(twice: Twice) -> None:
    kinds = [
        ("features", "customers"),
        ("segments", "behaviour"),
        ("recommendations", "blend"),
    ]
    found = [
        twice.database.read_now(lambda c, k=kind, n=name: analysis.current(c, k, n))
        for kind, name in kinds
    ]

    assert all(run is not None and run.rows > 0 for run in found)
    blend = found[-1]
    assert blend is not None
    assert blend.metrics
    assert blend.baseline


async def test_the_same_data_gives_the_same_results(twice: Twice) -> None:
    table = schema.model_runs.c
    query = select(table.artefact_hash).where(
        table.kind == "recommendations", table.name == "blend"
    )

    hashes = twice.database.read_now(lambda c: list(c.scalars(query)))

    assert len(hashes) == 2
    assert len(set(hashes)) == 1


async def test_an_empty_shop_is_a_reason(house: House) -> None:
    found = await analyse_customers(house.database, house.clock, Analysis(), "EUR")

    assert found.reasons == ("0 orders; an analysis needs 20",)
    assert (found.customers, found.segments, found.rules) == (0, {}, 0)


async def test_an_attribute_can_divide_customers(twice: Twice) -> None:
    customers = schema.customers
    points = case((customers.c.id % 2 == 0, "900"), else_="10")
    told = {"attributes": func.json_object("points", points)}
    twice.database.write_now(TEST, lambda c: c.execute(update(customers).values(told)))
    spec = Segmentation(name="points", features=["attributes.points"], k=2)
    settings = Analysis(segmentations=[spec])

    found = await analyse_customers(
        twice.database, SimulatedClock(NOON), settings, "EUR"
    )

    assert found.reasons == ()
    assert sum(found.segments.values()) == CUSTOMERS
    assert len(found.segments) == 2


async def test_an_attribute_that_nobody_has_is_a_reason(twice: Twice) -> None:
    spec = Segmentation(name="size", features=["attributes.size"], k=2)
    settings = Analysis(segmentations=[spec])

    found = await analyse_customers(
        twice.database, SimulatedClock(NOON), settings, "EUR"
    )

    assert found.reasons == (
        f"0 customers ({CUSTOMERS} more lack a value): no segments below 50",
    )


async def test_orders_without_a_rate_are_told(twice: Twice) -> None:
    orders = schema.orders
    swiss = update(orders).where(orders.c.id == 1).values(currency="CHF")
    twice.database.write_now(TEST, lambda c: c.execute(swiss))

    found = await analyse_customers(
        twice.database, SimulatedClock(NOON), Analysis(), "CHF"
    )

    unpriced = found.orders - 1
    expected = f"{unpriced} orders in other currencies than CHF have no rate"
    assert found.reasons[0].startswith(expected)
