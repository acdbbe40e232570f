"""What the dialogue remembers, hears, says and asks for, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.understand import Understanding
from core.errors import DataError, Problem, did_you_mean
from core.model import EpisodeEnd

FORMAT = 1


class Stage(StrEnum):
    """Where a conversation stands."""

    NEW = "new"  # nothing was said yet
    IDLE = "idle"  # the bot listens
    ANSWERED = "answered"  # an article was shown: did it help?
    CLARIFYING = "clarifying"  # did you mean one of these?
    REPHRASE = "rephrase"  # the bot asked for other words
    WAITING = "waiting"  # in the queue for a person
    WITH_AGENT = "with_agent"  # a person owns the conversation
    SURVEY_SCORE = "survey_score"
    SURVEY_ISSUE = "survey_issue"
    SURVEY_COMMENT = "survey_comment"
    CLOSED = "closed"  # the episode is over; the next message opens another


SURVEY_STAGES = frozenset(
    {Stage.SURVEY_SCORE, Stage.SURVEY_ISSUE, Stage.SURVEY_COMMENT}
)
PERSON_STAGES = frozenset({Stage.WAITING, Stage.WITH_AGENT})


@dataclass(frozen=True, slots=True)
class State:
    """All that one conversation needs to go on after a restart."""

    stage: Stage = Stage.NEW
    language: str | None = None
    episode_open: bool = False
    misses: int = 0
    article: str | None = None  # shown last
    offered: tuple[str, ...] = ()  # titles of the last "did you mean"
    asked: str = ""  # the question that led to them
    tried: tuple[str, ...] = ()  # articles shown in this episode, for the agent
    acknowledged: bool = False  # words were added while waiting, and we said so
    surveyed_episode: int | None = None
    surveyed_at: datetime | None = None
    score: int | None = None

    def to_json(self) -> dict[str, Any]:
        """A plain dict to be stored with the conversation."""
        values = asdict(self)
        if self.surveyed_at is not None:
            values["surveyed_at"] = self.surveyed_at.isoformat()
        return {"format": FORMAT, **values}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> State:
        """The state that `to_json` stored.

        Raises
        ------
        DataError : if it was stored by another version of the program
        """
        values = {key: value for key, value in stored.items() if key != "format"}
        if stored.get("format") != FORMAT:
            raise DataError(
                Problem(
                    f"a dialogue state of format {FORMAT} is expected",
                    str(stored.get("format")),
                )
            )
        for key in values:
            if key not in cls.__dataclass_fields__:
                raise DataError(
                    Problem(
                        f"unknown word `{key}` in a stored dialogue state",
                        hint=did_you_mean(key, cls.__dataclass_fields__),
                    )
                )
        try:
            values["stage"] = Stage(values["stage"])
            if values.get("surveyed_at"):
                values["surveyed_at"] = datetime.fromisoformat(values["surveyed_at"])
        except (ValueError, KeyError) as error:
            raise DataError(
                Problem("a stored dialogue state is expected", str(error))
            ) from error
        values["offered"] = tuple(values.get("offered", ()))
        values["tried"] = tuple(values.get("tried", ()))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Context:
    """What the dialogue may know of the world when it takes a step."""

    queue_length: int = 0  # customers who wait before this one
    staffed: bool = True  # somebody is there now
    opens_at: datetime | None = None  # in the shop's time zone, when not staffed
    email_known: bool = False  # we could answer by mail
    seconds_per_waiting_customer: int = 240
    survey_delay_seconds: float = 60.0
    articles: frozenset[str] = frozenset()  # keys that can be shown
    popular: tuple[str, ...] = ()  # articles offered with the greeting
    issues: tuple[str, ...] = ()  # the lead's list
    languages: tuple[str, ...] = ("en", "zh")  # the first is the fallback


# Events: what happened.


@dataclass(frozen=True, slots=True)
class Said:
    """The customer wrote; commands (/stop ...) and their words are kinds."""

    text: str
    understanding: Understanding


@dataclass(frozen=True, slots=True)
class Pressed:
    """The customer pressed a button of ours."""

    action: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The customer sent a sticker, a voice note, a picture or a file."""


@dataclass(frozen=True, slots=True)
class AgentTook:
    """A person took the conversation; `name` is what the customer sees."""

    name: str


@dataclass(frozen=True, slots=True)
class AgentReplied:
    """A person wrote to the customer."""


@dataclass(frozen=True, slots=True)
class AgentGaveBack:
    """A person handed the conversation back to the bot."""


@dataclass(frozen=True, slots=True)
class AgentClosed:
    """A person closed the episode."""

    ended: EpisodeEnd = EpisodeEnd.RESOLVED


@dataclass(frozen=True, slots=True)
class SurveyDue:
    """It is time to ask about a closed episode; cool-down was checked before."""

    episode_id: int


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    """The customer has been silent for `bot.idle_close_minutes`."""


Event = (
    Said
    | Pressed
    | Unreadable
    | AgentTook
    | AgentReplied
    | AgentGaveBack
    | AgentClosed
    | SurveyDue
    | IdleTimeout
)


# Replies: what is said, by name; `bot.reply` turns them into text and buttons.


@dataclass(frozen=True, slots=True)
class Choice:
    """A button: its label is a phrase, the title of an article or an issue."""

    action: str
    phrase: str | None = None
    article: str | None = None
    issue: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One message to the customer: a phrase, after an article's answer if named."""

    phrase: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    article: str | None = None
    choices: tuple[Choice, ...] = ()


# Effects: what the step asks its caller to do, in the same transaction.


class HandOverReason(StrEnum):
    """Why a person is needed."""

    ASKED = "asked"
    NOT_UNDERSTOOD = "not_understood"
    NOT_HELPED = "not_helped"
    UPSET = "upset"
    BOT_UNREADY = "bot_unready"


@dataclass(frozen=True, slots=True)
class OpenEpisode:
    """A new episode begins with this message."""


@dataclass(frozen=True, slots=True)
class CloseEpisode:
    """The open episode ends."""

    ended: EpisodeEnd


@dataclass(frozen=True, slots=True)
class HandOver:
    """The conversation goes to the queue; `tried` is what the bot had shown."""

    reason: HandOverReason
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeaveQueue:
    """The customer went back to the bot before a person came."""


@dataclass(frozen=True, slots=True)
class AskSurvey:
    """`SurveyDue` is wanted at this moment, if the rules allow it then."""

    due_at: datetime


@dataclass(frozen=True, slots=True)
class RecordScore:
    """The customer's score (1-5); a later one replaces it."""

    episode_id: int
    score: int


@dataclass(frozen=True, slots=True)
class RecordIssue:
    """What went wrong, from the lead's list."""

    episode_id: int
    issue: str


@dataclass(frozen=True, slots=True)
class RecordComment:
    """What the customer wrote about the episode."""

    episode_id: int
    text: str


@dataclass(frozen=True, slots=True)
class WithdrawConsent:
    """No more offers to this customer on this channel."""


@dataclass(frozen=True, slots=True)
class SetLanguage:
    """The customer's language is now this one."""

    language: str


@dataclass(frozen=True, slots=True)
class LogAnswer:
    """An article was shown, by understanding or by the customer's choice."""

    article: str
    score: float | None


@dataclass(frozen=True, slots=True)
class LogHelp:
    """The customer said whether an article helped."""

    article: str
    helped: bool


@dataclass(frozen=True, slots=True)
class LogMiss:
    """A question that the bot could not answer."""

    text: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposeVariant:
    """The customer's words meant this article; a lead may add them to it."""

    article: str
    text: str


Effect = (
    OpenEpisode
    | CloseEpisode
    | HandOver
    | LeaveQueue
    | AskSurvey
    | RecordScore
    | RecordIssue
    | RecordComment
    | WithdrawConsent
    | SetLanguage
    | LogAnswer
    | LogHelp
    | LogMiss
    | ProposeVariant
)


class Silence(StrEnum):
    """Why nothing was said."""

    WITH_AGENT = "with_agent"  # a person owns the conversation
    WAITING = "waiting"  # the customer knows that a person will come
    NOTHING_TO_SAY = "nothing_to_say"  # not an event that calls for words
    EPISODE_OPEN = "episode_open"  # no survey in the middle of a conversation


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from one event: never without a reply or a reason."""

    state: State
    replies: tuple[Reply, ...] = ()
    effects: tuple[Effect, ...] = ()
    silence: Silence | None = None
