"""Owners with versions, episodes that reopen, messages that leave in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from core.model import (
    Channel,
    DeliveryState,
    EpisodeEnd,
    MessageState,
    OnUncertain,
    Owner,
    RunState,
    Sender,
    system,
)
from storage import conversations, customers, episodes, messages
from storage.conversations import Conversation, OwnerChanged
from storage.database import Connection, Database
from storage.messages import Draft
from storage.schema import campaign_runs, content_versions, deliveries

TEST = system("test")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def talk(database: Database) -> Conversation:
    """A conversation on Telegram."""
    return database.write_now(TEST, lambda c: begun(c, "7"))


def begun(connection: Connection, address: str) -> Conversation:
    customer_id = customers.create(connection, NOW)
    return conversations.start(
        connection, customer_id, Channel.TELEGRAM, address, "en", NOW
    )


def owned(
    database: Database, talk: Conversation, owner: Owner, at: datetime = NOW
) -> Conversation:
    def work(connection: Connection) -> Conversation:
        conversations.save(connection, talk.id, {}, open=True)
        conversations.change_owner(connection, talk, owner, None, at)
        found = conversations.get(connection, talk.id)
        assert found is not None
        return found

    return database.write_now(TEST, work)


def queued(database: Database, talk: Conversation, *texts: str) -> None:
    def work(connection: Connection) -> None:
        for text in texts:
            draft = Draft(Sender.BOT, text)
            messages.add(connection, talk.id, None, draft, MessageState.QUEUED, NOW)

    database.write_now(TEST, work)


def test_an_address_has_one_conversation(
    database: Database, talk: Conversation
) -> None:
    again = database.write_now(
        TEST,
        lambda c: conversations.start(
            c, talk.customer_id, Channel.TELEGRAM, "7", "zh", NOW
        ),
    )

    assert again == talk


def test_every_change_of_owner_raises_the_version(
    database: Database, talk: Conversation
) -> None:
    waiting = owned(database, talk, Owner.QUEUE)

    assert (waiting.owner, waiting.version) == (Owner.QUEUE, talk.version + 1)
    assert waiting.waiting_since == NOW


def test_a_stale_version_is_refused_with_the_owner(
    database: Database, talk: Conversation
) -> None:
    owned(database, talk, Owner.QUEUE)

    with pytest.raises(OwnerChanged) as refused:
        owned(database, talk, Owner.BOT)

    assert refused.value.owner is Owner.QUEUE
    assert "the queue" in str(refused.value)


def test_the_place_in_the_queue_counts_who_came_before(
    database: Database, talk: Conversation
) -> None:
    other = database.write_now(TEST, lambda c: begun(c, "8"))
    first = owned(database, talk, Owner.QUEUE)
    second = owned(database, other, Owner.QUEUE, NOW + MINUTE)

    places = [
        database.read_now(lambda c, w=waiting: conversations.queue_length(c, w))
        for waiting in (first, second)
    ]

    assert places == [0, 1]


def test_a_new_matter_opens_a_new_episode(
    database: Database, talk: Conversation
) -> None:
    first = opened(database, talk, NOW)
    closed(database, talk, NOW + MINUTE)

    second = opened(database, talk, NOW + 2 * HOUR)

    assert second != first


def test_who_comes_back_within_the_hour_reopens(
    database: Database, talk: Conversation
) -> None:
    first = opened(database, talk, NOW)
    closed(database, talk, NOW + MINUTE)

    again = opened(database, talk, NOW + 31 * MINUTE)

    episode = database.read_now(lambda c: episodes.current(c, talk.id))
    assert again == first
    assert episode is not None
    assert (episode.reopened, episode.ended) == (1, None)


def test_an_open_episode_goes_on(database: Database, talk: Conversation) -> None:
    assert opened(database, talk, NOW) == opened(database, talk, NOW + HOUR)


def test_an_episode_after_a_campaign_knows_its_run(
    database: Database, talk: Conversation
) -> None:
    run_id = database.write_now(TEST, lambda c: sent_campaign(c, talk))

    opened(database, talk, NOW + HOUR)

    episode = database.read_now(lambda c: episodes.current(c, talk.id))
    assert episode is not None
    assert episode.campaign_run_id == run_id


def test_events_stand_in_their_order_with_their_actor(
    database: Database, talk: Conversation
) -> None:
    opened(database, talk, NOW)
    closed(database, talk, NOW + MINUTE)

    kinds = database.read_now(lambda c: episodes.events_of(c, talk.id))
    assert [kind.value for kind in kinds] == ["opened", "closed"]


def test_messages_leave_in_the_order_of_writing(
    database: Database, talk: Conversation
) -> None:
    queued(database, talk, "one", "two")

    first = database.write_now(TEST, lambda c: messages.take_next(c, talk.id))
    second = database.write_now(TEST, lambda c: messages.take_next(c, talk.id))
    third = database.write_now(TEST, lambda c: messages.take_next(c, talk.id))

    assert [m.text for m in (first, second) if m] == ["one", "two"]
    assert third is None


def test_what_was_in_doubt_is_queued_again(
    database: Database, talk: Conversation
) -> None:
    queued(database, talk, "one")
    database.write_now(TEST, lambda c: messages.take_next(c, talk.id))

    count = database.write_now(
        TEST, lambda c: messages.requeue_in_doubt(c, Channel.TELEGRAM)
    )

    assert count == 1
    assert states(database, talk) == [MessageState.QUEUED]


def test_another_channels_messages_are_left_alone(
    database: Database, talk: Conversation
) -> None:
    queued(database, talk, "one")
    database.write_now(TEST, lambda c: messages.take_next(c, talk.id))

    database.write_now(TEST, lambda c: messages.requeue_in_doubt(c, Channel.WEBCHAT))

    assert states(database, talk) == [MessageState.SENDING]


def test_a_settled_message_stays_settled(
    database: Database, talk: Conversation
) -> None:
    queued(database, talk, "one")
    taken = database.write_now(TEST, lambda c: messages.take_next(c, talk.id))
    assert taken is not None

    for state in (MessageState.SENT, MessageState.FAILED):
        database.write_now(
            TEST, lambda c, s=state: messages.settle(c, taken.id, s, NOW)
        )

    assert states(database, talk) == [MessageState.SENT]


def states(database: Database, talk: Conversation) -> list[MessageState]:
    found = database.read_now(lambda c: messages.thread(c, talk.id))
    return [message.state for message in found]


def opened(database: Database, talk: Conversation, at: datetime) -> int:
    return database.write_now(TEST, lambda c: episodes.open_for(c, talk, at, HOUR))


def closed(database: Database, talk: Conversation, at: datetime) -> None:
    def work(connection: Connection) -> None:
        episode = episodes.current(connection, talk.id)
        assert episode is not None
        episodes.close(connection, episode, EpisodeEnd.RESOLVED, at)

    database.write_now(TEST, work)


def sent_campaign(connection: Connection, talk: Conversation) -> int:
    version_id = connection.execute(
        insert(content_versions)
        .values(
            kind="campaign",
            key="win-back",
            version=1,
            files={},
            content_hash="x",
            author="test",
            created_at=NOW,
        )
        .returning(content_versions.c.id)
    ).scalar_one()
    run_id: int = connection.execute(
        insert(campaign_runs)
        .values(
            campaign_key="win-back",
            content_version_id=version_id,
            content_hash="x",
            state=RunState.RUNNING,
            topic="offers",
            on_uncertain=OnUncertain.HOLD,
            scheduled_for=NOW,
            created_at=NOW,
        )
        .returning(campaign_runs.c.id)
    ).scalar_one()
    connection.execute(
        insert(deliveries).values(
            campaign_run_id=run_id,
            customer_id=talk.customer_id,
            channel=Channel.TELEGRAM,
            state=DeliveryState.ACCEPTED,
            planned_at=NOW,
            ended_at=NOW,
        )
    )
    return run_id
