"""The language of `where:`: parsed to frozen values, never evaluated as code.

Comparisons, `and or not`, `in`, `between`, `is null`, `days_since(field)`. A missing
value makes a comparison unknown, and unknown is not a match.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any, Never

from core.errors import CampaignError, Problem, did_you_mean


class FieldKind(StrEnum):
    """What a field of a customer holds."""

    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    BOOLEAN = "boolean"


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

NESTING_MAX = 50
_WORDS = frozenset({"and", "or", "not", "in", "between", "is", "null", "true", "false"})
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<word>[A-Za-z_][\w.]*)|(?P<sign>==|!=|<>|<=|>=|[=<>(),]))"
)
_ALIASES = {"==": "=", "<>": "!="}


def parse(
    text: str,
    fields: Mapping[str, FieldKind],
    *,
    file: str | None = None,
    line: int | None = None,
) -> Condition:
    """The condition that `text` says, over the known `fields`.

    Raises
    ------
    CampaignError : not in the language, an unknown field, or a value of another kind
        than its field; with column and the nearest known word.
    """
    return _Parser(text, fields, file, line).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


class _Parser:
    def __init__(
        self,
        text: str,
        fields: Mapping[str, FieldKind],
        file: str | None,
        line: int | None,
    ) -> None:
        self.fields = fields
        self.file = file
        self.line = line
        self.depth = 0
        self.tokens = list(self._tokens(text))
        self.position = 0

    def fail(
        self, expected: str, token: _Token | None = None, hint: str | None = None
    ) -> Never:
        token = token or self.next
        value = token.text or "the end"
        problem = Problem(
            expected, value, self.file, self.line, token.column, hint=hint
        )
        raise CampaignError(problem)

    def _tokens(self, text: str) -> Iterator[_Token]:
        position = 0
        text = text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if not found or found.lastgroup is None:
                rest = text[position:].lstrip()
                column = len(text) - len(rest) + 1
                self.fail("not a word of conditions", _Token("", rest[:20], column))
            kind = found.lastgroup
            word = found.group(kind)
            reserved = kind == "word" and word.lower() in _WORDS
            shown = word.lower() if reserved else word
            kind = "reserved" if reserved else kind
            yield _Token(kind, shown, found.start(found.lastgroup) + 1)
            position = found.end()
        yield _Token("end", "", len(text) + 1)

    @property
    def next(self) -> _Token:
        return self.tokens[self.position]

    def take(self) -> _Token:
        token = self.next
        self.position += 1
        return token

    def took(self, *words: str) -> bool:
        if self.next.kind in {"reserved", "sign"} and self.next.text in words:
            self.position += 1
            return True
        return False

    def need(self, word: str) -> None:
        if not self.took(word):
            self.fail(f"`{word}` is expected here")

    def whole(self) -> Condition:
        condition = self.either()
        if self.next.kind != "end":
            self.fail("`and`, `or` or the end is expected here")
        return condition

    def either(self) -> Condition:
        parts = [self.both()]
        while self.took("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def both(self) -> Condition:
        parts = [self.one()]
        while self.took("and"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def one(self) -> Condition:
        self.depth += 1
        if self.depth > NESTING_MAX:
            self.fail(f"at most {NESTING_MAX} levels of `not` and parentheses")
        condition = self._one()
        self.depth -= 1
        return condition

    def _one(self) -> Condition:
        if self.took("not"):
            return Not(self.one())
        if self.took("("):
            inside = self.either()
            self.need(")")
            return inside
        return self.comparison(self.field())

    def field(self) -> Field:
        token = self.take()
        if token.kind != "word":
            self.fail("a field of the customer is expected here", token)
        if token.text != "days_since":
            return self.known(token, days_since=False)
        self.need("(")
        found = self.known(self.take(), days_since=True)
        self.need(")")
        return found

    def known(self, token: _Token, *, days_since: bool) -> Field:
        kind = self.fields.get(token.text)
        if kind is None:
            words = [*self.fields, "days_since"]
            self.fail("unknown field", token, did_you_mean(token.text, words))
        if days_since and kind is not FieldKind.DATE:
            self.fail("`days_since` needs a date field", token)
        shown = FieldKind.NUMBER if days_since else kind
        return Field(token.text, shown, days_since, token.column)

    def comparison(self, subject: Field) -> Condition:
        if self.took("is"):
            negated = self.took("not")
            self.need("null")
            return Not(IsNull(subject)) if negated else IsNull(subject)
        negated = self.took("not")
        if self.took("in"):
            found: Condition = Among(subject, self.values(subject))
        elif self.took("between"):
            low = self.value(subject)
            self.need("and")
            found = Between(subject, low, self.value(subject))
        elif negated:
            self.fail("`in` or `between` is expected after `not`")
        else:
            return self.compared(subject)
        return Not(found) if negated else found

    def compared(self, subject: Field) -> Condition:
        token = self.take()
        sign = _ALIASES.get(token.text, token.text)
        if token.kind != "sign" or sign not in set(Comparator):
            if subject.kind is FieldKind.BOOLEAN:
                self.position -= 1
                return Comparison(subject, Comparator.EQUAL, True)
            self.fail("a comparison (= != < <= > >= in between is) is expected", token)
        comparator = Comparator(sign)
        ordered = comparator not in {Comparator.EQUAL, Comparator.NOT_EQUAL}
        if ordered and subject.kind in {FieldKind.TEXT, FieldKind.BOOLEAN}:
            self.fail(f"`{subject.name}` has no order; use = or in", token)
        return Comparison(subject, comparator, self.value(subject))

    def values(self, subject: Field) -> tuple[Literal, ...]:
        self.need("(")
        found = [self.value(subject)]
        while self.took(","):
            found.append(self.value(subject))
        self.need(")")
        return tuple(found)

    def value(self, subject: Field) -> Literal:
        token = self.take()
        found = _literal(token, subject.kind)
        if found is not None:
            return found
        if token.text == "null":
            self.fail("null is unknown and never compares", token, "Write `is null`.")
        if token.kind == "word":
            hint = f"Put texts in quotes: '{token.text}'."
            self.fail(f"`{subject.name}` is compared with a value", token, hint)
        wanted = (
            "date as '2026-01-31'" if subject.kind is FieldKind.DATE else subject.kind
        )
        return self.fail(f"`{subject.name}` is compared with a {wanted}", token)


def _literal(token: _Token, kind: FieldKind) -> Literal | None:
    """The value of a token as its field's kind; None where it is of another."""
    bare = token.text[1:-1]
    match kind, token.kind:
        case FieldKind.NUMBER, "number":
            return Decimal(token.text) if "." in token.text else int(token.text)
        case FieldKind.TEXT, "text":
            return bare
        case FieldKind.BOOLEAN, "reserved" if token.text in {"true", "false"}:
            return token.text == "true"
        case FieldKind.DATE, "text":
            try:
                return date.fromisoformat(bare)
            except ValueError:
                return None
        case _:
            return None


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
            return row.get(subject.name) is None
        case _:
            value = _value(condition.field, row, now)
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


def _value(subject: Field, row: Mapping[str, Any], now: datetime) -> Any:
    value = row.get(subject.name)
    if value is None:
        return None
    if subject.days_since:
        return (now - _instant(value)).days
    if subject.kind is FieldKind.DATE and isinstance(value, datetime):
        return value.astimezone(UTC).date()
    return value


def _instant(value: date) -> datetime:
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, time(), UTC)


def _all(parts: list[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def _inverse(value: bool | None) -> bool | None:
    return None if value is None else not value
