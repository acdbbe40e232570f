from __future__ import annotations

from datetime import UTC, datetime

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

    assert len(database.read_now(frames.purchases_frame)) == count


def test_purchases_are_products_that_were_sold(database, new_customer, new_order):
    ann = new_customer("Ann")
    new_order(1, ann)
    new_order(2, ann, kind=OrderKind.RETURN)

    frame = database.read_now(frames.purchases_frame)

    assert frame[["customer_id", "order_id", "product_id"]].to_numpy().tolist() == [
        [ann, 1, 1]
    ]


def test_an_empty_database_gives_empty_frames(database):
    service = database.read_now(lambda c: frames.service_frames(c, NOW))

    assert all(len(getattr(service, name)) == 0 for name in service.__slots__)
