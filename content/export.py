"""Records as rows of a file that the shipped mapping of their kind reads back.

Every cell is the word that the reader takes for the same value, nothing is rounded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from content.mapping import FileMapping
from content.people import parse_preferences
from content.rejected import EXPORTED, attribute_column, safe_cell
from content.values import minor_places
from core.model import ConsentState
from core.records import (
    Batch,
    ConversationRecord,
    CustomerRecord,
    EventRecord,
    FeedbackRecord,
    OptOutRecord,
    OrderRecord,
    ProductRecord,
    RateRecord,
    RecordKind,
)

# Field to word; what is not there is an empty cell.
Row: TypeAlias = dict[str, str]

ALL_TOPICS = "*"
YES, NO = "yes", "no"
# Fields that say the same as others, and are left to files of others.
_NOT_TOLD = frozenset(
    {
        *("given_name", "family_name", "birth_year", "age", "income_period"),
        "first_response_seconds",
    }
)


class Rows:
    """How the records of one kind become rows.

    Parameters
    ----------
    mapping : the shipped one of the kind
    others : names of attributes, or of what else came with events
    """

    def __init__(self, mapping: FileMapping, others: Iterable[str] = ()) -> None:
        self._fields = [
            name
            for name in mapping.columns
            if name not in _NOT_TOLD
            and not (mapping.kind is RecordKind.ORDERS and name == "price")
        ]
        columns = [mapping.columns_of(name)[0] for name in self._fields]
        taken = {c for name in mapping.columns for c in mapping.columns_of(name)}
        self._others = list(others)
        named = [attribute_column(name, taken) for name in self._others]
        self.header = [*columns, *named, EXPORTED]
        self._rows = _ROWS[mapping.kind]

    def of(self, batch: Batch[Any]) -> Iterator[tuple[int, list[str]]]:
        """The rows of a batch, as a spreadsheet may open them, each with its part.

        A file is all first parts, then all second ones: of rows with one id beside
        each other the reader would have to take each by itself.
        """
        for part, row, others in self._rows(batch):
            words = [row.get(name, "") for name in self._fields]
            words += [str(others.get(name, "")) for name in self._others]
            yield part, [*map(safe_cell, words), ""]


def others_in(batch: Batch[Any]) -> Iterator[str]:
    """The names of attributes, or of what else came with the events of a batch."""
    for record in batch.records:
        match record:
            case CustomerRecord():
                yield from record.attributes
            case EventRecord():
                yield from record.data


Told: TypeAlias = Iterator[tuple[int, Row, Mapping[str, Any]]]


def _customers(batch: Batch[CustomerRecord]) -> Told:
    for record in batch.records:
        yield from _customer(record)


def _customer(record: CustomerRecord) -> Told:
    """One row, and one more for each topic and for figures in another currency."""
    row = _words(record, _CUSTOMER) | {"id": record.external_id}
    row |= _moment("created_at", record.created_at)
    row |= _preferences(record.preferences)
    if record.income_minor is not None:
        currency = record.income_currency or ""
        row["income"] = money(record.income_minor, currency)
        row["currency"] = currency
    figures = _figures(record)
    topics: dict[str, Row] = {ALL_TOPICS: {}}
    for consent in record.consents:
        answer = YES if consent.state is ConsentState.GRANTED else NO
        topics.setdefault(consent.topic, {})[f"consent_{consent.channel}"] = answer
    row |= topics.pop(ALL_TOPICS)
    together = row.get("currency") in {
        None,
        figures.get("currency", row.get("currency")),
    }
    if together:
        row |= figures
    yield 0, row, record.attributes
    more = [] if together else [figures]
    more += [{"topic": topic} | said for topic, said in sorted(topics.items())]
    for part, told in enumerate(more, 1):
        yield part, {"id": record.external_id} | told, {}


def _figures(record: CustomerRecord) -> Row:
    figures = record.figures
    if figures is None:
        return {}
    row = _words(figures, ("purchase_count", "purchase_days"))
    row |= _moment("figures_at", figures.as_of)
    if figures.average_price_minor is not None:
        currency = figures.currency or ""
        price = money(figures.average_price_minor, currency)
        row |= {"average_purchase_price": price, "currency": currency}
    return row


def _preferences(given: Mapping[str, Any]) -> Row:
    """`tea; size=M` where that is read back as the same, else an object of JSON."""
    if not given:
        return {}
    ordered = dict(sorted(given.items()))
    plain = "; ".join(n if v == YES else f"{n}={v}" for n, v in ordered.items())
    if not plain.startswith(("{", "[")) and parse_preferences(plain) == ordered:
        return {"preferences": plain}
    return {"preferences": json.dumps(ordered, ensure_ascii=False)}


def _products(batch: Batch[ProductRecord]) -> Told:
    for record in batch.records:
        row = _words(record, ("name", "category", "url")) | {"id": record.external_id}
        row |= _amount("price", record.price_minor, record.currency)
        if record.active is not None:
            row["active"] = YES if record.active else NO
        yield 0, row, {}


def _orders(batch: Batch[OrderRecord]) -> Told:
    for record in batch.records:
        head = {
            "order": record.external_id,
            "ordered_at": record.ordered_at.isoformat(),
            "customer": record.customer or "",
            "currency": record.currency,
            "kind": record.kind.value,
        }
        whole = _words(record, ("country", "coupon", "status"))
        if record.discount_minor:
            whole["discount"] = money(record.discount_minor, record.currency)
        for product, quantity, amount in record.lines:
            line = {
                "product": product or "",
                "product_name": batch.products.get(product or "", ""),
                "quantity": str(quantity),
                "amount": money(amount, record.currency),
            }
            yield 0, head | whole | line, {}
            # What is said of the order as a whole stands in its first line.
            whole = {}


def _events(batch: Batch[EventRecord]) -> Told:
    for record in batch.records:
        row = _words(record, ("customer", "product"))
        row |= {"id": record.external_id or "", "event": record.kind}
        row |= _moment("at", record.at)
        row |= _amount("value", record.value_minor, record.currency)
        yield 0, row, record.data


def _opt_outs(batch: Batch[OptOutRecord]) -> Told:
    for record in batch.records:
        row = _words(record, ("email", "reason"))
        yield 0, row | {"id": record.external_id or ""}, {}


def _feedback(batch: Batch[FeedbackRecord]) -> Told:
    for record in batch.records:
        row = _words(record, _FEEDBACK) | _rating(record)
        row |= _moment("answered_at", record.answered_at)
        yield 0, row | {"id": record.external_id or ""}, {}


def _conversations(batch: Batch[ConversationRecord]) -> Told:
    for record in batch.records:
        row = _words(record, _CONVERSATION) | _rating(record)
        row |= {"id": record.external_id, "kind": record.kind.value}
        for name in ("opened_at", "closed_at", "first_response_at"):
            row |= _moment(name, getattr(record, name))
        row["ended"] = "open" if record.ended is None else record.ended.value
        if record.handling_seconds is not None:
            row["handling_seconds"] = number(record.handling_seconds)
        yield 0, row, {}


def _rates(batch: Batch[RateRecord]) -> Told:
    for record in batch.records:
        day, rate = record.day.isoformat(), number(record.rate)
        yield 0, {"currency": record.currency, "day": day, "rate": rate}, {}


_CUSTOMER = (
    *("name", "email", "phone", "telegram", "language", "gender", "birth_date"),
    *("address", "city", "postcode", "country"),
)
_FEEDBACK = (
    *("customer", "issue", "comment", "agent", "topic", "channel", "conversation"),
)
_CONVERSATION = ("customer", "topic", "agent", "reopened", "issue", "comment")
_ROWS: dict[RecordKind, Callable[[Batch[Any]], Told]] = {
    RecordKind.CUSTOMERS: _customers,
    RecordKind.PRODUCTS: _products,
    RecordKind.ORDERS: _orders,
    RecordKind.EVENTS: _events,
    RecordKind.OPT_OUTS: _opt_outs,
    RecordKind.FEEDBACK: _feedback,
    RecordKind.CONVERSATIONS: _conversations,
    RecordKind.RATES: _rates,
}


# --- words ----------------------------------------------------------------------------


def money(minor: int, currency: str) -> str:
    """An amount in major units, with all the places that the currency has."""
    places = minor_places(currency)
    return format(Decimal(minor).scaleb(-places), "f")


def number(value: float) -> str:
    """A number as it was given, never in powers of ten."""
    return format(Decimal(repr(value)).normalize(), "f")


def _words(record: object, names: Iterable[str]) -> Row:
    values = ((name, getattr(record, name)) for name in names)
    return {name: str(value) for name, value in values if value is not None}


def _moment(name: str, at: datetime | None) -> Row:
    return {} if at is None else {name: at.isoformat()}


def _amount(name: str, minor: int | None, currency: str | None) -> Row:
    if minor is None or currency is None:
        return {}
    return {name: money(minor, currency), "currency": currency}


def _rating(record: FeedbackRecord | ConversationRecord) -> Row:
    """The score as it was given, with its scale; else ours."""
    if record.score is None:
        return {}
    if record.given_score is None or record.given_scale is None:
        return {"score": str(record.score)}
    return {"score": number(record.given_score), "scale": record.given_scale}
