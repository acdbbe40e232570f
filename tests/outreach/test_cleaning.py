"""The cleaning as a step: every change is noted, and a second pass changes nothing."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from core.clock import SimulatedClock
from core.model import IdentityKind, OrderKind
from core.settings import Clean, MissingValues, Settings
from outreach.cleaning import Cleaned, clean_data
from storage import customers, quality, schema
from storage.corrections import shown
from storage.database import open_database
from tests.outreach.house import NOON, TEST, House

pytestmark = pytest.mark.anyio

TABLE = schema.customers


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """What is found is asked of the database: on both."""
    return str(request.param)


async def clean(house: House, **options: Any) -> Cleaned:
    return await clean_data(house.database, house.clock, house.settings, **options)


def set_up(house: House, **clean: Any) -> None:
    house.renew(house.settings.model_copy(update={"clean": Clean(**clean)}))


def change(house: House, person: int, **values: Any) -> None:
    theirs = update(TABLE).where(TABLE.c.id == person).values(values)
    house.write(lambda c: c.execute(theirs))


def notes(house: House) -> list[Any]:
    query = select(schema.corrections).order_by(schema.corrections.c.id)
    return house.read(lambda c: c.execute(query).all())


def people_now(house: House, name: str) -> list[Any]:
    query = select(TABLE.c[name]).order_by(TABLE.c.id)
    return house.read(lambda c: list(c.scalars(query)))


# --- customers ------------------------------------------------------------------------


async def test_what_is_certainly_wrong_is_corrected_and_noted(house: House) -> None:
    [person, *_] = house.people(3)
    change(house, person, birth_date=date(2090, 1, 1))

    cleaned = await clean(house)
    again = await clean(house)

    assert people_now(house, "birth_date") == [None, None, None]
    [note] = notes(house)
    assert (note.record_id, note.field, note.before) == (
        person,
        "birth_date",
        "2090-01-01",
    )
    assert cleaned.changes_by_rule == {"birth_date_impossible": 1}
    assert again.changes_by_rule == again.flags_by_rule == {}


async def test_what_is_strange_is_noted_once(house: House) -> None:
    [person] = house.people(1)
    change(house, person, created_at=NOON + timedelta(days=400))

    first = await clean(house)
    second = await clean(house, everything=True)

    assert first.flags_by_rule == {"created_impossible_flagged": 1}
    assert second.flags_by_rule == {}


async def test_a_dry_run_counts_and_stores_nothing(house: House) -> None:
    [person] = house.people(1)
    change(house, person, name="ANN LEE")

    would = await clean(house, dry_run=True)

    assert would.changes_by_rule == {"name_form": 1}
    assert people_now(house, "name") == ["ANN LEE"]
    assert notes(house) == []
    assert house.read(quality.trends) == []


async def test_only_what_changed_since_is_judged(house: House) -> None:
    house.people(3)
    for _ in range(2):
        house.clock.advance(timedelta(days=1).total_seconds())
        await clean(house)
    [*_, person] = people_now(house, "id")
    change(house, person, name="ANN LEE", updated_at=house.clock.now())

    cleaned = await clean(house)
    everybody = await clean(house, everything=True)

    assert (cleaned.customers, cleaned.changes_by_rule) == (1, {"name_form": 1})
    assert everybody.customers == 3


async def test_a_number_is_judged_by_the_cleaned_country(house: House) -> None:
    [person] = house.people(1)
    change(house, person, country="德国")
    house.write(
        lambda c: customers.add_identity(
            c, person, IdentityKind.PHONE, "030 901820", NOON
        )
    )

    await clean(house)

    query = select(schema.identities.c.value).where(schema.identities.c.kind == "phone")
    assert people_now(house, "country") == ["Germany"]
    assert house.read(lambda c: list(c.scalars(query))) == ["+4930901820"]


# --- missing values -------------------------------------------------------------------


async def test_nothing_is_filled_unless_a_person_chose_it(house: House) -> None:
    house.people(2)

    assert (await clean(house)).changes_by_rule == {}


async def test_a_chosen_policy_fills_what_is_missing(house: House) -> None:
    *known, missing = house.people(3)
    for person in known:
        change(house, person, city="Cork", country="Ireland")
    change(house, missing, country="Ireland")
    set_up(house, missing={"city": MissingValues(policy="mode", by="country")})

    first, second = await clean(house), await clean(house)

    assert people_now(house, "city") == ["Cork"] * 3
    assert (first.changes_by_rule, second.changes_by_rule) == ({"filled_mode": 1}, {})
    assert notes(house)[0].before is None


async def test_a_constant_fills_an_attribute(house: House) -> None:
    house.people(1)
    policy = MissingValues(policy="constant", value="none")
    set_up(house, missing={"attributes.size": policy})

    await clean(house)

    assert people_now(house, "attributes") == [{"size": "none"}]


# --- orders ---------------------------------------------------------------------------


def add_order(house: House, person: int, quantity: int = 1, **values: Any) -> int:
    """An order of a cup for 5 euros each."""

    def make(connection: Any) -> int:
        sources, products = schema.sources, schema.products
        source = connection.scalar(select(sources.c.id))
        if source is None:
            add = insert(sources).values(name="shop").returning(sources.c.id)
            source = connection.scalar(add)
        product = connection.scalar(select(products.c.id))
        if product is None:
            add = insert(products).values(source_id=source, external_id="A", name="Cup")
            product = connection.scalar(add.returning(products.c.id))
        count = len(connection.execute(select(schema.orders.c.id)).all())
        plain = {
            "source_id": source,
            "external_id": str(count),
            "customer_id": person,
            "kind": OrderKind.SALE,
            "ordered_at": NOON - timedelta(days=count + 1),
            "total_minor": 500 * quantity,
            "currency": "EUR",
        }
        add = insert(schema.orders).values(plain | values).returning(schema.orders.c.id)
        key: int = connection.scalar(add)
        line = {"order_id": key, "line_no": 1, "product_id": product}
        line |= {"quantity": quantity, "amount_minor": 500 * quantity}
        connection.execute(insert(schema.order_lines).values(line))
        return key

    found: int = house.write(make)
    return found


async def test_an_order_of_the_future_counts_once_its_day_has_come(
    house: House,
) -> None:
    [person] = house.people(1)
    add_order(house, person, ordered_at=NOON + timedelta(days=5))

    first = await clean(house)
    house.clock.advance(timedelta(days=5).total_seconds())
    second = await clean(house)

    assert first.changes_by_rule == {"order_in_future": 1}
    assert second.changes_by_rule == {"order_date_come": 1}


async def test_a_sale_of_negative_quantity_becomes_a_return(house: House) -> None:
    [person] = house.people(1)
    add_order(house, person, -2)

    await clean(house)

    kind = house.read(lambda c: c.scalar(select(schema.orders.c.kind)))
    assert kind == OrderKind.RETURN


async def test_a_huge_order_is_flagged_and_stays(house: House) -> None:
    [person] = house.people(1)
    for _ in range(25):
        add_order(house, person, 6)
    huge = add_order(house, person, 74_215)

    cleaned = await clean(house)

    [note] = notes(house)
    assert cleaned.flags_by_rule == {"quantity_outlier_flagged": 1}
    assert (note.kind, note.record_id, note.field, note.before) == (
        "order",
        huge,
        "lines.1.quantity",
        "74215",
    )


async def test_a_price_far_from_the_usual_is_flagged(house: House) -> None:
    [person] = house.people(1)
    for _ in range(25):
        add_order(house, person)
    dear = add_order(house, person)
    amount = update(schema.order_lines).values(amount_minor=500_000)
    house.write(
        lambda c: c.execute(amount.where(schema.order_lines.c.order_id == dear))
    )

    await clean(house)

    [note] = notes(house)
    assert (note.field, note.before) == ("lines.1.price", "5000")
    assert note.rule == "price_outlier_flagged"


async def test_an_order_taken_twice_is_flagged(house: House) -> None:
    [person] = house.people(1)
    first = add_order(house, person, ordered_at=NOON - timedelta(days=1))
    second = add_order(house, person, ordered_at=NOON - timedelta(days=1))

    await clean(house)

    [note] = notes(house)
    assert (note.record_id, note.after) == (second, str(first))


async def test_outliers_can_be_switched_off(house: House) -> None:
    [person] = house.people(1)
    for quantity in [6] * 25 + [74_215]:
        add_order(house, person, quantity)
    set_up(house, outlier_method="none")

    assert (await clean(house)).flags_by_rule == {}


async def test_only_new_orders_are_judged_again(house: House) -> None:
    [person] = house.people(1)
    add_order(house, person)
    await clean(house)
    add_order(house, person)

    assert (await clean(house)).orders == 1


# --- nothing in silence ---------------------------------------------------------------

FIELDS = ("name", "language", "gender", "birth_date", "country", "income_minor")
words = st.text(max_size=12) | st.sampled_from(["王 小明", "DE", "中国", "EN", "女"])
dirt = st.fixed_dictionaries(
    {},
    optional={
        "name": words,
        "country": words,
        "language": words,
        "gender": words,
        "birth_date": st.dates(date(1850, 1, 1), date(2090, 1, 1)),
        "income_minor": st.integers(-100, 99_999_900),
        "phone": st.sampled_from(["030 901820", "0049 30 901820", "12", "x", "+1"]),
    },
)


def snapshot(connection: Any) -> dict[tuple[str, int, str], str | None]:
    """Every value that cleaning may touch, by record and field."""
    found: dict[tuple[str, int, str], str | None] = {}
    for row in connection.execute(select(TABLE)):
        for name in FIELDS:
            found["customer", row.id, name] = shown(getattr(row, name))
    for row in connection.execute(select(schema.identities)):
        usable = row.unreachable_reason is None
        found["identity", row.id, "phone"] = row.value if usable else None
    return found


def account(connection: Any) -> dict[tuple[str, int, str], tuple[Any, Any]]:
    """What the corrections say has changed, flags left out."""
    rows = connection.execute(select(schema.corrections)).all()
    return {
        (row.kind, row.record_id, row.field): (row.before, row.after)
        for row in rows
        if not row.rule.endswith("_flagged")
    }


def fill_shop(connection: Any, rows: list[dict[str, Any]]) -> None:
    for table in (schema.corrections, schema.identity_claims, schema.identities, TABLE):
        connection.execute(delete(table))
    for values in rows:
        person = customers.create(connection, NOON)
        fields = {name: value for name, value in values.items() if name != "phone"}
        if "income_minor" in fields:
            fields["income_currency"] = "EUR"
        theirs = update(TABLE).where(TABLE.c.id == person)
        connection.execute(theirs.values(fields | {"updated_at": NOON}))
        if "phone" in values:
            phone = f"{values['phone']}"
            customers.add_identity(connection, person, IdentityKind.PHONE, phone, NOON)


@pytest.fixture(scope="module")
def shop(sqlite_template: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("clean") / "rapport.db"
    file.write_bytes(sqlite_template.read_bytes())
    with open_database(f"sqlite:///{file}") as database:
        yield database


@hypothesis_settings(max_examples=25)
@given(rows=st.lists(dirt, min_size=1, max_size=5))
def test_every_change_is_a_row_and_a_second_pass_makes_none(
    shop: Any, rows: list[dict[str, Any]]
) -> None:
    shop.write_now(TEST, lambda c: fill_shop(c, rows))
    before = shop.read_now(snapshot)
    clock = SimulatedClock(NOON)

    asyncio.run(clean_data(shop, clock, Settings(), everything=True))
    after, told = shop.read_now(snapshot), shop.read_now(account)
    again = asyncio.run(clean_data(shop, clock, Settings(), everything=True))

    # A number that became a claim, or was there twice, is no identity any more.
    gone = dict.fromkeys(before.keys() - after.keys())
    now = after | gone
    changed = {
        key: (value, now[key]) for key, value in before.items() if value != now[key]
    }
    claimed = {key: (told[key][0], None) for key in gone}
    assert changed == told | claimed
    assert again.changes_by_rule == again.flags_by_rule == {}
