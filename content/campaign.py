"""A campaign's definition: YAML in marketers' words, read into one frozen value.

Whatever is wrong with a file is told at once, each mistake with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

from content import where
from content.files import KEY
from core.errors import CampaignError, Problem, did_you_mean
from core.model import Channel, OnUncertain


class CampaignKind(StrEnum):
    """A promotion needs consent and a hold-out; a service message neither."""

    PROMOTION = "promotion"
    SERVICE = "service"


class GoalEvent(StrEnum):
    """What counts as success."""

    ORDER = "order"
    CLICK = "click"
    REPLY = "reply"


class OfferSource(StrEnum):
    """Where the items of a message come from."""

    RECOMMENDER = "recommender"
    PRODUCT = "product"
    NONE = "none"


class OfferFallback(StrEnum):
    """What becomes of a customer for whom there is no offer."""

    BESTSELLERS = "bestsellers"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a run begins by itself; `timezone` None is the shop's."""

    cron: str
    timezone: str | None = None
    catch_up: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `count` messages of this campaign to one customer within a time."""

    count: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """A campaign's own limits, beside those that hold for all."""

    per_customer: Cap | None = None
    per_hour: int | None = None


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end`, over midnight where `end` is earlier."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Goal:
    """What is measured, and for how long after the message was planned."""

    event: GoalEvent
    within: timedelta


@dataclass(frozen=True, slots=True)
class Offer:
    """What the message shows; `method` prefers one kind of recommendation."""

    source: OfferSource = OfferSource.NONE
    top: int = 3
    fallback: OfferFallback = OfferFallback.SKIP
    method: str | None = None
    products: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StopIf:
    """Shares of the sent messages above which a run pauses itself."""

    bounce_rate: float | None = None
    complaint_rate: float | None = None
    render_errors: float | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """Who gets what, when, on which channel, within which limits.

    What is None follows the settings. `language` is that of the files without a
    language in their name.
    """

    key: str
    title: str
    topic: str
    channels: tuple[Channel, ...]
    kind: CampaignKind = CampaignKind.PROMOTION
    version: int | None = None
    language: str = "en"
    segment: str | None = None
    where: str | None = None
    schedule: Schedule | None = None
    limits: Limits = Limits()
    quiet_hours: QuietHours | None = None
    holdout_ratio: float | None = None
    goal: Goal | None = None
    offer: Offer = Offer()
    on_uncertain: OnUncertain = OnUncertain.HOLD
    stop_if: StopIf = StopIf()


def parse_campaign(
    text: str, file: str, fields: Mapping[str, where.FieldKind] | None = None
) -> Campaign:
    """The campaign that a definition describes.

    With `fields` (name → kind) the condition under `where:` is checked as well.

    Raises
    ------
    CampaignError : with every unknown key, missing key and unusable value of the file
    """
    tree = _read(text, file)
    reader = _Reader(file, _CAMPAIGN)
    values = reader.section(tree, _CAMPAIGN)
    condition = values.get("where")
    if condition is not None and fields is not None:
        reader.condition(condition, fields, _line_of(tree, "where"))
    if values.get("holdout_ratio") and values.get("kind") is CampaignKind.SERVICE:
        expected = "a service message has no hold-out: everyone it concerns gets it"
        reader.tell(expected, "holdout", _line_of(tree, "holdout"))
    if reader.problems:
        raise CampaignError(*reader.problems)
    return Campaign(**values)


def _read(text: str, file: str) -> CommentedMap:
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        # ruamel explains repeated keys in several lines; the first says it.
        what = str(error.problem).splitlines()[0]
        problem = Problem(f"not valid YAML: {what}", None, file, line, column)
        raise CampaignError(problem) from error
    if not isinstance(tree, CommentedMap):
        expected = "a campaign is written as `key: value` lines"
        raise CampaignError(Problem(expected, file=file, line=1))
    return tree


class _Unusable(ValueError):
    """A value that its key can't take; the message says what would do."""


# Values


def _text(value: Any) -> str:
    if not isinstance(value, str | int | float) or not str(value).strip():
        raise _Unusable("a text")
    return str(value)


def _key(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(KEY, text):
        raise _Unusable("lower-case letters, digits and hyphens, as win-back-autumn")
    return text


def _topic(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", text):
        raise _Unusable("one lower-case word, as offers")
    return text


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _Unusable("a whole number from 1 on")
    return value


def _ratio(value: Any) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(value))
    if not found or float(found[1]) > 100:
        raise _Unusable("a percentage, as 10%")
    return float(found[1]) / 100


def _holdout(value: Any) -> float:
    ratio = _ratio(value)
    if ratio >= 1:
        raise _Unusable("a percentage below 100%")
    return ratio


_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(value: Any) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})\s*([mhdw])", str(value))
    if not found or not int(found[1]):
        raise _Unusable("a duration, as 14d, 6h or 30m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _cap(value: Any) -> Cap:
    found = re.fullmatch(r"(\d{1,4})\s+per\s+(\S+)", str(value))
    if not found or not int(found[1]):
        raise _Unusable("a number and a duration, as 1 per 14d")
    return Cap(int(found[1]), _duration(found[2]))


def _clock_time(value: str) -> time:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise _Unusable('two times, as "21:00-08:00"')
    return time.fromisoformat(value)


def _quiet_hours(value: Any) -> QuietHours:
    start, _, end = str(value).partition("-")
    hours = QuietHours(_clock_time(start.strip()), _clock_time(end.strip()))
    if hours.start == hours.end:
        raise _Unusable("two different times")
    return hours


def _timezone(value: Any) -> str:
    text = _text(value)
    if text == "customer":
        return text
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _Unusable("`customer` or a zone, as Europe/Berlin") from error


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CRON = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, ()),
    ("weekday", 0, 7, _WEEKDAYS),
)


def _cron(value: Any) -> str:
    parts = str(value).split()
    if len(parts) != len(_CRON):
        raise _Unusable(
            'five fields, as "0 10 * * TUE" (minute hour day month weekday)'
        )
    for part, (name, low, high, words) in zip(parts, _CRON, strict=True):
        if not all(_cron_item(item, low, high, words) for item in part.split(",")):
            raise _Unusable(f"`{part}` is no {name} ({low}-{high}, *, a-b, */n, a,b)")
    return " ".join(parts)


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
        return words.index(text.lower())
    return int(text) if text.isdecimal() else None


def _language(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]{2,8})?", text):
        raise _Unusable("a language, as en or zh")
    return text


def _one_of(words: type[StrEnum]) -> Callable[[Any], Any]:
    def choice(value: Any) -> StrEnum:
        try:
            return words(str(value))
        except ValueError as error:
            shown = ", ".join(words)
            hint = did_you_mean(str(value), words)
            raise _Unusable(f"one of {shown}", hint) from error

    return choice


def _many(item: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def several(value: Any) -> tuple[Any, ...]:
        listed = value if isinstance(value, list) else [value]
        found = tuple(item(one) for one in listed)
        if not found or len(set(found)) != len(found):
            raise _Unusable("a list without repeats")
        return found

    return several


# Sections: key → how its value is read, or the section below it


@dataclass(frozen=True, slots=True)
class _Section:
    keys: Mapping[str, Callable[[Any], Any] | _Section]
    required: tuple[str, ...] = ()
    make: Callable[..., Any] = dict
    # Where the value's own name reads better than the marketer's.
    renamed: Mapping[str, str] = field(default_factory=dict)


_CAMPAIGN = _Section(
    keys={
        "campaign": _key,
        "title": _text,
        "version": _whole,
        "language": _language,
        "topic": _topic,
        "kind": _one_of(CampaignKind),
        "segment": _key,
        "where": _text,
        "channel": _many(_one_of(Channel)),
        "schedule": _Section(
            {"cron": _cron, "timezone": _timezone, "catch_up": _duration},
            ("cron",),
            Schedule,
        ),
        "limits": _Section({"per_customer": _cap, "per_hour": _whole}, (), Limits),
        "quiet_hours": _quiet_hours,
        "holdout": _holdout,
        "goal": _Section(
            {"event": _one_of(GoalEvent), "within": _duration},
            ("event", "within"),
            Goal,
        ),
        "offer": _Section(
            {
                "from": _one_of(OfferSource),
                "top": _whole,
                "fallback": _one_of(OfferFallback),
                "method": _topic,
                "products": _many(_text),
            },
            ("from",),
            Offer,
            {"from": "source"},
        ),
        "on_uncertain": _one_of(OnUncertain),
        "stop_if": _Section(
            {"bounce_rate": _ratio, "complaint_rate": _ratio, "render_errors": _ratio},
            (),
            StopIf,
        ),
    },
    required=("campaign", "title", "topic", "channel"),
    renamed={
        "campaign": "key",
        "channel": "channels",
        "holdout": "holdout_ratio",
    },
)


class _Reader:
    def __init__(self, file: str, root: _Section) -> None:
        self.file = file
        self.root = root
        self.problems: list[Problem] = []

    def tell(
        self, expected: str, value: Any, line: int | None, hint: str | None = None
    ) -> None:
        shown = None if value is None else str(value)
        problem = Problem(expected, shown, self.file, line, hint=hint)
        self.problems.append(problem)

    def section(
        self, tree: CommentedMap, section: _Section, above: str = ""
    ) -> dict[str, Any]:
        """The usable values under one heading, by their own names."""
        values: dict[str, Any] = {}
        for word in section.required:
            if tree.get(word) is None:
                line = (tree.lc.line or 0) + 1
                self.tell(f"`{above}{word}` is missing", None, line)
        for key, value in tree.items():
            line = _line_of(tree, key)
            if key not in section.keys:
                self.unknown(str(key), section.keys, line, above)
            elif value is not None:
                name = section.renamed.get(key, key)
                self.value(
                    values, name, (f"{above}{key}", value, line), section.keys[key]
                )
        return values

    def unknown(
        self, key: str, known: Iterable[str], line: int | None, above: str
    ) -> None:
        hint = did_you_mean(key, known)
        if hint is None and key in self.root.keys:
            hint = f"`{key}` stands at the left margin."
        hint = hint or f"Known here: {', '.join(known)}."
        self.tell("unknown key", f"{above}{key}", line, hint)

    def value(
        self,
        values: dict[str, Any],
        name: str,
        found: tuple[str, Any, int | None],
        form: Callable[[Any], Any] | _Section,
    ) -> None:
        shown, value, line = found
        if isinstance(form, _Section):
            if not isinstance(value, CommentedMap):
                keys = ", ".join(form.keys)
                self.tell(f"`{shown}` has keys of its own: {keys}", value, line)
                return
            below = self.section(value, form, f"{shown}.")
            if all(form.renamed.get(key, key) in below for key in form.required):
                values[name] = form.make(**below)
            return
        try:
            values[name] = form(value)
        except _Unusable as error:
            expected, *hints = error.args
            hint = hints[0] if hints else None
            self.tell(f"`{shown}` takes {expected}", value, line, hint)

    def condition(
        self, text: str, fields: Mapping[str, where.FieldKind], line: int | None
    ) -> None:
        try:
            where.parse(text, fields, file=self.file, line=line)
        except CampaignError as error:
            self.problems += error.problems


def _line_of(tree: CommentedMap, key: Any) -> int | None:
    try:
        return int(tree.lc.key(key)[0]) + 1
    except (AttributeError, KeyError, TypeError):
        return None
