"""Ratings, read from a table row by row; scores of any scale become ours."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from content.mapping import FileMapping
from content.rows import Cells, FileDefaults, Forms, RowReader
from content.table import Table
from content.values import BadValue, Numbers, Scale
from core.records import FeedbackRecord, fingerprint

COMMENT_MAX = 10_000
# Of ratings without a name, alike ones are told apart up to so many different ones.
COUNTED_MAX = 100_000


class Rating(NamedTuple):
    """A score on our scale, and as the source gave it."""

    score: int | None = None
    given_score: float | None = None
    given_scale: str | None = None


def feedback_reader(
    table: Table, mapping: FileMapping, defaults: FileDefaults
) -> RowReader[FeedbackRecord]:
    """Reads ratings, comments and issues."""
    form = _Form(mapping, defaults)
    return RowReader(table, mapping, form.feedback, remembers=True)


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


class _Form:
    """How the words of one file become ratings."""

    def __init__(self, mapping: FileMapping, defaults: FileDefaults) -> None:
        self._forms = Forms(mapping, defaults)
        self._ratings = Ratings(mapping, self._forms.numbers)
        self._seen: Counter[str] = Counter()

    def feedback(self, cells: Cells) -> FeedbackRecord:
        record = FeedbackRecord(
            cells.line,
            cells.identifier("id"),
            cells.identifier("customer"),
            self._forms.required_moment(cells, "answered_at"),
            *self._ratings.rating(cells),
            issue=cells.short("issue"),
            comment=cells.short("comment", COMMENT_MAX),
            agent=cells.short("agent", 320),
            topic=cells.short("topic"),
            channel=_lower(cells.short("channel")),
            conversation=cells.identifier("conversation"),
        )
        if record.score is None and record.comment is None and record.issue is None:
            raise BadValue("no_score", "", "score")
        return record if record.external_id else self._identified(record)

    def _identified(self, record: FeedbackRecord) -> FeedbackRecord:
        """With an id that a later file has for the same rating, too.

        Of a named customer or conversation, one rating at one moment is told once. Of
        nobody in particular, alike ones are many people's: they are numbered.
        """
        told: list[object] = [
            *(record.customer, record.conversation, record.answered_at),
            *(record.agent, record.topic, record.channel),
        ]
        if record.customer is None and record.conversation is None:
            told += [record.given_score, record.issue, record.comment]
            told.append(self._number(fingerprint(*told)))
        return replace(record, external_id=fingerprint(*told))

    def _number(self, alike: str) -> int:
        if len(self._seen) > COUNTED_MAX:
            self._seen.clear()
        self._seen[alike] += 1
        return self._seen[alike]


def _lower(word: str | None) -> str | None:
    return None if word is None else word.lower()
