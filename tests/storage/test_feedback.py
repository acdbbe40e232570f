"""One survey per episode; the newest score counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from core.model import Channel, Sender, system
from storage import conversations, customers, episodes, feedback
from storage.database import Connection, Database
from storage.feedback import Asking, Outcome, Utterance

TEST = system("test")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
def asking(database: Database) -> Asking:
    """A survey that is about to be asked."""
    return database.write_now(TEST, _asking)


def _asking(connection: Connection) -> Asking:
    customer_id = customers.create(connection, NOW)
    talk = conversations.start(connection, customer_id, Channel.WEBCHAT, "a", "en", NOW)
    episode_id = episodes.open_for(connection, talk, NOW, timedelta(0))
    return Asking(
        customer_id, episode_id, Sender.BOT, None, "parcel", Channel.WEBCHAT, None
    )


def ask(database: Database, asking: Asking) -> bool:
    return database.write_now(TEST, lambda c: feedback.ask(c, asking, NOW))


def score(database: Database, asking: Asking, value: int) -> None:
    database.write_now(
        TEST, lambda c: feedback.record_score(c, asking.episode_id, value, NOW)
    )


def answer(database: Database, asking: Asking) -> feedback.Feedback:
    found = database.read_now(lambda c: feedback.of_episode(c, asking.episode_id))
    assert found is not None
    return found


def test_an_episode_is_asked_about_once(database: Database, asking: Asking) -> None:
    assert [ask(database, asking), ask(database, asking)] == [True, False]


def test_the_asking_keeps_who_answered_and_about_what(
    database: Database, asking: Asking
) -> None:
    ask(database, asking)

    kept = answer(database, asking)
    assert (kept.answered_by, kept.topic, kept.channel, kept.score) == (
        "bot",
        "parcel",
        "webchat",
        None,
    )


def test_the_last_score_counts(database: Database, asking: Asking) -> None:
    ask(database, asking)
    score(database, asking, 2)
    score(database, asking, 5)

    assert answer(database, asking).score == 5


def test_issue_and_comment_stand_beside_the_score(
    database: Database, asking: Asking
) -> None:
    ask(database, asking)
    episode_id = asking.episode_id
    database.write_now(
        TEST, lambda c: feedback.record_issue(c, episode_id, "late_delivery")
    )
    database.write_now(
        TEST, lambda c: feedback.record_comment(c, episode_id, "too slow")
    )

    kept = answer(database, asking)
    assert (kept.issue, kept.comment) == ("late_delivery", "too slow")


@pytest.mark.parametrize("value", [0, 6])
def test_a_score_is_between_1_and_5(
    database: Database, asking: Asking, value: int
) -> None:
    ask(database, asking)

    with pytest.raises(IntegrityError):
        score(database, asking, value)


def test_knows_when_a_customer_was_asked_last(
    database: Database, asking: Asking
) -> None:
    before = database.read_now(lambda c: feedback.last_asked_at(c, asking.customer_id))
    ask(database, asking)
    after = database.read_now(lambda c: feedback.last_asked_at(c, asking.customer_id))

    assert (before, after) == (None, NOW)


def test_counts_which_articles_are_asked_for(database: Database) -> None:
    def say(connection: Connection) -> None:
        for article in ("returns", "parcel", "returns"):
            said = Utterance("x", Outcome.ANSWERED, "en", article)
            feedback.record_utterance(connection, said, NOW)
        missed = Utterance("x", Outcome.MISSED, "en", "gift")
        feedback.record_utterance(connection, missed, NOW)

    database.write_now(TEST, say)

    asked = database.read_now(lambda c: feedback.most_answered(c, 3))
    assert asked == ("returns", "parcel")
