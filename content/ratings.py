"""Scores of any scale, as ours of 1 to 5."""

from __future__ import annotations

import re
from typing import NamedTuple

from content.mapping import FileMapping
from content.rows import Cells
from content.values import BadValue, Numbers, Scale, Words

_ENDS = re.compile(r"(-?\d+(?:\.\d+)?)-(-?\d+(?:\.\d+)?)")
COMMENT_MAX = 10_000


class Rating(NamedTuple):
    """A score on our scale, and as the source gave it."""

    score: int | None = None
    given_score: float | None = None
    given_scale: str | None = None


class Ratings:
    """How the scores of one file become ours."""

    def __init__(self, mapping: FileMapping, numbers: Numbers) -> None:
        self._scale = Scale(*mapping.scale) if mapping.scale else Scale()
        self._numbers = numbers
        self._others: Words[Scale] = Words(_scale)

    def rating(self, cells: Cells) -> Rating:
        """The score of a row.

        Raises
        ------
        BadValue : `bad_score`, for a word that is no number, or not on the scale;
            `bad_scale`
        """
        text = cells.word("score")
        if text is None:
            return Rating()
        try:
            given = self._numbers.exact(text)
        except BadValue:
            raise BadValue("bad_score", text) from None
        told = cells.word("scale")
        scale = self._scale if told is None else self._others[told]
        cells.field = "score"
        return Rating(scale.score(given, text), float(given), scale.name)


def _scale(word: str) -> Scale:
    """The scale that a row names, as `1-10`, the worst score first."""
    found = _ENDS.fullmatch(word)
    if found is None or found[1] == found[2]:
        raise BadValue("bad_scale", word, "scale")
    return Scale(float(found[1]), float(found[2]))
