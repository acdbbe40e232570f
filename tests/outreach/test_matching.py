"""The matching as a step: merged where it is safe, proposed where it is not."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from core.model import IdentityKind, MergeMethod
from core.settings import Matching
from outreach.matching import KIND, NAME, Matched, match_customers, next_size
from storage import analysis, candidates, customers, merges, schema
from storage.candidates import Proposal
from storage.database import Connection
from tests.outreach.house import NOON, House

pytestmark = pytest.mark.anyio

DAY_SECONDS = 86_400.0
SYLLABLES = ("ka", "mo", "ri", "tel", "dan", "su", "ber", "li", "ov", "gra", "pen")
TWIN: dict[str, Any] = {
    "name": "Ada Winter",
    "birth_date": date(1980, 3, 4),
    "address": "7 Mill Lane",
    "city": "Berlin",
    "postcode": "10117",
}


def crowd(connection: Connection, count: int = 120) -> None:
    """Different people, so that the matching can learn what is rare."""
    chance = Random(7)
    for number in range(count):
        given, family = ("".join(chance.sample(SYLLABLES, 3)).title() for _ in range(2))
        person(
            connection,
            name=f"{given} {family}",
            birth_date=date(1940, 1, 1) + timedelta(days=chance.randrange(25_000)),
            address=f"{number} {''.join(chance.sample(SYLLABLES, 4))} Road",
            city=chance.choice(("Berlin", "Bonn", "Ulm", "Kiel")),
            postcode=f"{chance.randrange(20_000, 90_000)}",
        )


def person(connection: Connection, email: str = "", **fields: Any) -> int:
    customer_id = customers.create(connection, NOON, fields.pop("name"), "en")
    own = schema.customers.c.id == customer_id
    connection.execute(
        update(schema.customers).where(own).values(updated_at=NOON, **fields)
    )
    if email:
        customers.add_identity(connection, customer_id, IdentityKind.EMAIL, email, NOON)
    return customer_id


def twins(connection: Connection) -> tuple[int, int]:
    """One person twice, as two sources write her."""
    crowd(connection)
    return person(connection, **TWIN), person(
        connection, **TWIN | {"name": "Ada Wintr", "address": "7 Mill Ln"}
    )


async def look(house: House, **settings: Any) -> Matched:
    everything = settings.pop("everything", False)
    return await match_customers(
        house.database, house.clock, Matching(**settings), everything=everything
    )


def survivor(house: House, customer_id: int) -> int:
    return int(house.read(lambda c: customers.survivor_of(c, customer_id)))


async def test_who_is_certainly_one_person_becomes_one(house: House) -> None:
    ada, again = house.write(twins)

    found = await look(house)

    assert found.merged == 1
    assert survivor(house, again) == ada
    [merge] = house.read(merges.newest)
    assert merge.method is MergeMethod.PROBABLE
    assert "birth dates are the same" in merge.reason


def namesakes(connection: Connection) -> tuple[int, int]:
    """One name at one address, but nothing that only one person has."""
    crowd(connection)
    return person(connection, **TWIN), person(connection, **TWIN | {"birth_date": None})


async def test_who_may_be_one_person_is_asked_about(house: House) -> None:
    ada, again = house.write(namesakes)

    found = await look(house)

    assert (found.merged, found.proposed, found.waiting) == (0, 1, 1)
    [waiting] = house.read(lambda c: candidates.waiting(c, 10))
    assert (waiting.low.id, waiting.high.id) == (ada, again)
    assert waiting.evidence[0]["words"]


async def test_a_name_alone_merges_nobody(house: House) -> None:
    house.write(crowd)
    for _ in range(2):
        house.write(lambda c: person(c, name="Zora Quellenbach"))

    assert (await look(house)).merged == 0


async def test_a_proven_address_merges_without_a_comparison(house: House) -> None:
    ann = house.write(lambda c: person(c, "ann@shop.example", name="Ann"))
    other = house.write(lambda c: person(c, name="Someone"))
    house.write(lambda c: prove_and_claim(c, "ann@shop.example", other))

    found = await look(house)

    assert found.merged == 1
    assert survivor(house, other) == ann


def prove_and_claim(connection: Connection, email: str, claimant: int) -> None:
    own = schema.identities.c.value == email
    connection.execute(update(schema.identities).where(own).values(verified_at=NOON))
    values = {"kind": IdentityKind.EMAIL, "value": email, "typed": email}
    connection.execute(
        insert(schema.identity_claims).values(
            customer_id=claimant, created_at=NOON, **values
        )
    )


async def test_whom_a_person_parted_stay_two(house: House) -> None:
    ada, again = house.write(twins)
    await look(house)
    [merge] = house.read(merges.newest)
    house.write(lambda c: merges.unmerge(c, merge.id, NOON + timedelta(minutes=1)))

    found = await look(house, everything=True)

    assert (found.merged, found.proposed) == (0, 0)
    assert survivor(house, again) == again != ada


async def test_a_new_address_asks_again_and_merges_nobody(house: House) -> None:
    _, again = house.write(twins)
    await look(house)
    [merge] = house.read(merges.newest)
    house.write(lambda c: merges.unmerge(c, merge.id, NOON))
    later = NOON + timedelta(minutes=1)
    phone = IdentityKind.PHONE, "+49301234567"
    house.write(lambda c: customers.add_identity(c, again, *phone, later))

    found = await look(house, everything=True)

    assert (found.merged, found.proposed) == (0, 1)


async def test_nobody_is_compared_where_nothing_changed(house: House) -> None:
    house.write(crowd)
    house.clock.advance(DAY_SECONDS)
    await look(house)
    house.clock.advance(DAY_SECONDS)

    assert (await look(house)).reason == "nothing has changed since the last look"


async def test_everybody_is_compared_on_request(house: House) -> None:
    house.write(twins)
    await look(house)
    house.clock.advance(DAY_SECONDS)

    # The two are one by now.
    assert (await look(house, everything=True)).people == 121


def change(house: House, *ids: int, **fields: Any) -> None:
    own = schema.customers.c.id.in_(ids)
    values = {"updated_at": house.clock.now(), **fields}
    house.write(
        lambda c: c.execute(update(schema.customers).where(own).values(**values))
    )


async def days_after_a_look(house: House, days: int = 1) -> None:
    """The crowd was compared, and nothing has changed since."""
    house.clock.advance(DAY_SECONDS)
    await look(house)
    house.clock.advance(days * DAY_SECONDS)


async def test_those_who_changed_are_compared_with_all(house: House) -> None:
    house.write(crowd)
    ada = house.write(lambda c: person(c, **TWIN))
    await days_after_a_look(house)
    again = house.write(lambda c: person(c, **TWIN | {"name": "Ada Wintr"}))
    change(house, again)

    found = await look(house)

    assert (found.changed, found.people, found.merged) == (1, 122, 1)
    assert survivor(house, again) == ada


async def test_a_question_about_others_stays_when_few_are_compared(
    house: House,
) -> None:
    house.write(namesakes)
    await days_after_a_look(house)
    change(house, 1)

    found = await look(house)

    assert (found.changed, found.waiting) == (1, 1)


async def test_a_question_about_the_changed_is_dropped_when_it_holds_no_more(
    house: House,
) -> None:
    _, again = house.write(namesakes)
    await days_after_a_look(house)
    change(house, again, name="Leo Brandt", address="1 Quay", postcode="99999")

    found = await look(house)

    assert (found.changed, found.waiting) == (1, 0)


@pytest.mark.parametrize(
    ("days", "changed", "settings"),
    [
        pytest.param(7, 1, {}, id="a-week-later"),
        pytest.param(1, 30, {}, id="a-quarter-changed"),
        pytest.param(1, 1, {"propose_ratio": 0.6}, id="another-threshold"),
        pytest.param(1, 1, {"everything": True}, id="on-request"),
    ],
)
async def test_all_are_compared_and_learnt_from_anew(
    house: House, days: int, changed: int, settings: dict[str, Any]
) -> None:
    house.write(crowd)
    await days_after_a_look(house, days)
    change(house, *range(1, changed + 1))

    assert (await look(house, **settings)).changed is None


async def test_what_was_learnt_is_as_old_after_few_were_compared(house: House) -> None:
    house.write(crowd)
    await days_after_a_look(house, 6)
    change(house, 1)
    assert (await look(house)).changed == 1
    house.clock.advance(DAY_SECONDS)
    change(house, 1)

    assert (await look(house)).changed is None


async def test_what_was_not_believed_is_not_used_again(house: House) -> None:
    house.write(clerks)
    house.clock.advance(DAY_SECONDS)
    await look(house, propose_ratio=1e-9)
    house.clock.advance(DAY_SECONDS)
    change(house, 1)

    assert (await look(house, propose_ratio=1e-9)).changed is None


async def test_a_proposal_that_holds_no_more_is_dropped(house: House) -> None:
    _, again = house.write(namesakes)
    await look(house)
    house.clock.advance(DAY_SECONDS)
    other = {"name": "Leo Brandt", "birth_date": date(1999, 1, 1), "address": "1 Quay"}
    own = schema.customers.c.id == again
    statement = (
        update(schema.customers)
        .where(own)
        .values(**other, postcode="99999", updated_at=house.clock.now())
    )
    house.write(lambda c: c.execute(statement))

    assert (await look(house)).waiting == 0


async def test_a_proposal_is_about_who_the_customers_are_now(house: House) -> None:
    ada, again = house.write(twins)
    third = house.write(lambda c: person(c, name="Ada"))
    alike = [Proposal(again, third, 0.6, ())]
    house.write(lambda c: candidates.propose(c, alike, NOON - timedelta(days=1)))

    await look(house)

    # The old question was about a customer who is part of another now.
    assert house.read(candidates.count) == 0
    assert survivor(house, again) == ada


async def test_each_look_leaves_a_model_run(house: House) -> None:
    house.write(twins)
    await look(house)

    run = house.read(lambda c: analysis.current(c, KIND, NAME))
    assert run.metrics["merge"] == 1
    assert run.rows == 122


async def test_the_attribute_of_a_number_speaks_for_one_person(house: House) -> None:
    house.write(crowd)
    card: dict[str, Any] = {"attributes": {"passport": "C01X00T47"}}
    ids = [
        house.write(lambda c, name=name: person(c, name=name, **card))
        for name in ("Zora Quell", "Zora Kwell")
    ]

    found = await look(house, propose_ratio=0.1)

    assert found.merged + found.proposed == 1
    query = select(schema.match_candidates.c.low_id, schema.match_candidates.c.high_id)
    assert [tuple(row) for row in house.read(lambda c: c.execute(query).all())] == [
        tuple(ids)
    ]


@pytest.mark.parametrize(
    ("size", "seconds", "expected"),
    [
        pytest.param(1, 0.004, 2, id="quick"),
        pytest.param(16, 0.004, 20, id="no-more-than-20"),
        pytest.param(4, 0.02, 4, id="right"),
        pytest.param(8, 0.05, 4, id="slow"),
        pytest.param(1, 0.5, 1, id="one-at-least"),
    ],
)
def test_as_many_are_merged_in_a_write_as_hold_up_nobody(
    size: int, seconds: float, expected: int
) -> None:
    assert next_size(size, seconds) == expected


def copies(connection: Connection, count: int) -> None:
    """The first customers again."""
    fields = ("name", "birth_date", "address", "city", "postcode")
    query = select(*(schema.customers.c[each] for each in fields))
    for row in connection.execute(query.limit(count)).all():
        person(connection, **row._asdict())


async def test_many_are_merged_each_by_itself(house: House) -> None:
    house.write(crowd)
    house.write(lambda c: copies(c, 30))

    assert (await look(house)).merged == 30
    told = house.read(lambda c: merges.newest(c, 50))
    assert len({merge.survivor_id for merge in told}) == 30


def clerks(connection: Connection) -> None:
    """Nobody twice, and few given names: a likeness that is no person."""
    chance = Random(3)
    for number in range(400):
        family = "".join(chance.sample(SYLLABLES, 4)).title()
        person(
            connection,
            name=f"{('Ada', 'Bo', 'Cleo', 'Dan')[number % 4]} {family}",
            gender=("female", "male")[number % 2],
            city=chance.choice(("Berlin", "Bonn", "Ulm", "Kiel")),
        )


async def test_a_likeness_of_far_too_many_is_not_believed(house: House) -> None:
    house.write(clerks)

    found = await look(house, propose_ratio=1e-9)

    assert (found.merged, found.proposed) == (0, 0)
    assert "too many to be believed" in str(found.reason)
    run = house.read(lambda c: analysis.current(c, KIND, NAME))
    assert run.reason == found.reason
