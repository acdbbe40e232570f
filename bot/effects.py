"""What the effects of a step do to one conversation, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.states import (
    CloseEpisode,
    LogAnswer,
    LogHelp,
    LogMiss,
    ProposeVariant,
    RecordComment,
    RecordIssue,
    RecordScore,
)
from core.model import Channel, MessageState, Owner, Sender
from storage import (
    changes,
    conversations,
    customers,
    episodes,
    feedback,
    messages,
)
from storage.conversations import Conversation
from storage.database import Connection
from storage.episodes import Episode, EventKind
from storage.feedback import Outcome, Utterance
from storage.handling import leave_all
from storage.messages import Draft

BOT_ACTOR = "system:bot"


@dataclass(frozen=True, slots=True)
class Inbound:
    """What the customer did: `text` is what others read of it."""

    inbox_id: int
    text: str
    external_id: str


class Scope:
    """One conversation in one transaction: what effects do to it."""

    def __init__(
        self,
        connection: Connection,
        conversation: Conversation,
        episode: Episode | None,
        now: datetime,
    ) -> None:
        self.connection = connection
        self.conversation = conversation
        self.episode = episode
        self.now = now
        self.owner = conversation.owner
        self._heard: int | None = None

    def hear(self, inbound: Inbound) -> None:
        """Keep the customer's message."""
        draft = Draft(
            Sender.CUSTOMER,
            inbound.text,
            inbox_id=inbound.inbox_id,
            ordinal=0,
            external_id=inbound.external_id,
        )
        self._heard = self._add(draft, MessageState.RECEIVED)
        self.note(EventKind.CUSTOMER_MESSAGE, message=self._heard)

    def say(self, drafts: Iterable[Draft]) -> None:
        """Queue replies; the web chat's are sent by being stored."""
        stored = self.conversation.channel is Channel.WEBCHAT
        state = MessageState.SENT if stored else MessageState.QUEUED
        for draft in drafts:
            # A person took over meanwhile, so only what concerns both goes out.
            spoken = draft
            if self.owner is Owner.AGENT and draft.sender is Sender.BOT:
                spoken = replace(draft, sender=Sender.SYSTEM)
            self._add(spoken, state)
            if spoken.sender is Sender.BOT:
                self.note(EventKind.BOT_REPLY, actor=BOT_ACTOR)

    def note(self, kind: EventKind, actor: str | None = None, **data: object) -> None:
        """Write an event of this conversation."""
        episode_id = self.episode.id if self.episode else None
        episodes.add_event(
            self.connection,
            self.conversation.id,
            episode_id,
            kind,
            self.now,
            actor,
            **data,
        )

    def give_to(self, owner: Owner) -> None:
        """Change the owner; the row is held, so its version is the newest."""
        if self.owner is owner:
            return
        conversations.change_owner(
            self.connection, self.conversation, owner, None, self.now
        )
        self.owner = owner

    def withdraw_consent(self) -> None:
        """No more campaigns, on any channel."""
        source = f"chat:{self.conversation.channel.value}"
        customers.withdraw_everywhere(
            self.connection,
            self.conversation.customer_id,
            source,
            self.now,
            proof=None if self._heard is None else f"message {self._heard}",
        )

    def set_language(self, language: str) -> None:
        customers.set_language(
            self.connection, self.conversation.customer_id, language, self.now
        )

    def close(self, effect: CloseEpisode, idle: timedelta) -> None:
        """End the episode and everybody's work on it."""
        if self.episode is not None:
            leave_all(self.connection, self.episode.id, self.now, idle)
            episodes.close(self.connection, self.episode, effect.ended, self.now)

    def record_feedback(
        self, effect: RecordScore | RecordIssue | RecordComment
    ) -> None:
        match effect:
            case RecordScore():
                feedback.record_score(
                    self.connection, effect.episode_id, effect.score, self.now
                )
                episodes.add_event(
                    self.connection,
                    self.conversation.id,
                    effect.episode_id,
                    EventKind.SCORED,
                    self.now,
                    score=effect.score,
                )
            case RecordIssue():
                feedback.record_issue(self.connection, effect.episode_id, effect.issue)
            case RecordComment():
                feedback.record_comment(self.connection, effect.episode_id, effect.text)
        # Satisfaction pages listen for this.
        changes.record(self.connection, "feedback", effect.episode_id, self.now)

    def record_utterance(
        self,
        effect: LogAnswer | LogHelp | LogMiss | ProposeVariant,
        language: str | None,
    ) -> None:
        if isinstance(effect, LogAnswer) and self.episode is not None:
            episodes.set_topic(self.connection, self.episode.id, effect.article)
        heard = self._heard_text()
        feedback.record_utterance(
            self.connection,
            utterance_of(effect, heard, language, self._heard),
            self.now,
        )

    def _heard_text(self) -> str:
        if self._heard is None:
            return ""
        return messages.text_of(self.connection, self._heard)

    def _add(self, draft: Draft, state: MessageState) -> int:
        return messages.add(
            self.connection,
            self.conversation.id,
            self.episode.id if self.episode else None,
            draft,
            state,
            self.now,
        )


def utterance_of(
    effect: LogAnswer | LogHelp | LogMiss | ProposeVariant,
    heard: str,
    language: str | None,
    message_id: int | None,
) -> Utterance:
    """What an effect teaches about a customer's words."""
    match effect:
        case LogAnswer():
            return Utterance(
                heard,
                Outcome.ANSWERED,
                language,
                effect.article,
                effect.score,
                message_id,
            )
        case LogHelp():
            outcome = Outcome.HELPED if effect.helped else Outcome.NOT_HELPED
            return Utterance(heard, outcome, language, effect.article, None, message_id)
        case LogMiss():
            first = effect.candidates[0] if effect.candidates else None
            return Utterance(
                effect.text, Outcome.MISSED, language, first, None, message_id
            )
        case ProposeVariant():
            return Utterance(
                effect.text, Outcome.CLICKED, language, effect.article, None, message_id
            )
