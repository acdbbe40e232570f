"""The whole shop from one seed: goods, people, orders, conversations, earlier mail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

import numpy as np

from app.demo import team
from app.demo.arrivals import make_arrivals, trouble_arrivals
from app.demo.people import Cast, draw_habits, make_cast, with_traits
from app.demo.profile import Profile, load_profile
from app.demo.purchases import MAILED_DAYS_AGO, ZONE, first_orders, make_orders
from app.demo.records import Habit, Mailing, Order, Shop
from app.demo.service import World, play
from app.demo.talk import Voice
from content.articles import load_knowledge
from content.phrases import load_phrases
from content.profile import content_root
from core.clock import check_aware
from core.model import IdentityKind
from core.settings import Settings, load_settings

CUSTOMERS = 2000
CUSTOMERS_LEAST = 40
SEGMENT = "at-risk"
# A second, smaller run wrote to those who have fallen silent since the first.
MAILED_AGAIN_DAYS_AGO = 14.0
SILENT_DAYS = 70.0
BOUNCED_RATIO = 0.02


def make_shop(
    seed: int,
    asof: datetime,
    customers: int = CUSTOMERS,
    settings: Settings | None = None,
    profile: Profile | None = None,
) -> Shop:
    """A shop with a story, up to the moment `asof`; the same for the same arguments.

    Two years of orders with a group of customers who have fallen silent, a product
    that gives trouble since forty days, and ninety days of conversations. Without a
    profile it is the shop of tea and kitchen things.

    Raises
    ------
    ValueError : fewer than 40 customers, or an `asof` without a time zone
    """
    check_aware(asof)
    if customers < CUSTOMERS_LEAST:
        message = f"a shop with a story needs {CUSTOMERS_LEAST} customers or more"
        raise ValueError(message)
    settings = settings or load_settings()
    profile = profile or load_profile()
    # Parts draw apart from each other, so that a change in one leaves the others.
    rngs = [np.random.default_rng([seed, part]) for part in range(7)]
    habits = draw_habits(rngs[0], customers)
    orders = make_orders(rngs[1], asof, habits, profile)
    trouble = trouble_arrivals(rngs[2], asof, orders, profile)
    chatters = {arrival.customer for arrival in trouble}
    cast = make_cast(rngs[3], asof, habits, first_orders(orders, customers), chatters)
    arrivals = make_arrivals(rngs[4], asof, cast, trouble, profile)
    world = World.of(settings, asof, _voice(profile), profile)
    return Shop(
        seed=seed,
        asof=asof,
        profile=profile.key,
        products=profile.catalogue.products,
        people=with_traits(rngs[6], cast.people, profile),
        consents=cast.consents,
        suppressions=cast.suppressions,
        orders=orders,
        staff=team.STAFF,
        service=play(rngs[5], world, cast, arrivals),
        mailings=tuple(_mailings(asof, cast, orders, profile.campaign)),
    )


def _voice(profile: Profile) -> Voice:
    company = profile.company
    root = content_root(profile.key)
    known = {
        "name": company.name,
        "support_email": company.support_email,
        "url": company.url,
    }
    phrases = load_phrases(company.name, company.support_email, own=root / "bot")
    return Voice(phrases, load_knowledge(root / "knowledge"), known)


def _mailings(
    asof: datetime, cast: Cast, orders: tuple[Order, ...], campaign: str
) -> Iterator[Mailing]:
    """Two earlier runs of the campaign that wakes the silent."""
    quiet = {Habit.AT_RISK, Habit.WOKEN}
    first = _ten_o_clock(asof - timedelta(days=MAILED_DAYS_AGO))
    again = _ten_o_clock(asof - timedelta(days=MAILED_AGAIN_DAYS_AGO))
    yield _mailing(campaign, first, cast, orders, quiet)
    yield _mailing(campaign, again, cast, orders, {Habit.AT_RISK})


def _mailing(
    campaign: str,
    at: datetime,
    cast: Cast,
    orders: tuple[Order, ...],
    habits: set[Habit],
) -> Mailing:
    newest: dict[int, datetime] = {}
    for order in orders:
        if order.ordered_at < at:
            newest[order.customer] = order.ordered_at
    silent_since = at - timedelta(days=SILENT_DAYS)
    audience = tuple(
        place
        for place, person in enumerate(cast.people)
        if person.habit in habits and newest[place] < silent_since
    )
    cases = {place for places in cast.cases.values() for place in places}
    ordinary = [
        place
        for place in audience
        if place not in cases
        and cast.people[place].habit is Habit.AT_RISK
        and cast.people[place].address(IdentityKind.EMAIL) is not None
    ]
    step = round(1 / BOUNCED_RATIO)
    return Mailing(campaign, at, SEGMENT, audience, frozenset(ordinary[::step]))


def _ten_o_clock(day: datetime) -> datetime:
    local = day.astimezone(ZONE).date()
    return datetime.combine(local, time(10, 0), ZONE).astimezone(day.tzinfo)
