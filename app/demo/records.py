"""What a seeded shop consists of; people, products and others are named by place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum

from bot.states import State
from core.model import (
    Button,
    Channel,
    ConsentState,
    EpisodeEnd,
    IdentityKind,
    MessageState,
    OrderKind,
    Owner,
    Role,
    Sender,
)
from storage.conversations import DueEvent
from storage.episodes import EventKind
from storage.feedback import Outcome


class Habit(StrEnum):
    """How a customer buys."""

    NEW = "new"
    OCCASIONAL = "occasional"
    LAPSED = "lapsed"
    REGULAR = "regular"
    LOYAL = "loyal"
    AT_RISK = "at_risk"  # used to buy often, silent since
    WOKEN = "woken"  # was silent, and came back


@dataclass(frozen=True, slots=True)
class Product:
    """One thing that is sold."""

    code: str
    name: str
    category: str
    price_minor: int
    url: str


@dataclass(frozen=True, slots=True)
class Identity:
    """One address or id of a customer; a reason means that it is switched off."""

    kind: IdentityKind
    value: str
    unreachable_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """One row of the ledger."""

    customer: int
    channel: Channel
    topic: str
    state: ConsentState
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that is never written to again."""

    channel: Channel
    address: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """One customer."""

    code: str
    habit: Habit
    name: str
    language: str
    gender: str
    birth_date: date | None
    city: str
    country: str
    income_minor: int | None
    created_at: datetime
    identities: tuple[Identity, ...]
    # What else is known: names with words, and what the person likes.
    attributes: tuple[tuple[str, str], ...] = ()
    preferences: tuple[str, ...] = ()

    def address(self, kind: IdentityKind) -> str | None:
        """The person's address of this kind, or None."""
        return next((one.value for one in self.identities if one.kind is kind), None)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order; quantity and amount are negative in a return."""

    product: int
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `after_mail`: placed only by who was written to by the campaign."""

    code: str
    customer: int
    kind: OrderKind
    ordered_at: datetime
    lines: tuple[Line, ...]
    after_mail: bool = False

    @property
    def total_minor(self) -> int:
        """What the order cost; negative for a return."""
        return sum(line.amount_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class Staffer:
    """One person of the team."""

    email: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation as it stands; `state` names episodes by place, from 1."""

    customer: int
    channel: Channel
    address: str
    owner: Owner
    staff: int | None
    version: int
    language: str
    state: State
    open: bool
    waiting_since: datetime | None
    created_at: datetime
    last_message_at: datetime
    due_at: datetime | None
    due_event: DueEvent | None


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of a conversation."""

    talk: int
    opened_at: datetime
    topic: str | None
    closed_at: datetime | None
    ended: EpisodeEnd | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message; buttons of a survey name the episode by its place, from 1."""

    talk: int
    episode: int | None
    sender: Sender
    staff: int | None
    text: str
    buttons: tuple[Button, ...]
    state: MessageState
    external_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a conversation; `actor` is `customer`, `staff` or a system part."""

    talk: int
    episode: int | None
    kind: EventKind
    actor: str
    staff: int | None
    message: int | None
    data: tuple[tuple[str, object], ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Handling:
    """One stretch of a person's work; `ended_at` is None while it runs."""

    episode: int
    staff: int
    started_at: datetime
    ended_at: datetime | None
    active_at: datetime


@dataclass(frozen=True, slots=True)
class Survey:
    """One question about an episode, and what was answered."""

    customer: int
    episode: int
    asked_at: datetime
    answered_by: Sender
    staff: int | None
    topic: str | None
    channel: Channel
    answered_at: datetime | None = None
    score: int | None = None
    issue: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What a customer asked and what it led to."""

    message: int | None
    text: str
    language: str | None
    article: str | None
    score: float | None
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class Mailing:
    """One earlier run of a campaign: when, and whom it found quiet."""

    campaign: str
    at: datetime
    segment: str
    audience: tuple[int, ...]
    # Whose address turned out not to exist.
    bounced: frozenset[int]


@dataclass(frozen=True, slots=True)
class Service:
    """All conversations with what happened in them, in the order of time.

    Messages stand conversation by conversation, for others name them by place.
    """

    talks: tuple[Talk, ...]
    episodes: tuple[Episode, ...]
    messages: tuple[Message, ...]
    happenings: tuple[Happening, ...]
    handlings: tuple[Handling, ...]
    surveys: tuple[Survey, ...]
    words: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Shop:
    """A whole shop at the moment `asof`."""

    seed: int
    asof: datetime
    profile: str
    products: tuple[Product, ...]
    people: tuple[Person, ...]
    consents: tuple[Consent, ...]
    suppressions: tuple[Suppression, ...]
    orders: tuple[Order, ...]
    staff: tuple[Staffer, ...]
    service: Service
    mailings: tuple[Mailing, ...]

    def digest(self) -> str:
        """The same for the same seed, moment and number of customers."""
        found = hashlib.sha256()
        for field in fields(self):
            value = getattr(self, field.name)
            rows = value if isinstance(value, tuple) else (value,)
            for row in rows:
                found.update(repr(row).encode())
        return found.hexdigest()
