"""Customers and opt-outs of a block, as rows of their files."""

from __future__ import annotations

from collections.abc import Iterator

from app.demo.profile import Profile
from app.demo.records import Consent, Person
from app.generator.block import Crowd
from app.generator.homes import Home
from app.generator.moments import write
from app.generator.sheet import Row, Sheet
from core.model import Channel, ConsentState, IdentityKind

CUSTOMERS = (
    *("id", "name", "email", "phone", "telegram", "language", "gender", "birth_date"),
    *("address", "city", "postcode", "country", "income", "income_period", "currency"),
    *("preferences", "created_at", "consent_email", "consent_telegram", "topic"),
)
OPT_OUTS = ("email", "id", "reason")
CURRENCY = "EUR"
TOPIC = "offers"


def customer_columns(profile: Profile) -> tuple[str, ...]:
    """The columns of customers, with the attributes of their trade."""
    return (*CUSTOMERS, *(attribute.name for attribute in profile.attributes))


def customer_sheet(crowd: Crowd) -> Sheet:
    """A row for each customer."""
    sheet = Sheet("customers.csv", customer_columns(crowd.profile))
    wanted = _consents(crowd.cast.consents)
    names = [attribute.name for attribute in crowd.profile.attributes]
    for place, (person, home) in enumerate(zip(crowd.people, crowd.homes, strict=True)):
        known = dict(person.attributes)
        row = _customer(person, home, wanted.get(place, {}))
        sheet.rows.append([*row, *(known.get(name, "") for name in names)])
    return sheet


def opt_out_sheet(crowd: Crowd) -> Sheet:
    """A row for each address or customer that wants no campaigns."""
    sheet = Sheet("opt-outs.csv", OPT_OUTS)
    sheet.rows = [
        [row.address, "", row.reason]
        for row in crowd.cast.suppressions
        if row.channel is Channel.EMAIL
    ]
    sheet.rows += [["", person.code, "unsubscribed"] for person in _silent(crowd)]
    return sheet


def _silent(crowd: Crowd) -> Iterator[Person]:
    """Customers of a case of their own who have no address to name."""
    places = crowd.cast.cases["nowhere"]
    return (crowd.people[place] for place in places)


def _consents(rows: tuple[Consent, ...]) -> dict[int, dict[Channel, str]]:
    """The newest word of each customer about offers, by channel."""
    found: dict[int, dict[Channel, str]] = {}
    for row in rows:
        if row.topic == TOPIC:
            word = "yes" if row.state is ConsentState.GRANTED else "no"
            found.setdefault(row.customer, {})[row.channel] = word
    return found


def _customer(person: Person, home: Home, consents: dict[Channel, str]) -> Row:
    return [
        person.code,
        person.name,
        person.address(IdentityKind.EMAIL) or "",
        home.phone,
        person.address(IdentityKind.TELEGRAM) or "",
        person.language,
        person.gender,
        person.birth_date.isoformat() if person.birth_date else "",
        *(home.address, person.city, home.postcode, person.country),
        *_income(person.income_minor),
        "; ".join(person.preferences),
        write(person.created_at),
        consents.get(Channel.EMAIL, ""),
        consents.get(Channel.TELEGRAM, ""),
        TOPIC if consents else "",
    ]


def _income(minor: int | None) -> tuple[str, str, str]:
    return ("", "", "") if minor is None else (f"{minor / 100:.2f}", "year", CURRENCY)
