from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from analytics.features import customer_features, rfm_table
from core.model import ImportState
from core.records import RecordKind
from storage import customers as people
from storage import feature_frames, schema
from storage.ingest import arrived_orders
from storage.money import factor_on, in_shop, utc_day
from storage.schema import customers, events, metadata, orders, supplied_figures
from tests.storage.books import NOW, Shop, order

UNKNOWN = float("nan")
SPENT = ["recency_days", "frequency", "monetary_value", "total_spent", "net_spent"]


@pytest.fixture
def shop(database):
    return Shop(database)


@pytest.fixture
def read(database):
    def read(work, *arguments):
        return database.read_now(lambda c: work(c, *arguments))

    return read


def frames_of(shop):
    shop.refresh()
    return shop.database.read_now(
        lambda c: feature_frames.customer_frames(c, "EUR", shop.now)
    )


def features_of(shop):
    tables = frames_of(shop)
    parts = (getattr(tables, name) for name in tables.__slots__)
    return customer_features(*parts, asof=shop.now)


def change(shop, name, **fields):
    mine = customers.c.id == shop.customer(name)
    shop.write(lambda c: c.execute(update(customers).where(mine).values(**fields)))


def types_of(frame):
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


def test_customers_come_with_birth_date_and_income(shop):
    shop.file(order("1", customer="ann"), order("2", customer="bob"))
    change(shop, "ann", birth_date=date(1980, 5, 1), income_minor=4_200_000)

    frame = frames_of(shop).customers

    assert frame["income"][0] == 42_000.0
    assert frame["birth_date"][0].date() == date(1980, 5, 1)
    assert frame.loc[1, ["birth_date", "income"]].isna().all()


@pytest.mark.parametrize(
    ("currency", "income"),
    [("EUR", 1000.0), ("USD", 500.0), ("JPY", UNKNOWN), (None, 1000.0)],
)
def test_incomes_are_in_the_shops_currency_or_unknown(shop, currency, income):
    shop.rates(("USD", date(2026, 1, 1), 0.5))
    shop.file(order("1"))
    change(shop, "ann", income_minor=100_000, income_currency=currency)

    found = frames_of(shop).customers["income"].tolist()

    assert found == pytest.approx([income], nan_ok=True)


def test_erased_customers_have_no_features(shop):
    shop.file(order("1", customer="ann"), order("2", customer="bob"))
    change(shop, "ann", erased_at=NOW)

    assert features_of(shop).index.tolist() == [shop.customer("bob")]


def test_orders_that_stay_with_a_merged_customer_are_the_survivors(shop):
    shop.file(order("1", 1000, customer="ann"), order("2", 500, customer="bob"))
    change(shop, "bob", alias_of=shop.customer("ann"))

    features = features_of(shop)

    assert features["frequency"].tolist() == [2]
    assert features["total_spent"].tolist() == [15.0]


@pytest.mark.parametrize("state", [ImportState.RUNNING, ImportState.COMPLETE])
def test_events_count_when_their_import_is_over(shop, state):
    shop.file(order("1"))
    row = shop.begin(RecordKind.EVENTS)
    ann = shop.customer("ann")
    told = [NOW - timedelta(days=3), NOW - timedelta(days=2), NOW + timedelta(days=1)]
    rows = [
        {"customer_id": ann, "kind": "visit", "at": at, "external_id": str(at)}
        for at in told
    ]
    mine = {"source_id": row.source_id, "import_id": row.id}
    shop.write(lambda c: c.execute(insert(events), [mine | each for each in rows]))
    ends = {ImportState.COMPLETE: shop.complete, ImportState.RUNNING: lambda _: None}
    ends[state](row)

    features = features_of(shop)

    expected = {ImportState.COMPLETE: [2, 2.0], ImportState.RUNNING: [0, UNKNOWN]}
    found = features.loc[ann, ["events_count", "last_event_days"]].tolist()
    assert found == pytest.approx(expected[state], nan_ok=True)


def test_of_supplied_figures_the_newest_stands_in(shop):
    shop.rates(("USD", date(2026, 1, 1), 0.5))
    shop.file(order("1"))
    bob = shop.write(lambda c: people.create(c, NOW, "Bob"))
    shop.write(lambda c: c.execute(insert(schema.sources).values(id=9, name="crm")))
    old = {"purchase_count": 1, "purchase_days": 10, "average_price_minor": 100}
    new = {"purchase_count": 6, "purchase_days": 90, "average_price_minor": 2500}
    rows = [
        old | {"source_id": 9, "currency": None, "as_of": NOW - timedelta(days=40)},
        new | {"source_id": 1, "currency": "USD", "as_of": NOW - timedelta(days=4)},
    ]
    figures = [{"customer_id": bob, **each} for each in rows]
    shop.write(lambda c: c.execute(insert(supplied_figures), figures))

    found = features_of(shop).loc[bob]

    assert found["figures_supplied"]
    assert found["figures_age_days"] == 4
    assert found[["frequency", "average_price", "total_spent"]].tolist() == [
        6,
        12.5,
        75,
    ]


def test_attributes_that_are_numbers_can_be_measured(shop, read):
    shop.file(*(order(name, customer=name) for name in ("ann", "bob", "cy")))
    change(shop, "ann", attributes={"points": "120.5"})
    change(shop, "bob", attributes={"points": "many"})

    frame = read(feature_frames.attributes_frame, ["points"])

    assert frame["attributes.points"].tolist() == pytest.approx(
        [120.5, UNKNOWN, UNKNOWN], nan_ok=True
    )


def test_the_extent_holds_orders_of_nobody_and_ends_now(shop, read):
    newest = NOW - timedelta(hours=1)
    shop.file(
        order("1", at=NOW - timedelta(days=3)),
        order("2", customer=None, at=newest),
        order("3", at=NOW + timedelta(days=1)),
    )

    assert read(feature_frames.orders_extent, NOW) == (2, newest)


def test_the_columns_have_their_types_with_and_without_rows(shop):
    empty = frames_of(shop)
    shop.file(order("1"))

    full = frames_of(shop)

    assert types_of(full.totals) == types_of(empty.totals)
    assert types_of(full.customers)["income"] == types_of(empty.customers)["income"]
    assert all(len(getattr(empty, name)) == 0 for name in empty.__slots__)


# --- the definition -------------------------------------------------------------------

ORDERS = st.builds(
    order,
    st.integers(1, 10**6).map(str),
    st.integers(-9999, 99_999),
    customer=st.sampled_from(["a", "b", "c", None]),
    at=st.integers(-100_000, 2000).map(lambda hours: NOW + timedelta(minutes=hours)),
    currency=st.sampled_from(["EUR", "USD"]),
)


def all_orders(connection):
    """What the definition is computed from, order by order."""
    factor = factor_on(orders.c.currency, utc_day(orders.c.ordered_at), "EUR")
    amount = in_shop(orders.c.total_minor, factor)
    query = select(
        orders.c.customer_id,
        orders.c.ordered_at,
        (amount / 100.0).label("amount"),
        orders.c.kind,
    )
    rows = connection.execute(query.where(arrived_orders())).all()
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount", "kind"])
    frame["customer_id"] = frame["customer_id"].astype("Int64")
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"], utc=True)
    return frame


def empty(connection):
    for table in reversed(metadata.sorted_tables):
        connection.execute(delete(table))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(ORDERS, min_size=1, max_size=25, unique_by=lambda o: o.external_id)
)
def test_sums_give_what_the_definition_gives_order_by_order(database, records):
    shop = Shop(database)
    shop.write(empty)
    shop.rates(("USD", date(2025, 1, 1), 0.7), ("USD", date(2026, 1, 20), 1.1))
    shop.file(*records[:20])
    shop.refresh()
    shop.file(*records[20:])

    features = features_of(shop)

    defined = rfm_table(database.read_now(all_orders), NOW)
    bought = features[features["frequency"] > 0]
    pd.testing.assert_frame_equal(
        bought[SPENT].astype("float64"), defined[SPENT].astype("float64")
    )
