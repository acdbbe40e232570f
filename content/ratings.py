"""Scores of any scale, as ours of 1 to 5."""

from __future__ import annotations

from typing import NamedTuple

from content.mapping import FileMapping
from content.rows import Cells
from content.values import BadValue, Numbers, Scale

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

    def rating(self, cells: Cells) -> Rating:
        """The score of a row.

        Raises
        ------
        BadValue : `bad_score`, for a word that is no number, or not on the scale
        """
        text = cells.word("score")
        if text is None:
            return Rating()
        try:
            given = self._numbers.exact(text)
        except BadValue:
            raise BadValue("bad_score", text) from None
        score = self._scale.score(given, text)
        return Rating(score, float(given), self._scale.name)
