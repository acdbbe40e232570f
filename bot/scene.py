"""One step of the dialogue in the making, and what all its parts do to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.states import (
    Choice,
    Context,
    Effect,
    Reply,
    SetLanguage,
    Silence,
    Stage,
    State,
    Step,
)

TALK_TO_A_PERSON = Choice("human", phrase="button_human")


@dataclass(frozen=True, slots=True)
class Scene:
    """One step in the making: what is known, and what was decided so far."""

    state: State
    now: datetime
    context: Context
    replies: tuple[Reply, ...] = ()
    effects: tuple[Effect, ...] = ()

    def set(self, **changes: Any) -> Scene:
        """The scene with a changed state."""
        return replace(self, state=replace(self.state, **changes))

    def say(self, phrase: str, *choices: Choice, **parameters: Any) -> Scene:
        """The scene with one more reply."""
        reply = Reply(phrase, parameters, choices=choices)
        return replace(self, replies=(*self.replies, reply))

    def ask(self, *effects: Effect) -> Scene:
        """The scene with more effects."""
        return replace(self, effects=(*self.effects, *effects))

    def done(self, silence: Silence | None = None) -> Step:
        """The finished step."""
        return Step(self.state, self.replies, self.effects, silence)

    def unless_agent(self, phrase: str) -> Step:
        """The step that says `phrase`, or nothing where a person speaks."""
        if self.state.stage is Stage.WITH_AGENT:
            return self.done(Silence.WITH_AGENT)
        return self.say(phrase).done()

    def follow_language(self, language: str | None) -> Scene:
        """The scene in the customer's language, where it is one of the shop's."""
        if language == self.state.language or language not in self.context.languages:
            return self
        return self.set(language=language).ask(SetLanguage(language))
