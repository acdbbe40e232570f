"""Words of a file as values: exact numbers, moments, codes, each parsed once.

Files repeat their words, so each kind of word is a dictionary that fills itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

V = TypeVar("V")

CACHE_WORDS = 50_000
DIGITS_MAX = 15
# Larger ones are codes in the wrong column, and sums of them could pass 64 bits.
MINOR_MAX = 10**10
QUANTITY_MAX = 10**7
ISO = "iso"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXCEL_DAY_0 = datetime(1899, 12, 30)  # noqa: DTZ001  the caller adds the zone
# Of a longer one, a moment stands in the column.
SECONDS_MAX = 366 * 86_400

_PLAIN = re.compile(r"[+-]?\d+")
_SIGN = r"(?:\s*[$€£¥￥₹元]\s*)"
_CLOCK = re.compile(r"(?:(?:(\d+)\s+days?,?\s+)?(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_TRUE = frozenset({"1", "yes", "y", "true", "granted", "ja", "是"})
_FALSE = frozenset({"0", "no", "n", "false", "withdrawn", "nein", "否"})


class BadValue(Exception):
    """A word that is not what its column holds; `field` is ours for the column."""

    def __init__(self, reason: str, value: str, field: str = "") -> None:
        self.reason = reason
        self.value = value
        self.field = field
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
    """Exact numbers in the file's notation; a sign of a currency may stand by."""

    def __init__(self, decimal: str = ".") -> None:
        thousands = "," if decimal == "." else "."
        self._number = re.compile(
            rf"([+-]?){_SIGN}?(\d+|\d{{1,3}}(?:[{thousands}'’\s]\d{{3}})+)"
            rf"(?:{re.escape(decimal)}(\d*))?{_SIGN}?"
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

    def exact(self, word: str) -> Fraction:
        """A number as it stands there, without the errors of a float."""
        value, behind = self.scaled(word)
        return Fraction(value, 10**behind)


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


def count(word: str) -> int:
    """A number of things, 0 or more.

    Raises
    ------
    BadValue : `bad_count`
    """
    try:
        value = whole(word)
    except BadValue:
        value = -1
    if value < 0:
        raise BadValue("bad_count", word)
    return value


class Moments:
    """Dates and times in the file's forms, as moments in UTC.

    A full ISO date is understood whatever the forms are: that is what the dates of a
    workbook come as.
    """

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
        forms = (ISO, *self._forms) if text[4:5] == "-" else self._forms
        for form in forms:
            try:
                if form in _NAMED:
                    return _NAMED[form](text)
                return datetime.strptime(text, form)  # noqa: DTZ007  the caller adds the zone
            except (ValueError, OverflowError):
                continue
        raise BadValue("bad_date", word)


def _since_1970(text: str, unit: float) -> datetime:
    return EPOCH + timedelta(seconds=float(text) * unit)


_NAMED: dict[str, Callable[[str], datetime]] = {
    ISO: datetime.fromisoformat,
    "epoch": lambda text: _since_1970(text, 1),
    "epoch_ms": lambda text: _since_1970(text, 0.001),
    # Days of the calendar that workbooks count by, in local time.
    "excel": lambda text: EXCEL_DAY_0 + timedelta(days=float(text)),
}


def seconds(word: str, numbers: Numbers) -> float:
    """How long something took: a number of seconds, or a clock such as `0:02:31`.

    Raises
    ------
    BadValue : `bad_duration`
    """
    found = _CLOCK.fullmatch(word.strip())
    if found is not None:
        days, hours, minutes, rest = (float(part or 0) for part in found.groups())
        value = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    else:
        try:
            value = float(numbers.exact(word))
        except BadValue:
            value = -1.0
    if not 0 <= value <= SECONDS_MAX:
        raise BadValue("bad_duration", word)
    return value


class Scale:
    """A scale of ratings, and what its scores are on ours of 1 to 5.

    `worst` may be above `best`, as for school marks. The two ends are 1 and 5, what
    lies between is divided evenly, and a half is rounded up.
    """

    def __init__(self, worst: float = 1, best: float = 5) -> None:
        self._worst = Fraction(str(worst))
        self._range = Fraction(str(best)) - self._worst
        self.name = f"{worst:g}-{best:g}"

    def score(self, given: Fraction, word: str) -> int:
        """Ours for a given one.

        Raises
        ------
        BadValue : `bad_score`, for one that is not on the scale
        """
        share = (given - self._worst) / self._range
        if not 0 <= share <= 1:
            raise BadValue("bad_score", word)
        return floor(1 + 4 * share + Fraction(1, 2))


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
