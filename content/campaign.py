"""A campaign's definition: YAML in marketers' words, read into one frozen value.

Whatever is wrong with a file is told at once, each mistake with its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

from content import notation, where
from content.condition import FieldKind
from content.notation import Cap, QuietHours
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


class OfferMethod(StrEnum):
    """Which recommendations a message shows; the words are those of their reasons."""

    BOUGHT_BEFORE = "bought_before"
    GOES_WITH = "goes_with"
    POPULAR = "popular"


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
class Limits:
    """A campaign's own limits, beside those that hold for all."""

    per_customer: Cap | None = None
    per_hour: int | None = None


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
    method: OfferMethod | None = None
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
    text: str, file: str, fields: Mapping[str, FieldKind] | None = None
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
        "campaign": notation.key,
        "title": notation.text,
        "version": notation.whole,
        "language": notation.language,
        "topic": notation.topic,
        "kind": notation.one_of(CampaignKind),
        "segment": notation.key,
        "where": notation.text,
        "channel": notation.many(notation.one_of(Channel)),
        "schedule": _Section(
            {
                "cron": notation.cron,
                "timezone": notation.timezone,
                "catch_up": notation.duration,
            },
            ("cron",),
            Schedule,
        ),
        "limits": _Section(
            {"per_customer": notation.cap, "per_hour": notation.whole}, (), Limits
        ),
        "quiet_hours": notation.quiet_hours,
        "holdout": notation.holdout,
        "goal": _Section(
            {"event": notation.one_of(GoalEvent), "within": notation.duration},
            ("event", "within"),
            Goal,
        ),
        "offer": _Section(
            {
                "from": notation.one_of(OfferSource),
                "top": notation.whole,
                "fallback": notation.one_of(OfferFallback),
                "method": notation.one_of(OfferMethod),
                "products": notation.many(notation.text),
            },
            ("from",),
            Offer,
            {"from": "source"},
        ),
        "on_uncertain": notation.one_of(OnUncertain),
        "stop_if": _Section(
            {
                "bounce_rate": notation.ratio,
                "complaint_rate": notation.ratio,
                "render_errors": notation.ratio,
            },
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
        except notation.Unusable as error:
            expected, *hints = error.args
            hint = hints[0] if hints else None
            self.tell(f"`{shown}` takes {expected}", value, line, hint)

    def condition(
        self, text: str, fields: Mapping[str, FieldKind], line: int | None
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
