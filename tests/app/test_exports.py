"""What is exported is safe to open, and comes back as it was."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from app.exports import write_records
from app.importing import Outcome, import_file
from content.mapping_file import find_mapping
from content.profile import TEMPLATES
from core.clock import SystemClock
from core.model import Channel, IdentityKind, MergeMethod, system
from core.records import RecordKind
from core.settings import Settings, Shop, Storage
from storage import customers, merges, schema
from storage.database import Database, open_database
from storage.erasure import erase
from storage.migrate import migrate
from tests.app.conftest import Rapport
from tests.servers.postgresql import cloned_database
from tests.storage.shop import sqlite_only

TEST = system("test")
# In this order a shop is built anew.
KINDS = (
    RecordKind.CUSTOMERS,
    RecordKind.PRODUCTS,
    RecordKind.ORDERS,
    RecordKind.EVENTS,
    RecordKind.CONVERSATIONS,
    RecordKind.FEEDBACK,
    RecordKind.OPT_OUTS,
    RecordKind.RATES,
)
NAMES = {kind: kind.value.replace("_", "-") for kind in KINDS}
TABLES = (
    *("customers", "identities", "consents", "products", "orders", "order_lines"),
    *("events", "conversations", "episodes", "feedback", "handling_intervals"),
    *("conversation_events", "supplied_figures", "currency_rates", "corrections"),
    *("suppressions", "identity_claims", "staff"),
)
numbers = count(1)


@dataclass(frozen=True)
class House:
    """One database, and what files bring into it and get out of it."""

    database: Database
    folder: Path

    def bring(self, kind: RecordKind, text: str, source: str = "shop") -> Outcome:
        file = self.folder / f"{next(numbers)}.csv"
        file.write_bytes(text.encode())
        mapping = replace(find_mapping(NAMES[kind], TEMPLATES), source=source)
        own = Settings(
            shop=Shop(currency="EUR"), storage=Storage(data_directory=self.folder)
        )
        return import_file(self.database, SystemClock(), own, file, mapping)

    def told(self, kind: RecordKind, source: str = "shop") -> str:
        stream = io.StringIO(newline="")
        self.database.read_now(lambda c: write_records(c, stream, kind, source))
        return f"\ufeff{stream.getvalue()}"

    def counts(self) -> dict[str, Any]:
        def work(connection: Any) -> dict[str, Any]:
            tables = [schema.metadata.tables[name] for name in TABLES]
            return {
                table.name: connection.scalar(select(func.count()).select_from(table))
                for table in tables
            }

        return self.database.read_now(work)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)


@pytest.fixture
def other(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[House]:
    """A second database of the same kind, with nothing in it."""
    if database_kind == "sqlite":
        with open_database(f"sqlite:///{tmp_path / 'other.db'}") as database:
            migrate(database)
            yield House(database, tmp_path)
        return
    server = request.getfixturevalue("postgresql")
    template = request.getfixturevalue("postgresql_template")
    name = f"other_{next(numbers)}"
    with (
        cloned_database(server, name, template) as url,
        open_database(url) as database,
    ):
        yield House(database, tmp_path)


# A row of each kind and trap, as a person may have typed them.
FILES = {
    RecordKind.CUSTOMERS: (
        "id,name,email,phone,telegram,language,gender,birth_date,city,country,income,"
        "currency,preferences,created_at,purchase_count,average_purchase_price,"
        "figures_at,consent_email,consent_telegram,topic,shoe size,=email,rapport\n"
        "007,=cmd|'/c calc'!A1,ann@x.example,+49 30 123,12345,en,f,1990-05-06,Köln,"
        "Germany,1250.50,EUR,tea; size=M,2024-01-02T03:04:05,3,10.5,2025-01-01,yes,"
        "no,,38,@x,1\n"
        '8,"王小明, 先生",,,,zh,,,北京,China,5000,JPY,"{""a;b"": ""c=d""}",,,,,,,,,,\n'
        '9,"-1+1 ""Bob""\nline",bob@x.example,,,,,,,,,,,,,,,yes,,news,,,\n'
        "9,,,,,,,,,,,,,,,,,no,yes,offers,,,\n"
        "10,'quoted,,,,,,,,,700,EUR,,,2,999,2025-02-03,,,,,,\n"
        "11,\U0001f600 +49,,,,,,,,,,USD,,,1,20.00,2025-02-03,,,,,,\n"
    ),
    RecordKind.PRODUCTS: (
        "id,name,category,price,currency,url,active\n"
        "P1,=Lamp,Light,1234.5,EUR,https://shop.example/1,yes\n"
        "P2,,,,,,no\n"
        "000,茶,,500,JPY,,\n"
    ),
    RecordKind.ORDERS: (
        "order_id,ordered_at,customer_id,country,product_id,product_name,quantity,"
        "price,currency,discount,coupon,status\n"
        "0001,2025-03-04 05:06:07,007,Germany,P1,Lamp,2,1234.50,EUR,5,=SAVE,paid\n"
        "0001,,,,P9,New,1,0.999,EUR,,,\n"
        "A2,2025-03-05,8,,000,,3,500,JPY,,,\n"
        "R1,2025-03-06,007,,P1,,-1,1234.50,EUR,,,\n"
        "N1,2025-03-06,,,,,1,9.90,EUR,,,\n"
    ),
    RecordKind.EVENTS: (
        "id,customer_id,event,at,product_id,value,currency,page,customer\n"
        ",007,visit,2025-03-04T05:06:07.123456+02:00,,,,=home,+1+1\n"
        "E2,8,added,2025-03-04,P1,12.5,EUR,,\n"
    ),
    RecordKind.CONVERSATIONS: (
        "id,customer_id,kind,opened_at,closed_at,ended,topic,agent,first_response_at,"
        "handling_seconds,reopened,score,issue,comment\n"
        "T1,007,call,2025-03-04 10:00,2025-03-04 10:05,resolved,late,Ada Winter,"
        '2025-03-04 10:01,90.5,1,4,other,"fine, ""really"""\n'
        "T2,,mail,2025-03-04 10:00,,open,,,,,,,,\n"
        "T3,8,chat,2025-03-04 10:00,2025-03-04 11:00,abandoned,,,,,,,,\n"
        "T4,8,request,2025-03-04 10:00,2025-03-04 11:00,contained,,ada@x.example,,30,"
        ",,,\n"
    ),
    RecordKind.FEEDBACK: (
        "id,customer_id,answered_at,score,scale,issue,comment,agent,topic,channel,"
        "conversation_id\n"
        ",007,2025-03-05,9,0-10,,=1+1 is bad,Ada Winter,,email,\n"
        "F2,8,2025-03-05,3.5,,late_delivery,很慢,,,,T2\n"
        "F3,,2025-03-05,,,,only words,,,,\n"
    ),
    RecordKind.OPT_OUTS: "email,id,reason\n,8,asked\nstop@x.example,,\n",
    RecordKind.RATES: (
        "currency,day,rate\nUSD,2025-01-01,0.92\nJPY,2025-01-01,0.00615\n"
    ),
}


def fill(house: House) -> None:
    for kind in KINDS:
        house.bring(kind, FILES[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_comes_back_elsewhere_as_it_was(
    house: House, other: House, kind: RecordKind
) -> None:
    fill(house)
    for each in KINDS:
        outcome = other.bring(each, house.told(each))
        assert outcome.row.progress.rejected == {}

    assert other.told(kind) == house.told(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_changes_nothing_where_it_came_from(
    house: House, kind: RecordKind
) -> None:
    fill(house)
    told, counts = house.told(kind), house.counts()

    outcome = house.bring(kind, told)

    assert outcome.row.progress.rejected == {}
    assert outcome.row.progress.corrected == {}
    assert house.counts() == counts
    assert house.told(kind) == told


@pytest.mark.parametrize("kind", KINDS)
def test_no_cell_runs_in_a_spreadsheet(house: House, kind: RecordKind) -> None:
    fill(house)

    cells = [cell for row in csv.reader(io.StringIO(house.told(kind))) for cell in row]

    begun = [cell for cell in cells if cell[:1] in set("=+-@\t\r\n＝＋－＠")]
    # A telephone number and an amount below zero are no formulas.
    assert [cell for cell in begun if not re.fullmatch(r"[+-][\d\s.]+", cell)] == []


def test_what_is_told_is_what_was_typed(house: House) -> None:
    fill(house)

    told = house.told(RecordKind.CUSTOMERS)

    assert "007,'=cmd|'/c calc'!A1,ann@x.example,+49 30 123,12345,en,female" in told
    assert '8,"王小明, 先生"' in told
    assert "'=email" in told.splitlines()[0]
    assert "1250.50,EUR,size=M; tea," in told


# --- whatever stands in a cell --------------------------------------------------------

SIGNS = st.sampled_from("=+-@'\"\t\n\r,;;|{[0. ~＝－") | st.characters(
    codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\x00"
)


def words(most: int = 20) -> st.SearchStrategy[str]:
    return st.text(SIGNS, min_size=1, max_size=most).map(str.strip).filter(bool)


PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "name": words(),
            "address": words(),
            "city": words(),
            "postcode": words(16),
            "attributes": st.dictionaries(words(8), words(), max_size=3),
            "preferences": st.dictionaries(words(6), words(6), max_size=3),
            "income": st.integers(0, 10**9),
            "currency": st.sampled_from(["EUR", "JPY", "KWD"]),
            "price": st.integers(0, 10**6),
            "price_currency": st.sampled_from(["EUR", "JPY", "KWD"]),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=PEOPLE)
def test_any_words_come_back(house: House, other: House, people: Any) -> None:
    source = f"s{next(numbers)}"
    house.database.write_now(TEST, lambda c: store(c, source, people))
    told = house.told(RecordKind.CUSTOMERS, source)

    again = other.bring(RecordKind.CUSTOMERS, told, source)
    here = house.bring(RecordKind.CUSTOMERS, told, source)

    assert again.row.progress.rejected == {}
    assert other.told(RecordKind.CUSTOMERS, source) == told
    assert (here.row.progress.rejected, here.row.progress.corrected) == ({}, {})
    assert house.told(RecordKind.CUSTOMERS, source) == told


def store(connection: Any, source: str, people: Any) -> None:
    """Customers as no file could bring them more crooked."""
    now = SystemClock().now()
    key = connection.scalar(
        schema.sources.insert().values(name=source).returning(schema.sources.c.id)
    )
    for number, person in enumerate(people):
        made = customers.create(connection, now)
        customers.add_identity(
            connection, made, IdentityKind.EXTERNAL, f"{source}:{number:03}", now
        )
        connection.execute(
            update(schema.customers)
            .where(schema.customers.c.id == made)
            .values(
                **{n: person[n] for n in ("name", "address", "city", "postcode")},
                attributes=person["attributes"],
                preferences=person["preferences"],
                income_minor=person["income"],
                income_currency=person["currency"],
                source_id=key,
            )
        )
        connection.execute(
            schema.supplied_figures.insert().values(
                customer_id=made,
                source_id=key,
                average_price_minor=person["price"],
                currency=person["price_currency"],
                as_of=now,
            )
        )


# --- who is in it ---------------------------------------------------------------------


def test_the_erased_and_the_merged_are_not_told(house: House) -> None:
    fill(house)
    now = SystemClock().now()
    house.database.write_now(TEST, lambda c: erase(c, 1, now))
    house.database.write_now(
        TEST, lambda c: merges.merge(c, 2, 3, MergeMethod.PERSON, now)
    )

    told = house.told(RecordKind.CUSTOMERS)

    assert "007" not in told
    assert [line.split(",")[0] for line in told.splitlines()].count("9") == 0
    assert house.told(RecordKind.ORDERS).count("0001") == 2


def test_orders_of_the_erased_stay_whose_they_are(house: House) -> None:
    fill(house)
    now = SystemClock().now()
    house.database.write_now(TEST, lambda c: erase(c, 1, now))
    owners = select(schema.orders.c.customer_id).order_by(schema.orders.c.id)
    before = house.database.read_now(lambda c: c.scalars(owners).all())

    house.bring(RecordKind.ORDERS, house.told(RecordKind.ORDERS))

    assert house.database.read_now(lambda c: c.scalars(owners).all()) == before


def test_a_withdrawal_of_everything_covers_what_was_said_before(house: House) -> None:
    fill(house)
    now = SystemClock().now()
    who = house.database.read_now(
        lambda c: customers.find(c, IdentityKind.EXTERNAL, "shop:9")
    )
    assert who is not None
    house.database.write_now(
        TEST, lambda c: customers.withdraw_everywhere(c, who.id, "chat:stop", now)
    )

    told = house.told(RecordKind.CUSTOMERS)

    rows = [line for line in told.splitlines() if line.startswith(("9,", 'line"'))]
    assert all("news" not in row and "offers" not in row for row in rows)
    outcome = house.bring(RecordKind.CUSTOMERS, told)
    assert outcome.row.progress.corrected == {}
    agreed = house.database.read_now(
        lambda c: customers.has_consent(c, who.id, Channel.EMAIL, "news")
    )
    assert not agreed


@sqlite_only
def test_a_plain_file_is_not_taken_for_an_export(house: House) -> None:
    house.bring(RecordKind.CUSTOMERS, "id,name\n1,'=x\n")

    query = select(schema.customers.c.name)
    assert house.database.read_now(lambda c: c.scalar(query)) == "'=x"


@sqlite_only
def test_rejected_rows_of_an_export_come_back_corrected(house: House) -> None:
    fill(house)
    told = house.told(RecordKind.CUSTOMERS).replace("1990-05-06", "soon")
    outcome = house.bring(RecordKind.CUSTOMERS, told)
    assert outcome.rejects is not None
    mended = outcome.rejects.read_text(encoding="utf-8").replace("soon", "1991-01-01")

    house.bring(RecordKind.CUSTOMERS, mended)

    query = select(schema.customers.c.name, schema.customers.c.birth_date)
    row = house.database.read_now(
        lambda c: c.execute(query.order_by(schema.customers.c.id)).first()
    )
    assert row is not None
    assert row.name == "=cmd|'/c calc'!A1"
    assert str(row.birth_date) == "1991-01-01"
    attributes = select(schema.customers.c.attributes).order_by(schema.customers.c.id)
    kept = house.database.read_now(lambda c: c.scalar(attributes))
    assert kept == {"shoe size": "38", "=email": "@x", "rapport": "1"}


# --- the command ----------------------------------------------------------------------


@pytest.fixture
def shop(rapport: Rapport, config: Path, tmp_path: Path) -> Rapport:
    with open_database(f"sqlite:///{config.parent / 'rapport.db'}") as database:
        fill(House(database, tmp_path))
    return rapport


def test_a_file_is_written_for_its_owner(shop: Rapport, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"

    ended = shop("export", "customers", "--to", str(file))

    assert file.read_bytes().startswith(b"\xef\xbb\xbfid,name,")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "7 rows of customers of source shop" in ended.err
    assert "rapport import FILE --mapping customers --source shop" in ended.err


def test_standard_output_takes_it_too(shop: Rapport) -> None:
    ended = shop("export", "opt-outs", "--to", "-")

    assert ended.out.lstrip("\ufeff").startswith("email,id,reason,rapport_export")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (("custommers",), "customers"),  # the nearest kind
        (("orders", "--segment", "loyal"), "only people are in segments"),
        (("customers", "--segment", "loyal"), "unknown segment"),
        (("customers", "--source", "shopp"), "shop"),
    ],
)
def test_a_mistake_is_told_and_writes_nothing(
    shop: Rapport, tmp_path: Path, line: tuple[str, ...], told: str
) -> None:
    ended = shop("export", *line, "--to", str(tmp_path / "out.csv"))

    assert ended.code == 1
    assert told in ended.err
    assert not (tmp_path / "out.csv").exists()


def test_of_several_sources_one_must_be_named(shop: Rapport, config: Path) -> None:
    with open_database(f"sqlite:///{config.parent / 'rapport.db'}") as database:
        House(database, config.parent).bring(
            RecordKind.CUSTOMERS, "id,name\n1,Zoe\n", "till"
        )

    ended = shop("export", "customers", "--to", "-")
    of_till = shop("export", "customers", "--to", "-", "--source", "till")

    assert "shop, till" in ended.err
    assert "Zoe" in of_till.out
    assert "left out" in of_till.err


def test_nothing_that_came_by_a_file_is_told(rapport: Rapport) -> None:
    assert "there are no orders" in rapport("export", "orders", "--to", "-").err
