"""What one step of the dialogue leaves behind: state, replies, effects and events.

The turn, the timers and the people at the console all go through `Recorder.advance`,
inside the one write transaction of what they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot import dialogue
from bot.effects import Inbound, Scope
from bot.states import (
    AskSurvey,
    CloseEpisode,
    Context,
    Effect,
    Event,
    HandOver,
    LeaveQueue,
    LogAnswer,
    LogHelp,
    LogMiss,
    OpenEpisode,
    ProposeVariant,
    RecordComment,
    RecordIssue,
    RecordScore,
    Reply,
    SetLanguage,
    State,
    Step,
    WithdrawConsent,
)
from core.model import Button, Channel, Owner, Sender
from core.settings import Settings
from storage import (
    changes,
    conversations,
    customers,
    episodes,
    presence,
)
from storage.conversations import Conversation, DueEvent
from storage.database import Connection
from storage.episodes import EventKind
from storage.messages import Draft


class Voice(Protocol):
    """Turns what the dialogue says into words, and knows what can be shown."""

    @property
    def articles(self) -> frozenset[str]:
        """Keys of the articles that can be shown."""

    @property
    def popular(self) -> tuple[str, ...]:
        """Articles that are offered with the greeting."""

    def words(self, reply: Reply, language: str) -> tuple[str, tuple[Button, ...]]:
        """A reply's text and buttons in this language."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Takes steps of the dialogue and writes them down."""

    settings: Settings
    voice: Voice

    def advance(
        self,
        connection: Connection,
        conversation: Conversation,
        event: Event,
        now: datetime,
        inbound: Inbound | None = None,
        sender: Sender = Sender.BOT,
    ) -> Step:
        """One step, written down whole; `conversation` is held by this transaction."""
        state = state_of(conversation)
        context = self.context(connection, conversation, now)
        step = dialogue.step(state, event, now, context)
        return self.write(connection, conversation, step, now, inbound, sender)

    def write(
        self,
        connection: Connection,
        conversation: Conversation,
        step: Step,
        now: datetime,
        inbound: Inbound | None = None,
        sender: Sender = Sender.BOT,
    ) -> Step:
        """Keep a step that was taken: episode, messages, effects, state, due time."""
        opening = any(isinstance(effect, OpenEpisode) for effect in step.effects)
        if opening:
            reopen = timedelta(minutes=self.settings.bot.reopen_minutes)
            episodes.open_for(connection, conversation, now, reopen)
        episode = episodes.current(connection, conversation.id)
        about = Scope(connection, conversation, episode, now)
        if inbound is not None:
            about.hear(inbound)
        for effect in step.effects:
            self._apply(about, effect, step)
        self._say(about, step, inbound, sender)
        self._save(about, step, inbound is not None)
        return step

    def context(
        self, connection: Connection, conversation: Conversation, now: datetime
    ) -> Context:
        """What the dialogue may know when it takes a step here."""
        bot = self.settings.bot
        email = customers.address_of(
            connection, conversation.customer_id, Channel.EMAIL
        )
        return Context(
            queue_length=conversations.queue_length(connection, conversation),
            staffed=presence.somebody_is_here(connection, now),
            email_known=email is not None,
            seconds_per_waiting_customer=bot.seconds_per_waiting_customer,
            survey_delay_seconds=bot.survey_delay_seconds,
            articles=self.voice.articles,
            popular=self.voice.popular,
            issues=tuple(bot.issues),
            languages=tuple(self.settings.shop.languages),
        )

    def _apply(self, about: Scope, effect: Effect, step: Step) -> None:
        match effect:
            case WithdrawConsent():
                about.withdraw_consent()
            case SetLanguage():
                about.set_language(effect.language)
            case HandOver():
                about.give_to(Owner.QUEUE)
                about.note(
                    EventKind.HANDED_OVER,
                    reason=effect.reason.value,
                    tried=list(effect.tried),
                )
            case LeaveQueue():
                about.give_to(Owner.BOT)
                about.note(EventKind.LEFT_QUEUE)
            case CloseEpisode():
                idle = timedelta(minutes=self.settings.bot.handling_idle_minutes)
                about.close(effect, idle)
            case RecordScore() | RecordIssue() | RecordComment():
                about.record_feedback(effect)
            case LogAnswer() | LogHelp() | LogMiss() | ProposeVariant():
                about.record_utterance(effect, step.state.language)
            case OpenEpisode() | AskSurvey():
                pass  # done before, and with the due time

    def _say(
        self, about: Scope, step: Step, inbound: Inbound | None, sender: Sender
    ) -> None:
        language = step.state.language or about.conversation.language
        drafts = [
            Draft(
                sender,
                *self.voice.words(reply, language),
                inbox_id=inbound.inbox_id if inbound else None,
                ordinal=place if inbound else None,
            )
            for place, reply in enumerate(step.replies, start=1)
        ]
        about.say(drafts)

    def _save(self, about: Scope, step: Step, heard: bool) -> None:
        owner = about.owner
        columns: dict[str, object] = {
            "open": step.state.episode_open or owner is not Owner.BOT,
            "language": step.state.language or about.conversation.language,
        }
        if heard or step.replies:
            columns["last_message_at"] = about.now
        due_at, due_event = self._due(about, step)
        conversations.save(
            about.connection,
            about.conversation.id,
            step.state.to_json(),
            due_at=due_at,
            due_event=due_event,
            **columns,
        )
        changes.record(
            about.connection, "conversation", about.conversation.id, about.now
        )

    def _due(self, about: Scope, step: Step) -> tuple[datetime | None, DueEvent | None]:
        for effect in step.effects:
            if isinstance(effect, AskSurvey):
                return effect.due_at, DueEvent.SURVEY
        if step.state.episode_open:
            idle = timedelta(minutes=self.settings.bot.idle_close_minutes)
            # Who waits for a person, or talks to one, is not closed by a timer.
            by_bot = about.owner is Owner.BOT
            return (about.now + idle, DueEvent.IDLE) if by_bot else (None, None)
        before = about.conversation
        if before.due_event is DueEvent.SURVEY:
            return before.due_at, before.due_event
        return None, None


def state_of(conversation: Conversation) -> State:
    """Where the dialogue stands; a new one speaks the conversation's language."""
    if not conversation.dialogue:
        return State(language=conversation.language)
    return State.from_json(conversation.dialogue)
