"""Undoing an import: nothing of it is left, and nothing of others is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from core.clock import SimulatedClock
from core.errors import DataError, LeaseLost
from core.model import (
    CaseKind,
    Channel,
    ConsentState,
    IdentityKind,
    ImportState,
    staff_member,
)
from core.records import (
    Batch,
    ConsentRecord,
    ConversationRecord,
    CustomerRecord,
    EventRecord,
    FeedbackRecord,
    OptOutRecord,
    ProductRecord,
    RateRecord,
    RecordKind,
    SuppliedFigures,
)
from storage import customers as people
from storage import ingest, schema
from storage.ingest_orders import OrderWriter
from storage.schema import (
    consents,
    conversations,
    corrections,
    customers,
    identities,
    imports,
    order_lines,
    orders,
    products,
    stale_totals,
    supplied_figures,
)
from storage.undo import undo_import
from tests.storage.importer import ACTOR, NOW, Importer, order
from tests.storage.shop import new_run, plan

CUSTOMERS, ORDERS = RecordKind.CUSTOMERS, RecordKind.ORDERS
LATER = datetime(2026, 3, 2, 12, tzinfo=UTC)
# What an undo leaves: the account of it, and the import itself.
ACCOUNTS = {"imports", "sources", "corrections", "changes", "import_changes"}
ANN = CustomerRecord(
    "7",
    2,
    name="Ann Lee",
    city="Cork",
    birth_date=date(1980, 5, 1),
    email="ann@example.com",
    attributes={"size": "M"},
    consents=(ConsentRecord(Channel.EMAIL, "news", ConsentState.GRANTED),),
    figures=SuppliedFigures(3, 90, 1250, "EUR", NOW),
)


@pytest.fixture
def bring(database):
    return Importer(database)


@pytest.fixture
def undo(database):
    clock = SimulatedClock(LATER)
    return lambda import_id: undo_import(database, ACTOR, import_id, clock)


@pytest.fixture
def rows(database):
    def rows(*columns):
        query = select(*columns).order_by(columns[0])
        return [tuple(row) for row in database.read_now(lambda c: c.execute(query))]

    return rows


@pytest.fixture
def everything(database):
    """All rows of all tables that hold data, to compare before and after."""

    def everything():
        def read(connection):
            return {
                table.name: sorted(map(repr, connection.execute(select(table))))
                for table in schema.metadata.sorted_tables
                if table.name not in ACCOUNTS and table.name != "stale_totals"
            }

        return database.read_now(read)

    return everything


# One import of each kind, on an empty shop and on one that it changes.
TICKET = ConversationRecord(
    *(2, "T1", "7", CaseKind.MAIL, NOW, NOW + timedelta(hours=1)),
    agent="Bea",
    first_response_at=NOW + timedelta(minutes=5),
    handling_seconds=300.0,
)
RATING = FeedbackRecord(2, "F1", "7", NOW, 4, comment="Fine")
FIRST = {
    CUSTOMERS: ANN,
    RecordKind.PRODUCTS: ProductRecord("P1", "Lamp", 900, "EUR"),
    ORDERS: order("A1", ("P1", 2, 500), (None, 1, 90), coupon="X", discount_minor=9),
    RecordKind.EVENTS: EventRecord(2, "E1", "7", "visit", NOW, data={"page": "/"}),
    RecordKind.FEEDBACK: RATING,
    RecordKind.CONVERSATIONS: TICKET,
    RecordKind.RATES: RateRecord(2, "USD", date(2026, 3, 1), 0.9),
}
SECOND = {
    CUSTOMERS: replace(
        ANN,
        name="Ann Lee-Smith",
        email="ann@new.example",
        birth_date=date(1980, 6, 1),
        attributes={"size": "L", "colour": "red"},
        figures=SuppliedFigures(4, 120, 1300, "EUR", LATER),
    ),
    RecordKind.PRODUCTS: ProductRecord("P1", "Lamp", 950, "EUR", active=False),
    ORDERS: order("A1", ("P1", 1, 260), customer="8", at=LATER, status="shipped"),
    RecordKind.EVENTS: EventRecord(2, "E1", "7", "order", NOW, data={"page": "/x"}),
    RecordKind.FEEDBACK: replace(RATING, score=2, comment="Not fine"),
    RecordKind.CONVERSATIONS: replace(TICKET, handling_seconds=600.0, reopened=1),
    RecordKind.RATES: RateRecord(2, "USD", date(2026, 3, 1), 0.8),
}


@pytest.mark.parametrize("kind", FIRST)
def test_an_undone_import_leaves_nothing(kind, bring, undo, everything):
    before = everything()

    undo(bring(kind, FIRST[kind], products={"P1": "Lamp"}))

    assert everything() == before


@pytest.mark.parametrize("kind", FIRST)
def test_what_an_import_changed_is_as_it_was(kind, bring, undo, everything, database):
    bring(kind, FIRST[kind], products={"P1": ""})
    before = everything()

    undo(bring(kind, SECOND[kind], products={"P1": "Lamp"}, now=LATER))

    at = update(customers).values(updated_at=NOW)
    database.write_now(ACTOR, lambda c: c.execute(at))
    assert everything() == before


@pytest.mark.parametrize("kind", FIRST)
def test_two_imports_may_be_undone_in_the_order_they_came(
    kind, bring, undo, everything
):
    before = everything()
    first = bring(kind, FIRST[kind], products={"P1": ""})
    second = bring(kind, SECOND[kind], products={"P1": "Lamp"}, now=LATER)

    undo(first)
    undo(second)

    assert everything() == before


@pytest.mark.parametrize("kind", [k for k in FIRST if k is not RecordKind.RATES])
def test_what_a_later_file_tells_as_well_stays(kind, bring, undo, rows):
    first = bring(kind, FIRST[kind], products={"P1": "Lamp"})
    bring(kind, FIRST[kind], products={"P1": "Lamp"}, now=LATER)
    name = "episodes" if kind is RecordKind.CONVERSATIONS else kind.value

    undone = undo(first)

    assert len(rows(schema.metadata.tables[name].c.id)) == 1
    assert undone.kept["in_another_import"] >= 1


def test_what_was_undone_is_told_by_table(bring, undo):
    bring(CUSTOMERS, ANN)

    undone = undo(bring(CUSTOMERS, SECOND[CUSTOMERS], CustomerRecord("8", 3)))

    assert undone.removed["customers"] == 1
    assert undone.restored["customers"] == 1
    assert undone.restored["supplied_figures"] == 1
    assert undone.kept == {}


def test_an_undone_import_is_undone_once(bring, undo, everything):
    first = bring(CUSTOMERS, ANN)
    undo(first)
    bring(CUSTOMERS, ANN)
    before = everything()

    assert undo(first).was_undone

    assert everything() == before


def test_an_unknown_import_is_refused_with_the_way_to_all(bring, undo):
    bring(CUSTOMERS, ANN)

    with pytest.raises(DataError, match="newest import is 1"):
        undo(99)


def test_an_undone_file_can_be_imported_again(bring, undo, database, rows):
    row = bring.begin(CUSTOMERS)
    undo(row.id)
    file = ingest.ImportFile("shop", CUSTOMERS, "1.csv", "1", "m")

    again = database.write_now(ACTOR, lambda c: ingest.begin(c, file, NOW))

    assert again.id != row.id
    assert again.progress.rows_read == 0
    assert rows(imports.c.id, imports.c.state) == [
        (row.id, ImportState.UNDONE),
        (again.id, ImportState.RUNNING),
    ]


def test_a_file_that_is_being_undone_is_not_imported(bring, database):
    row = bring.begin(CUSTOMERS)
    undoing = update(imports).values(state=ImportState.UNDOING)
    database.write_now(ACTOR, lambda c: c.execute(undoing))
    file = ingest.ImportFile("shop", CUSTOMERS, "1.csv", "1", "m")

    with pytest.raises(DataError, match=f"--undo {row.id}"):
        database.write_now(ACTOR, lambda c: ingest.begin(c, file, NOW))

    assert [r.id for r in database.read_now(ingest.incomplete_imports)] == [row.id]


# --- what others have built on --------------------------------------------------------


def customer_of(rows):
    return rows(customers.c.id)[0][0]


def chatted(connection, customer_id):
    people.add_identity(connection, customer_id, IdentityKind.TELEGRAM, "4711", NOW)


def withdrew(connection, customer_id):
    people.withdraw_everywhere(connection, customer_id, "chat", NOW)


def edited(connection, customer_id):
    people.set_fields(connection, customer_id, {"city": "Galway"}, NOW)


def merged(connection, customer_id):
    other = people.create(connection, NOW)
    query = update(customers).where(customers.c.id == customer_id)
    connection.execute(query.values(alias_of=other))


def mailed(connection, customer_id):
    (other,) = plan(connection, new_run(connection), 1)
    query = update(schema.deliveries).where(schema.deliveries.c.customer_id == other)
    connection.execute(query.values(customer_id=customer_id))


def talked(connection, customer_id):
    connection.execute(
        insert(conversations).values(
            customer_id=customer_id,
            channel="webchat",
            address="x",
            owner="bot",
            language="en",
            dialogue={},
            created_at=NOW,
            last_message_at=NOW,
        )
    )


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (chatted, "known_elsewhere"),
        (withdrew, "consent_since"),
        (edited, "edited"),
        (merged, "merged"),
        (mailed, "in_a_campaign"),
        (talked, "in_conversation"),
    ],
)
def test_a_customer_whom_others_know_stays(build, reason, bring, undo, rows, database):
    first = bring(CUSTOMERS, ANN, CustomerRecord("8", 3))
    ann = customer_of(rows)
    database.write_now(staff_member(3), lambda c: build(c, ann))

    undone = undo(first)

    assert undone.kept == {reason: 1}
    assert undone.removed["customers"] == 1
    assert ann in [key for (key,) in rows(customers.c.id)]
    assert "ann@example.com" in [value for (value,) in rows(identities.c.value)]


def test_who_stays_keeps_no_consent_of_an_undone_file(bring, undo, rows, database):
    first = bring(CUSTOMERS, ANN)
    ann = customer_of(rows)
    database.write_now(ACTOR, lambda c: talked(c, ann))

    undo(first)

    assert rows(consents.c.id) == []


def test_a_customer_with_later_orders_stays(bring, undo, rows):
    first = bring(CUSTOMERS, ANN)
    bring(ORDERS, order("A1", (None, 1, 10)))

    assert undo(first).kept == {"ordered": 1}
    assert rows(orders.c.customer_id) == [(customer_of(rows),)]


def test_an_order_of_a_later_import_stays_with_its_lines(bring, undo, rows):
    first = bring(ORDERS, order("A1", (None, 1, 10)), order("A2", (None, 1, 20)))
    bring(ORDERS, order("A1", (None, 3, 30)))

    undone = undo(first)

    assert undone.removed["orders"] == 1
    assert rows(orders.c.external_id, orders.c.total_minor) == [("A1", 30)]
    assert rows(order_lines.c.quantity) == [(3,)]


def test_a_product_that_is_sold_stays(bring, undo, rows):
    first = bring(RecordKind.PRODUCTS, ProductRecord("P1"), ProductRecord("P2"))
    bring(ORDERS, order("A1", ("P1", 1, 10)), products={"P1": ""})

    assert undo(first).kept == {"in_use": 1}
    assert rows(products.c.external_id) == [("P1",)]


def test_a_field_that_somebody_set_since_stays(bring, undo, rows, database):
    bring(CUSTOMERS, ANN)
    second = bring(CUSTOMERS, replace(ANN, name="Annie", city="Dublin"))
    ann = customer_of(rows)
    database.write_now(staff_member(3), lambda c: edited(c, ann))

    undone = undo(second)

    assert undone.kept == {"changed_since": 1}
    assert rows(customers.c.name, customers.c.city) == [("Ann Lee", "Galway")]


def test_an_earlier_address_that_is_taken_by_now_stays_there(bring, undo, rows):
    bring(CUSTOMERS, ANN)
    second = bring(CUSTOMERS, replace(ANN, email="ann@new.example"))
    bring(CUSTOMERS, CustomerRecord("8", 3, email="ann@example.com"))

    assert undo(second).kept == {"address_taken": 1}

    emails = rows(identities.c.value, identities.c.customer_id)
    ann = customer_of(rows)
    assert ("ann@new.example", ann) in emails
    assert ("ann@example.com", ann + 1) in emails


# --- consent --------------------------------------------------------------------------


def test_nobody_becomes_reachable_because_an_opt_out_is_undone(
    bring, undo, rows, database
):
    bring(CUSTOMERS, ANN)
    opt_out = OptOutRecord(2, "7", "ann@example.com", "asked")

    undone = undo(bring(RecordKind.OPT_OUTS, opt_out))

    ann = customer_of(rows)
    read = database.read_now
    assert not read(lambda c: people.has_consent(c, ann, Channel.EMAIL, "news"))
    assert read(lambda c: people.is_suppressed(c, Channel.EMAIL, "ann@example.com"))
    assert undone.kept == {"withdrawal_stays": len(Channel), "suppression_stays": 1}


def test_a_consent_that_a_file_granted_is_gone_with_it(bring, undo, rows, database):
    bring(CUSTOMERS, replace(ANN, consents=()))

    undo(bring(CUSTOMERS, ANN))

    ann = customer_of(rows)
    asked = database.read_now(
        lambda c: people.has_consent(c, ann, Channel.EMAIL, "news")
    )
    assert not asked


def test_a_withdrawal_of_a_file_stays(bring, undo, rows, database):
    bring(CUSTOMERS, ANN)
    no = ConsentRecord(Channel.EMAIL, "news", ConsentState.WITHDRAWN)

    undone = undo(bring(CUSTOMERS, replace(ANN, consents=(no,))))

    assert undone.kept == {"withdrawal_stays": 1}
    assert [state for _, state in rows(consents.c.id, consents.c.state)] == [
        "granted",
        "withdrawn",
    ]


# --- the account ----------------------------------------------------------------------


def test_every_restored_value_is_accounted_for(bring, undo, rows):
    bring(CUSTOMERS, ANN)

    undo(bring(CUSTOMERS, replace(ANN, city="Dublin")))

    columns = ("id", "field", "before", "after", "rule")
    found = rows(*(corrections.c[name] for name in columns))
    assert [row[1:] for row in found] == [
        ("city", "Cork", "Dublin", "import"),
        ("city", "Dublin", "Cork", "undone"),
    ]


def test_the_totals_of_whom_the_orders_were_are_counted_anew(bring, undo, rows):
    bring(CUSTOMERS, ANN)

    undo(bring(ORDERS, order("A1", (None, 1, 10))))

    assert rows(stale_totals.c.customer_id) == [(customer_of(rows),)]


def test_older_figures_do_not_replace_newer_ones(bring, rows):
    bring(CUSTOMERS, SECOND[CUSTOMERS])

    bring(CUSTOMERS, ANN)

    assert rows(supplied_figures.c.purchase_count) == [(4,)]


# --- half done, stopped, started again ------------------------------------------------


def test_an_unfinished_import_is_undone_and_its_writer_stopped(
    bring, undo, rows, database
):
    row = bring.begin(ORDERS)
    writer = OrderWriter(row)
    batch = Batch([order("A1", (None, 1, 10))], rows=1)
    database.write_now(ACTOR, lambda c: writer.learn(writer.write(c, batch, NOW)))

    undo(row.id)

    with pytest.raises(LeaseLost, match="given it up"):
        database.write_now(ACTOR, lambda c: writer.write(c, batch, NOW))
    assert rows(orders.c.id) == rows(customers.c.id) == []


def test_an_undo_that_is_stopped_goes_on(bring, undo, database, everything):
    before = everything()
    first = bring(
        CUSTOMERS,
        *(CustomerRecord(str(n), n, email=f"{n}@x.example") for n in range(200)),
    )

    class Stop(Exception):
        pass

    def stop(_):
        raise Stop

    with pytest.raises(Stop):
        undo_import(database, ACTOR, first, SimulatedClock(LATER), stop)
    half = database.read_now(lambda c: ingest.find(c, first))
    undone = undo(first)

    assert half.state is ImportState.UNDOING
    assert undone.removed["customers"] == 200
    assert everything() == before
