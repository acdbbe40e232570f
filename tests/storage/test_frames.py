from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import insert, update

from core.model import IdentityKind, ImportState, OrderKind, system
from core.records import RecordKind
from storage import customers, frames, ingest
from storage.schema import customers as customers_table
from storage.schema import order_lines, orders, products, sources

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEST = system("test")
FILE = ingest.ImportFile("shop", RecordKind.ORDERS, "a.csv", "", "")


@pytest.fixture
def write(database):
    return lambda work: database.write_now(TEST, work)


@pytest.fixture
def shop(write):
    """One source and one product."""

    def make(connection):
        connection.execute(insert(sources).values(id=1, name="shop"))
        connection.execute(
            insert(products).values(id=1, source_id=1, external_id="P1", name="Lamp")
        )

    write(make)


@pytest.fixture
def new_customer(write):
    def new_customer(name: str, **fields) -> int:
        def make(connection):
            found = customers.identify(connection, IdentityKind.EXTERNAL, name, NOW)
            connection.execute(
                update(customers_table)
                .where(customers_table.c.id == found.id)
                .values(name=name, **fields)
            )
            return found.id

        return write(make)

    return new_customer


@pytest.fixture
def new_order(write, shop):
    def new_order(
        number: int, customer_id=None, *, amount=1250, import_id=None, **more
    ):
        head = {"kind": OrderKind.SALE, "currency": "EUR", "ordered_at": NOW} | more
        line = {"product_id": 1, "quantity": 2, "amount_minor": amount}

        def make(connection):
            connection.execute(
                insert(orders).values(
                    id=number,
                    source_id=1,
                    external_id=str(number),
                    customer_id=customer_id,
                    total_minor=amount,
                    import_id=import_id,
                    **head,
                )
            )
            connection.execute(
                insert(order_lines).values(order_id=number, line_no=1, **line)
            )

        write(make)

    return new_order


def types_of(frame) -> dict[str, str]:
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


def test_customers_come_with_what_is_known_of_them(database, new_customer):
    new_customer(
        "Ann",
        birth_date=date(1980, 5, 1),
        income_minor=4_200_000,
        income_currency="EUR",
    )
    new_customer("Bob")

    frame = database.read_now(frames.customers_frame)

    assert list(frame["name"]) == ["Ann", "Bob"]
    assert frame["income"][0] == 42_000.0
    assert frame["birth_date"][0].date() == date(1980, 5, 1)
    assert frame.loc[1, ["birth_date", "income"]].isna().all()


def test_a_merged_customers_orders_are_the_survivors(database, new_customer, new_order):
    survivor = new_customer("Ann")
    new_order(1, new_customer("Ann Lee", alias_of=survivor))

    assert list(database.read_now(frames.customers_frame)["customer_id"]) == [survivor]
    assert list(database.read_now(frames.orders_frame)["customer_id"]) == [survivor]


@pytest.mark.parametrize(
    ("currency", "amount"), [("EUR", 12.5), ("JPY", 1250.0), ("KWD", 1.25)]
)
def test_amounts_are_in_major_units_of_their_currency(
    database, new_order, currency, amount
):
    new_order(1, currency=currency)

    assert list(database.read_now(frames.orders_frame)["amount"]) == [amount]
    assert list(database.read_now(frames.lines_frame)["amount"]) == [amount]


def test_orders_without_a_customer_are_there(database, new_order):
    new_order(1)

    assert database.read_now(frames.orders_frame)["customer_id"].isna().all()


@pytest.mark.parametrize(
    ("state", "count"),
    [
        (ImportState.RUNNING, 0),
        (ImportState.COMPLETE, 1),
        (ImportState.CLOSED, 1),
    ],
)
def test_orders_count_when_their_import_is_over(
    database, write, new_order, state, count
):
    row = write(lambda c: ingest.begin(c, FILE, NOW))
    new_order(1, import_id=row.id)
    end = {
        ImportState.RUNNING: lambda _: None,
        ImportState.COMPLETE: lambda c: ingest.complete(c, row, NOW),
        ImportState.CLOSED: lambda c: ingest.close(c, row.id, NOW),
    }

    write(end[state])

    tables = database.read_now(frames.customer_frames)
    assert len(tables.orders) == len(tables.lines) == count
    assert len(database.read_now(frames.purchases_frame)) == count


def test_purchases_are_products_that_were_sold(database, new_customer, new_order):
    ann = new_customer("Ann")
    new_order(1, ann)
    new_order(2, ann, kind=OrderKind.RETURN)

    frame = database.read_now(frames.purchases_frame)

    assert frame[["customer_id", "order_id", "product_id"]].to_numpy().tolist() == [
        [ann, 1, 1]
    ]


@pytest.mark.parametrize(
    ("read", "types"),
    [
        (
            frames.orders_frame,
            {
                "order_id": "int64",
                "customer_id": "Int64",
                "ordered_at": "datetime64[us, UTC]",
                "amount": "float64",
                "kind": "str",
            },
        ),
        (
            frames.lines_frame,
            {
                "order_id": "int64",
                "product_id": "Int64",
                "quantity": "int64",
                "amount": "float64",
            },
        ),
        (
            frames.contacts_frame,
            {"customer_id": "int64", "opened_at": "datetime64[us, UTC]"},
        ),
    ],
)
def test_the_columns_have_their_types_with_and_without_rows(
    database, new_order, read, types
):
    empty = types_of(database.read_now(read))
    new_order(1)

    assert types_of(database.read_now(read)) == empty == types


def test_an_empty_database_gives_empty_frames(database):
    tables = database.read_now(frames.customer_frames)
    service = database.read_now(lambda c: frames.service_frames(c, NOW))

    assert all(len(getattr(tables, name)) == 0 for name in tables.__slots__)
    assert all(len(getattr(service, name)) == 0 for name in service.__slots__)
