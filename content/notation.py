"""How marketers write values: `14d`, `10%`, `1 per 14d`, `21:00-08:00`, a cron line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from content.files import KEY
from core.errors import did_you_mean


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `count` messages of this campaign to one customer within a time."""

    count: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end`, over midnight where `end` is earlier."""

    start: time
    end: time


class Unusable(ValueError):
    """A value that its key can't take; the message says what would do."""


def text(value: Any) -> str:
    if not isinstance(value, str | int | float) or not str(value).strip():
        raise Unusable("a text")
    return str(value)


def key(value: Any) -> str:
    written = text(value)
    if not re.fullmatch(KEY, written):
        raise Unusable("lower-case letters, digits and hyphens, as win-back-autumn")
    return written


def topic(value: Any) -> str:
    written = text(value)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", written):
        raise Unusable("one lower-case word, as offers")
    return written


def whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Unusable("a whole number from 1 on")
    return value


def ratio(value: Any) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(value))
    if not found or float(found[1]) > 100:
        raise Unusable("a percentage, as 10%")
    return float(found[1]) / 100


def holdout(value: Any) -> float:
    share = ratio(value)
    if share >= 1:
        raise Unusable("a percentage below 100%")
    return share


_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(value: Any) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})\s*([mhdw])", str(value))
    if not found or not int(found[1]):
        raise Unusable("a duration, as 14d, 6h or 30m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def cap(value: Any) -> Cap:
    found = re.fullmatch(r"(\d{1,4})\s+per\s+(\S+)", str(value))
    if not found or not int(found[1]):
        raise Unusable("a number and a duration, as 1 per 14d")
    return Cap(int(found[1]), duration(found[2]))


def _clock_time(value: str) -> time:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise Unusable('two times, as "21:00-08:00"')
    return time.fromisoformat(value)


def quiet_hours(value: Any) -> QuietHours:
    start, _, end = str(value).partition("-")
    hours = QuietHours(_clock_time(start.strip()), _clock_time(end.strip()))
    if hours.start == hours.end:
        raise Unusable("two different times")
    return hours


def timezone(value: Any) -> str:
    try:
        return ZoneInfo(text(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Unusable("a time zone, as Europe/Berlin") from error


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CRON = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, ()),
    ("weekday", 0, 7, _WEEKDAYS),
)


def cron(value: Any) -> str:
    parts = str(value).split()
    if len(parts) != len(_CRON):
        raise Unusable('five fields, as "0 10 * * TUE" (minute hour day month weekday)')
    for part, (name, low, high, words) in zip(parts, _CRON, strict=True):
        if not all(_cron_item(item, low, high, words) for item in part.split(",")):
            raise Unusable(f"`{part}` is no {name} ({low}-{high}, *, a-b, */n, a,b)")
    return " ".join([*parts[:4], _weekdays(parts[4])])


def _weekdays(part: str) -> str:
    """The weekdays by name: some readers of cron count them from Monday."""
    if part.startswith("*"):
        return part
    found: list[str] = []
    for item in part.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        days = range(_weekday(first), _weekday(last or first) + 1, int(step or 1))
        found += [_WEEKDAYS[day % 7 - 1] for day in days]
    return ",".join(dict.fromkeys(found))


def _weekday(text: str) -> int:
    """0 and 7 are Sunday, as in crontab; a week of words runs from Monday to Sunday."""
    word = text.lower()
    return _WEEKDAYS.index(word) + 1 if word in _WEEKDAYS else int(text)


def _cron_item(item: str, low: int, high: int, words: Sequence[str]) -> bool:
    span, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if span == "*":
        return True
    ends = [_cron_number(end, words) for end in span.split("-")]
    inside = all(end is not None and low <= end <= high for end in ends)
    return inside and len(ends) <= 2 and ends == sorted(ends, key=lambda end: end or 0)


def _cron_number(text: str, words: Sequence[str]) -> int | None:
    if text.lower() in words:
        return words.index(text.lower()) + 1
    return int(text) if text.isdecimal() else None


def language(value: Any) -> str:
    written = text(value)
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]{2,8})?", written):
        raise Unusable("a language, as en or zh")
    return written


def one_of(words: type[StrEnum]) -> Callable[[Any], Any]:
    def choice(value: Any) -> StrEnum:
        try:
            return words(str(value))
        except ValueError as error:
            shown = ", ".join(words)
            hint = did_you_mean(str(value), words)
            raise Unusable(f"one of {shown}", hint) from error

    return choice


def many(item: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def several(value: Any) -> tuple[Any, ...]:
        listed = value if isinstance(value, list) else [value]
        found = tuple(item(one) for one in listed)
        if not found or len(set(found)) != len(found):
            raise Unusable("a list without repeats")
        return found

    return several
