"""Names for segments in words, from where their centres lie in the population."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

# Above any squared distance between centres, so that it works as "never".
_NEVER = 1e6
# So many standard deviations from the mean are worth a word.
_NOTEWORTHY = 0.3

_FREQUENCY = ("frequency", "purchase_frequency")
_MONETARY = ("total_spent", "net_spent", "monetary_value")

_WORDS = {
    "recency_days": ("bought lately", "long away"),
    "frequency": ("few orders", "many orders"),
    "monetary_value": ("small baskets", "big baskets"),
    "total_spent": ("small spenders", "big spenders"),
    "net_spent": ("small spenders", "big spenders"),
    "tenure_days": ("new", "long with us"),
    "purchase_frequency": ("rare buyers", "frequent buyers"),
    "average_price": ("cheap goods", "dear goods"),
    "purchase_value": ("small purchases", "large purchases"),
    "returns_ratio": ("return little", "return much"),
    "age": ("younger", "older"),
    "income": ("lower income", "higher income"),
    "csi": ("less satisfied", "satisfied"),
    "ratings_count": ("rate seldom", "rate often"),
    "contacts_count": ("few contacts", "many contacts"),
    "contacts_per_order": ("need little help", "need much help"),
}


@dataclass(frozen=True, slots=True)
class Name:
    """What a segment is called: `key` for programs, `name` for people."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Position:
    """A centre in standard deviations from the population's mean.

    `recency` is positive for those who have been away longer than most; `value` is
    the mean of frequency and monetary.
    """

    recency: float
    frequency: float
    monetary: float

    @property
    def value(self) -> float:
        """The mean of frequency and monetary."""
        return (self.frequency + self.monetary) / 2


@dataclass(frozen=True, slots=True)
class Archetype:
    """A well-known kind of customer, with the bounds within which the word is true.

    `typical` only decides between kinds that are all true.
    """

    name: Name
    typical: Position
    recency: tuple[float, float] = (-np.inf, np.inf)
    frequency: tuple[float, float] = (-np.inf, np.inf)
    monetary: tuple[float, float] = (-np.inf, np.inf)
    value: tuple[float, float] = (-np.inf, np.inf)

    def suits(self, position: Position, slack: float = 0.0) -> bool:
        """Whether the word is true there, give or take `slack` deviations."""
        return all(
            low - slack <= where <= high + slack
            for where, (low, high) in (
                (position.recency, self.recency),
                (position.frequency, self.frequency),
                (position.monetary, self.monetary),
                (position.value, self.value),
            )
        )

    def distance(self, position: Position) -> float:
        """Squared distance from the typical place."""
        return (
            (self.typical.recency - position.recency) ** 2
            + (self.typical.frequency - position.frequency) ** 2
            + (self.typical.monetary - position.monetary) ** 2
        )


LOYAL = Archetype(
    Name("loyal", "Loyal big spenders"),
    Position(-1.3, 1.9, 1.5),
    recency=(-np.inf, 0),
    frequency=(0, np.inf),
    value=(0, np.inf),
)
AT_RISK = Archetype(
    Name("at-risk", "At risk: used to buy often"),
    Position(0.4, 0.4, 0.5),
    recency=(0, np.inf),
    frequency=(-0.25, np.inf),
    value=(0, np.inf),
)
_OTHERS = (
    Archetype(
        Name("regular", "Regular buyers"),
        Position(-0.3, 0.8, 0.7),
        recency=(-np.inf, 0),
        frequency=(-0.1, np.inf),
        value=(0, np.inf),
    ),
    Archetype(
        Name("active", "Active now, buy often"),
        Position(-1.7, 0.5, 0.5),
        recency=(-np.inf, -0.5),
        frequency=(0, np.inf),
        value=(0, np.inf),
    ),
    Archetype(
        Name("new", "Recent, few orders yet"),
        Position(-1.2, -0.4, -0.4),
        recency=(-np.inf, 0),
        value=(-np.inf, 0.1),
    ),
    Archetype(
        Name("occasional", "Occasional buyers"),
        Position(0.2, -0.2, 0.0),
        recency=(-np.inf, 0.7),
        value=(-np.inf, 0.2),
    ),
    Archetype(
        Name("lapsed", "Gone quiet after few orders"),
        Position(0.7, -0.7, -0.8),
        recency=(0, np.inf),
        value=(-np.inf, 0.1),
    ),
    Archetype(
        Name("big-baskets", "Rare, but big baskets"),
        Position(0.5, -0.5, 0.8),
        frequency=(-np.inf, 0),
        monetary=(0, np.inf),
    ),
    Archetype(
        Name("small-baskets", "Often, but small baskets"),
        Position(-0.4, 0.6, -0.6),
        recency=(-np.inf, 0),
        frequency=(0, np.inf),
        monetary=(-np.inf, 0),
    ),
)
_BY_KEY = {kind.name.key: kind for kind in (LOYAL, AT_RISK, *_OTHERS)}
# How far a kept key may drift over its bounds before the meaning has changed.
KEEP_SLACK = 0.2


def slug(name: str) -> str:
    """A name as a key: small letters, digits and hyphens.

    Parameters
    ----------
    name : any text; what is no letter or digit separates words

    Returns
    -------
    The key; "segment" where nothing is left.
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "segment"


def still_true(key: str, centre: Mapping[str, float]) -> bool:
    """Whether a key from an earlier night still says the truth.

    Parameters
    ----------
    key : of a segment
    centre : feature to standard deviations from the population's mean

    Returns
    -------
    False only for a known kind whose bounds the centre has left by more than
    `KEEP_SLACK`, so that a segment on the border does not change its name each night.
    """
    position = _position(centre)
    kind = _BY_KEY.get(key)
    return position is None or kind is None or kind.suits(position, KEEP_SLACK)


def name_centres(
    centres: Sequence[Mapping[str, float]], taken: Sequence[str] = ()
) -> list[Name]:
    """A unique name for each centre, in the order given.

    Parameters
    ----------
    centres : feature to standard deviations from the population's mean; features by
        the names of `analytics.features`, others get plain words
    taken : keys that may not be used again

    Returns
    -------
    Names with unique keys. With recency and a frequency among the features the words
    are kinds of customers: among those who bought lately the best is `loyal`; among
    those long away who bought often or much before, the best is `at-risk`; the rest
    is matched to the nearest kind that is true. Other features give the two words
    that set the centre apart. Ties go to the first.
    """
    positions = [_position(centre) for centre in centres]
    known = [position for position in positions if position is not None]
    if len(known) < len(centres):
        named: list[Name | None] = [None] * len(centres)
    else:
        named = _kinds(known, set(taken))
    used = set(taken) | {name.key for name in named if name is not None}
    result = []
    for centre, name in zip(centres, named, strict=True):
        chosen = name or _own_words(centre, used)
        used.add(chosen.key)
        result.append(chosen)
    return result


def _position(centre: Mapping[str, float]) -> Position | None:
    frequency = _first(centre, _FREQUENCY)
    recency = centre.get("recency_days")
    if recency is None or frequency is None:
        return None
    monetary = _first(centre, _MONETARY)
    return Position(recency, frequency, frequency if monetary is None else monetary)


def _first(centre: Mapping[str, float], names: Sequence[str]) -> float | None:
    return next((centre[name] for name in names if name in centre), None)


def _kinds(positions: Sequence[Position], taken: set[str]) -> list[Name | None]:
    named: list[Name | None] = [None] * len(positions)
    for kind in (LOYAL, AT_RISK):
        suited = [
            place
            for place, position in enumerate(positions)
            if named[place] is None and kind.suits(position)
        ]
        if suited and kind.name.key not in taken:
            best = max(suited, key=lambda place: positions[place].value)
            named[best] = kind.name
    free = [kind for kind in _OTHERS if kind.name.key not in taken]
    rest = [place for place, name in enumerate(named) if name is None]
    for place, kind in _match(positions, rest, free):
        named[place] = kind.name
    return named


def _match(
    positions: Sequence[Position], places: list[int], kinds: list[Archetype]
) -> list[tuple[int, Archetype]]:
    cost = np.array(
        [
            [
                kind.distance(positions[place])
                if kind.suits(positions[place])
                else _NEVER
                for kind in kinds
            ]
            for place in places
        ]
    ).reshape(len(places), len(kinds))
    rows, columns = linear_sum_assignment(cost)
    return [
        (places[row], kinds[column])
        for row, column in zip(rows, columns, strict=True)
        if cost[row, column] < _NEVER
    ]


def _own_words(centre: Mapping[str, float], used: set[str]) -> Name:
    """The words that set a centre apart, one more for as long as they are not new."""
    ranked = sorted(centre, key=lambda feature: -abs(centre[feature]))
    words = [
        _word(feature, centre[feature])
        for feature in ranked
        if abs(centre[feature]) >= _NOTEWORTHY
    ] or ["average customers"]
    for count in range(min(2, len(words)), len(words) + 1):
        name = ", ".join(words[:count]).capitalize()
        if slug(name) not in used:
            return Name(slug(name), name)
    name = ", ".join(words).capitalize()
    number = next(n for n in range(2, len(used) + 3) if f"{slug(name)}-{n}" not in used)
    return Name(f"{slug(name)}-{number}", f"{name} ({number})")


def _word(feature: str, deviation: float) -> str:
    plain = feature.replace("_", " ")
    low, high = _WORDS.get(feature, (f"low {plain}", f"high {plain}"))
    return high if deviation > 0 else low
