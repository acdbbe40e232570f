"""One conversation, taken through the program's own dialogue and written to a book.

It does in memory what the turn, the timers and the desk do in the database, so that
the past reads as if the program had lived through it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.demo.records import (
    Episode,
    Handling,
    Happening,
    Message,
    Survey,
    Talk,
    Words,
)
from bot import dialogue
from bot.effects import utterance_of
from bot.reply import render_reply
from bot.states import (
    AgentClosed,
    AgentReplied,
    AgentTook,
    AskSurvey,
    CloseEpisode,
    Context,
    Effect,
    Event,
    HandOver,
    IdleTimeout,
    LeaveQueue,
    LogAnswer,
    LogHelp,
    LogMiss,
    OpenEpisode,
    Pressed,
    ProposeVariant,
    RecordComment,
    RecordIssue,
    RecordScore,
    Reply,
    Said,
    State,
    Step,
    SurveyDue,
)
from bot.understand import Understanding
from content.articles import Knowledge
from content.phrases import Phrases
from core.model import (
    Button,
    Channel,
    EpisodeEnd,
    MessageState,
    Owner,
    Sender,
)
from storage.conversations import DueEvent
from storage.episodes import EventKind

CUSTOMER = "customer"
STAFF = "staff"
BOT = "system:bot"
TIMER = "system:timer"


@dataclass(frozen=True, slots=True)
class Voice:
    """What the bot can say."""

    phrases: Phrases
    knowledge: Knowledge
    company: dict[str, str]

    def words(self, reply: Reply, language: str) -> tuple[str, tuple[Button, ...]]:
        """A reply's text and buttons."""
        articles = self.knowledge.articles
        return render_reply(reply, self.phrases, articles, language, self.company)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say of conversations."""

    handling_idle: timedelta
    idle_close: timedelta
    survey_delay: timedelta


@dataclass(slots=True)
class Book:
    """Everything that was written down, in the order of writing."""

    episodes: list[Episode] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    handlings: list[Handling] = field(default_factory=list)
    surveys: list[Survey] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)


class Conversation:
    """One customer on one channel; every act names its moment, each after the last."""

    def __init__(
        self,
        number: int,
        customer: int,
        channel: Channel,
        address: str,
        language: str,
        book: Book,
        voice: Voice,
        rules: Rules,
    ) -> None:
        self.customer = customer
        self.channel = channel
        self.language = language
        self.state = State(language=language)
        self.owner = Owner.BOT
        self.staff: int | None = None
        self._number = number
        self._address = address
        self._book = book
        self._voice = voice
        self._rules = rules
        self._version = 0
        # The open episode, and the open one or the one that closed last.
        self._episode: int | None = None
        self._newest: int | None = None
        self._said: list[int] = []
        self._working: dict[int, int] = {}
        self._waiting_since: datetime | None = None
        self._created_at: datetime | None = None
        self._last_message_at: datetime | None = None
        self._due: tuple[datetime, DueEvent] | None = None
        self._heard = 0

    # What the customer does.

    def say(
        self, text: str, meaning: Understanding, at: datetime, context: Context
    ) -> None:
        """The customer writes."""
        self._advance(Said(text, meaning), at, CUSTOMER, context, heard=text)

    def press(self, action: str, at: datetime, context: Context) -> None:
        """The customer presses a button that stands there."""
        label = self._label(action)
        self._advance(Pressed(action), at, CUSTOMER, context, heard=label)

    # What happens by itself.

    def fall_silent(self, at: datetime, context: Context) -> None:
        """The customer has been silent until now, for as long as the timer waits."""
        self._advance(IdleTimeout(), at, TIMER, context)

    def ask_survey(self, at: datetime, context: Context) -> int:
        """Ask about the episode that closed last; returns the survey's place."""
        place = self._newest_episode()
        episode = self._book.episodes[place]
        staff = self._last_agent(place)
        survey = Survey(
            customer=self.customer,
            episode=place,
            asked_at=at,
            answered_by=Sender.BOT if staff is None else Sender.AGENT,
            staff=staff,
            topic=episode.topic,
            channel=self.channel,
        )
        self._book.surveys.append(survey)
        self._due = None
        self._note(EventKind.SURVEY_SENT, at, TIMER, episode=place)
        # Episodes of the book are named from 1, as rows are.
        self._advance(SurveyDue(place + 1), at, TIMER, context)
        return len(self._book.surveys) - 1

    def forget_survey(self) -> None:
        """The customer was asked lately: nothing is due."""
        self._due = None

    # What a person of the team does.

    def take(self, staff: int, name: str, at: datetime, context: Context) -> None:
        """The person takes the conversation and begins to work on it."""
        self._give_to(Owner.AGENT, at, staff)
        self._advance(AgentTook(name), at, STAFF, context, sender=Sender.SYSTEM)
        self._note(EventKind.TAKEN, at, STAFF)
        self.act(at)

    def act(self, at: datetime) -> None:
        """The person reads or types."""
        episode, staff = self._episode, self.staff
        if episode is None or staff is None:
            return
        running = self._working.get(staff)
        rows = self._book.handlings
        if running is not None:
            row = rows[running]
            if at - row.active_at <= self._rules.handling_idle:
                rows[running] = replace(row, active_at=at)
                return
            rows[running] = replace(row, ended_at=row.active_at)
        self._working[staff] = len(rows)
        rows.append(Handling(episode, staff, at, None, at))

    def answer(
        self, text: str, at: datetime, context: Context, *, leave: bool = False
    ) -> None:
        """The person replies, and turns to something else with `leave`."""
        self.act(at)
        message = self._add(Sender.AGENT, text, (), at)
        self._advance(AgentReplied(), at, STAFF, context)
        self._note(EventKind.AGENT_REPLY, at, STAFF, message=message)
        if leave:
            self._leave(at)

    def close(self, ended: EpisodeEnd, at: datetime, context: Context) -> None:
        """The person closes the episode."""
        staff = self.staff
        self._leave(at)
        self._give_to(Owner.BOT, at, None)
        self._advance(
            AgentClosed(ended), at, STAFF, context, sender=Sender.SYSTEM, staff=staff
        )

    def row(self) -> Talk:
        """The conversation as it stands."""
        created_at, last_at = self._created_at, self._last_message_at
        if created_at is None or last_at is None:
            message = "nothing was said in this conversation"
            raise RuntimeError(message)
        due_at, due_event = self._due or (None, None)
        return Talk(
            customer=self.customer,
            channel=self.channel,
            address=self._address,
            owner=self.owner,
            staff=self.staff,
            version=self._version,
            language=self.state.language or self.language,
            state=self.state,
            open=self.state.episode_open or self.owner is not Owner.BOT,
            waiting_since=self._waiting_since,
            created_at=created_at,
            last_message_at=last_at,
            due_at=due_at,
            due_event=due_event,
        )

    # One step, as `bot.record.Recorder` writes it down.

    def _advance(
        self,
        event: Event,
        at: datetime,
        actor: str,
        context: Context,
        heard: str | None = None,
        sender: Sender = Sender.BOT,
        staff: int | None = None,
    ) -> Step:
        step = dialogue.step(self.state, event, at, context)
        self._created_at = self._created_at or at
        if any(isinstance(effect, OpenEpisode) for effect in step.effects):
            self._open(at, actor)
        message = None if heard is None else self._hear(heard, at)
        for effect in step.effects:
            self._apply(effect, step, at, actor, message, staff)
        for reply in step.replies:
            language = step.state.language or self.language
            text, buttons = self._voice.words(reply, language)
            self._speak(sender, text, buttons, at)
        self.state = step.state
        # Until here what was said belongs to the episode that ends with it.
        if not step.state.episode_open:
            self._episode = None
        if heard is not None or step.replies:
            self._last_message_at = at
        self._due = self._next_due(step, at)
        return step

    def _open(self, at: datetime, actor: str) -> None:
        self._episode = self._newest = len(self._book.episodes)
        self._book.episodes.append(Episode(self._number, at, None, None, None))
        self._note(EventKind.OPENED, at, actor)

    def _hear(self, text: str, at: datetime) -> int:
        self._heard += 1
        mark = f"{self._address}:{self._heard}"
        place = self._add(Sender.CUSTOMER, text, (), at, MessageState.RECEIVED, mark)
        self._note(EventKind.CUSTOMER_MESSAGE, at, CUSTOMER, message=place)
        return place

    def _speak(
        self, sender: Sender, text: str, buttons: tuple[Button, ...], at: datetime
    ) -> None:
        with_agent = self.owner is Owner.AGENT and sender is Sender.BOT
        spoken = Sender.SYSTEM if with_agent else sender
        self._add(spoken, text, buttons, at)
        if spoken is Sender.BOT:
            self._note(EventKind.BOT_REPLY, at, BOT)

    def _apply(
        self,
        effect: Effect,
        step: Step,
        at: datetime,
        actor: str,
        message: int | None,
        staff: int | None,
    ) -> None:
        match effect:
            case HandOver():
                self._give_to(Owner.QUEUE, at, None)
                data = (("reason", effect.reason.value), ("tried", list(effect.tried)))
                self._note(EventKind.HANDED_OVER, at, actor, data=data)
            case LeaveQueue():
                self._give_to(Owner.BOT, at, None)
                self._note(EventKind.LEFT_QUEUE, at, actor)
            case CloseEpisode():
                self._end_episode(effect.ended, at, actor, staff)
            case RecordScore() | RecordIssue() | RecordComment():
                self._record(effect, at, actor)
            case LogAnswer() | LogHelp() | LogMiss() | ProposeVariant():
                self._learn(effect, step.state.language, message, at)
            case _:
                pass  # opened before, or kept with the due time

    def _end_episode(
        self, ended: EpisodeEnd, at: datetime, actor: str, staff: int | None
    ) -> None:
        place = self._newest_episode()
        self._working.clear()
        row = self._book.episodes[place]
        self._book.episodes[place] = replace(row, closed_at=at, ended=ended)
        data = (("ended", ended.value),)
        self._note(EventKind.CLOSED, at, actor, data=data, staff=staff)

    def _record(
        self,
        effect: RecordScore | RecordIssue | RecordComment,
        at: datetime,
        actor: str,
    ) -> None:
        surveys = self._book.surveys
        place = next(
            place
            for place in range(len(surveys) - 1, -1, -1)
            if surveys[place].episode == effect.episode_id - 1
        )
        match effect:
            case RecordScore():
                row = replace(surveys[place], score=effect.score, answered_at=at)
                data = (("score", effect.score),)
                episode = effect.episode_id - 1
                self._note(EventKind.SCORED, at, actor, data=data, episode=episode)
            case RecordIssue():
                row = replace(surveys[place], issue=effect.issue)
            case RecordComment():
                row = replace(surveys[place], comment=effect.text)
        surveys[place] = row

    def _learn(
        self,
        effect: LogAnswer | LogHelp | LogMiss | ProposeVariant,
        language: str | None,
        message: int | None,
        at: datetime,
    ) -> None:
        place = self._episode
        if isinstance(effect, LogAnswer) and place is not None:
            row = self._book.episodes[place]
            if row.topic is None:
                self._book.episodes[place] = replace(row, topic=effect.article)
        heard = "" if message is None else self._book.messages[message].text
        made = utterance_of(effect, heard, language, message)
        self._book.words.append(
            Words(
                message,
                made.text,
                made.language,
                made.article,
                made.score,
                made.outcome,
                at,
            )
        )

    def _give_to(self, owner: Owner, at: datetime, staff: int | None) -> None:
        if self.owner is owner:
            return
        self.owner, self.staff = owner, staff
        self._version += 1
        self._waiting_since = at if owner is Owner.QUEUE else None

    def _leave(self, at: datetime) -> None:
        place = self._working.pop(self.staff, None) if self.staff is not None else None
        if place is None:
            return
        row = self._book.handlings[place]
        silent = at - row.active_at > self._rules.handling_idle
        end = row.active_at if silent else at
        self._book.handlings[place] = replace(row, ended_at=end, active_at=end)

    def _next_due(self, step: Step, at: datetime) -> tuple[datetime, DueEvent] | None:
        for effect in step.effects:
            if isinstance(effect, AskSurvey):
                return effect.due_at, DueEvent.SURVEY
        if step.state.episode_open:
            by_bot = self.owner is Owner.BOT
            return (at + self._rules.idle_close, DueEvent.IDLE) if by_bot else None
        before = self._due
        return before if before and before[1] is DueEvent.SURVEY else None

    def _add(
        self,
        sender: Sender,
        text: str,
        buttons: tuple[Button, ...],
        at: datetime,
        state: MessageState = MessageState.SENT,
        external_id: str | None = None,
    ) -> int:
        staff = self.staff if sender is Sender.AGENT else None
        messages = self._book.messages
        if external_id is None and self.channel is Channel.TELEGRAM:
            external_id = str(1000 + len(messages))
        messages.append(
            Message(
                self._number,
                self._episode,
                sender,
                staff,
                text,
                buttons,
                state,
                external_id,
                at,
            )
        )
        self._said.append(len(messages) - 1)
        return len(messages) - 1

    def _note(
        self,
        kind: EventKind,
        at: datetime,
        actor: str,
        *,
        episode: int | None = None,
        message: int | None = None,
        staff: int | None = None,
        data: tuple[tuple[str, object], ...] = (),
    ) -> None:
        found = self._episode if episode is None else episode
        acting = (
            (staff if staff is not None else self.staff) if actor == STAFF else None
        )
        self._book.happenings.append(
            Happening(self._number, found, kind, actor, acting, message, data, at)
        )

    def _newest_episode(self) -> int:
        if self._newest is None:
            message = "there was no episode yet"
            raise RuntimeError(message)
        return self._newest

    def _last_agent(self, episode: int) -> int | None:
        rows = (self._book.messages[place] for place in reversed(self._said))
        return next(
            (
                row.staff
                for row in rows
                if row.episode == episode and row.sender is Sender.AGENT
            ),
            None,
        )

    def _label(self, action: str) -> str:
        rows = (self._book.messages[place] for place in reversed(self._said))
        labels = (
            button.label
            for row in rows
            for button in row.buttons
            if button.data == action
        )
        return next(labels, action)
