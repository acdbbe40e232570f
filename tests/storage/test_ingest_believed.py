"""Who is believed about a field, whose an address is, and the account of it all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import insert, select, update

from core.model import Channel, ConsentState, IdentityKind, staff_member
from core.records import (
    Batch,
    ConsentRecord,
    CustomerRecord,
    OptOutRecord,
    OrderRecord,
    ProductRecord,
    RecordKind,
)
from storage import customers as people
from storage.ingest_orders import OrderWriter
from storage.schema import (
    consents,
    corrections,
    customers,
    identities,
    identity_claims,
    import_changes,
    merges,
    order_lines,
    orders,
    products,
    sources,
    stale_totals,
)
from tests.storage.importer import ACTOR, NOW, Importer, order

CUSTOMERS, ORDERS = RecordKind.CUSTOMERS, RecordKind.ORDERS
AGENT = staff_member(3)
LATER = NOW + timedelta(days=1)
ANN = CustomerRecord("7", 2, name="Ann Lee", city="Cork", email="ann@example.com")


@pytest.fixture
def bring(database):
    return Importer(database)


@pytest.fixture
def write(database):
    return lambda work, actor=ACTOR: database.write_now(actor, work)


@pytest.fixture
def rows(database):
    def rows(*columns):
        query = select(*columns).order_by(columns[0])
        return [tuple(row) for row in database.read_now(lambda c: c.execute(query))]

    return rows


def account(rows):
    names = "id", "field", "before", "after", "rule"
    return [row[1:] for row in rows(*(corrections.c[name] for name in names))]


def addresses(rows, kind):
    found = rows(identities.c.id, identities.c.kind, identities.c.value)
    return [value for _, each, value in found if each == kind]


# --- fields ---------------------------------------------------------------------------


def test_every_value_that_a_file_changes_is_accounted_for(bring, rows):
    first = replace(ANN, city=None, preferences={"contact": "mail"})
    bring(CUSTOMERS, first)

    bring(CUSTOMERS, replace(ANN, name="Ann Li", preferences={"contact": "chat"}))

    assert account(rows) == [
        ("name", "Ann Lee", "Ann Li", "import"),
        ("preferences.contact", "mail", "chat", "import"),
    ]


def test_a_new_address_of_a_file_is_accounted_for(bring, rows):
    bring(CUSTOMERS, ANN)

    bring(CUSTOMERS, replace(ANN, email="Ann@New.example"))

    assert account(rows) == [
        ("email", "ann@example.com", "Ann@New.example", "import"),
    ]
    assert addresses(rows, "email") == ["ann@new.example"]


def test_a_first_import_writes_no_journal_and_no_account(bring, rows):
    bring(CUSTOMERS, ANN, CustomerRecord("8", 3, name="Bob"))
    bring(ORDERS, order("A1", ("P1", 1, 10)), products={"P1": "Lamp"})

    assert rows(import_changes.c.id) == rows(corrections.c.id) == []


def test_a_file_does_not_overwrite_what_staff_has_set(bring, rows, write):
    bring(CUSTOMERS, ANN)
    write(lambda c: people.set_fields(c, 1, {"name": "Ann Li"}, NOW), AGENT)

    bring(CUSTOMERS, replace(ANN, city="Galway"))

    assert rows(customers.c.name, customers.c.city) == [("Ann Li", "Galway")]
    assert bring.progress.corrected == {"kept_by_priority": 1}
    assert account(rows)[1:] == [
        ("city", "Cork", "Galway", "import"),
        ("name", "Ann Lee", "Ann Li", "kept_by_priority"),
    ]


def test_what_is_kept_is_noted_once(bring, rows, write):
    bring(CUSTOMERS, ANN)
    write(lambda c: people.set_fields(c, 1, {"name": "Ann Li"}, NOW), AGENT)

    for _ in range(3):
        bring(CUSTOMERS, ANN)

    assert bring.progress.corrected == {"kept_by_priority": 1}
    assert [rule for *_, rule in account(rows)] == ["edited", "kept_by_priority"]


def test_a_value_that_staff_has_taken_out_stays_out(bring, rows, write):
    bring(CUSTOMERS, ANN)
    write(lambda c: people.set_fields(c, 1, {"city": None}, NOW), AGENT)

    bring(CUSTOMERS, ANN)

    assert rows(customers.c.city) == [(None,)]


def believe(write, source, priority):
    query = update(sources).where(sources.c.name == source).values(priority=priority)
    write(lambda c: c.execute(query))


@pytest.mark.parametrize(("priority", "city"), [(40, "Cork"), (50, "Galway")])
def test_of_two_sources_the_more_believed_one_counts(
    bring, rows, write, priority, city
):
    bring(CUSTOMERS, ANN)
    verified = update(identities).values(verified_at=NOW)
    write(lambda c: c.execute(verified))
    bring(CUSTOMERS, CustomerRecord("x", 2), source="crm")
    believe(write, "crm", priority)

    told = CustomerRecord("y", 2, city="Galway", language="en", email="ann@example.com")
    bring(CUSTOMERS, told, source="crm")

    # A gap may be filled by anybody.
    assert rows(customers.c.id, customers.c.city, customers.c.language)[0] == (
        *(1, city, "en"),
    )


def test_an_age_does_not_replace_the_birth_date_that_it_agrees_with(bring, rows):
    bring(CUSTOMERS, replace(ANN, birth_date=date(1980, 5, 1)))
    rough = frozenset({"birth_date"})

    bring(CUSTOMERS, replace(ANN, birth_date=date(1980, 7, 1), approximate=rough))
    agreed = rows(customers.c.birth_date)
    bring(CUSTOMERS, replace(ANN, birth_date=date(1990, 7, 1), approximate=rough))

    assert agreed == [(date(1980, 5, 1),)]
    assert rows(customers.c.birth_date) == [(date(1990, 7, 1),)]


def test_what_cleaning_made_of_a_value_stays_while_the_file_says_the_same(
    bring, rows, write
):
    bring(CUSTOMERS, replace(ANN, city="CORK"))
    mark = {"by": "clean", "priority": 50, "at": "x", "given": "CORK"}
    cleaned = update(customers).values(city="Cork", provenance={"city": mark})
    write(lambda c: c.execute(cleaned))

    bring(CUSTOMERS, replace(ANN, city="CORK"))
    same = rows(customers.c.city)
    bring(CUSTOMERS, replace(ANN, city="GALWAY"))

    assert (same, rows(customers.c.city)) == ([("Cork",)], [("GALWAY",)])


# --- addresses ------------------------------------------------------------------------


def test_an_address_of_another_customer_becomes_a_claim(bring, rows):
    bring(CUSTOMERS, ANN)

    bring(CUSTOMERS, CustomerRecord("8", 3, email="Ann@Example.com"))
    bring(CUSTOMERS, CustomerRecord("8", 3, email="Ann@Example.com"))

    columns = identity_claims.c.customer_id, identity_claims.c.kind
    assert rows(*columns, identity_claims.c.value) == [(2, "email", "ann@example.com")]
    assert bring.progress.corrected == {"email_taken": 1}


def test_a_proven_address_gives_a_customer_another_source_s_id(bring, rows, write):
    chat = lambda c: people.identify(c, IdentityKind.TELEGRAM, "4711", NOW)  # noqa: E731
    who = write(chat)

    bring(CUSTOMERS, replace(ANN, telegram="4711"))

    assert rows(customers.c.id, customers.c.name) == [(who.id, "Ann Lee")]
    assert addresses(rows, "external") == ["shop:7"]


def test_an_address_that_nobody_has_proven_does_not(bring, rows, write):
    write(lambda c: people.identify(c, IdentityKind.EMAIL, "ann@example.com", NOW))

    bring(CUSTOMERS, ANN)

    assert len(rows(customers.c.id)) == 2
    assert bring.progress.corrected == {"email_taken": 1}


def test_a_proven_address_is_no_second_id_within_a_source(bring, rows, write):
    bring(CUSTOMERS, ANN)
    verified = update(identities).values(verified_at=NOW)
    write(lambda c: c.execute(verified))

    bring(CUSTOMERS, CustomerRecord("8", 3, email="ann@example.com"))

    assert len(rows(customers.c.id)) == 2
    assert len(rows(identity_claims.c.id)) == 1


def test_an_address_that_no_file_brought_is_not_replaced(bring, rows, write):
    bring(CUSTOMERS, replace(ANN, email=None))
    typed = IdentityKind.EMAIL, "typed@example.com"
    write(lambda c: people.add_identity(c, 1, *typed, NOW))

    bring(CUSTOMERS, ANN)

    assert addresses(rows, "email") == ["typed@example.com", "ann@example.com"]


# --- merged customers -----------------------------------------------------------------


def merge(connection, merged_id, survivor_id):
    made = {"merged_id": merged_id, "survivor_id": survivor_id, "method": "person"}
    connection.execute(insert(merges).values(**made, actor="test", at=NOW))
    alias = update(customers).where(customers.c.id == merged_id)
    connection.execute(alias.values(alias_of=survivor_id))
    moved = update(identities).where(identities.c.customer_id == merged_id)
    connection.execute(moved.values(customer_id=survivor_id, place=1))


def test_rows_of_a_merged_customer_go_to_the_survivor(bring, rows, write):
    bring(CUSTOMERS, ANN, CustomerRecord("8", 3, name="A. Lee"))
    write(lambda c: merge(c, 2, 1))

    bring(CUSTOMERS, ANN, CustomerRecord("8", 3, name="A. Lee", language="en"))
    bring(ORDERS, order("A1", (None, 1, 10), customer="8"))

    assert rows(customers.c.id, customers.c.name, customers.c.language) == [
        (1, "Ann Lee", "en"),
        (2, "A. Lee", None),
    ]
    assert rows(orders.c.customer_id) == [(1,)]


def test_an_address_of_a_merged_customer_is_the_survivors(bring, rows, write):
    bring(CUSTOMERS, ANN, CustomerRecord("8", 3, email="old@example.com"))
    write(lambda c: merge(c, 2, 1))

    bring(CUSTOMERS, replace(ANN, email="old@example.com"))

    assert rows(identity_claims.c.id) == []
    assert bring.progress.corrected == {}


def test_orders_of_somebody_merged_in_between_go_to_the_survivor(bring, rows, write):
    bring(CUSTOMERS, ANN, CustomerRecord("8", 3))
    writer = OrderWriter(bring.begin(ORDERS))

    def one(name):
        batch = Batch([order(name, (None, 1, 10), customer="8")], rows=1)
        writer.learn(write(lambda c: writer.write(c, batch, NOW)))

    one("A1")
    write(lambda c: merge(c, 2, 1))
    one("A2")

    assert rows(orders.c.external_id, orders.c.customer_id)[1] == ("A2", 1)


# --- consent --------------------------------------------------------------------------

NEWS = Channel.EMAIL, "news"
YES = (ConsentRecord(*NEWS, ConsentState.GRANTED),)
NO = (ConsentRecord(*NEWS, ConsentState.WITHDRAWN),)


def consented(database):
    return database.read_now(lambda c: people.has_consent(c, 1, *NEWS))


def test_a_source_may_say_that_its_customer_has_come_back(bring, database):
    bring(CUSTOMERS, replace(ANN, consents=NO))

    bring(CUSTOMERS, replace(ANN, consents=YES))

    assert consented(database)


def test_another_source_s_yes_does_not_stand_against_a_no(bring, database, write):
    bring(CUSTOMERS, replace(ANN, consents=NO))
    verified = update(identities).values(verified_at=NOW)
    write(lambda c: c.execute(verified))

    bring(CUSTOMERS, replace(ANN, external_id="x", consents=YES), source="crm")

    assert not consented(database)
    assert bring.progress.corrected == {"consent_stays_withdrawn": 1}


def test_a_yes_does_not_stand_against_an_opt_out_file(bring, database):
    bring(CUSTOMERS, replace(ANN, consents=YES))
    bring(RecordKind.OPT_OUTS, OptOutRecord(2, "7", None, "asked"))

    bring(CUSTOMERS, replace(ANN, consents=YES))

    assert not consented(database)


def test_who_opted_out_is_not_opted_out_again(bring, rows):
    bring(CUSTOMERS, replace(ANN, consents=YES))

    for _ in range(2):
        bring(RecordKind.OPT_OUTS, OptOutRecord(2, "7", None, "asked"))

    assert len(rows(consents.c.id)) == 1 + len(Channel)


# --- orders and products --------------------------------------------------------------


def test_an_order_keeps_its_discount_coupon_and_status(bring, rows):
    given = {"discount_minor": 50, "coupon": "SUMMER", "status": "paid"}
    bring(ORDERS, order("A1", (None, 1, 500), **given), order("A2", (None, 1, 10)))

    names = "external_id", "total_minor", "discount_minor", "coupon", "status"
    assert rows(*(orders.c[name] for name in names)) == [
        ("A1", 450, 50, "SUMMER", "paid"),
        ("A2", 10, 0, None, None),
    ]


def test_a_discount_that_stands_in_every_line_is_one(bring, rows):
    half = order("A1", (None, 1, 500), discount_minor=50)

    bring(ORDERS, [half], [order("B1", (None, 1, 1)), half])

    assert rows(orders.c.total_minor, orders.c.discount_minor)[1] == (950, 50)


def test_an_order_that_is_told_again_stays_as_it_is(bring, rows):
    given = {"discount_minor": 5, "coupon": "X"}
    first = bring(ORDERS, order("A1", ("P1", 2, 50), **given), products={"P1": ""})

    bring(ORDERS, order("A1", ("P1", 2, 50), **given), products={"P1": ""})

    assert rows(orders.c.import_id) == [(first,)]
    assert rows(stale_totals.c.customer_id) == []


@pytest.mark.parametrize(
    "other",
    [
        order("A1", ("P1", 3, 50)),
        order("A1", ("P1", 2, 50), (None, 1, 5)),
        order("A1", ("P1", 2, 50), customer="8"),
        order("A1", ("P1", 2, 50), at=LATER),
        order("A1", ("P1", 2, 50), discount_minor=1),
        order("A1", ("P1", 2, 50), status="shipped"),
    ],
)
def test_an_order_that_is_told_otherwise_is_replaced(bring, rows, other: OrderRecord):
    bring(ORDERS, order("A1", ("P1", 2, 50)), products={"P1": ""})

    second = bring(ORDERS, other, products={"P1": ""})

    assert rows(orders.c.import_id) == [(second,)]
    assert len(rows(order_lines.c.line_no)) == len(other.lines)
    assert (1,) in rows(stale_totals.c.customer_id)


def test_lines_that_come_later_in_the_file_lengthen_an_order_told_again(bring, rows):
    bring(ORDERS, order("A1", (None, 1, 10), (None, 2, 20)))

    bring(
        ORDERS,
        [order("A1", (None, 1, 10), (None, 2, 20))],
        [order("A2", (None, 1, 1)), order("A1", (None, 3, 30))],
    )

    assert rows(orders.c.external_id, orders.c.total_minor) == [("A1", 60), ("A2", 1)]


def test_the_price_of_a_product_file_stands_above_that_of_a_sale(bring, rows):
    bring(RecordKind.PRODUCTS, ProductRecord("P1", "Lamp", 900, "EUR"))

    bring(ORDERS, order("A1", ("P1", 1, 500)), products={"P1": "Lamp"})

    assert rows(products.c.price_minor) == [(900,)]


def test_a_change_of_a_product_is_accounted_for(bring, rows):
    bring(RecordKind.PRODUCTS, ProductRecord("P1", "Lamp", 900, "EUR"))

    bring(RecordKind.PRODUCTS, ProductRecord("P1", "Lamp", 950, "EUR", category="Home"))

    assert account(rows) == [("price_minor", "900", "950", "import")]
