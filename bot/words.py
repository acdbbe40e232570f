"""Fixed words with a fixed meaning: greetings, "agent", "stop", commands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from bot.tokens import HAN, PIECE, normalise
from core.errors import DataError, Problem, did_you_mean


class Kind(StrEnum):
    """What a message is."""

    ANSWER = "answer"  # one article fits well enough
    SUGGEST = "suggest"  # perhaps one of these
    UNKNOWN = "unknown"
    UNREADY = "unready"  # no model was trained yet
    GREETING = "greeting"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    AGENT = "agent"
    UPSET = "upset"
    YES = "yes"
    NO = "no"
    START = "start"
    HELP = "help"
    STOP = "stop"
    SETTINGS = "settings"
    PRIVACY = "privacy"


# What may be a question; all other kinds say themselves what they want.
QUESTIONS = frozenset({Kind.ANSWER, Kind.SUGGEST, Kind.UNKNOWN, Kind.UNREADY})
COMMANDS: Mapping[str, Kind] = {
    "start": Kind.START,
    "help": Kind.HELP,
    "stop": Kind.STOP,
    "human": Kind.AGENT,
    "settings": Kind.SETTINGS,
    "privacy": Kind.PRIVACY,
}
COMMAND = re.compile(r"/([a-z_]+)(?:@\w+)?(?:\s|$)")
# Where a message holds words of several kinds and nothing else, the first counts.
RANK = (
    Kind.STOP,
    Kind.UPSET,
    Kind.AGENT,
    Kind.SETTINGS,
    Kind.PRIVACY,
    Kind.HELP,
    Kind.GOODBYE,
    Kind.NO,
    Kind.THANKS,
    Kind.YES,
    Kind.GREETING,
)
# Meant wherever they stand in a short message, if the phrase is long enough to mean
# nothing else: 人工 is a person, 人工皮革 is artificial leather.
ANYWHERE = (Kind.UPSET, Kind.AGENT)
ANYWHERE_UNITS = 28
ANYWHERE_LATIN_WORDS = 2
ANYWHERE_HAN_CHARACTERS = 3
FILLER = "filler"
SECTIONS = (*(kind.value for kind in RANK), FILLER)
HAN_ONLY = re.compile(rf"[{HAN}]+")


@dataclass(frozen=True, slots=True)
class WordLists:
    """Phrases per kind, in all languages together; each a row of words."""

    phrases: Mapping[tuple[str, ...], str]
    longest: int

    def kind_of(self, text: str) -> Kind | None:
        """The kind of a message that says nothing else; None for a question."""
        plain = normalise(text)
        command = COMMAND.match(plain)
        if command:
            return COMMANDS.get(command[1], Kind.HELP)
        words = units(plain)
        found, rest = self._consume(words)
        if rest and len(words) > ANYWHERE_UNITS:
            return None
        if rest:
            kinds = {self.phrases[phrase] for phrase in found if _is_telling(phrase)}
            return next((kind for kind in ANYWHERE if kind in kinds), None)
        kinds = {self.phrases[phrase] for phrase in found}
        return next((kind for kind in RANK if kind in kinds), None)

    def _consume(self, words: list[str]) -> tuple[list[tuple[str, ...]], list[str]]:
        found: list[tuple[str, ...]] = []
        rest: list[str] = []
        position = 0
        while position < len(words):
            size = self._longest_at(words, position)
            if size:
                found.append(tuple(words[position : position + size]))
            else:
                rest.append(words[position])
            position += size or 1
        return found, rest

    def _longest_at(self, words: list[str], position: int) -> int:
        for size in range(min(self.longest, len(words) - position), 0, -1):
            if tuple(words[position : position + size]) in self.phrases:
                return size
        return 0


def units(plain: str) -> list[str]:
    """Latin words, and single Chinese characters: phrases are matched over these."""
    found: list[str] = []
    for piece in PIECE.findall(plain):
        found.extend(piece if HAN_ONLY.fullmatch(piece) else [piece])
    return found


def _is_telling(phrase: tuple[str, ...]) -> bool:
    han = HAN_ONLY.fullmatch("".join(phrase))
    return len(phrase) >= (ANYWHERE_HAN_CHARACTERS if han else ANYWHERE_LATIN_WORDS)


def load_words(directory: Path) -> WordLists:
    """The lists in `words.<language>.yaml` of this directory.

    Raises
    ------
    DataError : for an unknown heading, or a phrase that stands under two
    """
    phrases: dict[tuple[str, ...], str] = {}
    for file in sorted(directory.glob("words.*.yaml")):
        for heading, rows in _read(file).items():
            _add(phrases, file, heading, rows)
    longest = max((len(phrase) for phrase in phrases), default=0)
    return WordLists(phrases, longest)


def _read(file: Path) -> Any:
    try:
        return YAML(typ="rt").load(file.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else None
        raise DataError(
            Problem(f"not valid YAML: {error.problem}", file=file, line=line)
        ) from error


def _add(
    phrases: dict[tuple[str, ...], str], file: Path, heading: str, rows: Any
) -> None:
    if heading not in SECTIONS:
        hint = did_you_mean(heading, SECTIONS)
        raise DataError(Problem(f"unknown heading `{heading}`", file=file, hint=hint))
    for index, row in enumerate(rows):
        phrase = tuple(units(normalise(str(row))))
        if phrases.setdefault(phrase, heading) != heading:
            raise DataError(
                Problem(
                    f"a phrase stands under one heading; this one is under "
                    f"`{phrases[phrase]}` and `{heading}`",
                    str(row),
                    file=file,
                    line=rows.lc.item(index)[0] + 1,
                )
            )
