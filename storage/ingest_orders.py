"""Orders and their lines, written batch by batch into rows that are whole.

The lines of an order are numbered in the order of the file. An order that an earlier
import brought is replaced by what this file says of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, delete, func, select, update

from core.records import Batch, OrderRecord, Sale
from storage.bulk import insert_numbers, insert_rows, lookup, moment_value, new_ids
from storage.external import add_customers, external_customers
from storage.ingest import Import, Progress, save_progress
from storage.schema import order_lines, orders, products

# Ids of known customers and products are kept up to so many.
KNOWN_MAX = 100_000

_ORDER = (
    *("id", "source_id", "external_id", "customer_id", "kind", "ordered_at"),
    *("total_minor", "currency", "import_id"),
)
_LINE = ("order_id", "line_no", "product_id", "quantity", "amount_minor")
_PRODUCT = (
    *("id", "source_id", "external_id", "name", "price_minor", "currency", "active"),
)


@dataclass(frozen=True, slots=True)
class _Product:
    """What the products table says of one product."""

    id: int
    name: str
    price_minor: int | None


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
    products: dict[str, _Product] = field(default_factory=dict)


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
        self._products: dict[str, _Product] = {}

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
        self._know_customers(connection, batch.records, learned, now)
        self._know_products(connection, batch, learned)
        self._store(connection, batch.records, learned)
        save_progress(connection, self._import.id, learned.progress)
        return learned

    def learn(self, learned: Learned) -> None:
        """Take over what a committed batch found out."""
        self.progress = learned.progress
        if len(self._customers) > KNOWN_MAX:
            self._customers.clear()
        if len(self._products) > KNOWN_MAX:
            self._products.clear()
        self._customers |= learned.customers
        self._products |= learned.products

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
        columns = {"country": list(new.values())}
        learned.customers |= add_customers(
            connection, self._import, list(new), columns, now
        )

    def _know_products(
        self, connection: Connection, batch: Batch[OrderRecord], learned: Learned
    ) -> None:
        unknown = [code for code in batch.products if code not in self._products]
        found = self._stored_products(connection, unknown)
        new = [code for code in unknown if code not in found]
        currency = batch.records[0].currency if batch.records else None
        ids = new_ids(connection, products, len(new))
        for key, code in zip(ids, new, strict=True):
            name, price = batch.products[code] or ("", None)
            found[code] = _Product(key, name or code, price)
        source = self._import.source_id
        rows = [
            (p.id, source, code, p.name, p.price_minor, currency, True)
            for code, p in ((code, found[code]) for code in new)
        ]
        insert_rows(connection, products, _PRODUCT, rows)
        learned.products = found
        self._change_products(connection, batch.products, learned, currency)

    def _stored_products(
        self, connection: Connection, codes: list[str]
    ) -> dict[str, _Product]:
        rows = lookup(
            connection,
            products.c.external_id,
            codes,
            [products.c[name] for name in ("external_id", "id", "name", "price_minor")],
            products.c.source_id == self._import.source_id,
        )
        return {row[0]: _Product(row[1], row[2], row[3]) for row in rows}

    def _change_products(
        self,
        connection: Connection,
        sales: dict[str, Sale | None],
        learned: Learned,
        currency: str | None,
    ) -> None:
        """Names and prices follow the newest sale; a missing name changes nothing."""
        changed = []
        for code, sale in sales.items():
            if sale is None:
                continue
            known = learned.products.get(code) or self._products[code]
            name, price = sale[0] or known.name, sale[1]
            if price != known.price_minor or name != known.name:
                learned.products[code] = _Product(known.id, name, price)
                changed.append(
                    {"key": known.id, "label": name, "price": price, "code": currency}
                )
        if changed:
            connection.execute(_CHANGE_PRODUCT, changed)

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
        product_ids: dict[str | None, int | None] = {
            code: product.id
            for code, product in (self._products | learned.products).items()
        }
        product_ids[None] = None
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


def _total(record: OrderRecord) -> int:
    return sum([amount for _, _, amount in record.lines])


_CHANGE_PRODUCT = (
    update(products)
    .where(products.c.id == bindparam("key"))
    .values(
        name=bindparam("label"),
        price_minor=bindparam("price"),
        currency=bindparam("code"),
    )
)
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
