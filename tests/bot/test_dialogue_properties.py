"""What holds after any events in any order, by generated conversations."""

from __future__ import annotations

import json
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.dialogue import step
from bot.states import (
    PERSON_STAGES,
    AgentClosed,
    AgentGaveBack,
    AgentReplied,
    AgentTook,
    CloseEpisode,
    Event,
    HandOver,
    IdleTimeout,
    OpenEpisode,
    Pressed,
    Said,
    Stage,
    State,
    SurveyDue,
    Unreadable,
)
from bot.words import Kind
from content.phrases import load_phrases
from core.model import EpisodeEnd
from tests.bot.talk import ARTICLES, CONTEXT, START, Talk, said

ACTIONS = [
    *("yes", "no", "none", "done", "human", "back", "skip", "stop", "", "?:"),
    *("language:zh", "language:xx", "issue:other", "issue:", "article:gone"),
    *("score:7:1", "score:7:5", "score:8:3", "score:7:x", f"article:{ARTICLES[1]}"),
]
said_events = st.builds(
    said,
    st.sampled_from(list(Kind)),
    st.sampled_from(["words", "1", "3", "5", "really?", ""]),
    st.sampled_from(["en", "zh", None]),
)
customer_events = st.one_of(
    said_events, st.builds(Pressed, st.sampled_from(ACTIONS)), st.just(Unreadable())
)
other_events = st.one_of(
    st.builds(AgentTook, st.just("Ann")),
    st.just(AgentReplied()),
    st.just(AgentGaveBack()),
    st.builds(AgentClosed, st.sampled_from(EpisodeEnd)),
    st.builds(SurveyDue, st.sampled_from([7, 8])),
    st.just(IdleTimeout()),
)
histories = st.lists(
    st.tuples(
        st.one_of(customer_events, other_events),
        st.sampled_from([0, 1, 26]),
        st.booleans(),
    ),
    max_size=25,
)
generated = settings(max_examples=300, derandomize=True, deadline=None, database=None)
PHRASES = load_phrases("Shop", "help@shop.example")


def lived(history: list[tuple[Event, int, bool]]) -> Talk:
    """A conversation with these events; hours and staffing change between them."""
    talk = Talk()
    for event, hours, staffed in history:
        talk.wait(hours=hours).given(staffed=staffed, queue_length=hours).hear(event)
    return talk


@generated
@given(histories)
def test_every_event_gets_a_reply_or_a_reason(
    history: list[tuple[Event, int, bool]],
) -> None:
    steps = lived(history).steps

    assert all(bool(s.replies) != (s.silence is not None) for s in steps)


@generated
@given(histories, customer_events)
def test_the_bot_does_not_talk_over_a_person(
    history: list[tuple[Event, int, bool]], event: Said | Pressed | Unreadable
) -> None:
    talk = lived([*history, (AgentTook("Ann"), 0, True)]).hear(event)

    assert {reply.phrase for reply in talk.last.replies} <= {"stopped"}
    assert talk.state.stage is Stage.WITH_AGENT


@generated
@given(histories)
def test_from_each_state_a_word_leads_to_a_person(
    history: list[tuple[Event, int, bool]],
) -> None:
    talk = lived(history).say(Kind.AGENT)

    assert talk.state.stage in PERSON_STAGES


@generated
@given(histories)
def test_from_each_state_a_button_leads_back_to_the_bot(
    history: list[tuple[Event, int, bool]],
) -> None:
    talk = lived([*history, (AgentGaveBack(), 0, True)]).say(Kind.AGENT).press("back")

    assert talk.state.stage is Stage.IDLE
    assert talk.say(Kind.ANSWER).state.stage is Stage.ANSWERED


@generated
@given(histories)
def test_episodes_open_and_close_in_turn(
    history: list[tuple[Event, int, bool]],
) -> None:
    effects = [effect for s in lived(history).steps for effect in s.effects]
    edges = [type(e) for e in effects if isinstance(e, OpenEpisode | CloseEpisode)]

    assert edges == [OpenEpisode, CloseEpisode] * (len(edges) // 2) + [OpenEpisode] * (
        len(edges) % 2
    )


@generated
@given(histories)
def test_a_busy_stage_has_an_open_episode(
    history: list[tuple[Event, int, bool]],
) -> None:
    free = {Stage.NEW, Stage.CLOSED, Stage.IDLE} | {
        stage for stage in Stage if stage.value.startswith("survey")
    }

    assert all(
        s.state.episode_open or s.state.stage in free for s in lived(history).steps
    )


@generated
@given(histories)
def test_nobody_is_put_in_the_queue_twice(
    history: list[tuple[Event, int, bool]],
) -> None:
    talk = lived(history)
    before = [State(), *(s.state for s in talk.steps)]

    queued = [
        state.stage
        for state, s in zip(before, talk.steps, strict=False)
        if any(isinstance(effect, HandOver) for effect in s.effects)
    ]
    assert not PERSON_STAGES.intersection(queued)


@generated
@given(histories, customer_events)
def test_a_restart_in_any_state_changes_nothing(
    history: list[tuple[Event, int, bool]], event: Event
) -> None:
    state = lived(history).state
    stored = State.from_json(json.loads(json.dumps(state.to_json())))

    now = START + timedelta(days=30)
    assert step(stored, event, now, CONTEXT) == step(state, event, now, CONTEXT)


@generated
@given(histories)
def test_every_reply_has_its_words(history: list[tuple[Event, int, bool]]) -> None:
    replies = [reply for s in lived(history).steps for reply in s.replies]
    labels = {c.phrase for reply in replies for c in reply.choices if c.phrase}

    assert {reply.phrase for reply in replies} | labels <= PHRASES.keys
    assert all(PHRASES.render(r.phrase, "en", **r.parameters) for r in replies)
