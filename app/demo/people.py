"""The customers: who they are, where they are reached, what they allow."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np

from app.demo.names import ORIGINS, WIDE_ORIGINS, Origin
from app.demo.profile import Profile
from app.demo.records import Consent, Habit, Identity, Person, Suppression
from core.model import Channel, ConsentState, IdentityKind

HABITS = {
    Habit.NEW: 0.16,
    Habit.OCCASIONAL: 0.25,
    Habit.LAPSED: 0.10,
    Habit.REGULAR: 0.21,
    Habit.LOYAL: 0.09,
    Habit.AT_RISK: 0.14,
    Habit.WOKEN: 0.05,
}
# Of 2,000 customers at risk so many are each a case of their own for a decision.
CASES = {
    "unhappy": 8,
    "withdrawn": 5,
    "nowhere": 4,
    "mailbox_full": 4,
    "blocked": 3,
    "complained": 4,
    "complained_and_withdrawn": 2,
    "unhappy_and_withdrawn": 2,
}
# In a shop of any size so many talk, or want to talk, to a person right now.
NOW = {"waiting": 2, "with_agent": 1}
MAIL_DOMAINS = ("example.com", "example.org", "example.net")
MAIL_RATIO = 0.9
WEBCHAT_RATIO = 0.25
TELEGRAM_RATIO = 0.1
OFFERS_RATIO = 0.78
NEWS_RATIO = 0.55
WITHDRAWN_RATIO = 0.06
CUSTOMERS_OF_CASES = 2000
FIRST_CODE = 10_001
# Of a crowd, not all of the youngest are born on one day.
YOUNGEST_SPREAD_YEARS = 30.0
# Both are prime: each of a crowd gets a number of its own, neighbours no neighbours.
ADDRESSES, ADDRESS_STEP = 9_999_991, 4_827_167


@dataclass(frozen=True, slots=True)
class Cast:
    """All people with what they allowed; `cases` are places by their case's word."""

    people: tuple[Person, ...]
    consents: tuple[Consent, ...]
    suppressions: tuple[Suppression, ...]
    cases: dict[str, tuple[int, ...]]


def draw_habits(rng: np.random.Generator, customers: int) -> list[Habit]:
    """One habit per customer, in the shares of `HABITS`, mixed."""
    edges = np.round(np.cumsum(list(HABITS.values())) * customers).astype(int)
    edges[-1] = customers
    habits: list[Habit] = []
    for habit, edge in zip(HABITS, edges, strict=True):
        habits += [habit] * (int(edge) - len(habits))
    order = rng.permutation(customers)
    return [habits[place] for place in order]


def make_cast(
    rng: np.random.Generator,
    asof: datetime,
    habits: list[Habit],
    first_orders: list[datetime],
    chatters: set[int],
    before: int | None = None,
) -> Cast:
    """The people behind the orders; `chatters` have a web chat in any case.

    `before` says that these are some of a crowd, and how many stand before them: names
    are then of more kinds, and codes and addresses are theirs alone.
    """
    cases = _cases(habits)
    case_of = {place: case for case, places in cases.items() for place in places}
    taken: set[str] = set()
    people = [
        _person(rng, asof, place, before, habit, first_orders[place], taken)
        for place, habit in enumerate(habits)
    ]
    people = [
        replace(
            person,
            identities=_identities(rng, person, case_of.get(place), place in chatters),
        )
        for place, person in enumerate(people)
    ]
    consents = [
        row
        for place, person in enumerate(people)
        for row in _consents(rng, asof, place, person, case_of.get(place, ""))
    ]
    consents.sort(key=lambda row: row.at)
    suppressions = tuple(_suppressions(rng, asof, people, cases))
    return Cast(tuple(people), tuple(consents), suppressions, cases)


def with_traits(
    rng: np.random.Generator, people: Sequence[Person], profile: Profile
) -> tuple[Person, ...]:
    """The same people with what their trade keeps of them."""
    draws = rng.random((len(people), len(profile.attributes)))
    return tuple(
        replace(
            person,
            attributes=tuple(
                (each.name, word)
                for each, share in zip(profile.attributes, draw, strict=True)
                if (word := each.choices[int(share * len(each.choices))])
            ),
            preferences=_preferences(rng, profile),
        )
        for person, draw in zip(people, draws.tolist(), strict=True)
    )


def _preferences(rng: np.random.Generator, profile: Profile) -> tuple[str, ...]:
    """None to three of the profile's."""
    known = profile.preferences
    chosen = rng.choice(len(known), size=int(rng.integers(0, 4)), replace=False)
    return tuple(known[place] for place in sorted(chosen.tolist()))


def _cases(habits: list[Habit]) -> dict[str, tuple[int, ...]]:
    """The first customers at risk are the cases; a small shop has fewer of each."""
    quiet = [place for place, habit in enumerate(habits) if habit is Habit.AT_RISK]
    scale = min(1.0, len(habits) / CUSTOMERS_OF_CASES)
    scaled = {case: max(1, round(count * scale)) for case, count in CASES.items()}
    found: dict[str, tuple[int, ...]] = {}
    for case, wanted in (NOW | scaled).items():
        found[case], quiet = tuple(quiet[:wanted]), quiet[wanted:]
    return found


def _person(
    rng: np.random.Generator,
    asof: datetime,
    place: int,
    before: int | None,
    habit: Habit,
    first_order: datetime,
    taken: set[str],
) -> Person:
    origins = ORIGINS if before is None else WIDE_ORIGINS
    origin = origins[_one_of(rng, [each.weight for each in origins])]
    woman = rng.random() < 0.58
    given = _pick(rng, origin.women if woman else origin.men)
    family = _pick(rng, origin.families)
    city, country = _pick(rng, origin.places)
    number = place if before is None else before + place
    suffix = None if before is None else number * ADDRESS_STEP % ADDRESSES
    youngest = 0.0 if before is None else YOUNGEST_SPREAD_YEARS
    address = _address(rng, given[1], family[1], taken, suffix)
    income = float(rng.lognormal(np.log(41_000), 0.38))
    if habit is Habit.LOYAL:
        income *= 1.25
    return Person(
        code=f"C{FIRST_CODE + number}",
        habit=habit,
        name=family[0] + given[0] if origin.family_first else f"{given[0]} {family[0]}",
        language=_language(rng, origin),
        gender="female" if woman else "male",
        birth_date=_birth_date(rng, asof.date(), youngest)
        if rng.random() < 0.85
        else None,
        city=city,
        country=country,
        income_minor=round(income / 100) * 10_000 if rng.random() < 0.65 else None,
        created_at=first_order - timedelta(minutes=float(rng.exponential(900)) + 2),
        identities=(Identity(IdentityKind.EMAIL, address),),
    )


def _language(rng: np.random.Generator, origin: Origin) -> str:
    # Half of the Germans read the shop in English, as it is written.
    return "en" if origin.language == "de" and rng.random() < 0.5 else origin.language


def _birth_date(rng: np.random.Generator, today: date, spread_years: float) -> date:
    age = float(np.clip(rng.normal(43, 13), 19, 84))
    if spread_years and age in {19.0, 84.0}:
        age = 19.0 + spread_years * float(rng.random())
    age_days = age * 365.25
    return today - timedelta(days=round(age_days))


def _address(
    rng: np.random.Generator,
    given: str,
    family: str,
    taken: set[str],
    suffix: int | None,
) -> str:
    name = "".join(c for c in f"{given}.{family}" if c.isascii())
    domain = MAIL_DOMAINS[int(rng.integers(len(MAIL_DOMAINS)))]
    if suffix is not None:
        return f"{name}{suffix}@{domain}"
    number, address = 1, f"{name}@{domain}"
    while address in taken:
        number += 1
        address = f"{name}{number}@{domain}"
    taken.add(address)
    return address


def _identities(
    rng: np.random.Generator, person: Person, case: str | None, chatter: bool
) -> tuple[Identity, ...]:
    """Of what the person could have, what they have."""
    has_mail, has_chat, has_telegram = (
        rng.random() < ratio for ratio in (MAIL_RATIO, WEBCHAT_RATIO, TELEGRAM_RATIO)
    )
    chat_id, telegram_id = rng.bytes(24), str(rng.integers(100_000_000, 999_999_999))
    if case is not None:
        has_mail = case not in {"nowhere", "blocked"}
        has_chat = case in {"unhappy", "unhappy_and_withdrawn", "waiting", "with_agent"}
        has_telegram = case == "blocked"
    found: list[Identity] = list(person.identities) if has_mail else []
    if case == "mailbox_full":
        found = [replace(one, unreachable_reason="mailbox_full") for one in found]
    if has_chat or chatter:
        visitor = base64.urlsafe_b64encode(chat_id).decode()
        found.append(Identity(IdentityKind.WEBCHAT, visitor))
    if has_telegram:
        blocked = case == "blocked" or rng.random() < 0.04
        reason = "blocked" if blocked else None
        found.append(Identity(IdentityKind.TELEGRAM, telegram_id, reason))
    return tuple(found)


def _consents(
    rng: np.random.Generator, asof: datetime, place: int, person: Person, case: str
) -> Iterator[Consent]:
    chance = rng.random(4)
    offers_again = rng.random(3)
    wanted = {"offers": chance[0] < OFFERS_RATIO, "news": chance[1] < NEWS_RATIO}
    if case:
        wanted["offers"] = True
    sources = {
        Channel.EMAIL: "checkout" if chance[2] < 0.7 else "sign_up_form",
        Channel.WEBCHAT: "chat:webchat",
        Channel.TELEGRAM: "chat:telegram",
    }
    known = (asof - person.created_at).total_seconds()
    for number, (channel, source) in enumerate(sources.items()):
        if person.address(IdentityKind(channel.value)) is None:
            continue
        for topic in (topic for topic, granted in wanted.items() if granted):
            at = person.created_at + timedelta(minutes=1)
            granted = ConsentState.GRANTED
            yield Consent(place, channel, topic, granted, source, at)
            left = offers_again[number] < WITHDRAWN_RATIO and not case
            if left or "withdrawn" in case:
                later = at + timedelta(seconds=known * (0.3 + 0.6 * chance[3]))
                withdrawn = ConsentState.WITHDRAWN
                how = "link" if channel is Channel.EMAIL else source
                yield Consent(place, channel, topic, withdrawn, how, later)


def _suppressions(
    rng: np.random.Generator,
    asof: datetime,
    people: list[Person],
    cases: dict[str, tuple[int, ...]],
) -> Iterator[Suppression]:
    complained = [*cases["complained"], *cases["complained_and_withdrawn"]]
    others = rng.choice(len(people), size=len(people) // 150, replace=False)
    chosen = dict.fromkeys(complained, "complaint")
    ordinary = {place for places in cases.values() for place in places}
    chosen |= {
        int(place): "opt_out_list" for place in others if int(place) not in ordinary
    }
    for place, reason in chosen.items():
        address = people[place].address(IdentityKind.EMAIL)
        if address is not None:
            at = asof - timedelta(days=float(rng.uniform(40, 300)))
            yield Suppression(Channel.EMAIL, address, reason, at)


def _one_of(rng: np.random.Generator, weights: list[float]) -> int:
    edges = np.cumsum(weights)
    return int(np.searchsorted(edges, rng.random() * edges[-1]))


def _pick(
    rng: np.random.Generator, choices: tuple[tuple[str, str], ...]
) -> tuple[str, str]:
    return choices[int(rng.integers(len(choices)))]
