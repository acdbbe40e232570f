"""Words of a file as values: exact numbers, moments, codes, each parsed once.

Files repeat their words, so each kind of word is a dictionary that fills itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

V = TypeVar("V")

CACHE_WORDS = 50_000
DIGITS_MAX = 15
# Larger ones are codes in the wrong column, and sums of them could pass 64 bits.
MINOR_MAX = 10**10
QUANTITY_MAX = 10**7

_PLAIN = re.compile(r"[+-]?\d+")
_TRUE = frozenset({"1", "yes", "y", "true", "granted", "ja", "是"})
_FALSE = frozenset({"0", "no", "n", "false", "withdrawn", "nein", "否"})


class BadValue(Exception):
    """A word that is not what its column holds."""

    def __init__(self, reason: str, value: str) -> None:
        self.reason = reason
        self.value = value
        super().__init__(reason, value)


class Words(dict[str, V], Generic[V]):
    """Words and what they mean; the meaning is found out at the first use."""

    def __init__(self, meaning: Callable[[str], V]) -> None:
        super().__init__()
        self._meaning = meaning

    def __missing__(self, word: str) -> V:
        # A column of ever new words must not fill the memory.
        if len(self) >= CACHE_WORDS:
            self.clear()
        value = self._meaning(word)
        self[word] = value
        return value


class Numbers:
    """Exact numbers in the file's notation."""

    def __init__(self, decimal: str = ".") -> None:
        thousands = "," if decimal == "." else "."
        self._number = re.compile(
            rf"([+-]?)(\d+|\d{{1,3}}(?:[{thousands}' ]\d{{3}})+)"
            rf"(?:{re.escape(decimal)}(\d*))?"
        )

    def scaled(self, word: str) -> tuple[int, int]:
        """Digits as one integer, and how many of them stand behind the sign.

        Raises
        ------
        BadValue : `bad_number`
        """
        found = self._number.fullmatch(word.strip())
        if found is None:
            raise BadValue("bad_number", word)
        sign, whole, behind = found.groups("")
        digits = re.sub(r"\D", "", whole) + behind.rstrip("0")
        if len(digits) > DIGITS_MAX:
            raise BadValue("bad_number", word)
        return int(sign + digits), len(behind.rstrip("0"))

    def minor(self, word: str, places: int) -> tuple[int, int]:
        """A price in minor units with `places`, times the divisor beside it.

        The divisor is 1 unless the word has more places than the currency.
        """
        value, behind = self.scaled(word)
        divisor = 10 ** max(0, behind - places)
        value *= 10 ** max(0, places - behind)
        if abs(value) > MINOR_MAX * divisor:
            raise BadValue("bad_number", word)
        return value, divisor


def whole(word: str) -> int:
    """A whole number of units; `6.0` is one.

    Raises
    ------
    BadValue : `bad_quantity`
    """
    text = word.strip()
    if not _PLAIN.fullmatch(text):
        text = re.sub(r"[.,]0+$", "", text)
    if not _PLAIN.fullmatch(text) or len(text) > DIGITS_MAX:
        raise BadValue("bad_quantity", word)
    value = int(text)
    if abs(value) > QUANTITY_MAX:
        raise BadValue("bad_quantity", word)
    return value


def divided(value: int, divisor: int) -> int:
    """`value / divisor`, rounded half away from zero."""
    sign = -1 if value < 0 else 1
    return sign * ((abs(value) * 2 + divisor) // (divisor * 2))


class Moments:
    """Dates and times in the file's forms, as moments in UTC."""

    def __init__(self, forms: tuple[str, ...], zone: str) -> None:
        self._forms = forms
        self._zone = ZoneInfo(zone)

    def moment(self, word: str) -> datetime:
        """An aware moment; one without a zone is local time of the file's zone.

        Raises
        ------
        BadValue : `bad_date`
        """
        found = self._parse(word)
        if found.tzinfo is None:
            found = found.replace(tzinfo=self._zone)
        try:
            return found.astimezone(UTC)
        except OverflowError:
            raise BadValue("bad_date", word) from None

    def day(self, word: str) -> date:
        """A calendar day; a time beside it is left out."""
        return self._parse(word).date()

    def _parse(self, word: str) -> datetime:
        text = word.strip()
        for form in self._forms:
            try:
                if form == "iso":
                    return datetime.fromisoformat(text)
                return datetime.strptime(text, form)  # noqa: DTZ007  the caller adds the zone
            except ValueError:
                continue
        raise BadValue("bad_date", word)


def truth(word: str) -> bool:
    """Yes or no.

    Raises
    ------
    BadValue : `bad_yes_no`
    """
    text = word.strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise BadValue("bad_yes_no", word)


def minor_places(currency: str) -> int:
    """Digits behind the decimal sign: 2 for EUR, 0 for JPY.

    Raises
    ------
    BadValue : `unknown_currency`
    """
    from babel.core import get_global  # noqa: PLC0415  heavy, and only files need it

    code = currency.strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise BadValue("unknown_currency", currency)
    precisions = get_global("currency_fractions")
    return int(precisions.get(code, precisions["DEFAULT"])[0])
