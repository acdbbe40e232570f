"""What the bot says next: a pure function of state, event, time and context.

Nothing here reads a clock, a table or a text file. Each step answers the customer or
says why it stays silent, and from each state "agent" leads to a person.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from bot import survey
from bot.scene import TALK_TO_A_PERSON, Scene
from bot.states import (
    PERSON_STAGES,
    AgentClosed,
    AgentGaveBack,
    AgentReplied,
    AgentTook,
    AskSurvey,
    Choice,
    CloseEpisode,
    Context,
    Effect,
    Event,
    HandOver,
    HandOverReason,
    IdleTimeout,
    LeaveQueue,
    LogAnswer,
    LogHelp,
    LogMiss,
    OpenEpisode,
    Pressed,
    ProposeVariant,
    Reply,
    Said,
    Silence,
    Stage,
    State,
    Step,
    SurveyDue,
    Unreadable,
    WithdrawConsent,
)
from bot.words import Kind
from core.model import EpisodeEnd

MISSES_MAX = 2  # then a person
ASKED_CHARACTERS = 500  # kept of a question, to learn from what it meant
# "Did this help?" in the customer's own words.
HELP_WORDS = {Kind.YES: "yes", Kind.THANKS: "yes", Kind.NO: "no"}
BACK = Choice("back", phrase="button_back")
DONE = Choice("done", phrase="button_done")


def step(state: State, event: Event, now: datetime, context: Context) -> Step:
    """What follows from `event`; an aware `now`, and no other knowledge of time."""
    scene = Scene(state, now, context)
    match event:
        case Said():
            made = _said(scene, event)
        case Pressed():
            made = _pressed(scene, event.action)
        case Unreadable():
            made = _unreadable(scene)
        case SurveyDue():
            made = survey.ask(scene, event)
        case IdleTimeout():
            made = _idle(scene)
        case _:
            made = _agent_acted(scene, event)
    return made


# What the customer writes.


def _said(scene: Scene, event: Said) -> Step:
    scene = scene.follow_language(event.understanding.language)
    kind = event.understanding.kind
    if kind is Kind.STOP:  # holds whoever owns the conversation
        return _stop(scene, "")
    if scene.state.stage in PERSON_STAGES:
        return _said_to_person(scene, kind)
    if survey.is_comment(scene, event):
        return survey.comment(scene, event.text)
    action = _typed_choice(scene, event)
    if action is not None:
        return _pressed(scene, action)
    return SMALL_TALK.get(kind, _question)(scene, event)


def _said_to_person(scene: Scene, kind: Kind) -> Step:
    if scene.state.stage is Stage.WITH_AGENT:
        return scene.done(Silence.WITH_AGENT)
    if kind in {Kind.AGENT, Kind.UPSET, Kind.HELP}:  # "is anybody there?"
        return _place_in_queue(scene).done()
    if scene.state.acknowledged:
        return scene.done(Silence.WAITING)
    return scene.set(acknowledged=True).say("noted_for_colleague", BACK).done()


def _typed_choice(scene: Scene, event: Said) -> str | None:
    """The button that typed words stand for."""
    state, kind = scene.state, event.understanding.kind
    if state.stage is Stage.CLARIFYING:
        return _typed_title(state, event)
    if state.stage is Stage.ANSWERED and kind in HELP_WORDS:
        return HELP_WORDS[kind]
    return survey.typed_score(scene, event.text)


def _typed_title(state: State, event: Said) -> str | None:
    if event.understanding.kind is Kind.NO:
        return "none"
    number = event.text.strip().rstrip(".、")
    # Titles can be chosen by their number; "yes" chooses the only one.
    places = {str(place + 1): title for place, title in enumerate(state.offered)}
    if event.understanding.kind is Kind.YES and len(places) == 1:
        number = "1"
    return f"article:{places[number]}" if number in places else None


def _greet(scene: Scene, _: Said) -> Step:
    choices = tuple(
        Choice(f"article:{article}", article=article)
        for article in scene.context.popular[:3]
        if article in scene.context.articles
    )
    scene = _listening(scene)
    return scene.say("greeting", *choices, TALK_TO_A_PERSON).done()


def _thanks(scene: Scene, _: Said) -> Step:
    return _listening(scene).say("welcome", DONE).done()


def _goodbye(scene: Scene, _: Said | None) -> Step:
    return _close(scene.say("goodbye"), _bot_end(scene.state), survey=True).done()


def _human(scene: Scene, event: Said) -> Step:
    upset = event.understanding.kind is Kind.UPSET
    if upset:
        scene = scene.say("apology")
    reason = HandOverReason.UPSET if upset else HandOverReason.ASKED
    return _hand_over(_opened(scene), reason)


def _help(scene: Scene, _: Said) -> Step:
    return _listening(scene).say("help", TALK_TO_A_PERSON).done()


def _settings(scene: Scene, _: Said) -> Step:
    choices = [
        Choice(f"language:{language}", phrase=f"button_language_{language}")
        for language in scene.context.languages
    ]
    stop = Choice("stop", phrase="button_stop")
    return _listening(scene).say("settings", *choices, stop).done()


def _privacy(scene: Scene, _: Said) -> Step:
    return _listening(scene).say("privacy").done()


def _no(scene: Scene, event: Said) -> Step:
    if scene.state.stage in {Stage.IDLE, Stage.CLOSED}:  # "anything else?"
        return _goodbye(scene, event)
    return _what_now(scene, event)


def _what_now(scene: Scene, _: Said) -> Step:
    """A yes or no that answers nothing."""
    if scene.state.stage is Stage.CLARIFYING:
        return _did_you_mean(scene, scene.state.asked, scene.state.offered)
    return _listening(scene).say("what_now", TALK_TO_A_PERSON).done()


def _question(scene: Scene, event: Said) -> Step:
    """A question for the knowledge base, in whatever state it comes."""
    understanding = event.understanding
    if scene.state.stage is Stage.NEW:
        scene = scene.say("introduction")
    if scene.state.stage is Stage.ANSWERED:  # two misses count in a row only
        scene = scene.set(misses=0)
    scene = _opened(scene)
    known = scene.context.articles
    if understanding.kind is Kind.UNREADY:
        return _hand_over(scene, HandOverReason.BOT_UNREADY)
    if understanding.kind is Kind.ANSWER and understanding.article in known:
        return _show(scene, str(understanding.article), understanding.score)
    near = tuple(c.article for c in understanding.candidates if c.article in known)
    if understanding.kind is not Kind.UNKNOWN and near:
        return _did_you_mean(scene, event.text, near)
    scene = scene.ask(LogMiss(event.text, near))
    return _missed(scene, "rephrase", HandOverReason.NOT_UNDERSTOOD)


SMALL_TALK: dict[Kind, Callable[[Scene, Said], Step]] = {
    Kind.GREETING: _greet,
    Kind.START: _greet,
    Kind.THANKS: _thanks,
    Kind.GOODBYE: _goodbye,
    Kind.AGENT: _human,
    Kind.UPSET: _human,
    Kind.HELP: _help,
    Kind.SETTINGS: _settings,
    Kind.PRIVACY: _privacy,
    Kind.YES: _what_now,
    Kind.NO: _no,
}


def _show(scene: Scene, article: str, score: float | None) -> Step:
    tried = scene.state.tried
    scene = scene.set(
        stage=Stage.ANSWERED,
        article=article,
        offered=(),
        asked="",
        tried=tried if article in tried else (*tried, article),
    )
    choices = (
        Choice("yes", phrase="button_yes"),
        Choice("no", phrase="button_no"),
        TALK_TO_A_PERSON,
    )
    reply = Reply("did_this_help", article=article, choices=choices)
    scene = replace(scene, replies=(*scene.replies, reply))
    return scene.ask(LogAnswer(article, score)).done()


def _did_you_mean(scene: Scene, text: str, near: tuple[str, ...]) -> Step:
    choices = [Choice(f"article:{key}", article=key) for key in near]
    none = Choice("none", phrase="button_none_of_these")
    scene = scene.set(
        stage=Stage.CLARIFYING, offered=near, asked=text[:ASKED_CHARACTERS]
    )
    return scene.say("doubt", *choices, none).done()


def _missed(scene: Scene, phrase: str, reason: HandOverReason) -> Step:
    scene = scene.set(misses=scene.state.misses + 1, offered=(), asked="")
    if scene.state.misses >= MISSES_MAX:
        return _hand_over(scene, reason)
    return scene.set(stage=Stage.REPHRASE).say(phrase, TALK_TO_A_PERSON).done()


# A person.


def _hand_over(scene: Scene, reason: HandOverReason) -> Step:
    scene = scene.ask(HandOver(reason, scene.state.tried))
    scene = scene.set(
        stage=Stage.WAITING, misses=0, offered=(), asked="", acknowledged=False
    )
    return _place_in_queue(scene).done()


def _place_in_queue(scene: Scene) -> Scene:
    context = scene.context
    if not context.staffed:
        when = {"when": context.opens_at} if context.opens_at else {}
        name = "closed" if when else "closed_unknown"
        return scene.say(
            name if context.email_known else f"{name}_ask_mail", BACK, **when
        )
    if context.queue_length == 0:
        return scene.say("handover_next", BACK)
    seconds = context.queue_length * context.seconds_per_waiting_customer
    return scene.say(
        "handover",
        BACK,
        place=context.queue_length + 1,
        ahead=context.queue_length,
        minutes=max(1, math.ceil(seconds / 60)),
    )


def _agent_acted(
    scene: Scene, event: AgentTook | AgentReplied | AgentGaveBack | AgentClosed
) -> Step:
    if isinstance(event, AgentTook):
        return _with_agent(scene).say("agent_joined", name=event.name).done()
    if isinstance(event, AgentReplied):
        return _with_agent(scene).done(Silence.WITH_AGENT)
    if isinstance(event, AgentClosed):
        return _agent_closed(scene, event)
    if scene.state.stage not in PERSON_STAGES:
        return scene.done(Silence.NOTHING_TO_SAY)
    return scene.set(stage=Stage.IDLE).say("agent_left", TALK_TO_A_PERSON).done()


def _with_agent(scene: Scene) -> Scene:
    return _opened(scene).set(
        stage=Stage.WITH_AGENT, misses=0, offered=(), asked="", acknowledged=False
    )


def _agent_closed(scene: Scene, event: AgentClosed) -> Step:
    if not scene.state.episode_open:
        return scene.done(Silence.NOTHING_TO_SAY)
    # Who went away without an answer is not asked how the answer was.
    survey_wanted = event.ended is not EpisodeEnd.ABANDONED
    return _close(scene.say("agent_closed"), event.ended, survey=survey_wanted).done()


# Buttons.


def _pressed(scene: Scene, action: str) -> Step:
    name, _, argument = action.partition(":")
    if name in ANYTIME:
        return ANYTIME[name](scene, argument)
    if scene.state.stage in PERSON_STAGES:
        return _press_to_person(scene, name)
    if name == "article" and argument in scene.context.articles:
        return _press_article(scene, argument)
    if name == "human":
        return _hand_over(_opened(scene), HandOverReason.ASKED)
    if name == "done" and scene.state.episode_open:
        return _goodbye(scene, None)
    return _press_in_stage(scene, name, argument)


def _press_in_stage(scene: Scene, name: str, argument: str) -> Step:
    """Buttons that mean something in one stage only; else they have expired."""
    match name, scene.state.stage:
        case "yes", Stage.ANSWERED:
            made = _helped(scene)
        case "no", Stage.ANSWERED:
            made = _not_helped(scene)
        case "none", Stage.CLARIFYING:
            made = _none_of_these(scene)
        case "issue", Stage.SURVEY_ISSUE if argument in scene.context.issues:
            made = survey.press_issue(scene, argument)
        case "skip", Stage.SURVEY_ISSUE | Stage.SURVEY_COMMENT:
            made = survey.skip(scene)
        case _:
            made = scene.say("expired", TALK_TO_A_PERSON).done()
    return made


def _stop(scene: Scene, _: str) -> Step:
    return scene.ask(WithdrawConsent()).say("stopped").done()


def _press_language(scene: Scene, language: str) -> Step:
    return scene.follow_language(language).unless_agent("language_set")


ANYTIME: dict[str, Callable[[Scene, str], Step]] = {
    "stop": _stop,
    "language": _press_language,
    # Scores may be changed while a new conversation runs.
    "score": survey.press_score,
}


def _press_to_person(scene: Scene, name: str) -> Step:
    if scene.state.stage is Stage.WITH_AGENT:
        return scene.done(Silence.WITH_AGENT)
    if name == "back":
        scene = scene.set(stage=Stage.IDLE).ask(LeaveQueue())
        return scene.say("back_with_bot", TALK_TO_A_PERSON).done()
    if name == "human":
        return _place_in_queue(scene).done()
    return scene.done(Silence.WAITING)


def _press_article(scene: Scene, article: str) -> Step:
    state = scene.state
    learnt: tuple[Effect, ...] = ()
    if state.stage is Stage.CLARIFYING and article in state.offered:
        learnt = (ProposeVariant(article, state.asked),)
    return _show(_opened(scene).ask(*learnt), article, None)


def _helped(scene: Scene) -> Step:
    scene = scene.ask(LogHelp(str(scene.state.article), helped=True))
    scene = scene.set(stage=Stage.IDLE, misses=0)
    return scene.say("glad", DONE).done()


def _not_helped(scene: Scene) -> Step:
    scene = scene.ask(LogHelp(str(scene.state.article), helped=False))
    return _missed(scene, "not_helped", HandOverReason.NOT_HELPED)


def _none_of_these(scene: Scene) -> Step:
    scene = scene.ask(LogMiss(scene.state.asked, scene.state.offered))
    return _missed(scene, "rephrase", HandOverReason.NOT_UNDERSTOOD)


# Episodes.


def _opened(scene: Scene) -> Scene:
    if scene.state.episode_open:
        return scene
    scene = scene.set(episode_open=True, misses=0, tried=())
    return scene.ask(OpenEpisode())


def _close(scene: Scene, ended: EpisodeEnd, *, survey: bool) -> Scene:
    was_open = scene.state.episode_open
    scene = scene.set(
        stage=Stage.CLOSED, episode_open=False, misses=0, offered=(), asked=""
    )
    if not was_open:
        return scene
    scene = scene.ask(CloseEpisode(ended))
    delay = timedelta(seconds=scene.context.survey_delay_seconds)
    return scene.ask(AskSurvey(scene.now + delay)) if survey else scene


def _bot_end(state: State) -> EpisodeEnd:
    answered = state.tried and not state.misses
    return EpisodeEnd.CONTAINED if answered else EpisodeEnd.ABANDONED


def _idle(scene: Scene) -> Step:
    if scene.state.stage in PERSON_STAGES:  # a person decides when it is over
        return scene.done(Silence.WAITING)
    # Nobody is asked for a score after silence.
    closed = _close(scene, _bot_end(scene.state), survey=False)
    return closed.done(Silence.NOTHING_TO_SAY)


def _unreadable(scene: Scene) -> Step:
    if scene.state.stage is Stage.WITH_AGENT:
        return scene.done(Silence.WITH_AGENT)
    if scene.state.stage is Stage.WAITING:
        return scene.done(Silence.WAITING)
    return _listening(scene).say("unreadable", TALK_TO_A_PERSON).done()


def _listening(scene: Scene) -> Scene:
    """Small talk ends what was asked, not what was understood before."""
    stage = Stage.IDLE if scene.state.episode_open else Stage.CLOSED
    return scene.set(stage=stage, offered=(), asked="")
