"""What a column of a sample holds, by the look of its words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from content.forms import is_moment
from content.values import BadValue, truth

# So many words say what a column holds.
WORDS_LOOKED_AT = 600
EXAMPLES = 3
EVERY = 20_000


class Look(StrEnum):
    """What a word looks like; it may look like several."""

    EMAIL = "an e-mail address"
    PHONE = "a phone number"
    # Not digits alone, which may be the number of anything, but for Chinese mobiles.
    CLEAR_PHONE = "a phone number with its signs"
    MOMENT = "a date"
    CLOCK = "a time of day"
    NUMBER = "a number"
    WHOLE = "a whole number"
    YES_NO = "yes or no"
    URL = "a link"
    YEAR = "a year"
    AGE = "an age"
    LETTERS = "words"
    CODE = "a short code"
    CURRENCY = "a currency"
    DURATION = "a duration"
    DIGITS = "something with digits"


_PATTERNS = {
    Look.EMAIL: re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+"),
    Look.PHONE: re.compile(r"'?\+?[\d()/. -]{6,20}"),
    Look.CLEAR_PHONE: re.compile(
        r"\+\d[\d()/. -]{6,20}|\(?0\d+\)?[/. -][\d()/. -]{4,16}|1[3-9]\d{9}"
    ),
    Look.CLOCK: re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(\s?[AaPp][Mm])?"),
    Look.NUMBER: re.compile(
        r"[-+(]?\s?(?:[A-Z]{3}\s?|[^\w\s.,:;/@-]\s?)?[-+]?\d[\d.,' \u00a0\u202f]*\)?"
        r"\s?(?:[A-Z]{3}|[^\w\s.,:;/@-]|元)?"
    ),
    Look.WHOLE: re.compile(r"[-+]?\d+(?:[.,]0+)?"),
    Look.URL: re.compile(r"(https?://|www\.)\S+"),
    Look.YEAR: re.compile(r"(18|19|20)\d\d"),
    Look.AGE: re.compile(r"\d{1,2}|1[0-2]\d"),
    Look.LETTERS: re.compile(r"[^\d@]*[^\W\d_][^\d@]*"),
    Look.CODE: re.compile(r"\S{1,64}"),
    Look.CURRENCY: re.compile(r"[A-Za-z]{3}|[^\w\s]|[^\W\d_]{1,3}\W?"),
    Look.DURATION: re.compile(r"(\d+ days?,? )?(\d+:)?\d+:\d+(\.\d+)?|\d+([.,]\d+)?"),
    Look.DIGITS: re.compile(r".*\d.*"),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One column: how many words it has, and how they look.

    `rows` and `filled` count rows; `different` the different words among these.
    """

    name: str
    rows: int
    filled: int
    different: int
    # Some of the different words, and (up to a bound) all.
    words: tuple[str, ...]
    every: tuple[str, ...]

    def share(self, look: Look) -> float:
        """How much of the words looks so; 0 where there is none."""
        fits = _CHECKS[look]
        found = sum(fits(word) for word in self.words)
        return found / len(self.words) if self.words else 0.0

    @property
    def is_unique(self) -> bool:
        """Whether (nearly) every row has a word of its own."""
        return self.filled > 0 and self.different >= self.rows * 0.95

    @property
    def example(self) -> str:
        """A few of its words, for a person."""
        shown = [word[:24] for word in dict.fromkeys(self.words)]
        return ", ".join(shown[:EXAMPLES])


def profile(name: str, words: list[str], unknown: frozenset[str]) -> Profile:
    """The profile of a column whose words for nothing are `unknown`."""
    filled = [word for word in words if word and word.casefold() not in unknown]
    different = list(dict.fromkeys(filled))
    step = -(-len(different) // WORDS_LOOKED_AT) or 1
    return Profile(
        name,
        len(words),
        len(filled),
        len(different),
        tuple(different[::step]),
        tuple(different[:EVERY]),
    )


def _is_answer(word: str) -> bool:
    try:
        truth(word)
    except BadValue:
        return False
    return True


def _is_phone(word: str) -> bool:
    digits = sum(letter.isdigit() for letter in word)
    return 7 <= digits <= 15 and _PATTERNS[Look.PHONE].fullmatch(word) is not None


def _matcher(look: Look) -> Callable[[str], bool]:
    pattern = _PATTERNS[look]
    return lambda word: pattern.fullmatch(word) is not None


_CHECKS: dict[Look, Callable[[str], bool]] = {
    **{look: _matcher(look) for look in _PATTERNS},
    Look.MOMENT: is_moment,
    Look.YES_NO: _is_answer,
    Look.PHONE: _is_phone,
}
