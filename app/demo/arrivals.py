"""Who writes when, and about what: ninety days of chats, before a word is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

import numpy as np

from app.demo.people import Cast
from app.demo.profile import Profile
from app.demo.purchases import ZONE
from app.demo.records import Habit, Order, Person
from core.model import Channel, IdentityKind, OrderKind

DAYS = 90
PER_DAY = 25.0
CUSTOMERS = 2000
WEEKDAYS = (1.2, 1.12, 1.05, 1.0, 1.05, 0.8, 0.62)
HOURS = (
    *(0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.3, 1.0, 2.2, 3.4, 3.8, 3.4),
    *(2.8, 2.8, 3.2, 3.2, 3.0, 2.8, 2.8, 2.8, 2.2, 1.4, 0.6, 0.1),
)
# Chats about the product with trouble begin with orders of this age.
TROUBLE_DAYS_AGO = 40.0
TROUBLE_RATIO = 0.42
# Nothing ordinary begins so shortly before now, so that it has an end.
LAST_HOURS = 4.0
# A customer writes again after a while; somebody else is looked for so often.
APART = timedelta(hours=30)
TRIES = 12
TALKATIVE = {
    Habit.NEW: 1.6,
    Habit.OCCASIONAL: 0.8,
    Habit.LAPSED: 0.15,
    Habit.REGULAR: 1.2,
    Habit.LOYAL: 2.0,
    Habit.AT_RISK: 0.25,
    Habit.WOKEN: 0.6,
}


class Matter(StrEnum):
    """Why somebody writes."""

    ORDINARY = "ordinary"
    TROUBLE = "trouble"
    UNHAPPY = "unhappy"


@dataclass(frozen=True, slots=True, order=True)
class Arrival:
    """A customer who begins to write."""

    at: datetime
    customer: int
    channel: Channel
    topic: str
    matter: Matter


def trouble_orders(
    asof: datetime, orders: tuple[Order, ...], profile: Profile
) -> list[Order]:
    """Sales of the product with trouble since it has trouble."""
    product = profile.catalogue.trouble
    since = asof - timedelta(days=TROUBLE_DAYS_AGO)
    return [
        order
        for order in orders
        if order.kind is OrderKind.SALE
        and not order.after_mail
        and order.ordered_at >= since
        and any(line.product == product for line in order.lines)
    ]


def trouble_arrivals(
    rng: np.random.Generator,
    asof: datetime,
    orders: tuple[Order, ...],
    profile: Profile,
) -> list[Arrival]:
    """Who writes because of the product with trouble: each customer once."""
    found: dict[int, Arrival] = {}
    trouble = profile.trouble
    for order in trouble_orders(asof, orders, profile):
        day = order.ordered_at + timedelta(days=float(rng.uniform(*trouble.days_after)))
        at = _at_hour(rng, day)
        tells = rng.random() < TROUBLE_RATIO
        if tells and at < asof - timedelta(hours=LAST_HOURS):
            arrival = Arrival(
                at, order.customer, Channel.WEBCHAT, trouble.topic, Matter.TROUBLE
            )
            found.setdefault(order.customer, arrival)
    return list(found.values())


def make_arrivals(
    rng: np.random.Generator,
    asof: datetime,
    cast: Cast,
    trouble: list[Arrival],
    profile: Profile,
) -> list[Arrival]:
    """All arrivals in the order of time."""
    rate = PER_DAY * len(cast.people) / CUSTOMERS
    rate -= len(trouble) / DAYS
    found = [*trouble, *_unhappy(rng, asof, cast, profile.unhappy_topics)]
    cases = {place for places in cast.cases.values() for place in places}
    pool = _Pool(
        [row for row in _reachable(cast.people) if row[0] not in cases], cast.people
    )
    topics = list(profile.topics)
    edges = np.cumsum([topic.weight for topic in profile.topics.values()])
    lately = {arrival.customer: arrival.at for arrival in trouble}
    for at in sorted(_moments(rng, asof, max(rate, 0.3))):
        place = int(np.searchsorted(edges, rng.random() * edges[-1]))
        for _ in range(TRIES):
            customer, channel = pool.draw(rng)
            free = abs(at - lately.get(customer, asof)) > APART
            if free and cast.people[customer].created_at < at:
                row = Arrival(at, customer, channel, topics[place], Matter.ORDINARY)
                found.append(row)
                lately[customer] = at
                break
    return sorted(found)


class _Pool:
    """Customers with a chat, drawn as often as they like to write."""

    def __init__(
        self, rows: list[tuple[int, Channel]], people: tuple[Person, ...]
    ) -> None:
        self._rows = rows
        self._edges = np.cumsum([TALKATIVE[people[place].habit] for place, _ in rows])

    def draw(self, rng: np.random.Generator) -> tuple[int, Channel]:
        place = int(np.searchsorted(self._edges, rng.random() * self._edges[-1]))
        return self._rows[place]


def _reachable(people: tuple[Person, ...]) -> Iterator[tuple[int, Channel]]:
    for place, person in enumerate(people):
        for identity in person.identities:
            chat = identity.kind in {IdentityKind.WEBCHAT, IdentityKind.TELEGRAM}
            if chat and identity.unreachable_reason is None:
                yield place, Channel(identity.kind.value)


def _unhappy(
    rng: np.random.Generator, asof: datetime, cast: Cast, topics: tuple[str, ...]
) -> Iterator[Arrival]:
    """Customers at risk who were served badly in the last two weeks."""
    places = [*cast.cases["unhappy"], *cast.cases["unhappy_and_withdrawn"]]
    for number, customer in enumerate(places):
        at = _at_hour(rng, asof - timedelta(days=float(rng.uniform(1.5, 11))))
        topic = topics[number % len(topics)]
        yield Arrival(at, customer, Channel.WEBCHAT, topic, Matter.UNHAPPY)


def _moments(
    rng: np.random.Generator, asof: datetime, rate: float
) -> Iterator[datetime]:
    for days_ago in range(DAYS, -1, -1):
        day = asof - timedelta(days=days_ago)
        weekday = day.astimezone(ZONE).weekday()
        for _ in range(int(rng.poisson(rate * WEEKDAYS[weekday]))):
            at = _at_hour(rng, day)
            begun = at > asof - timedelta(days=DAYS)
            if begun and at < asof - timedelta(hours=LAST_HOURS):
                yield at


def _at_hour(rng: np.random.Generator, day: datetime) -> datetime:
    """A moment on this day at an hour at which people write."""
    local = day.astimezone(ZONE)
    hour = int(np.searchsorted(_HOUR_EDGES, rng.random()))
    second = int(rng.random() * 3600)
    clock = time(hour, second // 60, second % 60)
    return datetime.combine(local.date(), clock, ZONE).astimezone(day.tzinfo)


_HOUR_EDGES = np.cumsum(HOURS) / sum(HOURS)
