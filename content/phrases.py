"""The bot's fixed phrases, one YAML file per language, with named placeholders."""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from core.errors import Problem, TemplateError, did_you_mean
from core.settings import ROOT

DIRECTORY = ROOT / "templates" / "bot"
EVERYWHERE = frozenset({"company_name", "support_email"})
# Which placeholders the program fills in, beside those that are known everywhere.
PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "handover": frozenset({"place", "ahead", "minutes"}),
    "closed": frozenset({"when"}),
    "closed_ask_mail": frozenset({"when"}),
    "agent_joined": frozenset({"name"}),
}
WEEKDAYS = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


class Phrases:
    """All phrases, rendered by name."""

    def __init__(
        self, texts: Mapping[str, Mapping[str, str]], company: Mapping[str, str]
    ) -> None:
        self._texts = texts
        self._company = company

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have phrases; the first is the fallback."""
        return tuple(self._texts)

    @property
    def keys(self) -> frozenset[str]:
        """The names of all phrases."""
        return frozenset(next(iter(self._texts.values())))

    def render(self, key: str, language: str | None, **parameters: Any) -> str:
        """The phrase in `language`, or in the first one where that is missing."""
        known = language is not None and language in self._texts
        chosen = str(language) if known else self.languages[0]
        values = {**self._company, **parameters}
        return _Words(chosen).vformat(self._texts[chosen][key], (), values)

    def issue(self, issue: str, language: str | None) -> str:
        """How an issue of the lead's list is shown."""
        key = f"issue_{issue}"
        if key in self.keys:
            return self.render(key, language)
        return issue.replace("_", " ").capitalize()


class _Words(string.Formatter):
    """`str.format` with the three forms that phrases need, in one language."""

    def __init__(self, language: str) -> None:
        self._language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "ordinal":
            return _ordinal(int(value))
        if format_spec == "minutes":
            return "1 minute" if value == 1 else f"{value} minutes"
        if format_spec == "weekday_time":
            return _weekday_time(value, self._language)
        return str(value)


FORMS = ("", "ordinal", "minutes", "weekday_time")


def load_phrases(
    company_name: str,
    support_email: str,
    languages: tuple[str, ...] = ("en", "zh"),
    directory: Path = DIRECTORY,
    own: Path | None = None,
) -> Phrases:
    """The phrases of `phrases.<language>.yaml`, the first language being the fallback.

    Files of the same names in `own` stand above them, phrase by phrase.

    Raises
    ------
    TemplateError : for a phrase that one language lacks, or a placeholder that the
        program does not fill in
    """
    texts: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    for language in languages:
        texts[language] = {}
        for folder in (directory, own):
            file = (folder or directory) / f"phrases.{language}.yaml"
            # A profile brings only what differs, and may bring nothing.
            if folder is None or (folder is own and not file.exists()):
                continue
            tree = _read(file)
            texts[language] |= {str(key): str(text) for key, text in tree.items()}
            problems += _wrong_placeholders(file, tree)
    problems += _missing(directory, texts)
    if problems:
        raise TemplateError(*problems)
    company = {"company_name": company_name, "support_email": support_email}
    return Phrases(texts, company)


def _read(file: Path) -> Any:
    try:
        return YAML(typ="rt").load(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise TemplateError(
            Problem("phrases are expected in this file", str(error), file)
        ) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise TemplateError(
            Problem(f"not valid YAML: {error.problem}", None, file, line)
        ) from error


def _missing(directory: Path, texts: Mapping[str, Mapping[str, str]]) -> list[Problem]:
    everything = sorted({key for phrases in texts.values() for key in phrases})
    return [
        Problem(
            f"the phrase `{key}` is missing",
            file=directory / f"phrases.{language}.yaml",
            hint=did_you_mean(key, set(phrases) - set(everything)),
        )
        for language, phrases in texts.items()
        for key in everything
        if key not in phrases
    ]


def _wrong_placeholders(file: Path, tree: Any) -> list[Problem]:
    problems: list[Problem] = []
    for key, text in tree.items():
        known = EVERYWHERE | PLACEHOLDERS.get(key, frozenset())
        line = tree.lc.key(key)[0] + 1
        try:
            fields = list(string.Formatter().parse(str(text)))
        except ValueError as error:
            problems.append(Problem(f"`{key}`: {error}", str(text), file, line))
            continue
        for _, name, form, _ in fields:
            if name is None or (name in known and form in FORMS):
                continue
            expected = f"`{key}` can't use this placeholder"
            hint = did_you_mean(name, known) or f"Known: {', '.join(sorted(known))}"
            value = f"{name}:{form}" if form else name
            problems.append(Problem(expected, value, file, line, hint=hint))
    return problems


def _ordinal(number: int) -> str:
    if number <= len(ORDINALS):
        return ORDINALS[number - 1]
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _weekday_time(moment: datetime, language: str) -> str:
    days = WEEKDAYS.get(language, WEEKDAYS["en"])
    return f"{days[moment.weekday()]} {moment.hour}:{moment.minute:02d}"
