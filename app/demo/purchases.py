"""Two years of orders: when each customer buys, what, and what comes back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.demo.catalogue import Catalogue
from app.demo.profile import Profile
from app.demo.records import Habit, Line, Order
from core.model import OrderKind

ZONE = ZoneInfo("Europe/Berlin")
YEARS_DAYS = 730.0
FIRST_CODE = 100_001
RETURN_RATIO = 0.045
HOURS = (
    *(0.2, 0.1, 0.1, 0.1, 0.1, 0.3, 0.8, 1.6, 2.2, 2.6, 2.8, 2.8),
    *(3.0, 2.8, 2.6, 2.6, 2.8, 3.2, 3.8, 4.6, 5.2, 4.4, 2.6, 1.0),
)
# Since the campaign's day: where the silent stand, and what wakes them.
MAILED_DAYS_AGO = 35.0
WAKING_DAYS = 14.0
WOKEN_ANYWAY_RATIO = 0.34
SILENT_DAYS = (92.0, 212.0)
# Since then more of the product with trouble sells.
NEW_DELIVERY_DAYS_AGO = 46.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Days between orders, where these begin, and how much is in a basket."""

    gap_days: float
    since_days: tuple[float, float]
    orders_most: int
    anchors: float
    quantity: float


RHYTHMS = {
    Habit.NEW: Rhythm(30.0, (1.0, 70.0), 2, 0.5, 1.2),
    Habit.OCCASIONAL: Rhythm(130.0, (150.0, 700.0), 5, 0.5, 1.2),
    Habit.LAPSED: Rhythm(70.0, (330.0, 720.0), 2, 0.4, 1.1),
    Habit.REGULAR: Rhythm(64.0, (330.0, 725.0), 11, 0.8, 1.3),
    Habit.LOYAL: Rhythm(21.0, (500.0, 728.0), 34, 1.5, 1.9),
    Habit.AT_RISK: Rhythm(32.0, (480.0, 728.0), 13, 1.0, 1.5),
    Habit.WOKEN: Rhythm(32.0, (480.0, 728.0), 13, 1.0, 1.5),
}


@dataclass(frozen=True, slots=True)
class _Visit:
    """One moment at which a customer buys."""

    customer: int
    at: datetime
    after_mail: bool = False


def make_orders(
    rng: np.random.Generator,
    asof: datetime,
    habits: list[Habit],
    profile: Profile,
    first_code: int = FIRST_CODE,
) -> tuple[Order, ...]:
    """All sales and returns up to `asof`, in the order of time."""
    visits = [
        visit
        for place, habit in enumerate(habits)
        for visit in _visits(rng, asof, place, habit, profile.months)
    ]
    visits.sort(key=lambda visit: (visit.at, visit.customer))
    baskets = _baskets(rng, asof, habits, visits, profile.catalogue)
    sales = [
        Order("", visit.customer, OrderKind.SALE, visit.at, lines, visit.after_mail)
        for visit, lines in zip(visits, baskets, strict=True)
    ]
    returns = list(_returns(rng, asof, sales))
    both = sorted([*sales, *returns], key=lambda order: order.ordered_at)
    return tuple(_numbered(both, profile.order_prefix, first_code))


def first_orders(orders: tuple[Order, ...], customers: int) -> list[datetime]:
    """When each customer bought for the first time; the orders are in time's order."""
    first: dict[int, datetime] = {}
    for order in orders:
        first.setdefault(order.customer, order.ordered_at)
    return [first[place] for place in range(customers)]


def _visits(
    rng: np.random.Generator,
    asof: datetime,
    place: int,
    habit: Habit,
    months: tuple[float, ...],
) -> Iterator[_Visit]:
    rhythm = RHYTHMS[habit]
    since = float(rng.uniform(*rhythm.since_days))
    until = 0.02
    if habit in {Habit.AT_RISK, Habit.WOKEN}:
        until = float(rng.uniform(*SILENT_DAYS))
    if habit is Habit.LAPSED:
        until = max(240.0, since - 120.0)
    days = _days(rng, asof, rhythm, (since, until), months)
    # Who is to be known as a frequent buyer has bought shortly before the silence.
    if habit in {Habit.AT_RISK, Habit.WOKEN}:
        days[-1] = until
    for day in days:
        yield _Visit(place, _moment(rng, asof, day))
    if habit is Habit.WOKEN:
        anyway = rng.random() < WOKEN_ANYWAY_RATIO
        day = MAILED_DAYS_AGO - 1 - float(rng.beta(1.1, 2.2)) * (WAKING_DAYS - 2)
        yield _Visit(place, _moment(rng, asof, day), after_mail=not anyway)


def _days(
    rng: np.random.Generator,
    asof: datetime,
    rhythm: Rhythm,
    between: tuple[float, float],
    months: tuple[float, ...],
) -> list[float]:
    """Days before `asof`, descending; at least one."""
    since, until = between
    own_gap = rhythm.gap_days * float(rng.lognormal(0, 0.3))
    found = [since]
    while len(found) < rhythm.orders_most:
        month = (asof - timedelta(days=found[-1])).month - 1
        gap = own_gap / months[month] * float(rng.gamma(3.0, 1 / 3.0))
        if found[-1] - max(gap, 1.0) < until:
            break
        found.append(found[-1] - max(gap, 1.0))
    # A frequent buyer who reached the most keeps the newest orders, not the oldest.
    shift = found[-1] - until if len(found) == rhythm.orders_most else 0.0
    gap_left = float(rng.uniform(0.1, 0.9)) * own_gap
    return [max(day - max(shift - gap_left, 0.0), until) for day in found]


def _moment(rng: np.random.Generator, asof: datetime, day: float) -> datetime:
    """A moment on that day at an hour at which people shop, never after `asof`."""
    local = (asof - timedelta(days=day)).astimezone(ZONE)
    second = int(rng.random() * 3600)
    hour = bisect_left(_HOUR_EDGES, float(rng.random()))
    clock = time(hour, second // 60, second % 60)
    at = datetime.combine(local.date(), clock, ZONE).astimezone(asof.tzinfo)
    return at if at < asof else asof - timedelta(minutes=float(rng.uniform(5, 600)))


_HOUR_EDGES = [sum(HOURS[: hour + 1]) / sum(HOURS) for hour in range(24)]


def _baskets(
    rng: np.random.Generator,
    asof: datetime,
    habits: list[Habit],
    visits: list[_Visit],
    catalogue: Catalogue,
) -> list[tuple[Line, ...]]:
    counts = np.array(
        [1 + rng.poisson(RHYTHMS[habits[visit.customer]].anchors) for visit in visits]
    )
    weights = _weights(rng, len(habits), catalogue)
    draws = rng.random(int(counts.sum()))
    ends = np.cumsum(counts)
    return [
        tuple(
            _lines(
                rng,
                _anchors(weights, asof, visit, draws[end - count : end], catalogue),
                RHYTHMS[habits[visit.customer]].quantity,
                catalogue,
            )
        )
        for visit, count, end in zip(visits, counts, ends, strict=True)
    ]


def _weights(
    rng: np.random.Generator, customers: int, catalogue: Catalogue
) -> NDArray[np.float64]:
    """How much each customer likes each product: taste, favourites, popularity."""
    goods = catalogue.products
    categories = list(dict.fromkeys(product.category for product in goods))
    category = np.array([categories.index(product.category) for product in goods])
    taste = rng.dirichlet(np.full(len(categories), 0.9), size=customers) + 0.05
    weights = (
        taste[:, category] * catalogue.popular * rng.lognormal(0, 0.25, len(goods))
    )
    favourites = rng.integers(0, len(goods), size=(customers, 3))
    np.put_along_axis(
        weights, favourites, np.take_along_axis(weights, favourites, 1) * 5, 1
    )
    found: NDArray[np.float64] = weights
    return found


def _anchors(
    weights: NDArray[np.float64],
    asof: datetime,
    visit: _Visit,
    draws: NDArray[np.float64],
    catalogue: Catalogue,
) -> list[int]:
    new_delivery = asof - visit.at < timedelta(days=NEW_DELIVERY_DAYS_AGO)
    season = catalogue.seasons[(visit.at.month - 1) // 3, new_delivery]
    edges = (weights[visit.customer] * season).cumsum()
    return list(dict.fromkeys(edges.searchsorted(draws * edges[-1]).tolist()))


def _lines(
    rng: np.random.Generator,
    anchors: list[int],
    quantity: float,
    catalogue: Catalogue,
) -> Iterator[Line]:
    """Each product once, followed by what goes with it."""
    goods, companions = catalogue.products, catalogue.companions
    wanted = list(anchors)
    for place in wanted:  # grows while it is read: companions have companions
        wanted += [
            other
            for other, ratio in companions.get(place, ())
            if other not in wanted and rng.random() < ratio
        ]
    for place in wanted:
        price = goods[place].price_minor
        many = 1 + int(rng.poisson(quantity - 1)) if catalogue.several[place] else 1
        yield Line(place, many, many * price)


def _returns(
    rng: np.random.Generator, asof: datetime, sales: list[Order]
) -> Iterator[Order]:
    for order in sales:
        if order.after_mail or rng.random() >= RETURN_RATIO:
            continue
        line = order.lines[int(rng.integers(len(order.lines)))]
        at = order.ordered_at + timedelta(days=float(rng.uniform(5, 24)))
        if at < asof:
            back = Line(line.product, -line.quantity, -line.amount_minor)
            yield Order("", order.customer, OrderKind.RETURN, at, (back,))


def _numbered(both: list[Order], sales: str, first_code: int) -> Iterator[Order]:
    for number, order in enumerate(both, start=first_code):
        prefix = "R" if order.kind is OrderKind.RETURN else sales
        yield Order(
            f"{prefix}-{number}",
            order.customer,
            order.kind,
            order.ordered_at,
            order.lines,
            order.after_mail,
        )
