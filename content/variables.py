"""What a template may name: the roots, their fields, and which of them can be empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Value:
    """A text, number or date; an `optional` one is empty for some customers."""

    optional: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A thing with named fields."""

    fields: Mapping[str, Kind] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one kind of things."""

    element: Kind


@dataclass(frozen=True, slots=True)
class Open:
    """A thing with fields that nobody declared; each is empty for some customers."""


Kind = Value | Record | ListOf | Open

ALWAYS = Value()
SOMETIMES = Value(optional=True)

CUSTOMER = Record(
    {
        "name": SOMETIMES,
        "first_name": SOMETIMES,
        "email": SOMETIMES,
        "phone": SOMETIMES,
        "language": ALWAYS,
        "gender": SOMETIMES,
        "birth_date": SOMETIMES,
        "age": SOMETIMES,
        "income": SOMETIMES,
        "address": SOMETIMES,
        "postcode": SOMETIMES,
        "city": SOMETIMES,
        "country": SOMETIMES,
        "attributes": Open(),
        "preferences": Open(),
        "segment": SOMETIMES,
        "customer_since": SOMETIMES,
        "last_order_on": SOMETIMES,
        "days_since_last_order": SOMETIMES,
        "orders_count": ALWAYS,
        "total_spent": ALWAYS,
    }
)
ITEM = Record(
    {
        "name": ALWAYS,
        "url": SOMETIMES,
        "price": SOMETIMES,
        "currency": ALWAYS,
        "image": SOMETIMES,
        "reason": SOMETIMES,
    }
)
ROOTS = Record(
    {
        "customer": CUSTOMER,
        "items": ListOf(ITEM),
        "campaign": Record({"key": ALWAYS, "title": ALWAYS, "topic": ALWAYS}),
        "company": Record(
            {
                "name": ALWAYS,
                "url": ALWAYS,
                "support_email": ALWAYS,
                "postal_address": ALWAYS,
                "currency": ALWAYS,
            }
        ),
        "links": Record({"unsubscribe": ALWAYS, "preferences": ALWAYS, "view": ALWAYS}),
        "now": ALWAYS,
    }
)
# The layout shows what the other texts of the same mail became.
HTML_ROOTS = Record({**ROOTS.fields, "subject": ALWAYS, "preheader": ALWAYS})


def names(roots: Record = ROOTS) -> dict[str, Kind]:
    """Every name in dotted form, for side panels and the nearest-word search.

    Fields of list elements carry `[]`, as in `items[].price`; `.*` stands for names
    that nobody declared.
    """
    found: dict[str, Kind] = {}
    waiting: list[tuple[str, Kind]] = list(roots.fields.items())
    while waiting:
        name, kind = waiting.pop(0)
        found[name] = kind
        if isinstance(kind, Open):
            found[f"{name}.*"] = SOMETIMES
        inner = kind.element if isinstance(kind, ListOf) else kind
        mark = f"{name}[]" if isinstance(kind, ListOf) else name
        if isinstance(inner, Record):
            waiting += [(f"{mark}.{key}", value) for key, value in inner.fields.items()]
    return found
