"""A conversation with the dialogue alone, in a few words."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.dialogue import step
from bot.states import Context, Event, Pressed, Said, State, Step
from bot.understand import Candidate, Understanding
from bot.words import Kind

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ARTICLES = ("how-to-return", "order-status", "refund-time")
CONTEXT = Context(
    articles=frozenset(ARTICLES),
    popular=("order-status", "gone"),
    issues=("late_delivery", "other"),
)


def said(kind: Kind, text: str = "words", language: str | None = "en") -> Said:
    """A message of this kind; questions come with all articles as candidates."""
    near = tuple(Candidate(article, 0.3) for article in ARTICLES)
    candidates = near if kind in {Kind.ANSWER, Kind.SUGGEST} else ()
    article = ARTICLES[0] if kind is Kind.ANSWER else None
    return Said(text, Understanding(kind, language, article, 0.9, candidates))


@dataclass
class Talk:
    """Keeps the state and the time between steps; `last` is the newest step."""

    context: Context = CONTEXT
    state: State = field(default_factory=State)
    now: datetime = START
    steps: list[Step] = field(default_factory=list)

    def hear(self, event: Event) -> Talk:
        self.steps.append(step(self.state, event, self.now, self.context))
        self.state = self.last.state
        return self

    def say(self, kind: Kind, text: str = "words", language: str = "en") -> Talk:
        return self.hear(said(kind, text, language))

    def press(self, action: str) -> Talk:
        return self.hear(Pressed(action))

    def wait(self, **duration: float) -> Talk:
        self.now += timedelta(**duration)
        return self

    def given(self, **context: Any) -> Talk:
        self.context = replace(self.context, **context)
        return self

    @property
    def last(self) -> Step:
        return self.steps[-1]

    @property
    def phrases(self) -> list[str]:
        return [reply.phrase for reply in self.last.replies]

    @property
    def actions(self) -> list[str]:
        return [choice.action for choice in self.last.replies[-1].choices]
