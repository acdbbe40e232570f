from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from core.errors import LeaseLost
from core.model import (
    Channel,
    ConsentState,
    IdentityKind,
    ImportState,
    OrderKind,
    system,
)
from core.records import (
    Batch,
    ConsentRecord,
    CustomerRecord,
    OptOutRecord,
    OrderRecord,
    ProductRecord,
    RecordKind,
    Reject,
)
from storage import customers as people
from storage import ingest
from storage.ingest_customers import write_customers
from storage.ingest_opt_outs import write_opt_outs
from storage.ingest_orders import OrderWriter
from storage.ingest_people import RecordWriter
from storage.ingest_prices import newest_prices, save_prices
from storage.ingest_products import write_products
from storage.schema import (
    consents,
    customers,
    identities,
    order_lines,
    orders,
    products,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTOR = system("test")


@pytest.fixture
def begin(database):
    def begin(kind=RecordKind.ORDERS, digest="1", name="file.csv", source="shop"):
        file = ingest.ImportFile(source, kind, name, digest, "mapping")
        return database.write_now(ACTOR, lambda c: ingest.begin(c, file, NOW))

    return begin


@pytest.fixture
def write(database):
    def write(writer, *records, now=NOW, **fields):
        batch = Batch(list(records), rows=len(records), **fields)
        learned = database.write_now(ACTOR, lambda c: writer.write(c, batch, now))
        writer.learn(learned)

    return write


@pytest.fixture
def rows(database):
    def rows(*columns):
        query = select(*columns).order_by(columns[0])
        return [tuple(row) for row in database.read_now(lambda c: c.execute(query))]

    return rows


def order(name, *lines, customer="7", kind=OrderKind.SALE, at=NOW):
    return OrderRecord(name, customer, "Ireland", kind, at, "EUR", list(lines))


HEADS = (
    orders.c.external_id,
    orders.c.kind,
    orders.c.total_minor,
    orders.c.currency,
    orders.c.ordered_at,
)
LINES = (
    order_lines.c.line_no,
    order_lines.c.quantity,
    order_lines.c.amount_minor,
)


def test_orders_get_heads_numbered_lines_customers_and_products(begin, write, rows):
    first = order("A1", ("P1", 2, 500), ("P2", 1, 300), (None, 1, 90))

    write(OrderWriter(begin()), first, products={"P1": "Lamp", "P2": ""})

    assert rows(*HEADS) == [("A1", "sale", 890, "EUR", NOW)]
    assert rows(*LINES) == [(1, 2, 500), (2, 1, 300), (3, 1, 90)]
    assert rows(products.c.external_id, products.c.name) == [
        ("P1", "Lamp"),
        ("P2", "P2"),
    ]
    assert rows(customers.c.country, customers.c.created_at) == [("Ireland", NOW)]
    assert rows(identities.c.value) == [("shop:7",)]


def test_an_order_without_a_customer_is_kept(begin, write, rows):
    write(OrderWriter(begin()), order("A1", (None, 1, 90), customer=None))

    assert rows(orders.c.external_id, orders.c.customer_id) == [("A1", None)]


def test_lines_that_come_later_are_numbered_on(begin, write, rows):
    writer = OrderWriter(begin())

    write(writer, order("A1", (None, 1, 10), (None, 1, 20)))
    write(writer, order("A2", (None, 1, 5)), order("A1", (None, 1, 40)))

    assert rows(orders.c.external_id, orders.c.total_minor) == [("A1", 70), ("A2", 5)]
    assert sorted(rows(*LINES)) == [(1, 1, 5), (1, 1, 10), (2, 1, 20), (3, 1, 40)]


def test_a_newer_file_replaces_its_orders(begin, write, rows):
    write(OrderWriter(begin(digest="1")), order("A1", (None, 1, 10), (None, 1, 20)))

    write(OrderWriter(begin(digest="2")), order("A1", (None, 3, 30)))

    assert rows(*HEADS) == [("A1", "sale", 30, "EUR", NOW)]
    assert rows(*LINES) == [(1, 3, 30)]


def test_a_batch_that_is_written_again_is_written_once(begin, database, rows):
    writer = OrderWriter(begin())
    batch = Batch([order("A1", ("P1", 1, 10))], products={"P1": "Lamp"}, rows=1)

    def fail_after_writing(connection):
        writer.write(connection, batch, NOW)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        database.write_now(ACTOR, fail_after_writing)
    database.write_now(ACTOR, lambda c: writer.write(c, batch, NOW))

    assert rows(orders.c.external_id, orders.c.total_minor) == [("A1", 10)]
    assert len(rows(customers.c.id)) == len(rows(products.c.id)) == 1


def test_a_product_is_named_by_the_first_file_that_knows_how(begin, write, rows):
    writer = OrderWriter(begin())

    write(writer, order("A1", ("P1", -1, 0)), products={"P1": ""})
    write(writer, order("A2", ("P1", 1, 9)), products={"P1": "Lamp"})
    write(writer, order("A3", ("P1", 1, 9)), products={"P1": "LAMP?"})

    assert rows(products.c.name) == [("Lamp",)]


def test_products_get_the_unit_price_of_their_newest_sale(begin, write, rows, database):
    row = begin()
    new, old = order("A1", ("P1", 2, 301)), order("A2", ("P1", 1, 100))
    old.ordered_at = NOW - timedelta(days=1)
    back = order("A3", ("P1", -1, -900), kind=OrderKind.RETURN)
    write(OrderWriter(row), new, old, back, products={"P1": "Lamp"})

    prices = database.read_now(lambda c: newest_prices(c, row.id))
    database.write_now(ACTOR, lambda c: save_prices(c, row, prices))

    assert rows(products.c.price_minor, products.c.currency) == [(151, "EUR")]


def test_the_same_file_is_the_same_import(begin):
    assert begin().id == begin().id != begin(digest="2").id


def test_progress_is_saved_with_its_batch(begin, write):
    writer = OrderWriter(begin())
    reject = Reject(3, "bad_date", "x", ())

    write(
        writer,
        order("A1", (None, 1, 10)),
        rejects=[reject],
        corrected=Counter(amount_rounded=1),
        rows_corrected=1,
        position=7,
    )

    progress = begin().progress
    assert progress == writer.progress
    assert (progress.rows_read, progress.rows_rejected, progress.position) == (1, 1, 7)
    assert progress.rejected == {"bad_date": 1}
    assert progress.corrected == {"amount_rounded": 1}


def test_two_processes_with_one_file_store_it_once(begin, write, rows):
    first, second = OrderWriter(begin()), OrderWriter(begin())
    write(first, order("A1", (None, 1, 10)))

    with pytest.raises(LeaseLost, match="another process is importing this file"):
        write(second, order("A1", (None, 1, 10)))

    assert rows(*LINES) == [(1, 1, 10)]


def test_an_import_is_incomplete_until_it_says_complete(begin, database):
    row = begin()
    before = database.read_now(ingest.incomplete_imports)

    done = database.write_now(ACTOR, lambda c: ingest.complete(c, row, NOW))

    assert [each.file_name for each in before] == ["file.csv"]
    assert database.read_now(ingest.incomplete_imports) == []
    assert (done.complete, done.completed_at) == (True, NOW)


def test_a_newer_file_of_the_same_name_closes_the_unfinished_one(begin, database):
    begin(digest="1"), begin(digest="2", name="other.csv")
    newer = begin(digest="3")

    database.write_now(ACTOR, lambda c: ingest.complete(c, newer, NOW))

    states = [row.state for row in database.read_now(ingest.all_imports)]
    assert states == [ImportState.CLOSED, ImportState.RUNNING, ImportState.COMPLETE]


def test_an_import_that_was_given_up_can_be_taken_up_again(begin, database):
    row = begin()

    assert database.write_now(ACTOR, lambda c: ingest.close(c, row.id, NOW))
    assert database.read_now(ingest.incomplete_imports) == []
    assert begin().state is ImportState.RUNNING


# --- customers ------------------------------------------------------------------------


@pytest.fixture
def write_people(begin, write):
    def write_people(*records, digest="1"):
        row = begin(RecordKind.CUSTOMERS, digest)
        writer = RecordWriter(row, write_customers)
        write(writer, *records)
        return writer.progress

    return write_people


ANN = CustomerRecord(
    "7",
    2,
    name="Ann Lee",
    language="en",
    birth_date=date(1980, 5, 1),
    city="Cork",
    income_minor=4_200_000,
    income_currency="EUR",
    email="Ann@Example.com",
    phone="+353 1 234",
    attributes={"size": "M"},
    consents=(ConsentRecord(Channel.EMAIL, "news", ConsentState.GRANTED),),
)
PERSON = (
    customers.c.name,
    customers.c.city,
    customers.c.country,
    customers.c.attributes,
)


def test_a_customers_file_fills_in_who_orders_have_named(
    begin, write, write_people, rows
):
    write(OrderWriter(begin()), order("A1", (None, 1, 10)))

    write_people(ANN)

    assert rows(*PERSON) == [("Ann Lee", "Cork", "Ireland", {"size": "M"})]
    assert sorted(rows(identities.c.kind, identities.c.value)) == [
        ("email", "ann@example.com"),
        ("external", "shop:7"),
        ("phone", "+3531234"),
    ]


def test_what_a_file_does_not_say_stays(write_people, rows):
    write_people(ANN)

    write_people(CustomerRecord("7", 2, city="Galway"), digest="2")

    assert rows(*PERSON) == [("Ann Lee", "Galway", None, {"size": "M"})]


def test_the_same_customers_again_change_nothing(write_people, rows):
    tables = (customers.c.updated_at, identities.c.id, consents.c.id)
    write_people(ANN)
    before = [rows(column) for column in tables]

    write_people(ANN, digest="2")

    assert [rows(column) for column in tables] == before


def test_a_consent_keeps_its_proof(write_people, rows):
    write_people(ANN)

    assert rows(
        consents.c.channel,
        consents.c.topic,
        consents.c.state,
        consents.c.source,
        consents.c.proof,
    ) == [("email", "news", "granted", "import", "file.csv:2")]


def test_a_file_does_not_grant_what_the_customer_withdrew(write_people, database, rows):
    write_people(ANN)
    who = rows(customers.c.id)[0][0]
    database.write_now(ACTOR, lambda c: people.withdraw_everywhere(c, who, "chat", NOW))

    progress = write_people(ANN, digest="2")

    assert progress.corrected == {"consent_stays_withdrawn": 1}
    assert not database.read_now(
        lambda c: people.has_consent(c, who, Channel.EMAIL, "news")
    )


@pytest.mark.parametrize(
    ("email", "reason"),
    [("nobody", "email_invalid"), ("ann@example.com", "email_taken")],
)
def test_an_address_that_cannot_be_used_is_left_out(write_people, rows, email, reason):
    write_people(ANN)

    progress = write_people(CustomerRecord("8", 3, name="Bob", email=email), digest="2")

    assert progress.corrected == {reason: 1}
    assert progress.rows_corrected == progress.rows_accepted == 1
    assert rows(customers.c.name) == [("Ann Lee",), ("Bob",)]


def test_a_new_address_replaces_an_unproven_one(write_people, rows):
    write_people(ANN)

    write_people(CustomerRecord("7", 2, email="ann@new.example"), digest="2")

    emails = [value for (value,) in rows(identities.c.value) if "@" in value]
    assert emails == ["ann@new.example"]


def test_a_customer_may_come_twice_in_a_file(write_people, rows):
    write_people(ANN, CustomerRecord("8", 3), CustomerRecord("7", 4, city="Galway"))

    assert rows(customers.c.id, customers.c.city) == [(1, "Galway"), (2, None)]


def test_two_customers_of_a_file_with_one_address_share_nothing(write_people):
    other = CustomerRecord("8", 3, email="ann@example.com")

    assert write_people(ANN, other).corrected == {"email_taken": 1}


def test_products_are_made_and_filled_in(begin, write, rows):
    writer = RecordWriter(begin(RecordKind.PRODUCTS), write_products)

    write(writer, ProductRecord("P1", name="Lamp"), ProductRecord("P2"))
    write(writer, ProductRecord("P1", price_minor=900, currency="EUR", active=False))

    columns = products.c.name, products.c.price_minor, products.c.active
    assert rows(*columns) == [("Lamp", 900, False), ("P2", None, True)]


def test_opt_outs_suppress_addresses_and_withdraw_consents(
    begin, write, write_people, database, rows
):
    write_people(ANN)
    writer = RecordWriter(begin(RecordKind.OPT_OUTS), write_opt_outs)

    write(
        writer,
        OptOutRecord(2, "7", None, "asked"),
        OptOutRecord(3, None, "Other@Example.com", "asked"),
        OptOutRecord(4, "99", None, "asked"),
    )

    ann = database.read_now(
        lambda c: people.find(c, IdentityKind.EMAIL, "ann@example.com")
    )
    assert not database.read_now(
        lambda c: people.has_consent(c, ann.id, Channel.EMAIL, "news")
    )
    assert database.read_now(
        lambda c: people.is_suppressed(c, Channel.EMAIL, "other@example.com")
    )
    assert writer.progress.corrected == {"customer_unknown": 1}
