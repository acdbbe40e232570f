"""What people write in the demo's chats: customers, agents, comments in surveys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

# By language.
Lines = Mapping[str, tuple[str, ...]]
ELSE = "else"


@dataclass(frozen=True, slots=True)
class Wordings:
    """Lines to choose from.

    `trouble_…` are about the product with trouble, `details` come when the bot's
    answer did not help. Agents open by topic or with those under `else`.
    """

    trouble_questions: Lines
    trouble_details: Lines
    trouble_comments: Lines
    low_comments: Lines
    high_comments: Lines
    details: Lines
    closings: Lines
    answers: Lines
    thanks: Lines
    openings: Mapping[str, Lines]

    def opening(self, topic: str) -> Lines:
        """How an agent begins about a topic."""
        return self.openings.get(topic, self.openings[ELSE])


def make_wordings(tree: Mapping[str, Any]) -> Wordings:
    """The lines that a profile holds."""
    simple = [field.name for field in fields(Wordings) if field.name != "openings"]
    openings = {topic: _lines(given) for topic, given in tree["openings"].items()}
    return Wordings(**{name: _lines(tree[name]) for name in simple}, openings=openings)


def _lines(given: Mapping[str, list[str]]) -> Lines:
    return {language: tuple(rows) for language, rows in given.items()}
