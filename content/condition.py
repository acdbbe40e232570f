"""A condition on customers as frozen values, and whether somebody meets it.

A missing value makes a comparison unknown, and unknown is not a match.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from content.open_value import moment_of, read_as


class FieldKind(StrEnum):
    """What a field of a customer holds."""

    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    BOOLEAN = "boolean"
    # A text from a file: what it is compared with says what it is read as.
    OPEN = "value"


Literal = str | int | Decimal | bool | date


class Comparator(StrEnum):
    """How two values are compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the customer; with `days_since`, the whole days since it."""

    name: str
    kind: FieldKind
    days_since: bool = False
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    field: Field
    comparator: Comparator
    value: Literal


@dataclass(frozen=True, slots=True)
class Among:
    """`field in (…)`."""

    field: Field
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Both ends belong to it."""

    field: Field
    low: Literal
    high: Literal


@dataclass(frozen=True, slots=True)
class IsNull:
    """The one question that a missing value answers."""

    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Condition, ...]


Condition = Comparison | Among | Between | IsNull | Not | And | Or


def fields_of(condition: Condition) -> frozenset[str]:
    """The names of the fields that a condition reads."""
    match condition:
        case And(parts) | Or(parts):
            return frozenset().union(*(fields_of(part) for part in parts))
        case Not(part):
            return fields_of(part)
        case _:
            return frozenset({condition.field.name})


def evaluate(
    condition: Condition, row: Mapping[str, Any], now: datetime
) -> bool | None:
    """Whether one customer matches: True, False or None for unknown.

    A field that `row` lacks is null. `days_since` counts whole days from the field to
    `now`; a date counts from its midnight in UTC.
    """
    match condition:
        case Not(part):
            inner = evaluate(part, row, now)
            return None if inner is None else not inner
        case And(parts):
            return _all([evaluate(part, row, now) for part in parts])
        case Or(parts):
            inverse = [_inverse(evaluate(part, row, now)) for part in parts]
            return _inverse(_all(inverse))
        case IsNull(subject):
            return _found(subject.name, row) is None
        case Among(subject, values) if subject.kind is FieldKind.OPEN:
            wanted = (Comparison(subject, Comparator.EQUAL, each) for each in values)
            return evaluate(Or(tuple(wanted)), row, now)
        case _:
            value = _value(condition, row, now)
            return None if value is None else _holds(condition, value)


def matches(condition: Condition, row: Mapping[str, Any], now: datetime) -> bool:
    """Whether one customer surely matches; unknown is not a match."""
    return evaluate(condition, row, now) is True


def _holds(condition: Comparison | Among | Between, value: Any) -> bool:
    match condition:
        case Among(values=values):
            return value in values
        case Between(low=low, high=high):
            return bool(low <= value <= high)
        case Comparison(comparator=comparator, value=wanted):
            return _compared(value, comparator, wanted)


def _compared(value: Any, comparator: Comparator, wanted: Literal) -> bool:
    match comparator:
        case Comparator.EQUAL:
            return bool(value == wanted)
        case Comparator.NOT_EQUAL:
            return bool(value != wanted)
        case Comparator.LESS:
            return bool(value < wanted)
        case Comparator.LESS_OR_EQUAL:
            return bool(value <= wanted)
        case Comparator.GREATER:
            return bool(value > wanted)
        case Comparator.GREATER_OR_EQUAL:
            return bool(value >= wanted)


def _value(
    condition: Comparison | Among | Between, row: Mapping[str, Any], now: datetime
) -> Any:
    subject = condition.field
    value = _found(subject.name, row)
    if value is None:
        return None
    if subject.days_since:
        moment = moment_of(value)
        return None if moment is None else (now - moment).days
    if subject.kind is FieldKind.OPEN:
        like = condition.low if isinstance(condition, Between) else _first(condition)
        return read_as(value, like)
    if subject.kind is FieldKind.DATE and isinstance(value, datetime):
        return value.astimezone(UTC).date()
    return value


def _first(condition: Comparison | Among) -> Literal:
    return condition.value if isinstance(condition, Comparison) else condition.values[0]


def _found(name: str, row: Mapping[str, Any]) -> Any:
    """A value of the row; `root.name` is looked for in the mapping at its root."""
    root, dot, below = name.partition(".")
    value = (row.get(root) or {}).get(below) if dot else row.get(name)
    return None if value == "" else value


def _all(parts: list[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def _inverse(value: bool | None) -> bool | None:
    return None if value is None else not value
