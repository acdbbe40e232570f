"""The language of `where:`: parsed to frozen values, never evaluated as code.

Comparisons, `and or not`, `in`, `between`, `is null`, `days_since(field)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Never

from content.condition import (
    Among,
    And,
    Between,
    Comparator,
    Comparison,
    Condition,
    Field,
    FieldKind,
    IsNull,
    Literal,
    Not,
    Or,
)
from content.open_value import date_of
from core.errors import CampaignError, Problem, did_you_mean

NESTING_MAX = 50
_WORDS = frozenset({"and", "or", "not", "in", "between", "is", "null", "true", "false"})
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<word>[A-Za-z_][\w.]*(?:(?<=\.)(?:'[^']*'|\"[^\"]*\"))?)"
    r"|(?P<sign>==|!=|<>|<=|>=|[=<>(),]))"
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

    A field `root.*` stands for all names below a root; one with blanks or signs is put
    in quotes: `attributes.'Loyalty points'`.

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
        root, _, below = token.text.partition(".")
        below = below.strip("'\"")
        name = f"{root}.{below}" if below else token.text
        kind = self.fields.get(name) or (
            self.fields.get(f"{root}.*") if below else None
        )
        if kind is None:
            words = [*self.fields, "days_since"]
            self.fail("unknown field", token, did_you_mean(token.text, words))
        if days_since and kind not in {FieldKind.DATE, FieldKind.OPEN}:
            self.fail("`days_since` needs a date field", token)
        shown = FieldKind.NUMBER if days_since else kind
        return Field(name, shown, days_since, token.column)

    def comparison(self, subject: Field) -> Condition:
        if self.took("is"):
            negated = self.took("not")
            self.need("null")
            return Not(IsNull(subject)) if negated else IsNull(subject)
        negated = self.took("not")
        if self.took("in"):
            found: Condition = Among(subject, self.values(subject))
        elif self.took("between"):
            low = self.ordered_value(subject)
            self.need("and")
            found = Between(subject, low, self.ordered_value(subject))
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
        if comparator in {Comparator.EQUAL, Comparator.NOT_EQUAL}:
            return Comparison(subject, comparator, self.value(subject))
        if subject.kind in {FieldKind.TEXT, FieldKind.BOOLEAN}:
            self.fail(f"`{subject.name}` has no order; use = or in", token)
        return Comparison(subject, comparator, self.ordered_value(subject))

    def ordered_value(self, subject: Field) -> Literal:
        token = self.next
        value = self.value(subject)
        if subject.kind is FieldKind.OPEN and isinstance(value, str | bool):
            self.fail("order is among numbers, or dates as '2026-01-31'", token)
        return value

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
    if kind is FieldKind.OPEN:
        kind = _open_kind(token.kind, bare)
    match kind, token.kind:
        case FieldKind.NUMBER, "number":
            return Decimal(token.text) if "." in token.text else int(token.text)
        case FieldKind.TEXT, "text":
            return bare
        case FieldKind.BOOLEAN, "reserved" if token.text in {"true", "false"}:
            return token.text == "true"
        case FieldKind.DATE, "text":
            return date_of(bare)
        case _:
            return None


def _open_kind(token_kind: str, bare: str) -> FieldKind:
    """What the value of an open field is compared as, by the form of the literal."""
    match token_kind:
        case "number":
            return FieldKind.NUMBER
        case "text":
            return FieldKind.TEXT if date_of(bare) is None else FieldKind.DATE
        case _:
            return FieldKind.BOOLEAN
