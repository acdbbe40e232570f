"""The survey's part of the dialogue: a score, for a low one the issue, a comment."""

from __future__ import annotations

from datetime import timedelta

from bot.scene import Scene
from bot.states import (
    SURVEY_STAGES,
    Choice,
    RecordComment,
    RecordIssue,
    RecordScore,
    Said,
    Silence,
    Stage,
    Step,
    SurveyDue,
)
from bot.words import QUESTIONS, Kind

LOW_SCORE = 3  # this and less asks for the issue
SCORE_OPEN = timedelta(hours=24)  # so long a score may be given and changed
SCORES = tuple(str(score) for score in range(1, 6))
SKIP = Choice("skip", phrase="button_skip")


def ask(scene: Scene, event: SurveyDue) -> Step:
    """The question, unless the customer is in the middle of a new conversation."""
    if scene.state.episode_open:
        return scene.done(Silence.EPISODE_OPEN)
    scene = scene.set(
        stage=Stage.SURVEY_SCORE,
        surveyed_episode=event.episode_id,
        surveyed_at=scene.now,
        score=None,
    )
    choices = [
        Choice(f"score:{event.episode_id}:{score}", phrase=f"button_score_{score}")
        for score in SCORES
    ]
    return scene.say("survey", *choices).done()


def is_open(scene: Scene) -> bool:
    """Whether a score or a comment still counts."""
    asked_at = scene.state.surveyed_at
    return asked_at is not None and scene.now - asked_at <= SCORE_OPEN


def typed_score(scene: Scene, text: str) -> str | None:
    """The action that a typed digit stands for."""
    digit = text.strip()
    asked = scene.state.stage is Stage.SURVEY_SCORE and is_open(scene)
    if asked and digit in SCORES:
        return f"score:{scene.state.surveyed_episode}:{digit}"
    return None


def is_comment(scene: Scene, event: Said) -> bool:
    """Whether the customer's words belong to the survey."""
    if scene.state.stage not in SURVEY_STAGES - {Stage.SURVEY_SCORE}:
        return False
    kind = event.understanding.kind
    # A sure answer to a sentence with a question mark is a new question.
    asks = kind is Kind.ANSWER and event.text.rstrip().endswith(("?", "？"))
    return is_open(scene) and kind in QUESTIONS and not asks


def comment(scene: Scene, text: str) -> Step:
    """The customer's words, kept with the score."""
    effect = RecordComment(int(scene.state.surveyed_episode or 0), text)
    return scene.set(stage=Stage.CLOSED).ask(effect).say("survey_thanks").done()


def press_score(scene: Scene, argument: str) -> Step:
    """A first or a changed score; `argument` is EPISODE:SCORE."""
    episode, _, given = argument.partition(":")
    asked = episode == str(scene.state.surveyed_episode) and is_open(scene)
    if not asked or given not in SCORES:
        return scene.unless_agent("survey_over")
    score = int(given)
    scene = scene.set(score=score).ask(RecordScore(int(episode), score))
    if scene.state.episode_open:  # the running conversation is not left for it
        return scene.unless_agent("score_noted")
    issues = scene.context.issues if score <= LOW_SCORE else ()
    if not issues:
        return scene.set(stage=Stage.SURVEY_COMMENT).say("ask_comment", SKIP).done()
    choices = [Choice(f"issue:{issue}", issue=issue) for issue in issues]
    return scene.set(stage=Stage.SURVEY_ISSUE).say("low_score", *choices, SKIP).done()


def press_issue(scene: Scene, issue: str) -> Step:
    """What went wrong, from the lead's list; then a word about it, if wanted."""
    effect = RecordIssue(int(scene.state.surveyed_episode or 0), issue)
    scene = scene.set(stage=Stage.SURVEY_COMMENT).ask(effect)
    return scene.say("ask_issue_comment", SKIP).done()


def skip(scene: Scene) -> Step:
    """The customer said enough."""
    return scene.set(stage=Stage.CLOSED).say("survey_thanks").done()
