"""One block of customers with all that they did, made of the parts of the demo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from app.demo.arrivals import Arrival, make_arrivals, trouble_arrivals
from app.demo.people import Cast, draw_habits, make_cast, with_traits
from app.demo.profile import Profile, load_profile
from app.demo.purchases import FIRST_CODE, ZONE, first_orders, make_orders
from app.demo.records import Habit, Order, Person
from app.generator.homes import Home, make_homes
from app.generator.plan import Plan

# How likely an order stays on its weekday; others are placed a day or two before.
WEEKDAYS = (1.0, 0.94, 0.9, 0.92, 0.86, 0.74, 0.97)
# No block has as many orders.
CODES_PER_BLOCK = 100_000
# Who of a block has something to say right now needs a few customers at risk.
TALKING_LEAST = 40
BEGUN_DAYS_AGO = 400.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """The people of a block, each with a home at the same place."""

    number: int
    asof: datetime
    profile: Profile
    cast: Cast
    people: list[Person]
    homes: list[Home]


@dataclass(frozen=True, slots=True)
class Block:
    """A crowd with orders and conversations."""

    crowd: Crowd
    orders: tuple[Order, ...]
    arrivals: list[Arrival]

    @property
    def profile(self) -> Profile:
        """The trade."""
        return self.crowd.profile

    @property
    def people(self) -> list[Person]:
        """The customers, whom orders and arrivals name by place."""
        return self.crowd.people


def make_crowd(plan: Plan, number: int) -> Crowd:
    """The people of a block alone, as if all had begun to buy on one day."""
    size = plan.size(number)
    habits = draw_habits(plan.rng(number, 0), size)
    begun = plan.asof - timedelta(days=BEGUN_DAYS_AGO)
    return _crowd(plan, number, habits, [begun] * size, set())


def make_block(plan: Plan, number: int) -> Block:
    """One block; the same for the same plan, whatever the others are."""
    profile, asof, size = load_profile(plan.profile), plan.asof, plan.size(number)
    habits = draw_habits(plan.rng(number, 0), size)
    first_code = FIRST_CODE + number * CODES_PER_BLOCK
    made = make_orders(plan.rng(number, 1), asof, habits, profile, first_code)
    orders = tuple(_by_weekday(plan.rng(number, 8), made))
    trouble = trouble_arrivals(plan.rng(number, 2), asof, orders, profile)
    chatty = {arrival.customer for arrival in trouble}
    crowd = _crowd(plan, number, habits, first_orders(orders, size), chatty)
    arrivals: list[Arrival] = []
    if size >= TALKING_LEAST:
        arrivals = make_arrivals(
            plan.rng(number, 4), asof, crowd.cast, trouble, profile
        )
    return Block(crowd, orders, arrivals)


def _crowd(
    plan: Plan,
    number: int,
    habits: list[Habit],
    firsts: list[datetime],
    chatty: set[int],
) -> Crowd:
    profile = load_profile(plan.profile)
    before = plan.before(number)
    cast = make_cast(plan.rng(number, 3), plan.asof, habits, firsts, chatty, before)
    known = with_traits(plan.rng(number, 6), cast.people, profile)
    people, homes = make_homes(plan.rng(number, 5), known)
    return Crowd(number, plan.asof, profile, cast, people, homes)


def _by_weekday(rng: np.random.Generator, orders: tuple[Order, ...]) -> list[Order]:
    """The same orders; of quiet days some are placed a day or two before."""
    draws = rng.random((len(orders), 2))
    moved = [
        _moved(order, chance, far)
        for order, (chance, far) in zip(orders, draws.tolist(), strict=True)
    ]
    return sorted(moved, key=lambda order: order.ordered_at)


def _moved(order: Order, chance: float, far: float) -> Order:
    day = order.ordered_at.astimezone(ZONE).weekday()
    if chance < WEEKDAYS[day]:
        return order
    earlier = timedelta(days=1 if far < 0.6 else 2)
    return replace(order, ordered_at=order.ordered_at - earlier)
