"""What a reader of files hands to storage: batches of records of one kind.

The lines of orders are plain tuples, because there are many; all else has names.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

from core.model import CaseKind, Channel, ConsentState, EpisodeEnd, OrderKind

# Product (None for a line that is money alone), quantity, amount in minor units.
OrderLine: TypeAlias = tuple[str | None, int, int]


class RecordKind(StrEnum):
    """What one file holds."""

    ORDERS = "orders"
    CUSTOMERS = "customers"
    PRODUCTS = "products"
    OPT_OUTS = "opt_outs"
    EVENTS = "events"
    FEEDBACK = "feedback"
    CONVERSATIONS = "conversations"
    RATES = "rates"


@dataclass(slots=True)
class OrderRecord:
    """The lines of one order within a batch; more may come in a later one."""

    external_id: str
    customer: str | None
    country: str | None
    kind: OrderKind
    ordered_at: datetime
    currency: str
    lines: list[OrderLine]
    discount_minor: int = 0
    coupon: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """What a file says of a product; None where it says nothing."""

    external_id: str
    name: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    category: str | None = None
    url: str | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """What a customer's row says of one channel."""

    channel: Channel
    topic: str
    state: ConsentState


@dataclass(frozen=True, slots=True)
class SuppliedFigures:
    """What a file itself says of a customer's purchases, as of a moment."""

    purchase_count: int | None = None
    purchase_days: int | None = None
    average_price_minor: int | None = None
    currency: str | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """One customer's row; None where it says nothing. `line` is its place."""

    external_id: str
    line: int
    name: str | None = None
    language: str | None = None
    gender: str | None = None
    birth_date: date | None = None
    address: str | None = None
    city: str | None = None
    postcode: str | None = None
    country: str | None = None
    income_minor: int | None = None
    income_currency: str | None = None
    email: str | None = None
    phone: str | None = None
    telegram: str | None = None
    created_at: datetime | None = None
    preferences: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    consents: tuple[ConsentRecord, ...] = ()
    figures: SuppliedFigures | None = None
    # Fields that are right to a year or so: a birth date from an age or a year.
    approximate: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OptOutRecord:
    """An address, or a customer by id, that wants no campaigns."""

    line: int
    external_id: str | None
    email: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that a customer did; without an id of its own it is told once."""

    line: int
    external_id: str | None
    customer: str
    kind: str
    at: datetime
    product: str | None = None
    value_minor: int | None = None
    currency: str | None = None
    data: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """A rating. `score` is on our scale of 1 to 5, `given_score` on `given_scale`."""

    line: int
    external_id: str | None
    customer: str | None
    answered_at: datetime
    score: int | None
    given_score: float | None = None
    given_scale: str | None = None
    issue: str | None = None
    comment: str | None = None
    agent: str | None = None
    topic: str | None = None
    channel: str | None = None
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """A ticket, chat or call with the time that it took."""

    line: int
    external_id: str
    customer: str | None
    kind: CaseKind
    opened_at: datetime
    closed_at: datetime | None = None
    ended: EpisodeEnd | None = None
    topic: str | None = None
    agent: str | None = None
    first_response_at: datetime | None = None
    handling_seconds: float | None = None
    reopened: int = 0
    # A rating that stands in the same row.
    score: int | None = None
    given_score: float | None = None
    given_scale: str | None = None
    issue: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class RateRecord:
    """What one unit of a currency is worth in the shop's, from a day on."""

    line: int
    currency: str
    day: date
    rate: float


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was left out. `line` is where it begins in the file, from 1.

    `column` is what the file calls the column of a wrong value; empty where the row
    as a whole is wrong.
    """

    line: int
    reason: str
    value: str
    raw: tuple[str, ...]
    column: str = ""


def fingerprint(*parts: object) -> str:
    """An id for a record without one: the same for the same parts.

    It begins with a sign that ids of other systems seldom have.
    """
    told = json.dumps([None if part is None else str(part) for part in parts])
    return f"~{hashlib.sha256(told.encode()).hexdigest()[:40]}"


R = TypeVar("R")


@dataclass(slots=True)
class Batch(Generic[R]):
    """What was read since the batch before; `position` is the last line of it."""

    records: list[R] = field(default_factory=list)
    # Of orders: each product in the lines, with its name or "".
    products: dict[str, str] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    corrected: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    rows_corrected: int = 0
    position: int = 0
