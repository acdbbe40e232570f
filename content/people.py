"""Customers, products and opt-outs, read from a table row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Generic, TypeVar

from content.mapping import FileMapping
from content.orders import CHUNK_ROWS, EXTERNAL_ID_MAX, FileDefaults
from content.table import Chunk, Misfit, TableFile
from content.values import BadValue, Moments, Numbers, divided, minor_places, truth
from core.model import Channel, ConsentState
from core.records import (
    Batch,
    ConsentRecord,
    CustomerRecord,
    OptOutRecord,
    ProductRecord,
    Reject,
)

R = TypeVar("R", CustomerRecord, ProductRecord, OptOutRecord)

# One consent for everything that is no service message.
ALL_TOPICS = "*"
WORD_MAX = 64
OLDEST_YEAR = 1850


class Cells:
    """The mapped words of one row."""

    def __init__(self, mapping: FileMapping, table: TableFile) -> None:
        self._mapping = mapping
        self._indexes = table.indexes
        self._missing = frozenset(mapping.missing)
        self._row: list[str] = []
        self.line = 0

    def turn_to(self, row: list[str], line: int) -> None:
        """Be the cells of this row from now on."""
        self._row, self.line = row, line

    def word(self, field: str) -> str | None:
        """What stands there, as the mapping's values say; None where nothing."""
        place = self._indexes.get(field)
        text = "" if place is None else self._row[place].strip()
        if text in self._missing:
            text = self._mapping.defaults.get(field, "")
        return self._mapping.values.get(field, {}).get(text, text) or None

    def identifier(self, field: str) -> str | None:
        """A word that is short enough to be an id."""
        text = self.word(field)
        if text is not None and len(text) > EXTERNAL_ID_MAX:
            raise BadValue(f"{field}_too_long", text)
        return text

    def required(self, field: str) -> str:
        text = self.identifier(field)
        if text is None:
            raise BadValue(f"no_{field}", "")
        return text

    def others(self, places: dict[str, int]) -> dict[str, str]:
        """Columns that are kept as they are, without the empty ones."""
        words = ((name, self._row[place].strip()) for name, place in places.items())
        return {name: text for name, text in words if text not in self._missing}


class RowReader(Generic[R]):
    """Batches of records, one for each row that `read` understands."""

    def __init__(
        self, table: TableFile, mapping: FileMapping, read: Callable[[Cells], R]
    ) -> None:
        self.batch_lines = CHUNK_ROWS
        self._table = table
        self._cells = Cells(mapping, table)
        self._read: Callable[[Cells], R] = read
        self._batch: Batch[R] = Batch()

    def batches(self, position: int = 0) -> Iterator[Batch[R]]:
        """All that follows line `position`, where an earlier batch ended."""
        for chunk in self._table.chunks(position, CHUNK_ROWS):
            for index in range(len(chunk.rows)):
                self._add(chunk, index)
                if len(self._batch.records) >= self.batch_lines:
                    yield self._cut(chunk.line(index + 1) - 1)
            position = chunk.line(len(chunk.rows)) - 1
        yield self._cut(position)

    def _cut(self, position: int) -> Batch[R]:
        done, self._batch = self._batch, Batch()
        done.position = position
        return done

    def _add(self, chunk: Chunk, index: int) -> None:
        row, line = chunk.rows[index], chunk.line(index)
        batch = self._batch
        if isinstance(row, Misfit):
            if row.reason:
                batch.rows += 1
                batch.rejects.append(Reject(line, row.reason, row.value, row.raw))
            return
        batch.rows += 1
        self._cells.turn_to(row, line)
        try:
            batch.records.append(self._read(self._cells))
        except BadValue as problem:
            batch.rejects.append(
                Reject(line, problem.reason, problem.value, tuple(row))
            )


def customer_reader(
    table: TableFile, mapping: FileMapping, defaults: FileDefaults
) -> RowReader[CustomerRecord]:
    """Reads customers; a word that can't be what its column holds rejects the row."""
    form = _Form(table, mapping, defaults)
    return RowReader(table, mapping, form.customer)


def product_reader(
    table: TableFile, mapping: FileMapping, defaults: FileDefaults
) -> RowReader[ProductRecord]:
    """Reads products."""
    form = _Form(table, mapping, defaults)
    return RowReader(table, mapping, form.product)


def opt_out_reader(table: TableFile, mapping: FileMapping) -> RowReader[OptOutRecord]:
    """Reads people who want no campaigns."""
    return RowReader(table, mapping, _opt_out)


class _Form:
    """How the words of one file become values."""

    def __init__(
        self, table: TableFile, mapping: FileMapping, defaults: FileDefaults
    ) -> None:
        self._rest = table.rest
        self._currency = defaults.currency
        self._numbers = Numbers(mapping.decimal)
        self._moments = Moments(mapping.dates, mapping.timezone or defaults.timezone)

    def customer(self, cells: Cells) -> CustomerRecord:
        income, currency = self._money(cells, "income")
        created = cells.word("created_at")
        return CustomerRecord(
            external_id=cells.required("id"),
            line=cells.line,
            name=cells.word("name"),
            language=_short(cells, "language", 16),
            gender=_short(cells, "gender", 16),
            birth_date=self._birth_date(cells),
            address=cells.word("address"),
            city=cells.word("city"),
            country=_short(cells, "country", WORD_MAX),
            income_minor=income,
            income_currency=currency,
            email=cells.word("email"),
            phone=cells.word("phone"),
            telegram=cells.identifier("telegram"),
            created_at=None if created is None else self._moments.moment(created),
            attributes=cells.others(self._rest),
            consents=_consents(cells),
        )

    def product(self, cells: Cells) -> ProductRecord:
        price, currency = self._money(cells, "price")
        active = cells.word("active")
        return ProductRecord(
            external_id=cells.required("id"),
            name=cells.word("name"),
            price_minor=price,
            currency=currency,
            category=cells.word("category"),
            url=cells.word("url"),
            active=None if active is None else truth(active),
        )

    def _money(self, cells: Cells, field: str) -> tuple[int | None, str | None]:
        text = cells.word(field)
        if text is None:
            return None, None
        currency = (cells.word("currency") or self._currency).upper()
        value, divisor = self._numbers.minor(text, minor_places(currency))
        return divided(value, divisor), currency

    def _birth_date(self, cells: Cells) -> date | None:
        text = cells.word("birth_date")
        if text is not None:
            return self._moments.day(text)
        year = cells.word("birth_year")
        if year is None:
            return None
        if not year.isdecimal() or not OLDEST_YEAR <= int(year) <= date.max.year:
            raise BadValue("bad_date", year)
        # Of a year alone, its middle is the least wrong day.
        return date(int(year), 7, 1)


def _short(cells: Cells, field: str, length: int) -> str | None:
    text = cells.word(field)
    if text is not None and len(text) > length:
        raise BadValue(f"{field}_too_long", text)
    return text


def _consents(cells: Cells) -> tuple[ConsentRecord, ...]:
    topic = _short(cells, "topic", WORD_MAX) or ALL_TOPICS
    found = []
    for channel in (Channel.EMAIL, Channel.TELEGRAM):
        answer = cells.word(f"consent_{channel}")
        if answer is not None:
            state = ConsentState.GRANTED if truth(answer) else ConsentState.WITHDRAWN
            found.append(ConsentRecord(channel, topic, state))
    return tuple(found)


def _opt_out(cells: Cells) -> OptOutRecord:
    email, external_id = cells.word("email"), cells.identifier("id")
    if email is None and external_id is None:
        raise BadValue("no_email_or_id", "")
    reason = _short(cells, "reason", WORD_MAX) or "opt_out"
    return OptOutRecord(cells.line, external_id, email, reason)
