from __future__ import annotations

from datetime import timedelta

import pytest

from bot.states import (
    AgentClosed,
    AgentGaveBack,
    AgentReplied,
    AgentTook,
    AskSurvey,
    Choice,
    CloseEpisode,
    HandOver,
    HandOverReason,
    IdleTimeout,
    LeaveQueue,
    LogAnswer,
    LogHelp,
    LogMiss,
    OpenEpisode,
    ProposeVariant,
    RecordComment,
    RecordIssue,
    RecordScore,
    SetLanguage,
    Silence,
    Stage,
    State,
    SurveyDue,
    Unreadable,
    WithdrawConsent,
)
from bot.words import Kind
from core.errors import DataError
from core.model import EpisodeEnd
from tests.bot.talk import ARTICLES, START, Talk


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def waiting(talk: Talk) -> Talk:
    return talk.say(Kind.AGENT)


@pytest.fixture
def with_agent(waiting: Talk) -> Talk:
    return waiting.hear(AgentTook("Ann"))


@pytest.fixture
def asked(with_agent: Talk) -> Talk:
    """The survey's question stands."""
    return with_agent.hear(AgentClosed()).hear(SurveyDue(7))


# Greeting and small talk.


def test_a_greeting_offers_articles_that_exist_and_a_person(talk: Talk) -> None:
    talk.say(Kind.GREETING)

    assert talk.phrases == ["greeting"]
    assert talk.actions == ["article:order-status", "human"]


def test_small_talk_opens_no_episode(talk: Talk) -> None:
    talk.say(Kind.GREETING).say(Kind.THANKS).say(Kind.HELP).say(Kind.PRIVACY)

    assert not talk.state.episode_open
    assert {e for s in talk.steps for e in s.effects} == {SetLanguage("en")}


@pytest.mark.parametrize(
    ("kind", "phrase"),
    [
        (Kind.START, "greeting"),
        (Kind.THANKS, "welcome"),
        (Kind.GOODBYE, "goodbye"),
        (Kind.HELP, "help"),
        (Kind.SETTINGS, "settings"),
        (Kind.PRIVACY, "privacy"),
        (Kind.STOP, "stopped"),
        (Kind.YES, "what_now"),
        (Kind.NO, "what_now"),
    ],
)
def test_each_fixed_word_has_its_reply(talk: Talk, kind: Kind, phrase: str) -> None:
    assert talk.say(kind).phrases == [phrase]


def test_no_after_anything_else_is_a_goodbye(talk: Talk) -> None:
    talk.say(Kind.ANSWER).press("yes").say(Kind.NO)

    assert talk.phrases == ["goodbye"]
    assert CloseEpisode(EpisodeEnd.CONTAINED) in talk.last.effects


def test_what_is_no_text_gets_a_polite_answer(talk: Talk) -> None:
    assert talk.hear(Unreadable()).phrases == ["unreadable"]


# Answers.


def test_the_first_question_meets_a_bot_that_says_so(talk: Talk) -> None:
    talk.say(Kind.ANSWER)

    assert talk.phrases == ["introduction", "did_this_help"]
    assert talk.last.replies[-1].article == ARTICLES[0]
    assert talk.actions == ["yes", "no", "human"]


def test_an_answer_opens_an_episode_and_is_logged(talk: Talk) -> None:
    talk.say(Kind.ANSWER)

    assert OpenEpisode() in talk.last.effects
    assert LogAnswer(ARTICLES[0], 0.9) in talk.last.effects


def test_the_second_question_goes_on_in_the_same_episode(talk: Talk) -> None:
    talk.say(Kind.ANSWER).say(Kind.ANSWER)

    assert talk.phrases == ["did_this_help"]
    assert OpenEpisode() not in talk.last.effects
    assert talk.state.tried == (ARTICLES[0],)


def test_an_article_that_is_gone_is_not_shown(talk: Talk) -> None:
    talk.given(articles=frozenset({ARTICLES[1]})).say(Kind.ANSWER)

    assert talk.phrases == ["introduction", "doubt"]
    assert talk.actions == [f"article:{ARTICLES[1]}", "none"]


@pytest.mark.parametrize("kind", [Kind.YES, Kind.THANKS])
def test_yes_in_words_says_that_it_helped(talk: Talk, kind: Kind) -> None:
    talk.say(Kind.ANSWER).say(kind)

    assert talk.phrases == ["glad"]
    assert LogHelp(ARTICLES[0], helped=True) in talk.last.effects


def test_no_asks_for_other_words_once_then_brings_a_person(talk: Talk) -> None:
    talk.say(Kind.ANSWER).press("no")
    first = talk.phrases
    talk.say(Kind.ANSWER).say(Kind.NO)

    assert first == ["not_helped"]
    assert HandOver(HandOverReason.NOT_HELPED, (ARTICLES[0],)) in talk.last.effects


def test_misses_count_in_a_row_only(talk: Talk) -> None:
    talk.say(Kind.UNKNOWN).say(Kind.ANSWER).say(Kind.UNKNOWN)

    assert talk.phrases == ["rephrase"]


# Doubt.


def test_doubt_offers_up_to_three_titles_and_none_of_these(talk: Talk) -> None:
    talk.say(Kind.SUGGEST)

    assert talk.actions == [*(f"article:{key}" for key in ARTICLES), "none"]
    assert talk.last.replies[-1].choices[0] == Choice(
        f"article:{ARTICLES[0]}", article=ARTICLES[0]
    )


def test_the_chosen_title_is_answered_and_learnt_from(talk: Talk) -> None:
    talk.say(Kind.SUGGEST, "send back?").press(f"article:{ARTICLES[1]}")

    assert talk.last.replies[-1].article == ARTICLES[1]
    assert ProposeVariant(ARTICLES[1], "send back?") in talk.last.effects


def test_a_title_can_be_chosen_by_its_number(talk: Talk) -> None:
    talk.say(Kind.SUGGEST).say(Kind.UNKNOWN, " 3. ")

    assert talk.last.replies[-1].article == ARTICLES[2]


def test_yes_chooses_the_only_title(talk: Talk) -> None:
    talk.given(articles=frozenset({ARTICLES[1]})).say(Kind.SUGGEST).say(Kind.YES)

    assert talk.last.replies[-1].article == ARTICLES[1]


def test_yes_to_several_titles_asks_again(talk: Talk) -> None:
    talk.say(Kind.SUGGEST, "send back?").say(Kind.YES)

    assert talk.phrases == ["doubt"]
    assert talk.state.asked == "send back?"


@pytest.mark.parametrize("by_word", [True, False])
def test_none_of_these_asks_for_other_words(talk: Talk, by_word: bool) -> None:
    talk.say(Kind.SUGGEST, "send back?")
    talk = talk.say(Kind.NO) if by_word else talk.press("none")

    assert talk.phrases == ["rephrase"]
    assert LogMiss("send back?", ARTICLES) in talk.last.effects


def test_two_misses_bring_a_person(talk: Talk) -> None:
    talk.say(Kind.UNKNOWN, "first").say(Kind.UNKNOWN, "second")

    assert talk.phrases == ["handover_next"]
    assert talk.last.effects == (
        LogMiss("second"),
        HandOver(HandOverReason.NOT_UNDERSTOOD, ()),
    )


def test_a_bot_without_a_model_brings_a_person(talk: Talk) -> None:
    talk.say(Kind.UNREADY)

    assert HandOver(HandOverReason.BOT_UNREADY, ()) in talk.last.effects


def test_only_the_beginning_of_a_long_question_is_kept(talk: Talk) -> None:
    assert len(talk.say(Kind.SUGGEST, "x" * 10_000).state.asked) == 500


@pytest.mark.parametrize("action", ["yes", "no", "none", "skip", "issue:other", "done"])
def test_an_old_button_says_that_it_has_expired(talk: Talk, action: str) -> None:
    talk.press(action)

    assert talk.phrases == ["expired"]
    assert talk.actions == ["human"]


def test_a_button_of_a_removed_article_has_expired(talk: Talk) -> None:
    assert talk.press("article:gone").phrases == ["expired"]


def test_an_old_title_still_shows_its_article(talk: Talk) -> None:
    talk.press(f"article:{ARTICLES[2]}")

    assert talk.last.effects == (OpenEpisode(), LogAnswer(ARTICLES[2], None))


# A person.


def test_asking_for_a_person_takes_what_was_tried_along(talk: Talk) -> None:
    talk.say(Kind.ANSWER).press("human")

    assert HandOver(HandOverReason.ASKED, (ARTICLES[0],)) in talk.last.effects
    assert talk.actions == ["back"]


def test_the_queue_tells_place_and_minutes(talk: Talk) -> None:
    talk.given(queue_length=1).say(Kind.AGENT)

    parameters = talk.last.replies[-1].parameters
    assert parameters == {"place": 2, "ahead": 1, "minutes": 4}


@pytest.mark.parametrize(
    ("opens", "email", "phrase"),
    [
        (True, True, "closed"),
        (True, False, "closed_ask_mail"),
        (False, True, "closed_unknown"),
        (False, False, "closed_unknown_ask_mail"),
    ],
)
def test_nobody_there_is_said_honestly(
    talk: Talk, opens: bool, email: bool, phrase: str
) -> None:
    opens_at = START + timedelta(hours=12) if opens else None

    talk.given(staffed=False, opens_at=opens_at, email_known=email).say(Kind.AGENT)

    assert talk.phrases == [phrase]
    assert HandOver(HandOverReason.ASKED, ()) in talk.last.effects


def test_anger_is_answered_with_one_apology_and_a_person(talk: Talk) -> None:
    talk.say(Kind.UPSET)

    assert talk.phrases == ["apology", "handover_next"]
    assert HandOver(HandOverReason.UPSET, ()) in talk.last.effects


def test_words_while_waiting_are_acknowledged_once(waiting: Talk) -> None:
    first = waiting.say(Kind.UNKNOWN).phrases
    waiting.say(Kind.UNKNOWN)

    assert first == ["noted_for_colleague"]
    assert (waiting.last.replies, waiting.last.silence) == ((), Silence.WAITING)


def test_the_place_in_line_can_be_asked_again(waiting: Talk) -> None:
    assert waiting.given(queue_length=2).say(Kind.AGENT).phrases == ["handover"]
    assert waiting.press("human").phrases == ["handover"]


def test_a_waiting_customer_can_go_back_to_the_bot(waiting: Talk) -> None:
    waiting.press("back")

    assert waiting.phrases == ["back_with_bot"]
    assert waiting.last.effects == (LeaveQueue(),)
    assert waiting.state.stage is Stage.IDLE


@pytest.mark.parametrize("event", [Unreadable(), IdleTimeout()])
def test_waiting_is_not_disturbed(
    waiting: Talk, event: Unreadable | IdleTimeout
) -> None:
    waiting.hear(event)

    assert (waiting.last.replies, waiting.last.silence) == ((), Silence.WAITING)


def test_an_old_button_is_ignored_while_waiting(waiting: Talk) -> None:
    assert waiting.press("yes").last.silence is Silence.WAITING


def test_the_customer_hears_who_joined(with_agent: Talk) -> None:
    assert with_agent.phrases == ["agent_joined"]
    assert with_agent.last.replies[0].parameters == {"name": "Ann"}


def test_the_bot_is_silent_while_a_person_speaks(with_agent: Talk) -> None:
    with_agent.say(Kind.ANSWER).say(Kind.AGENT).press("human").press("score:1:1")
    with_agent.hear(Unreadable()).hear(AgentReplied()).press("language:zh")

    assert not [reply for step in with_agent.steps[2:] for reply in step.replies]
    assert {step.silence for step in with_agent.steps[2:]} == {Silence.WITH_AGENT}


def test_stop_holds_while_a_person_speaks(with_agent: Talk) -> None:
    with_agent.say(Kind.STOP)

    assert with_agent.phrases == ["stopped"]
    assert with_agent.last.effects == (WithdrawConsent(),)
    assert with_agent.state.stage is Stage.WITH_AGENT


def test_an_agent_may_begin_a_conversation(talk: Talk) -> None:
    talk.hear(AgentReplied())

    assert talk.last.effects == (OpenEpisode(),)
    assert talk.state.stage is Stage.WITH_AGENT


def test_given_back_the_bot_goes_on(with_agent: Talk) -> None:
    assert with_agent.hear(AgentGaveBack()).phrases == ["agent_left"]
    assert with_agent.say(Kind.ANSWER).phrases == ["did_this_help"]


@pytest.mark.parametrize("event", [AgentGaveBack(), AgentClosed()])
def test_an_agents_late_click_changes_nothing(
    talk: Talk, event: AgentGaveBack | AgentClosed
) -> None:
    talk.hear(event)

    assert talk.last.silence is Silence.NOTHING_TO_SAY
    assert talk.state == State()


def test_closing_asks_for_a_survey_later(with_agent: Talk) -> None:
    with_agent.hear(AgentClosed())

    assert with_agent.phrases == ["agent_closed"]
    assert with_agent.last.effects == (
        CloseEpisode(EpisodeEnd.RESOLVED),
        AskSurvey(START + timedelta(seconds=60)),
    )


def test_who_went_away_is_not_asked(with_agent: Talk) -> None:
    with_agent.hear(AgentClosed(EpisodeEnd.ABANDONED))

    assert with_agent.last.effects == (CloseEpisode(EpisodeEnd.ABANDONED),)


# Silence and the end.


@pytest.mark.parametrize(
    ("kinds", "ended"),
    [
        # Answered, and no word against it.
        ([Kind.ANSWER], EpisodeEnd.CONTAINED),
        # Never answered.
        ([Kind.UNKNOWN], EpisodeEnd.ABANDONED),
        # Answered, but it did not help.
        ([Kind.ANSWER, Kind.NO], EpisodeEnd.ABANDONED),
    ],
)
def test_silence_closes_without_a_survey(
    talk: Talk, kinds: list[Kind], ended: EpisodeEnd
) -> None:
    for kind in kinds:
        talk.say(kind)
    talk.hear(IdleTimeout())

    assert talk.last.effects == (CloseEpisode(ended),)
    assert talk.last.replies == ()


def test_thats_all_closes_with_a_survey(talk: Talk) -> None:
    talk.say(Kind.ANSWER).press("yes").press("done")

    assert [type(effect) for effect in talk.last.effects] == [CloseEpisode, AskSurvey]
    assert talk.say(Kind.ANSWER).last.effects[0] == OpenEpisode()


# The survey.


def test_the_survey_has_five_labelled_scores(asked: Talk) -> None:
    assert asked.phrases == ["survey"]
    assert asked.actions == [f"score:7:{score}" for score in range(1, 6)]


def test_no_survey_in_the_middle_of_a_conversation(talk: Talk) -> None:
    talk.say(Kind.ANSWER).hear(SurveyDue(7))

    assert talk.last.silence is Silence.EPISODE_OPEN
    assert talk.state.stage is Stage.ANSWERED


@pytest.mark.parametrize("score", [1, 2, 3])
def test_a_low_score_asks_what_went_wrong(asked: Talk, score: int) -> None:
    asked.press(f"score:7:{score}")

    assert asked.phrases == ["low_score"]
    assert asked.actions == ["issue:late_delivery", "issue:other", "skip"]
    assert asked.last.effects == (RecordScore(7, score),)


@pytest.mark.parametrize("score", [4, 5])
def test_a_high_score_asks_for_a_comment_only(asked: Talk, score: int) -> None:
    assert asked.press(f"score:7:{score}").phrases == ["ask_comment"]


def test_without_issues_a_low_score_asks_for_a_comment(asked: Talk) -> None:
    assert asked.given(issues=()).press("score:7:1").phrases == ["ask_comment"]


def test_a_score_can_be_typed(asked: Talk) -> None:
    assert asked.say(Kind.UNKNOWN, " 5 ").last.effects == (RecordScore(7, 5),)


def test_an_issue_then_a_comment_then_thanks(asked: Talk) -> None:
    asked.press("score:7:1").press("issue:late_delivery")
    issue = asked.last.effects
    asked.say(Kind.UNKNOWN, "three weeks late")

    assert issue == (RecordIssue(7, "late_delivery"),)
    assert asked.last.effects == (RecordComment(7, "three weeks late"),)
    assert asked.phrases == ["survey_thanks"]


def test_words_instead_of_an_issue_are_the_comment(asked: Talk) -> None:
    asked.press("score:7:2").say(Kind.SUGGEST, "it was late")

    assert asked.last.effects == (RecordComment(7, "it was late"),)


def test_an_unknown_issue_has_expired(asked: Talk) -> None:
    assert asked.press("score:7:2").press("issue:gone").phrases == ["expired"]


@pytest.mark.parametrize("score", [2, 5])
def test_the_rest_of_the_survey_can_be_skipped(asked: Talk, score: int) -> None:
    asked.press(f"score:7:{score}").press("skip")

    assert asked.phrases == ["survey_thanks"]
    assert asked.state.stage is Stage.CLOSED


def test_a_new_question_is_no_comment(asked: Talk) -> None:
    asked.press("score:7:5").say(Kind.ANSWER, "How do I return it？")

    assert asked.phrases == ["did_this_help"]
    assert OpenEpisode() in asked.last.effects


def test_a_question_instead_of_a_score_is_answered(asked: Talk) -> None:
    assert asked.say(Kind.ANSWER).phrases == ["did_this_help"]


def test_a_score_can_be_changed_for_a_day(asked: Talk) -> None:
    asked.press("score:7:5").press("skip").wait(hours=24).press("score:7:2")

    assert asked.last.effects == (RecordScore(7, 2),)
    assert asked.phrases == ["low_score"]


def test_after_a_day_the_survey_is_over(asked: Talk) -> None:
    asked.press("score:7:5").wait(hours=25).press("score:7:2")

    assert asked.phrases == ["survey_over"]
    assert asked.last.effects == ()


def test_after_a_day_words_are_no_comment(asked: Talk) -> None:
    asked.press("score:7:5").wait(hours=25).say(Kind.UNKNOWN, "late")

    assert asked.phrases == ["rephrase"]


@pytest.mark.parametrize("action", ["score:6:5", "score:7:9", "score:7:", "score:"])
def test_a_score_for_something_else_is_not_taken(asked: Talk, action: str) -> None:
    asked.press(action)

    assert asked.phrases == ["survey_over"]
    assert asked.state.score is None


def test_a_score_in_a_new_conversation_does_not_end_it(asked: Talk) -> None:
    asked.say(Kind.SUGGEST).press("score:7:1")

    assert asked.phrases == ["score_noted"]
    assert asked.state.stage is Stage.CLARIFYING


# Language and consent.


def test_the_language_follows_the_customer(talk: Talk) -> None:
    talk.say(Kind.GREETING, language="en").say(Kind.GREETING, language="zh")

    assert talk.last.effects == (SetLanguage("zh"),)
    assert talk.state.language == "zh"


def test_a_language_that_the_shop_does_not_speak_changes_nothing(talk: Talk) -> None:
    talk.given(languages=("en",)).say(Kind.GREETING, language="zh")

    assert talk.last.effects == ()


def test_settings_offer_each_language_and_a_stop(talk: Talk) -> None:
    talk.say(Kind.SETTINGS)

    assert talk.actions == ["language:en", "language:zh", "stop"]


def test_a_language_can_be_chosen(talk: Talk) -> None:
    talk.press("language:zh")

    assert talk.phrases == ["language_set"]
    assert talk.last.effects == (SetLanguage("zh"),)


def test_the_stop_button_withdraws_consent(talk: Talk) -> None:
    assert talk.press("stop").last.effects == (WithdrawConsent(),)


# The stored state.


def test_a_state_survives_storage(asked: Talk) -> None:
    asked.say(Kind.SUGGEST, "send back?")

    assert State.from_json(asked.state.to_json()) == asked.state


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 0}, "format 1 is expected"),
        ({"artcle": "x"}, "Did you mean `article`?"),
        ({"stage": "sleeping"}, "sleeping"),
    ],
)
def test_a_state_of_another_program_is_refused(
    change: dict[str, object], said: str
) -> None:
    with pytest.raises(DataError, match=said.replace("?", r"\?")):
        State.from_json(State().to_json() | change)
