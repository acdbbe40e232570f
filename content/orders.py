"""Lines of orders, read from a table: exact amounts, moments in UTC, rejects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from operator import itemgetter
from typing import TypeVar

from content.mapping import FileMapping
from content.rows import CHUNK_ROWS, EXTERNAL_ID_MAX, FileDefaults, column_name
from content.table import Chunk, Misfit, Table
from content.values import (
    QUANTITY_MAX,
    BadValue,
    Moments,
    Numbers,
    Words,
    divided,
    minor_places,
    whole,
)
from core.model import OrderKind
from core.records import Batch, OrderRecord, Reject

# In every line; the others are looked at where an order begins.
_FIELDS = (
    *("order", "ordered_at", "customer", "product", "product_name"),
    *("quantity", "price"),
)
_HEAD = (
    *("order", "ordered_at", "customer", "country", "currency"),
    *("discount", "coupon", "status", "kind"),
)

V = TypeVar("V")

KINDS = {
    **dict.fromkeys(("sale", "order", "销售"), OrderKind.SALE),
    **dict.fromkeys(("return", "refund", "退货"), OrderKind.RETURN),
}
# An order of the batch, with the words for date and customer of its first line.
Opened = tuple[OrderRecord, str, str]


class OrderReader:
    """Batches of orders from a table.

    What is said of an order as a whole is taken from its first line; later lines may
    leave it out. A batch ends where another order begins, after `batch_lines` lines
    or more; the number may be set between two batches.
    """

    def __init__(
        self, table: Table, mapping: FileMapping, defaults: FileDefaults
    ) -> None:
        self.batch_lines = CHUNK_ROWS
        self._table = table
        self._rules = mapping.rules
        self._missing = frozenset(mapping.missing)
        self._mapping = mapping
        self._fallbacks = {"quantity": "1", "currency": defaults.currency}
        self._fallbacks |= mapping.defaults
        # Absent columns read these cells, which every row gets at its end.
        self._extras: list[str] = []
        self._amount_given = "amount" in table.indexes
        self._pick = itemgetter(*(self._place(field) for field in _FIELDS))
        self._pick_head = itemgetter(*(self._place(field) for field in _HEAD))
        moments = Moments(mapping.dates, mapping.timezone or defaults.timezone)
        self._numbers = Numbers(mapping.decimal)
        self._moments: Words[datetime] = _words("ordered_at", moments.moment)
        self._quantities: Words[int] = _words("quantity", self._quantity)
        self._codes: Words[str | None] = Words(self._code)
        self._places: Words[int] = _words("currency", minor_places)
        self._prices: dict[int, Words[tuple[int, int]]] = {}
        self._names: Words[str] = Words(lambda word: self._word(word, "product_name"))
        self._batch: Batch[OrderRecord] = Batch()
        self._opened: dict[str, Opened] = {}
        self._told: dict[str, OrderKind] = {}

    def batches(self, position: int = 0) -> Iterator[Batch[OrderRecord]]:  # noqa: PLR0912, PLR0915  see below
        """All that follows line `position`, where an earlier batch ended."""
        # The one loop over every line of a file: calls and attributes cost too much.
        width, extras, pick = self._table.width, self._extras, self._pick
        quantities, codes = self._quantities, self._codes
        limit = self._rules.quantity_limit or QUANTITY_MAX
        amount_given = self._amount_given
        count, products = 0, self._batch.products
        open_name = open_when = open_customer = None
        for chunk in self._table.chunks(position, CHUNK_ROWS):
            begun = 0
            for index, row in enumerate(chunk.rows):
                if len(row) != width:
                    self._reject_misfit(chunk, index)
                    continue
                row.extend(extras)
                name, when, customer, code, label, units, price = pick(row)
                try:
                    if name != open_name:
                        if count >= self.batch_lines:
                            self._batch.rows += index - begun
                            yield self._cut(chunk.line(index) - 1)
                            count, begun = 0, index
                            products = self._batch.products
                        record, open_when, open_customer = self._order(name, row)
                        open_name = name
                        lines, prices = record.lines, self._price_words(record)
                    quantity = quantities[units]
                    value, divisor = prices[price]
                    product = codes[code]
                    if when != open_when or customer != open_customer:
                        self._compare(when, open_when, customer, open_customer)
                except BadValue as problem:
                    self._reject(chunk, index, problem)
                    continue
                amount = value if amount_given else value * quantity
                if divisor != 1:
                    amount = self._rounded(amount, divisor)
                if not lines:
                    record.kind = self._kind(name, quantity, amount)
                if not -limit <= quantity <= limit:
                    self._batch.flagged["quantity_over_limit"] += 1
                lines.append((product, quantity, amount))
                count += 1
                # Corrections of the stock are named "damaged" or "?"; sales are not.
                if product is not None and not products.get(product):
                    products[product] = label if amount > 0 else ""
            self._batch.rows += len(chunk.rows) - begun
            position = chunk.line(len(chunk.rows)) - 1
        yield self._cut(position)

    def _place(self, field: str) -> int:
        column = "amount" if field == "price" and self._amount_given else field
        if column in self._table.indexes:
            return self._table.indexes[column]
        self._extras.append(self._fallbacks.get(field, ""))
        return self._table.width + len(self._extras) - 1

    def _order(self, name: str, row: list[str]) -> Opened:
        """The order of this row, which may have had lines in the batch before."""
        if name not in self._opened:
            when, customer = itemgetter(1, 2)(self._pick_head(row))
            self._opened[name] = self._open(row), when, customer
            self._batch.records.append(self._opened[name][0])
        return self._opened[name]

    def _open(self, row: list[str]) -> OrderRecord:
        name, when, customer, country, currency, discount, coupon, status, kind = (
            self._pick_head(row)
        )
        code = (currency.strip() or self._fallbacks["currency"]).upper()
        told = self._told_kind(kind)
        if told is not None:
            self._told[name] = told
        return OrderRecord(
            external_id=self._identifier(name, "order"),
            customer=self._identifier(customer, "customer", required=False) or None,
            country=self._word(country, "country") or None,
            kind=told or OrderKind.SALE,
            ordered_at=self._moments[when],
            currency=code,
            lines=[],
            discount_minor=self._discount(discount, self._places[code]),
            coupon=self._identifier(coupon, "coupon", required=False) or None,
            status=self._identifier(status, "status", required=False) or None,
        )

    def _discount(self, text: str, places: int) -> int:
        """What is taken off; some shops write it with a minus."""
        word = self._word(text, "discount")
        if not word:
            return 0
        try:
            return abs(divided(*self._numbers.minor(word, places)))
        except BadValue as problem:
            problem.field = "discount"
            raise

    def _cut(self, position: int) -> Batch[OrderRecord]:
        done, self._batch = self._batch, Batch()
        self._opened, self._told = {}, {}
        done.position = position
        names = self._names
        done.products = {code: names[label] for code, label in done.products.items()}
        done.records = [record for record in done.records if record.lines]
        return done

    def _told_kind(self, text: str) -> OrderKind | None:
        word = self._word(text, "kind").lower()
        if word and word not in KINDS:
            raise BadValue("bad_order_kind", text, "kind")
        return KINDS.get(word)

    def _kind(self, name: str, quantity: int, amount: int) -> OrderKind:
        if name in self._told:
            return self._told[name]
        prefix = self._rules.return_prefix
        marked = prefix is not None and name.startswith(prefix)
        return (
            OrderKind.RETURN if marked or quantity < 0 or amount < 0 else OrderKind.SALE
        )

    def _word(self, text: str, field: str) -> str:
        """A word without blanks around it, as the mapping's values say."""
        word = text.strip()
        if word in self._missing:
            return ""
        return self._mapping.values.get(field, {}).get(word, word)

    def _identifier(self, text: str, field: str, *, required: bool = True) -> str:
        word = self._word(text, field)
        if required and not word:
            raise BadValue(f"no_{field}", text, field)
        if len(word) > EXTERNAL_ID_MAX:
            raise BadValue(f"{field}_too_long", text, field)
        return word

    def _code(self, text: str) -> str | None:
        """The product; None where the line is money alone."""
        word = self._identifier(text, "product", required=False)
        return None if not word or word in self._rules.no_product else word

    def _quantity(self, text: str) -> int:
        return whole(self._word(text, "quantity") or self._fallbacks["quantity"])

    def _price_words(self, record: OrderRecord) -> Words[tuple[int, int]]:
        places = self._places[record.currency]
        if places not in self._prices:
            field = "amount" if self._amount_given else "price"
            self._prices[places] = _words(
                field, lambda word: self._numbers.minor(self._word(word, field), places)
            )
        return self._prices[places]

    def _rounded(self, amount: int, divisor: int) -> int:
        if amount % divisor:
            self._correct("amount_rounded")
        return divided(amount, divisor)

    def _compare(
        self,
        when: str,
        first_when: str | None,
        customer: str,
        first_customer: str | None,
    ) -> None:
        """Count a line that contradicts its order's first; that one is believed."""
        if when != first_when and when.strip() not in self._missing:
            self._moments[when]
            self._correct("order_date_differs")
        elif customer != first_customer and customer.strip() not in self._missing:
            self._correct("order_customer_differs")

    def _correct(self, reason: str) -> None:
        self._batch.corrected[reason] += 1
        self._batch.rows_corrected += 1

    def _reject_misfit(self, chunk: Chunk, index: int) -> None:
        row = chunk.rows[index]
        if isinstance(row, Misfit) and row.reason:
            self._batch.rejects.append(
                Reject(chunk.line(index), row.reason, row.value, row.raw)
            )
        else:
            # A blank line is no row.
            self._batch.rows -= 1

    def _reject(self, chunk: Chunk, index: int, problem: BadValue) -> None:
        raw = tuple(chunk.rows[index][: len(self._table.header)])
        column = (
            column_name(self._mapping.columns, problem.field) if problem.field else ""
        )
        self._batch.rejects.append(
            Reject(chunk.line(index), problem.reason, problem.value, raw, column)
        )


def _words(field: str, meaning: Callable[[str], V]) -> Words[V]:
    """Words of one field; a wrong one says of which."""

    def of_field(word: str) -> V:
        try:
            return meaning(word)
        except BadValue as problem:
            problem.field = field
            raise

    return Words(of_field)
