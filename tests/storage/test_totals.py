"""That totals are what the orders add up to, whatever happened to them before."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, update

from core.clock import SimulatedClock
from core.errors import LeaseLost
from core.model import IdentityKind, ImportState, MergeMethod
from core.records import OrderRecord, RecordKind
from storage import customers, ingest, merges, totals
from storage.database import Database
from storage.schema import (
    imports,
    metadata,
    orders,
    sources,
    stale_totals,
)
from storage.undo import undo_import
from tests.storage.books import NOW, TEST, Shop, order


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


def test_sales_and_returns_are_summed_apart(shop: Shop) -> None:
    shop.file(
        order("1", 1000, discount=100, at=NOW - timedelta(days=9)),
        order("2", 500, at=NOW - timedelta(days=2)),
        order("3", -300),
    )

    shop.refresh()

    found = shop.total()
    assert (found.sales_count, found.returns_count) == (2, 1)
    assert (found.sales_minor, found.returns_minor) == (1400, 300)
    assert (found.discount_minor, found.units, found.units_minor) == (100, 4, 1500)
    assert found.first_sale_at == NOW - timedelta(days=9)
    assert found.last_sale_at == NOW - timedelta(days=2)


def test_a_second_import_is_added_to_what_is_there(shop: Shop) -> None:
    shop.file(order("1", 1000))
    first = shop.refresh()
    shop.file(order("2", 500), order("3", 700, customer="bob"))

    second = shop.refresh()

    assert (first.built, second.built, second.added) == (1, 0, 1)
    assert shop.total("ann").sales_minor == 1500
    assert shop.total("bob").sales_minor == 700


def test_what_is_not_whole_does_not_count(shop: Shop) -> None:
    shop.refresh()
    shop.bring(shop.begin(), order("1"))

    shop.refresh()

    assert shop.table() == []


def test_an_order_told_anew_counts_once(shop: Shop) -> None:
    shop.file(order("1", 1000))
    shop.refresh()
    shop.file(order("1", 400, customer="bob"))

    found = shop.refresh()

    assert found.recounted == 2
    assert shop.total("ann") is None
    assert shop.total("bob").sales_minor == 400


def test_an_order_that_lies_ahead_counts_when_its_day_has_come(shop: Shop) -> None:
    shop.file(order("1", 1000), order("2", 500, at=NOW + timedelta(hours=3)))
    shop.refresh()
    before = shop.total().sales_minor

    shop.now += timedelta(days=1)
    shop.refresh()

    assert (before, shop.total().sales_minor) == (1000, 1500)
    assert shop.read(select(stale_totals)) == []


@pytest.mark.parametrize(
    ("currency", "amount", "rate", "expected"),
    [
        ("USD", 1000, 0.9, 900),
        ("USD", 333, 0.5, 167),  # 166.5: halves go away from zero
        ("USD", 1, 0.5, 1),
        ("JPY", 1000, 0.006, 600),  # 1000 yen are 6 euros
        ("KWD", 1000, 3.0, 300),  # one dinar has 1000 fils
    ],
)
def test_another_currency_counts_by_the_rate_of_the_day(
    shop: Shop, currency: str, amount: int, rate: float, expected: int
) -> None:
    day = (NOW - timedelta(days=9)).date()
    shop.rates(
        (currency, day - timedelta(days=3), 77.0),
        (currency, day, rate),
        (currency, day + timedelta(days=1), 99.0),
    )
    shop.file(
        order("1", amount, currency=currency), order("2", -amount, currency=currency)
    )

    shop.refresh()

    assert shop.total().sales_minor == expected
    assert shop.total().returns_minor == expected


def test_an_order_without_a_rate_waits_for_one(shop: Shop) -> None:
    shop.file(order("1", 1000), order("2", 1000, currency="USD"))

    unpriced = shop.refresh().unpriced
    before = shop.total().sales_minor
    shop.rates(("USD", date(2026, 1, 1), 0.5))
    after = shop.refresh()

    assert (unpriced, before) == (1, 1000)
    assert (after.unpriced, shop.total().sales_minor) == (0, 1500)


def test_rates_that_are_undone_no_longer_count(shop: Shop) -> None:
    row = shop.rates(("USD", date(2026, 1, 1), 0.5))
    shop.file(order("1", 1000, currency="USD"))
    shop.refresh()
    undo_import(shop.database, TEST, row.id, SimulatedClock(shop.now))

    shop.refresh()

    assert (shop.total().sales_minor, shop.total().unpriced_count) == (0, 1)
    assert shop.refresh().recounted == 0


def test_another_currency_of_the_shop_builds_all_totals(shop: Shop) -> None:
    shop.rates(("EUR", date(2026, 1, 1), 2.0))
    shop.file(order("1", 1000))
    shop.refresh()

    found = shop.refresh("USD")

    assert found.built == 1
    assert shop.total().sales_minor == 2000


def test_an_import_that_is_taken_up_again_builds_all_totals(shop: Shop) -> None:
    row = shop.begin(name="again")
    shop.bring(row, order("1", 1000))
    shop.write(lambda c: ingest.close(c, row.id, shop.now))
    shop.refresh()
    shop.begin(name="again")
    shop.bring(row, order("2", 500))
    shop.complete(row)

    assert shop.refresh().built == 1
    assert shop.total().sales_minor == 1500


def test_of_two_who_refresh_at_once_the_later_goes_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.file(order("1", 1000))
    whole = totals.sums.counted_whole
    other = []

    def meanwhile() -> Any:
        if not other:
            other.append(None)
            shop.refresh()
        return whole()

    monkeypatch.setattr(totals.sums, "counted_whole", meanwhile)

    with pytest.raises(LeaseLost):
        shop.refresh()

    assert shop.total().sales_minor == 1000


def test_a_change_while_customers_are_counted_keeps_its_mark(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.file(order("1", 1000))
    shop.refresh()
    ann = shop.customer("ann")
    shop.write(lambda c: totals.mark_stale(c, [ann]))
    replace = totals.sums.replace

    def late(connection: Any, *arguments: Any) -> None:
        connection.execute(update(orders).values(total_minor=700))
        totals.mark_stale(connection, [ann])
        replace(connection, *arguments)

    monkeypatch.setattr(totals.sums, "replace", late)
    shop.refresh()
    monkeypatch.undo()
    shop.refresh()

    assert shop.total().sales_minor == 700


# --- whatever happens -----------------------------------------------------------------

NAMES = st.sampled_from("abcdef")
ORDERS = st.builds(
    order,
    st.integers(1, 12).map(str),
    st.integers(-999, 9999),
    customer=st.one_of(st.none(), NAMES),
    at=st.integers(-90, 4).map(lambda days: NOW + timedelta(days=days)),
    currency=st.sampled_from(["EUR", "EUR", "USD", "JPY"]),
    discount=st.sampled_from([0, 0, 50]),
)
BATCHES = st.lists(ORDERS, min_size=1, max_size=6, unique_by=lambda o: o.external_id)
RATES = st.tuples(
    st.sampled_from(["USD", "JPY"]),
    st.integers(-100, 0).map(lambda days: (NOW + timedelta(days=days)).date()),
    st.sampled_from([0.5, 0.91, 1.37]),
)
STEPS = st.one_of(
    st.tuples(st.just("file"), BATCHES),
    st.tuples(st.just("begin"), BATCHES),
    st.tuples(st.just("complete"), st.integers(0, 9)),
    st.tuples(st.just("close"), st.integers(0, 9)),
    st.tuples(st.just("reopen"), st.integers(0, 9)),
    st.tuples(st.just("undo"), st.integers(0, 9)),
    st.tuples(st.just("half undo"), st.integers(0, 9)),
    st.tuples(st.just("merge"), st.tuples(NAMES, NAMES)),
    st.tuples(st.just("unmerge"), st.integers(0, 9)),
    st.tuples(st.just("rates"), st.lists(RATES, min_size=1, max_size=3)),
    st.tuples(st.just("alone"), ORDERS),
    st.tuples(st.just("aside"), st.integers(0, 9)),
    st.tuples(st.just("night"), st.none()),
    st.tuples(st.just("refresh"), st.none()),
)


class Story(Shop):
    """Steps that anybody may take in any order; what is impossible does nothing."""

    def take(self, step: str, given: Any) -> None:
        getattr(self, f"_{step.replace(' ', '_')}")(given)

    def _file(self, records: list[OrderRecord]) -> None:
        self.file(*records)

    def _begin(self, records: list[OrderRecord]) -> None:
        self.bring(self.begin(), *records)

    def _complete(self, number: int) -> None:
        for row in self._some(number, ImportState.RUNNING):
            self.complete(row)

    def _close(self, number: int) -> None:
        for row in self._some(number, ImportState.RUNNING):
            self.write(lambda c, key=row.id: ingest.close(c, key, self.now))

    def _reopen(self, number: int) -> None:
        for row in self._some(number, ImportState.CLOSED):
            name = row.file_name.removesuffix(".csv")
            again = self.begin(name=name)
            self.bring(again, order(f"again-{self.files}", 123, customer="a"))

    def _undo(self, number: int) -> None:
        for row in self._some(number, *ImportState):
            undo_import(self.database, TEST, row.id, SimulatedClock(self.now))

    def _half_undo(self, number: int) -> None:
        for row in self._some(number, ImportState.COMPLETE):
            undoing = {"state": ImportState.UNDOING}
            mine = imports.c.id == row.id
            self.write(lambda c: c.execute(update(imports).where(mine).values(undoing)))  # noqa: B023  runs at once

    def _merge(self, names: tuple[str, str]) -> None:
        pair = [self._known(name) for name in names]
        if None in pair or pair[0] == pair[1]:
            return
        self.write(
            lambda c: merges.merge(c, pair[0], pair[1], MergeMethod.PERSON, self.now)
        )

    def _unmerge(self, number: int) -> None:
        made = [m for m in self.database.read_now(merges.newest) if not m.undone_at]
        for each in made[number : number + 1]:
            self.write(lambda c, key=each.id: merges.unmerge(c, key, self.now))

    def _rates(self, told: list[tuple[str, date, float]]) -> None:
        self.rates(*told)

    def _alone(self, record: OrderRecord) -> None:
        customer = None if record.customer is None else self._known(record.customer)
        if customer is None:
            return

        def work(connection: Any) -> None:
            connection.execute(
                insert(orders).values(
                    source_id=connection.scalar(select(func.min(sources.c.id))),
                    external_id=f"alone-{self.files}-{record.external_id}",
                    customer_id=customer,
                    kind=record.kind,
                    ordered_at=record.ordered_at,
                    total_minor=sum(line[2] for line in record.lines),
                    currency=record.currency,
                )
            )
            totals.mark_stale(connection, [customer])

        self.files += 1
        self.write(work)

    def _aside(self, number: int) -> None:
        query = select(orders.c.id, orders.c.customer_id, orders.c.set_aside)
        found = self.read(query.order_by(orders.c.id).offset(number).limit(1))
        for row in found:
            word = "future" if row.set_aside is None else None

            def work(connection: Any, row: Any = row, word: Any = word) -> None:
                mine = update(orders).where(orders.c.id == row.id)
                connection.execute(mine.values(set_aside=word))
                totals.mark_stale(connection, {row.customer_id} - {None})

            self.write(work)

    def _night(self, _: None) -> None:
        self.now += timedelta(days=1)
        self.refresh()

    def _refresh(self, _: None) -> None:
        self.refresh()

    def _some(self, number: int, *states: ImportState) -> list[ingest.Import]:
        found = self.database.read_now(ingest.all_imports)
        mine = [r for r in found if r.state in states and r.kind is RecordKind.ORDERS]
        return mine[number : number + 1]

    def _known(self, name: str) -> int | None:
        kind = IdentityKind.EXTERNAL
        found = self.database.read_now(
            lambda c: customers.find(c, kind, f"shop:{name}")
        )
        return None if found is None else found.id


def empty(connection: Any) -> None:
    connection.execute(update(imports).values(state=ImportState.COMPLETE))
    for table in reversed(metadata.sorted_tables):
        connection.execute(delete(table))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=2, max_size=14))
def test_refreshed_totals_are_those_that_are_built_at_once(
    database: Database, steps: list[tuple[str, Any]]
) -> None:
    story = Story(database)
    story.write(empty)
    for step, given_to_it in steps:
        story.take(step, given_to_it)

    story.refresh()

    refreshed = story.table()
    story.write(totals.start_anew)
    assert story.refresh().built >= len(refreshed)
    assert story.table() == refreshed
