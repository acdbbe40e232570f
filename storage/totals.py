"""Sums over each customer's orders, kept up to date by what has arrived since.

A total holds the orders of imports that were added, and those without an import; who
changes an order of a customer marks the customer's total as stale in the same write.
So at every commit each total without a mark is exact. `refresh` adds the imports that
arrived since, counts anew who is marked, and builds all anew where it must: it reads
of one moment and writes in small steps. Totals are read after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, bindparam, delete, func, select

from core.errors import LeaseLost, Problem
from core.model import Actor
from storage import sums, totalled
from storage.database import Database
from storage.dialect import upsert
from storage.parallel_sums import parallel_sums
from storage.schema import customer_totals, installation, orders, stale_totals

T = TypeVar("T")
Row = Sequence[Any]

# About 10 ms of a write transaction: all that write to SQLite wait for it.
CUSTOMERS_PER_WRITE = 1000
# On PostgreSQL nobody waits; a commit costs more than its rows.
CUSTOMERS_PER_WRITE_ELSEWHERE = 10_000
CUSTOMERS_PER_COUNT = 500
STATE = "totals"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What was done: customers built or counted anew, imports added.

    `unpriced` orders are in no total, for want of a currency rate.
    """

    built: int = 0
    added: int = 0
    recounted: int = 0
    unpriced: int = 0


def mark_stale(connection: Connection, customer_ids: Iterable[int]) -> None:
    """Let these customers' totals be counted anew.

    Who changes, moves or takes away an order that may be counted already calls it in
    the same write, for the customer who had the order and for the one who has it.
    """
    rows = [{"customer_id": each} for each in sorted(set(customer_ids))]
    if not rows:
        return
    statement = upsert(connection, stale_totals)
    # A mark upon a mark holds the row until this write ends: nobody takes it away who
    # could not see the change yet.
    statement = statement.on_conflict_do_update(
        index_elements=["customer_id"], set_={"marks": stale_totals.c.marks + 1}
    )
    connection.execute(statement, rows)


def start_anew(connection: Connection) -> None:
    """Let the next refresh build all totals: many orders came without an import."""
    turn, _ = _state(connection)
    _save_state(connection, turn + 1, "")


def refresh(database: Database, actor: Actor, shop: str, now: datetime) -> Refreshed:
    """Bring `customer_totals` up to date; at the end it is as if built at once.

    Parameters
    ----------
    database : on SQLite no write takes longer than a thousand rows do
    actor : who asks
    shop : the currency of the totals; another than before means that all are built
    now : aware; later orders wait for a later refresh

    Returns
    -------
    What was done.

    Raises
    ------
    LeaseLost : somebody else began to refresh; theirs goes on
    """
    while True:
        try:
            return _Refresh(database, actor, shop, now).whole()
        except totalled.Superseded:
            continue


class _Refresh:
    def __init__(
        self, database: Database, actor: Actor, shop: str, now: datetime
    ) -> None:
        self._database = database
        self._actor = actor
        self._shop = shop
        self._now = now
        self._turn = 0
        few, many = CUSTOMERS_PER_WRITE, CUSTOMERS_PER_WRITE_ELSEWHERE
        self._size = few if database.is_sqlite else many

    def whole(self) -> Refreshed:
        must_build, self._turn = self._database.write_now(self._actor, self._begin)
        built = self._build() if must_build else 0
        self._reprice()
        added = self._add_arrived()
        return Refreshed(built, added, self._recount(), self._unpriced())

    # Turns: of two that refresh at once, the later goes on.

    def _begin(self, connection: Connection) -> tuple[bool, int]:
        turn, currency = _state(connection)
        must_build = currency != self._shop or totalled.is_broken(connection)
        _save_state(connection, turn + 1, "" if must_build else currency)
        return must_build, turn + 1

    def _write(self, work: Callable[[Connection], T]) -> T:
        def in_turn(connection: Connection) -> T:
            if _state(connection)[0] != self._turn:
                raise LeaseLost(Problem("another analysis began meanwhile"))
            return work(connection)

        return self._database.write_now(self._actor, in_turn)

    def _parts(self, query: Any) -> Iterator[Sequence[Row]]:
        """What a query gives of one moment, while parts of it are written."""
        with self._database.read_engine.connect() as connection, connection.begin():
            yield from connection.execute(query).partitions(self._size)

    # All at once

    def _build(self) -> int:
        for table in (customer_totals, stale_totals):
            while self._write(partial(_delete_some, table=table, size=self._size)):
                pass
        self._write(partial(totalled.take_arrived, now=self._now))
        built = 0
        is_sqlite = self._database.is_sqlite
        sums_of = sums.sums_of_orders if is_sqlite else parallel_sums
        for rows in self._parts(sums_of(self._shop, self._now, sums.counted_whole())):
            self._write(partial(_insert, rows=rows))
            built += len(rows)
        self._write(self._end_build)
        return built

    def _end_build(self, connection: Connection) -> None:
        if totalled.is_broken(connection):
            raise totalled.Superseded
        _save_state(connection, self._turn, self._shop)

    # What arrived since

    def _reprice(self) -> None:
        """Mark whose orders other rates concern than when they were counted."""
        for rates in self._database.read_now(totalled.changed_rates):
            whose = partial(totalled.buyers_abroad, shop=self._shop, rates=rates)
            ids = self._database.read_now(whose)
            for first in range(0, len(ids), self._size):
                part = ids[first : first + self._size]
                self._write(partial(mark_stale, customer_ids=part))
            self._write(partial(totalled.take_rates, rates=rates, now=self._now))

    def _add_arrived(self) -> int:
        waiting = self._database.read_now(totalled.waiting_imports)
        for import_id, reached in waiting:
            self._add(import_id, reached)
        return len(waiting)

    def _add(self, import_id: int, reached: int) -> None:
        mine = sums.of_import(import_id, reached)
        for rows in self._parts(sums.sums_of_orders(self._shop, self._now, mine)):
            add = partial(_add, import_id=import_id, reached=reached, rows=rows)
            self._write(add)
            reached = rows[-1][0]
        done = {"totalled_at": self._now, "totalled_to": None}
        advance = partial(
            totalled.advance, import_id=import_id, reached=reached, done=done
        )
        self._write(advance)

    # Who is marked

    def _recount(self) -> int:
        recounted = after = 0
        while marks := self._database.read_now(partial(_marks, after=after)):
            theirs = and_(orders.c.customer_id.in_(marks), sums.counted())
            query = sums.sums_of_orders(self._shop, self._now, theirs)
            # The marks were read before: a change since then has made more of them.
            rows = self._database.read_now(partial(_all, query=query))
            self._write(partial(_replace, marks=marks, rows=rows))
            recounted += len(marks)
            after = max(marks)
        return recounted

    def _unpriced(self) -> int:
        query = select(func.sum(customer_totals.c.unpriced_count))
        return int(self._database.read_now(lambda c: c.scalar(query)) or 0)


def _state(connection: Connection) -> tuple[int, str]:
    """Whose turn it is, and the currency of the totals: "" where none are whole."""
    value = connection.scalar(
        select(installation.c.value)
        .where(installation.c.key == STATE)
        .with_for_update()
    )
    turn, _, currency = bytes(value or b"0:").decode().partition(":")
    return int(turn), currency


def _save_state(connection: Connection, turn: int, currency: str) -> None:
    value = f"{turn}:{currency}".encode()
    connection.execute(
        upsert(connection, installation)
        .values(key=STATE, value=value)
        .on_conflict_do_update(index_elements=["key"], set_={"value": value})
    )


def _marks(connection: Connection, after: int) -> dict[int, int]:
    """The next customers who are marked, each with the number of marks."""
    rows = connection.execute(
        select(stale_totals)
        .where(stale_totals.c.customer_id > after)
        .order_by(stale_totals.c.customer_id)
        .limit(CUSTOMERS_PER_COUNT)
    )
    return {row.customer_id: row.marks for row in rows}


def _all(connection: Connection, query: Any) -> Sequence[Row]:
    return connection.execute(query).all()


def _insert(connection: Connection, rows: Sequence[Row]) -> None:
    sums.insert(connection, rows)
    mark_stale(connection, sums.with_later_orders(rows))


def _add(
    connection: Connection, import_id: int, reached: int, rows: Sequence[Row]
) -> None:
    to = {"totalled_to": rows[-1][0]}
    totalled.advance(connection, import_id, reached, to)
    sums.add(connection, rows)
    mark_stale(connection, sums.with_later_orders(rows))


def _replace(
    connection: Connection, marks: dict[int, int], rows: Sequence[Row]
) -> None:
    sums.replace(connection, marks, rows)
    # Who has orders that are still to come is counted again next time.
    waiting = set(sums.with_later_orders(rows))
    exact = [
        {"customer": customer, "seen": seen}
        for customer, seen in marks.items()
        if customer not in waiting
    ]
    if exact:
        connection.execute(_UNMARK, exact)


_UNMARK = delete(stale_totals).where(
    stale_totals.c.customer_id == bindparam("customer"),
    stale_totals.c.marks == bindparam("seen"),
)


def _delete_some(connection: Connection, table: Any, size: int) -> int:
    some = select(table.c.customer_id).limit(size)
    gone = delete(table).where(table.c.customer_id.in_(some))
    return connection.execute(gone).rowcount
