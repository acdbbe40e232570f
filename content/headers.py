"""The words that stand above columns: our lists, and how near a header is to them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from content.mapping import FIELDS
from core.records import RecordKind

# The first word of a list is its best one; a later one loses so much.
PLACE_LOSS = 0.004
# A header that holds a word beside others must consist of it for the most part.
PART_LEAST = 0.6
PART_SCORE = 0.85
NEARLY = 90.0
NEARLY_SCORE = 0.7
NEARLY_LETTERS = 5

_TURNING = frozenset({"id", "by", "code", "no", "count", "type", "to"})
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NUMBER = re.compile(r"[Nn][°º]|№")
_SAME = dict.fromkeys(("number", "numero", "nummer", "num", "nr"), "no")
_SMALL = frozenset({"of", "the", "de", "du", "des", "d", "la", "le", "del", "der"})
_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near a header is to a field, from 0 to 1, and by which word."""

    score: float
    word: str


@dataclass(frozen=True, slots=True)
class HeaderWords:
    """Our words, as they are compared."""

    fields: Mapping[RecordKind, Mapping[str, tuple[str, ...]]]
    signs: Mapping[RecordKind, tuple[str, ...]]
    unknown: frozenset[str]
    beside: Mapping[str, frozenset[str]]
    # The meaning of words that stand in columns, by what the column is.
    scores: Mapping[str, str]
    answers: Mapping[str, str]
    currencies: Mapping[str, str]
    kinds: Mapping[str, str]
    ends: Mapping[str, str]

    @property
    def meanings(self) -> Mapping[str, Mapping[str, str]]:
        """Fields whose words are a few known ones."""
        return {"kind": self.kinds, "ended": self.ends}

    def likeness(self, header: str, kind: RecordKind, field: str) -> Likeness:
        """The best word of a field for a header."""
        name = plain(header)
        best = Likeness(0.0, "")
        for place, word in enumerate(self.fields[kind].get(field, ())):
            score = _likeness(name, word) - place * PLACE_LOSS
            if score > best.score:
                best = Likeness(score, word)
        return best


@cache
def header_words(root: Path) -> HeaderWords:
    """The lists of a templates folder."""
    tree = YAML(typ="safe").load((root / "headers.yaml").read_text(encoding="utf-8"))
    return HeaderWords(
        fields={kind: _fields(tree, kind) for kind in RecordKind},
        signs={kind: _plain_words(tree["signs"][kind]) for kind in RecordKind},
        unknown=frozenset(str(word).casefold() for word in tree["unknown"]),
        beside={name: frozenset(_plain_words(w)) for name, w in tree["beside"].items()},
        scores=_meanings(tree["scores"]),
        answers=_meanings({"yes": tree["yes"], "no": tree["no"]}),
        currencies=_meanings(tree["currencies"]),
        kinds=_meanings(tree["kinds"]),
        ends=_meanings(tree["ends"]),
    )


def plain(text: str) -> str:
    """A header without capitals, accents and signs: `Order-ID` is `order id`."""
    spaced = _CAMEL.sub(" ", _NUMBER.sub("no ", text))
    bare = unicodedata.normalize("NFKD", spaced)
    letters = "".join(sign for sign in bare if not unicodedata.combining(sign))
    words = _SIGNS.sub(" ", letters.casefold()).split()
    kept = [_SAME.get(word, word) for word in words if word not in _SMALL]
    return " ".join(kept or words)


def _fields(tree: Any, kind: RecordKind) -> dict[str, tuple[str, ...]]:
    own = tree.get(kind.value, {})
    found = {}
    for field in FIELDS[kind]:
        words = [*own.get(field, ()), *tree["any"].get(field, ())]
        found[field] = tuple(dict.fromkeys(_plain_words([*words, field])))
    return found


def _plain_words(words: list[Any]) -> tuple[str, ...]:
    return tuple(plain(str(word)) for word in words)


def _meanings(tree: Mapping[Any, list[Any]]) -> dict[str, str]:
    return {
        str(word).casefold(): str(meaning)
        for meaning, words in tree.items()
        for word in words
    }


def _likeness(name: str, word: str) -> float:
    if not name or not word:
        return 0.0
    if name == word or name.replace(" ", "") == word.replace(" ", ""):
        return 1.0
    if _holds(name, word) and not _turned(name, word):
        share = len(word) / len(name)
        return share * PART_SCORE if share >= PART_LEAST else 0.0
    if min(len(name), len(word)) < NEARLY_LETTERS:
        return 0.0
    from rapidfuzz import fuzz  # noqa: PLC0415  only guessing needs it

    return NEARLY_SCORE if fuzz.ratio(name, word) >= NEARLY else 0.0


def _turned(name: str, word: str) -> bool:
    """Whether the other words make something else of it, as in `resolved by`."""
    return bool(_TURNING.intersection(name.split()) - {*word.split()})


def _holds(name: str, word: str) -> bool:
    """Whether a header has a word in it; Chinese ones have no blanks between."""
    if word.isascii():
        return f" {word} " in f" {name} "
    return word in name
