"""How a file writes numbers and dates, found out from its words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from content.sample import Finding

# Digits with signs between them, within currency signs or a unit.
_NUMBER = re.compile(r"[^\d,.'+()-]*[+(-]?\s*[^\d,.']?\s*([\d.,' \u00a0\u202f]*\d)\D*")
_EXACTLY_GROUP = 3
_SIGNS = ".,"

_CLOCK = (
    r"(?P<clock>(?P<hour>\d{1,2})(?P<h>[:时点])(?P<minute>\d{2})"
    r"(?:(?P<m>[:分])(?:(?P<second>\d{2})(?P<part>\.\d{1,6})?(?P<s>秒?))?)?)"
    r"(?P<half_gap>\s?)(?P<half>[AaPp][Mm])?"
    r"(?P<zone_gap>\s?)(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_NUMERIC = re.compile(
    r"(?P<a>\d{1,4})(?P<s1>[-/.]|年)(?P<b>\d{1,2})(?P<s2>[-/.]|月)(?P<c>\d{1,4})"
    rf"(?P<end>[日.]?)(?:(?P<gap>T|,?\s*){_CLOCK})?"
)
_NAMED = re.compile(
    r"(?:(?P<week>[A-Za-z]{3,9})(?P<week_gap>,?\s))?"
    r"(?:(?P<day>\d{1,2})(?P<g1>[- ])(?P<month>[A-Za-z]{3,9})"
    r"|(?P<month2>[A-Za-z]{3,9})(?P<g3>[ ])(?P<day2>\d{1,2}))"
    r"(?P<g2>,?[- ])(?P<year>\d{4}|\d{2})"
    rf"(?:(?P<gap>,?\s){_CLOCK})?"
)
_SHORT_MONTH = 3
_YEAR_DIGITS = 4
_MONTHS = 12
_DAYS = 31
# 1990 to 2100, in seconds; a workbook's days of the same years.
_EPOCH = range(631_152_000, 4_102_444_800)
_EXCEL_DAYS = range(32_874, 73_051)


# One number in so many that speaks against the others makes none unclear.
FEW = 10


# --- numbers --------------------------------------------------------------------------


@dataclass(slots=True)
class _Evidence:
    """What speaks for each decimal sign."""

    sure: Counter[str] = field(default_factory=Counter)
    # Words such as `1,234`: a sign once, and three digits behind it.
    open: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    # The largest number that has no sign at all, and how many there are.
    plain: int = 0
    largest: int = 0

    def add(self, word: str) -> None:
        found = _NUMBER.fullmatch(word)
        if found is None:
            return
        digits = re.sub(r"[' \u00a0\u202f]", "", found[1])
        used = [sign for sign in _SIGNS if sign in digits]
        if not used:
            self.plain += 1
            self.largest = max(self.largest, int(digits))
            return
        last = max(used, key=digits.rfind)
        other = "," if last == "." else "."
        if len(used) > 1:
            # The last of two signs is the decimal one, unless it comes twice.
            self._note(self.sure, other if digits.count(last) > 1 else last, word)
        elif digits.count(last) > 1:
            self._note(self.sure, other, word)
        else:
            before, _, behind = digits.partition(last)
            group = len(behind) == _EXACTLY_GROUP and len(before.lstrip("0")) > 0
            may_group = group and len(before) <= _EXACTLY_GROUP
            self._note(self.open if may_group else self.sure, last, word)

    def _note(self, counts: Counter[str], sign: str, word: str) -> None:
        counts[sign] += 1
        self.examples.setdefault(f"{sign}{counts is self.open}", word)

    def forget_dots(self) -> None:
        """Typed numbers come with a dot, which says nothing of those in words."""
        for counts in (self.sure, self.open):
            del counts["."]

    def example(self, sign: str, *, is_open: bool = False) -> str:
        return self.examples[f"{sign}{is_open}"]


class UnclearDecimal(Exception):
    """The numbers of a file speak for both signs."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def decimal_of(words: Iterable[str], *, typed: bool = False) -> Finding:
    """The decimal sign of these numbers; where they are typed, a dot is one.

    Raises
    ------
    UnclearDecimal : they speak for both signs, or for none
    """
    evidence = _Evidence()
    for word in words:
        evidence.add(word)
    if typed:
        evidence.forget_dots()
    if evidence.sure:
        return _by_evidence(evidence)
    if evidence.open:
        return _by_groups(evidence)
    return Finding("decimal sign", ".", "no number has another")


def _by_evidence(evidence: _Evidence) -> Finding:
    (sign, count), *others = evidence.sure.most_common()
    reason = f"as in {evidence.example(sign)}"
    if others:
        against, less = others[0]
        reason += (
            f" ({count:,} numbers); {less:,} speak against it,"
            f" as {evidence.example(against)}"
        )
        if less * FEW >= count:
            raise UnclearDecimal(reason)
        return Finding("decimal sign", sign, reason, sure=False)
    thousands = "," if sign == "." else "."
    if evidence.open[thousands]:
        word = evidence.example(thousands, is_open=True)
        reason += f"; so {word} is {_without_groups(word, thousands)}"
    return Finding("decimal sign", sign, reason)


def _by_groups(evidence: _Evidence) -> Finding:
    """Only words such as `1,234`: groups of thousands, if the others fit to that."""
    (sign, count), *others = evidence.open.most_common()
    word = evidence.example(sign, is_open=True)
    other = "," if sign == "." else "."
    if others:
        example = evidence.example(others[0][0], is_open=True)
        raise UnclearDecimal(f"both {word} and {example} occur")
    small = evidence.largest < 10**_EXACTLY_GROUP
    if evidence.plain and not small:
        reason = f"{word}, and {evidence.largest} has no sign for thousands"
        return Finding("decimal sign", sign, reason)
    if sign == "." and not evidence.plain:
        raise UnclearDecimal(f"{word} may be {_without_groups(word, sign)} or a part")
    said = f"{word} is {_without_groups(word, sign)}"
    reason = f"{said}: all {count:,} such numbers have exactly three digits behind"
    return Finding("decimal sign", other, reason, sure=bool(evidence.plain))


def _without_groups(word: str, sign: str) -> str:
    return word.replace(sign, "")


# --- dates ----------------------------------------------------------------------------


class UnclearDates(Exception):
    """Day and month can't be told apart, or both orders occur."""

    def __init__(self, example: str, forms: tuple[str, str], reason: str) -> None:
        self.example = example
        self.forms = forms
        self.reason = reason
        super().__init__(example, reason)


@dataclass(frozen=True, slots=True)
class Dates:
    """The forms of one column; `wrong` words fit to none of them."""

    forms: tuple[str, ...]
    reason: str
    known: int
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """A word's form, but for the order of day and month, and its three numbers."""

    signs: tuple[str, str, str]
    numbers: tuple[int, int, int]
    lengths: tuple[int, int, int]
    clock: str

    @property
    def year_first(self) -> bool:
        return self.lengths[0] == _YEAR_DIGITS or self.numbers[0] > _DAYS

    def form(self, *, day_first: bool) -> str:
        s1, s2, end = self.signs
        if self.year_first:
            year = "%Y" if self.lengths[0] == _YEAR_DIGITS else "%y"
            return f"{year}{s1}%m{s2}%d{end}{self.clock}"
        year = "%Y" if self.lengths[2] == _YEAR_DIGITS else "%y"
        first, second = ("%d", "%m") if day_first else ("%m", "%d")
        return f"{first}{s1}{second}{s2}{year}{end}{self.clock}"


_Form: TypeAlias = str | _Shape | None


def dates_of(columns: Mapping[str, Iterable[str]]) -> dict[str, Dates]:
    """The forms of each column's dates.

    A file has one order of day and month: a column in which no day is above 12 is
    decided by the others.

    Raises
    ------
    UnclearDates : with the two forms that it may be
    """
    read = {
        name: [(word, _form_of(word)) for word in words]
        for name, words in columns.items()
    }
    shapes = [
        (word, form)
        for pairs in read.values()
        for word, form in pairs
        if isinstance(form, _Shape)
    ]
    day_first, reason = _order(shapes) if shapes else (True, "")
    return {name: _dates(pairs, reason, day_first) for name, pairs in read.items()}


def _dates(pairs: list[tuple[str, _Form]], reason: str, day_first: bool) -> Dates:
    forms: Counter[str] = Counter()
    wrong = []
    is_open = False
    for word, form in pairs:
        if isinstance(form, _Shape):
            is_open = is_open or not form.year_first
            forms[form.form(day_first=day_first)] += 1
        elif form is None:
            wrong.append(word)
        else:
            forms[form] += 1
    named = tuple(form for form, _ in forms.most_common())
    said = reason if is_open else ""
    return Dates(named, said, forms.total(), tuple(wrong))


def in_order(forms: Iterable[str]) -> tuple[str, ...]:
    """Forms as they are tried: digits alone may look like an ISO date too."""
    found = list(dict.fromkeys(forms))
    special = [form for form in found if form in {"epoch", "epoch_ms", "excel"}]
    return tuple(dict.fromkeys([*special, "iso", *found]))


def is_moment(word: str) -> bool:
    """Whether a word is a date in some form, digits alone included."""
    return _form_of(word) is not None


def _form_of(word: str) -> str | _Shape | None:
    if _is_iso(word):
        return "iso"
    digits = _digits_form(word)
    if digits:
        return digits
    found = _NUMERIC.fullmatch(word)
    if found is not None:
        return _shape(found)
    found = _NAMED.fullmatch(word)
    if found is not None:
        form = _named_form(found)
        return form if _fits(word, form) else None
    return None


def _is_iso(word: str) -> bool:
    try:
        year = datetime.fromisoformat(word).year
    except ValueError:
        return False
    return not word.isdigit() or (len(word) == len("YYYYMMDD") and year > 1800)


def _digits_form(word: str) -> str | None:
    whole, _, behind = word.partition(".")
    if not whole.isdigit() or (behind and not behind.isdigit()):
        return None
    number = int(whole)
    if number in _EPOCH:
        return "epoch"
    if number // 1000 in _EPOCH and not behind:
        return "epoch_ms"
    if number in _EXCEL_DAYS:
        return "excel"
    if len(whole) == len("YYYYMMDDhhmmss") and _fits(word, "%Y%m%d%H%M%S"):
        return "%Y%m%d%H%M%S"
    return None


def _shape(found: re.Match[str]) -> _Shape | None:
    parts = found["a"], found["b"], found["c"]
    numbers = int(parts[0]), int(parts[1]), int(parts[2])
    lengths = len(parts[0]), len(parts[1]), len(parts[2])
    signs = found["s1"], found["s2"], found["end"]
    shape = _Shape(signs, numbers, lengths, _clock_form(found))
    text = found.string
    fits = any(_fits(text, shape.form(day_first=first)) for first in (True, False))
    return shape if fits else None


def _clock_form(found: re.Match[str]) -> str:
    if found["clock"] is None:
        return ""
    hour = "%I" if found["half"] else "%H"
    form = f"{found['gap']}{hour}{found['h']}%M{found['m'] or ''}"
    if found["second"]:
        form += "%S" + (".%f" if found["part"] else "") + (found["s"] or "")
    form += found["half_gap"] or ""
    form += "%p" if found["half"] else ""
    form += found["zone_gap"] or ""
    zone = found["zone"] or ""
    return form + (zone if zone in {"UTC", "GMT"} else "%z" if zone else "")


def _named_form(found: re.Match[str]) -> str:
    name = found["month"] or found["month2"]
    month = "%b" if len(name) == _SHORT_MONTH else "%B"
    week = ""
    if found["week"]:
        short = len(found["week"]) == _SHORT_MONTH
        week = ("%a" if short else "%A") + found["week_gap"]
    day = f"%d{found['g1']}{month}" if found["day"] else f"{month}{found['g3']}%d"
    year = "%Y" if len(found["year"]) == _YEAR_DIGITS else "%y"
    return f"{week}{day}{found['g2']}{year}{_clock_form(found)}"


def _fits(word: str, form: str) -> bool:
    try:
        datetime.strptime(word, form)  # noqa: DTZ007  only the form is looked at
    except ValueError:
        return False
    return True


def _order(shapes: list[tuple[str, _Shape]]) -> tuple[bool, str]:
    """Whether the day stands before the month, and why."""
    open_ = [(word, shape) for word, shape in shapes if not shape.year_first]
    day_first = [word for word, shape in open_ if shape.numbers[0] > _MONTHS]
    month_first = [word for word, shape in open_ if shape.numbers[1] > _MONTHS]
    if day_first and month_first:
        reason = f"both {day_first[0]} and {month_first[0]} occur"
        raise _unclear(*open_[0], reason)
    if day_first:
        return True, f"day first, as in {day_first[0]}"
    if month_first:
        return False, f"month first, as in {month_first[0]}"
    differing = [(w, s) for w, s in open_ if s.numbers[0] != s.numbers[1]]
    if any(shape.signs[0] != "." for _, shape in differing):
        raise _unclear(*differing[0], "no number above 12 tells day from month")
    return True, "with dots the day stands first"


def _unclear(word: str, shape: _Shape, reason: str) -> UnclearDates:
    forms = shape.form(day_first=True), shape.form(day_first=False)
    return UnclearDates(word, forms, reason)
