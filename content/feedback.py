"""Ratings, read from a table row by row; scores of any scale become ours."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from content.conversations import KINDS
from content.mapping import FileMapping
from content.ratings import COMMENT_MAX, Ratings
from content.rows import Cells, FileDefaults, Forms, RowReader
from content.table import Table
from content.values import BadValue
from core.model import Channel
from core.records import FeedbackRecord, fingerprint

# Of ratings without a name, alike ones are told apart up to so many different ones.
COUNTED_MAX = 100_000


def feedback_reader(
    table: Table, mapping: FileMapping, defaults: FileDefaults
) -> RowReader[FeedbackRecord]:
    """Reads ratings, comments and issues."""
    form = _Form(mapping, defaults)
    return RowReader(table, mapping, form.feedback, remembers=True)


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
            channel=_channel(cells.short("channel")),
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


def _channel(word: str | None) -> str | None:
    """A channel of ours, or the kind of case; else what the file says."""
    if word is None or word.lower() in list(Channel):
        return word and word.lower()
    return KINDS.get(word.lower(), word.lower())
