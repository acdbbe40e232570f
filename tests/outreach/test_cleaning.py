"""The cleaning as a step: every change is noted, and a second pass changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from outreach.cleaning import clean_customers
from storage import schema
from tests.outreach.house import NOON, House

pytestmark = pytest.mark.anyio


async def test_what_is_certainly_wrong_is_corrected_and_noted(house: House) -> None:
    [person, *_] = house.people(3)
    table = schema.customers
    future = datetime(2090, 1, 1, tzinfo=UTC).date()
    house.write(
        lambda c: c.execute(
            update(table).where(table.c.id == person).values(birth_date=future)
        )
    )

    cleaned = await clean_customers(house.database, house.clock)
    again = await clean_customers(house.database, house.clock)

    born = house.read(lambda c: list(c.scalars(select(table.c.birth_date))))
    notes = house.read(lambda c: c.execute(select(schema.corrections)).all())
    assert born == [None, None, None]
    assert sum(cleaned.changes_by_rule.values()) == len(notes) == 1
    assert (notes[0].record_id, notes[0].field) == (person, "birth_date")
    assert notes[0].before.startswith("2090-01-01")
    assert again.changes_by_rule == {}


async def test_what_can_only_be_noted_is_noted_once(house: House) -> None:
    [person] = house.people(1)
    later = NOON + timedelta(days=400)
    table = schema.customers
    house.write(
        lambda c: c.execute(
            update(table).where(table.c.id == person).values(created_at=later)
        )
    )

    first = await clean_customers(house.database, house.clock)
    second = await clean_customers(house.database, house.clock)

    assert sum(first.changes_by_rule.values()) == 1
    assert second.changes_by_rule == {}
