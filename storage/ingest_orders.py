"""Orders and their lines, written batch by batch into rows that are whole.

The lines of an order are numbered in the order of the file. An order that an earlier
import brought is replaced by what this file says of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from core.model import IdentityKind
from core.records import Batch, OrderRecord
from storage.bulk import insert_numbers, insert_rows, lookup, moment_value, new_ids
from storage.earlier_orders import Told, lengthen, meet, total
from storage.external import add_customers, external_customers
from storage.import_journal import NamedIds
from storage.ingest import Import, Progress, save_progress
from storage.ingest_products import change_products
from storage.schema import merges, order_lines, orders, products, suppressions

# Ids of known customers and products are kept up to so many.
KNOWN_MAX = 100_000

_ORDER = (
    *("id", "source_id", "external_id", "customer_id", "kind", "ordered_at"),
    *("total_minor", "currency", "import_id"),
)
# Few files have these, and a column costs time in every row.
_SELDOM = ("discount_minor", "coupon", "status")
_LINE = ("order_id", "line_no", "product_id", "quantity", "amount_minor")
_PRODUCT = ("id", "source_id", "external_id", "name", "active", "import_id")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the lines of a record go: behind the `lines` that the order has."""

    order_id: int
    lines: int = 0
    is_ours: bool = True


@dataclass(slots=True)
class Learned:
    """What a batch found out; kept only when it is committed."""

    progress: Progress
    # None: whoever asked to be forgotten; their orders are nobody's.
    customers: dict[str, int | None] = field(default_factory=dict)
    products: dict[str | None, int | None] = field(default_factory=dict)
    unnamed: set[str] = field(default_factory=set)
    # Orders of earlier imports that this one has named; None: not looked at yet.
    met: NamedIds | None = None
    known_as: tuple[int, ...] = ()


class OrderWriter:
    """Writes the batches of one import of orders.

    Parameters
    ----------
    row : the import, as `ingest.begin` gave it

    `adds` is set where the file has lines that an earlier import left out: they join
    the orders that are there and replace none.

    Call `write` inside a write of the database (it may run again, then with the same
    result), and `learn` with what it returned once that is committed.
    """

    def __init__(self, row: Import) -> None:
        self.progress = row.progress
        self.adds = False
        self._import = row
        self._customers: dict[str, int | None] = {}
        # A line that is money alone has no product.
        self._products: dict[str | None, int | None] = {None: None}
        self._unnamed: set[str] = set()
        self._met: NamedIds | None = None
        self._known_as: tuple[int, ...] = ()

    def write(
        self, connection: Connection, batch: Batch[OrderRecord], now: datetime
    ) -> Learned:
        """Store a batch and the place that it reached.

        Parameters
        ----------
        connection : a writing one
        batch : orders, each once and with at least one line
        now : aware; when new customers came to be known

        Returns
        -------
        What `learn` takes.
        """
        learned = Learned(self.progress.after(batch, Counter()))
        save_progress(connection, self._import, self.progress, learned.progress)
        learned.met = self._met
        learned.known_as = _people(connection)
        if learned.known_as != self._known_as:
            # Whoever was merged since has another id now, or none at all.
            self._customers.clear()
        self._know_customers(connection, batch.records, learned, now)
        self._know_products(connection, batch, learned)
        self._store(connection, batch.records, learned)
        self._count_forgotten(connection, batch, learned)
        return learned

    def learn(self, learned: Learned) -> None:
        """Take over what a committed batch found out."""
        self.progress = learned.progress
        if len(self._customers) > KNOWN_MAX:
            self._customers.clear()
        if len(self._products) > KNOWN_MAX:
            self._products = {None: None}
        self._customers |= learned.customers
        self._products |= learned.products
        self._unnamed = learned.unnamed
        self._met = learned.met
        self._known_as = learned.known_as

    def _know_customers(
        self,
        connection: Connection,
        records: list[OrderRecord],
        learned: Learned,
        now: datetime,
    ) -> None:
        countries: dict[str, str | None] = {}
        for record in records:
            name = record.customer
            if name is not None and name not in self._customers:
                countries.setdefault(name, record.country)
        source = self._import.source
        known = external_customers(connection, source, countries)
        new = {n: c for n, c in countries.items() if n not in known}
        made = add_customers(connection, self._import, new, now)
        learned.customers = {name: made.get(name) for name in new}
        learned.customers.update(known)

    def _count_forgotten(
        self, connection: Connection, batch: Batch[OrderRecord], learned: Learned
    ) -> None:
        count = sum(self._is_forgotten(record, learned) for record in batch.records)
        if count:
            before = learned.progress
            learned.progress = self.progress.after(batch, Counter(erased=count))
            save_progress(connection, self._import, before, learned.progress)

    def _know_products(
        self, connection: Connection, batch: Batch[OrderRecord], learned: Learned
    ) -> None:
        names = batch.products
        unknown = [code for code in names if code not in self._products]
        found = self._stored_products(connection, unknown, learned)
        new = [code for code in unknown if code not in found]
        ids: dict[str | None, int | None] = dict(
            zip(new, new_ids(connection, products, len(new)), strict=True)
        )
        source = self._import.source_id
        import_id = self._import.id
        rows = [
            (ids[code], source, code, names[code] or code, True, import_id)
            for code in new
        ]
        insert_rows(connection, products, _PRODUCT, rows)
        learned.products = found | ids
        unnamed = self._unnamed | learned.unnamed
        told = {code: names[code] for code in unnamed & names.keys() if names[code]}
        self._name_products(connection, told)
        learned.unnamed = unnamed - told.keys()
        learned.unnamed |= {code for code in new if not names[code]}

    def _name_products(self, connection: Connection, told: dict[str, str]) -> None:
        """Products that were only a code so far."""
        columns = [
            products.c[name] for name in ("id", "external_id", "name", "import_id")
        ]
        ours = products.c.source_id == self._import.source_id
        stored = lookup(connection, products.c.external_id, told, columns, ours)
        changes = {each: {"name": told[each.external_id]} for each in stored}
        change_products(connection, self._import, changes)

    def _stored_products(
        self, connection: Connection, codes: list[str], learned: Learned
    ) -> dict[str | None, int | None]:
        found: dict[str | None, int | None] = {}
        columns = products.c.external_id, products.c.id, products.c.name
        ours = products.c.source_id == self._import.source_id
        rows = lookup(connection, products.c.external_id, codes, columns, ours)
        for code, key, name in rows:
            found[code] = key
            if name == code:
                learned.unnamed.add(code)
        return found

    def _store(
        self, connection: Connection, records: list[OrderRecord], learned: Learned
    ) -> None:
        known = self._known_orders(connection, [r.external_id for r in records])
        new = [record for record in records if record.external_id not in known]
        ids = new_ids(connection, orders, len(new))
        names = (record.external_id for record in new)
        places = {name: _Place(key) for name, key in zip(names, ids, strict=True)} | {
            name: place for name, place in known.items() if place.is_ours
        }
        self._insert_heads(connection, new, places, learned)
        stored = [record for record in records if record.external_id in known]
        if stored:
            self._lengthen(connection, stored, known)
            places |= self._meet_earlier(connection, stored, known, learned)
        lines: list[tuple[int | None, ...]] = []
        product_ids = self._products | learned.products
        for record in records:
            place = places.get(record.external_id)
            if place is None:
                continue
            order_id = place.order_id
            lines += [
                (order_id, number, product_ids[code], quantity, amount)
                for number, (code, quantity, amount) in enumerate(
                    record.lines, place.lines + 1
                )
            ]
        insert_numbers(connection, order_lines, _LINE, lines)

    def _known_orders(
        self, connection: Connection, names: list[str]
    ) -> dict[str, _Place]:
        mine = orders.c.import_id == self._import.id
        newest = (
            select(func.max(order_lines.c.line_no))
            .where(order_lines.c.order_id == orders.c.id)
            .scalar_subquery()
        )
        columns = (
            *(orders.c.external_id, orders.c.id, orders.c.import_id),
            case((mine, newest), else_=0),
        )
        ours = orders.c.source_id == self._import.source_id
        rows = lookup(connection, orders.c.external_id, names, columns, ours)
        return {
            name: _Place(key, lines or 0, import_id == self._import.id)
            for name, key, import_id, lines in rows
        }

    def _insert_heads(
        self,
        connection: Connection,
        new: list[OrderRecord],
        places: dict[str, _Place],
        learned: Learned,
    ) -> None:
        seldom = any(r.discount_minor or r.coupon or r.status for r in new)
        rows = [
            (
                places[record.external_id].order_id,
                self._import.source_id,
                record.external_id,
                self._customer_id(record, learned),
                record.kind.value,
                moment_value(connection, record.ordered_at),
                total(record),
                record.currency,
                self._import.id,
                *(_seldom(record) if seldom else ()),
            )
            for record in new
        ]
        columns = (*_ORDER, *_SELDOM) if seldom else _ORDER
        insert_rows(connection, orders, columns, rows)

    def _lengthen(
        self,
        connection: Connection,
        records: list[OrderRecord],
        known: dict[str, _Place],
    ) -> None:
        """More lines for orders that this import brought."""
        places = [(known[record.external_id], record) for record in records]
        lengthen(connection, [(p.order_id, r) for p, r in places if p.is_ours])

    def _meet_earlier(
        self,
        connection: Connection,
        records: list[OrderRecord],
        known: dict[str, _Place],
        learned: Learned,
    ) -> dict[str, _Place]:
        """Where the lines go of earlier imports' orders that are others now."""
        product_ids = self._products | learned.products
        told = {
            record.external_id: Told(
                known[record.external_id].order_id,
                record,
                self._customer_id(record, learned),
                [
                    (product_ids[code], units, amount)
                    for code, units, amount in record.lines
                ],
            )
            for record in records
            if not known[record.external_id].is_ours
        }
        if not told:
            return {}
        orders_told = list(told.values())
        found = meet(connection, self._import, orders_told, self._met, adds=self.adds)
        learned.met = found.ids
        return {
            name: _Place(each.order_id, found.kept_lines[each.order_id])
            for name, each in told.items()
            if each.order_id in found.kept_lines
        }

    def _customer_id(self, record: OrderRecord, learned: Learned) -> int | None:
        name = record.customer
        if name is None:
            return None
        known = learned.customers if name in learned.customers else self._customers
        return known[name]

    def _is_forgotten(self, record: OrderRecord, learned: Learned) -> bool:
        named = record.customer is not None
        return named and self._customer_id(record, learned) is None


def _people(connection: Connection) -> tuple[int, ...]:
    """Another value after every merge, every undone one, and every erasure."""
    newest = select(func.count(), func.count(merges.c.undone_at)).select_from(merges)
    gone = select(func.count()).where(suppressions.c.channel == IdentityKind.EXTERNAL)
    made, undone = connection.execute(newest).one()
    return made, undone, connection.scalar(gone) or 0


def _seldom(record: OrderRecord) -> tuple[int, str | None, str | None]:
    return record.discount_minor, record.coupon, record.status
