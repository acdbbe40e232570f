"""What differs between a shop, a bank and a travel agency: read from their files.

A profile is `templates/profiles/NAME/profile.yaml`; the articles, campaigns and phrases
that fit it are found by `content.profile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ruamel.yaml import YAML

from app.demo.catalogue import Catalogue, make_catalogue
from app.demo.wordings import Wordings, make_wordings
from content.profile import DEFAULT, PROFILES
from core.errors import DataError, Problem, did_you_mean
from core.settings import ROOT

DIRECTORY = ROOT / "templates" / "profiles"
# How often the bot's answer is not enough, where a topic does not say it.
PERSON_RATIO = 0.09


@dataclass(frozen=True, slots=True)
class Company:
    """Who it is; `kind` names it in a sentence."""

    kind: str
    name: str
    url: str
    support_email: str
    postal_address: str


@dataclass(frozen=True, slots=True)
class Topic:
    """What conversations about an article are like."""

    weight: float
    person_ratio: float
    mood: float
    issue: str | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """The product that disappoints: who writes about it, so many days after buying."""

    topic: str
    days_after: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Relief:
    """An article that is new, and the topic about which fewer need a person since."""

    topic: str
    article: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """A field that this trade keeps of its customers, with what it may hold."""

    name: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """One trade: what it sells, what its customers ask, what goes wrong."""

    key: str
    company: Company
    password: str
    campaign: str
    order_prefix: str
    catalogue: Catalogue
    months: tuple[float, ...]
    topics: Mapping[str, Topic]
    issues: tuple[str, ...]
    popular_topics: tuple[str, ...]
    unhappy_topics: tuple[str, ...]
    open_topics: tuple[str, ...]
    relief: Relief
    trouble: Trouble
    attributes: tuple[Attribute, ...]
    preferences: tuple[str, ...]
    words: Wordings


@cache
def load_profile(key: str = DEFAULT) -> Profile:
    """One of the shipped profiles.

    Raises
    ------
    DataError : there is no such profile (with the nearest)
    """
    if key not in PROFILES:
        hint = did_you_mean(key, PROFILES) or f"There are: {', '.join(PROFILES)}."
        raise DataError(Problem("unknown profile", key, hint=hint))
    file = DIRECTORY / key / "profile.yaml"
    tree = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    return Profile(
        key=key,
        company=Company(**tree["company"]),
        password=tree["password"],
        campaign=tree["campaign"],
        order_prefix=tree["order_prefix"],
        catalogue=make_catalogue(tree),
        months=tuple(tree["months"]),
        topics={name: _topic(given) for name, given in tree["topics"].items()},
        issues=tuple(tree["issues"]),
        popular_topics=tuple(tree["popular_topics"]),
        unhappy_topics=tuple(tree["unhappy_topics"]),
        open_topics=tuple(tree["open_topics"]),
        relief=Relief(**tree["relief"]),
        trouble=_trouble(tree["trouble"]),
        attributes=tuple(
            Attribute(name, tuple(choices))
            for name, choices in tree["attributes"].items()
        ),
        preferences=tuple(tree["preferences"]),
        words=make_wordings(tree["words"]),
    )


def _topic(given: Mapping[str, Any]) -> Topic:
    return Topic(
        float(given["weight"]),
        given.get("person", PERSON_RATIO),
        given.get("mood", 0.0),
        given.get("issue"),
    )


def _trouble(given: Mapping[str, Any]) -> Trouble:
    low, high = given["days_after"]
    return Trouble(given["topic"], (float(low), float(high)))
