"""Orders and their lines, written batch by batch into rows that are whole.

The lines of an order are numbered in the order of the file. An order that an earlier
import brought is replaced by what this file says of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

from sqlalchemy import Connection, bindparam, case, delete, func, select, update
from sqlalchemy.dialects import postgresql

from core.records import Batch, OrderRecord
from storage.bulk import (
    insert_numbers,
    insert_rows,
    lookup,
    moment_value,
    new_ids,
    update_rows,
)
from storage.external import add_customers, external_customers
from storage.ingest import Import, Progress, save_progress
from storage.schema import order_lines, orders, products

# Ids of known customers and products are kept up to so many.
KNOWN_MAX = 100_000

_ORDER = (
    *("id", "source_id", "external_id", "customer_id", "kind", "ordered_at"),
    *("total_minor", "currency", "import_id"),
)
_AMOUNT = itemgetter(2)
_LINE = ("order_id", "line_no", "product_id", "quantity", "amount_minor")
_PRODUCT = ("id", "source_id", "external_id", "name", "active")
_PRICE = ("price_minor", "currency")
PRICES_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class _Order:
    """An order that is there already; `lines` counts those of this import."""

    id: int
    import_id: int | None
    lines: int


@dataclass(slots=True)
class Learned:
    """What a batch found out; kept only when it is committed."""

    progress: Progress
    customers: dict[str, int] = field(default_factory=dict)
    products: dict[str | None, int | None] = field(default_factory=dict)
    unnamed: set[str] = field(default_factory=set)


class OrderWriter:
    """Writes the batches of one import of orders.

    Parameters
    ----------
    row : the import, as `ingest.begin` gave it

    Call `write` inside a write of the database (it may run again, then with the same
    result), and `learn` with what it returned once that is committed.
    """

    def __init__(self, row: Import) -> None:
        self.progress = row.progress
        self._import = row
        self._customers: dict[str, int] = {}
        # A line that is money alone has no product.
        self._products: dict[str | None, int | None] = {None: None}
        self._unnamed: set[str] = set()

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
        self._know_customers(connection, batch.records, learned, now)
        self._know_products(connection, batch, learned)
        self._store(connection, batch.records, learned)
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
        learned.customers = external_customers(connection, source, countries)
        new = {n: c for n, c in countries.items() if n not in learned.customers}
        learned.customers |= add_customers(connection, self._import, new, now)

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
        rows = [(ids[code], source, code, names[code] or code, True) for code in new]
        insert_rows(connection, products, _PRODUCT, rows)
        learned.products = found | ids
        unnamed = self._unnamed | learned.unnamed
        named = {code for code in unnamed & names.keys() if names[code]}
        known = self._products | learned.products if named else {}
        changes = [(names[code], known[code]) for code in sorted(named)]
        update_rows(connection, products, ("name",), changes)
        learned.unnamed = (unnamed - named) | {code for code in new if not names[code]}

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
        stored = self._stored_orders(connection, [r.external_id for r in records])
        new = [record for record in records if record.external_id not in stored]
        ids = dict(
            zip(
                (record.external_id for record in new),
                new_ids(connection, orders, len(new)),
                strict=True,
            )
        )
        self._insert_heads(connection, new, ids, learned)
        self._change_heads(connection, records, stored, learned)
        product_ids = self._products | learned.products
        lines: list[tuple[int | None, ...]] = []
        for record in records:
            order = stored.get(record.external_id)
            order_id = ids[record.external_id] if order is None else order.id
            first = 1 if order is None else order.lines + 1
            lines += [
                (order_id, number, product_ids[code], quantity, amount)
                for number, (code, quantity, amount) in enumerate(record.lines, first)
            ]
        insert_numbers(connection, order_lines, _LINE, lines)

    def _stored_orders(
        self, connection: Connection, names: list[str]
    ) -> dict[str, _Order]:
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
        return {row[0]: _Order(row[1], row[2], row[3] or 0) for row in rows}

    def _insert_heads(
        self,
        connection: Connection,
        new: list[OrderRecord],
        ids: dict[str, int],
        learned: Learned,
    ) -> None:
        rows = [
            (
                ids[record.external_id],
                self._import.source_id,
                record.external_id,
                self._customer_id(record, learned),
                record.kind.value,
                moment_value(connection, record.ordered_at),
                _total(record),
                record.currency,
                self._import.id,
            )
            for record in new
        ]
        insert_rows(connection, orders, _ORDER, rows)

    def _change_heads(
        self,
        connection: Connection,
        records: list[OrderRecord],
        stored: dict[str, _Order],
        learned: Learned,
    ) -> None:
        """More lines for orders of this import; those of an earlier one anew."""
        more, anew = [], []
        for record in records:
            order = stored.get(record.external_id)
            if order is None:
                continue
            change = {"key": order.id, "total": _total(record)}
            if order.import_id == self._import.id:
                more.append(change)
            else:
                anew.append(change | self._head(record, learned))
        if more:
            connection.execute(_MORE, more)
        if anew:
            connection.execute(_CLEAR, anew)
            connection.execute(_ANEW, anew)

    def _head(self, record: OrderRecord, learned: Learned) -> dict[str, object]:
        return {
            "customer": self._customer_id(record, learned),
            "sort": record.kind.value,
            "at": record.ordered_at,
            "code": record.currency,
            "import": self._import.id,
        }

    def _customer_id(self, record: OrderRecord, learned: Learned) -> int | None:
        name = record.customer
        if name is None:
            return None
        return learned.customers.get(name) or self._customers[name]


def newest_prices(connection: Connection, import_id: int) -> list[tuple[int, str, int]]:
    """What one unit cost in the newest sale of each product in an import.

    Parameters
    ----------
    connection : a reading one
    import_id : whose orders are looked at

    Returns
    -------
    Rows for `save_prices`: price in minor units, currency, product id.
    """
    query = (
        select(
            order_lines.c.product_id,
            order_lines.c.amount_minor,
            order_lines.c.quantity,
            orders.c.currency,
        )
        .join(orders, orders.c.id == order_lines.c.order_id)
        .where(
            orders.c.import_id == import_id,
            order_lines.c.product_id.is_not(None),
            order_lines.c.amount_minor > 0,
            order_lines.c.quantity > 0,
        )
    )
    if connection.dialect.name == "postgresql":
        query = query.ext(postgresql.distinct_on(order_lines.c.product_id)).order_by(
            order_lines.c.product_id,
            orders.c.ordered_at.desc(),
            orders.c.id.desc(),
            order_lines.c.line_no.desc(),
        )
    else:
        # SQLite takes the other columns from the row that has the maximum.
        place = orders.c.ordered_at, orders.c.id, order_lines.c.line_no
        newest = func.max(func.printf("%s %020d %09d", *place))
        query = query.add_columns(newest).group_by(order_lines.c.product_id)
    return [
        ((2 * row.amount_minor + row.quantity) // (2 * row.quantity), row[3], row[0])
        for row in connection.execute(query)
    ]


def save_prices(connection: Connection, prices: Sequence[tuple[int, str, int]]) -> None:
    """Let products have the prices of `newest_prices`.

    Parameters
    ----------
    connection : a writing one
    prices : at most `PRICES_AT_ONCE` of them, so that the write stays short
    """
    update_rows(connection, products, _PRICE, prices)


def _total(record: OrderRecord) -> int:
    return sum(map(_AMOUNT, record.lines))


_MORE = (
    update(orders)
    .where(orders.c.id == bindparam("key"))
    .values(total_minor=orders.c.total_minor + bindparam("total"))
)
_CLEAR = delete(order_lines).where(order_lines.c.order_id == bindparam("key"))
_ANEW = (
    update(orders)
    .where(orders.c.id == bindparam("key"))
    .values(
        customer_id=bindparam("customer"),
        kind=bindparam("sort"),
        ordered_at=bindparam("at"),
        total_minor=bindparam("total"),
        currency=bindparam("code"),
        import_id=bindparam("import"),
    )
)
