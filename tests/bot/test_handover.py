"""People take, answer, give back and close; nobody speaks over another."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.handover import OwnerChanged
from core.errors import DataError
from core.model import Channel, EpisodeEnd, MessageState, Owner, Sender
from storage import handling, messages
from tests.bot.house import MORNING, TEST, House

pytestmark = pytest.mark.anyio


async def asked(house: House, who: str = "ann") -> tuple[int, int]:
    """A customer who waits for a person: conversation and version."""
    await house.say("/human", who=who)
    waiting = house.conversation(who)
    return waiting.id, waiting.version


async def test_asking_for_a_person_puts_the_customer_in_the_queue(house: House) -> None:
    await asked(house)

    waiting = house.conversation()
    assert waiting.owner is Owner.QUEUE
    assert waiting.waiting_since == MORNING


async def test_the_customer_is_told_their_place(house: House) -> None:
    house.sign_in(house.member())
    await asked(house, "bob")

    replies = await house.say("/human")

    assert "second in line" in replies[-1].text


async def test_the_console_sees_place_and_wait(house: House) -> None:
    await asked(house, "bob")
    house.clock.advance(1)
    conversation_id, _ = await asked(house)

    place = await house.desk.place(conversation_id)

    assert place is not None
    assert (place.position, place.wait_minutes) == (2, 4)


async def test_the_customer_is_told_who_joined(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)

    taken = await house.desk.take(conversation_id, lea, version)

    assert (taken.owner, taken.owner_staff_id) == (Owner.AGENT, lea.id)
    assert house.thread()[-1].text == "You are now talking to Lea."


async def test_a_second_taker_learns_who_was_faster(house: House) -> None:
    lea, tom = house.member(), house.member("Tom")
    conversation_id, version = await asked(house)
    await house.desk.take(conversation_id, lea, version)

    with pytest.raises(OwnerChanged) as refused:
        await house.desk.take(conversation_id, tom, version)

    assert refused.value.staff_name == "Lea"


async def test_taking_twice_changes_nothing(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)
    first = await house.desk.take(conversation_id, lea, version)

    second = await house.desk.take(conversation_id, lea, first.version)

    assert second.version == first.version
    assert house.events().count("taken") == 1


async def test_a_persons_reply_reaches_the_customer(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)
    taken = await house.desk.take(conversation_id, lea, version)

    await house.desk.reply(conversation_id, lea, taken.version, " Let me look. ")

    said = house.thread()[-1]
    assert (said.sender, said.staff_name, said.text) == (
        Sender.AGENT,
        "Lea",
        "Let me look.",
    )


async def test_who_does_not_own_the_conversation_cannot_reply(house: House) -> None:
    tom = house.member("Tom")
    conversation_id, version = await asked(house)

    with pytest.raises(OwnerChanged):
        await house.desk.reply(conversation_id, tom, version, "Hello")


async def test_an_empty_reply_is_refused(house: House) -> None:
    with pytest.raises(DataError):
        await house.desk.reply(1, house.member(), 1, "  ")


async def test_an_unknown_conversation_is_refused(house: House) -> None:
    with pytest.raises(DataError):
        await house.desk.take(999, house.member(), 1)


async def test_the_bot_is_silent_while_a_person_is_there(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)
    await house.desk.take(conversation_id, lea, version)

    assert await house.say("where is my parcel") == []


async def test_a_customer_may_withdraw_consent_from_a_person_too(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)
    await house.desk.take(conversation_id, lea, version)

    replies = await house.say("/stop")

    assert [reply.sender for reply in replies] == [Sender.SYSTEM]


async def test_after_giving_back_the_bot_answers_again(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)
    taken = await house.desk.take(conversation_id, lea, version)

    await house.desk.give_back(conversation_id, lea, taken.version)
    replies = await house.say("where is my parcel")

    assert "on its way" in replies[-1].text
    assert "given_back" in house.events()


async def test_the_bots_queued_words_are_dropped_when_a_person_takes_over(
    house: House,
) -> None:
    lea = house.member()
    await house.say("/human", who="7", channel=Channel.TELEGRAM)
    waiting = house.conversation("7", Channel.TELEGRAM)
    await house.desk.take(waiting.id, lea, waiting.version)

    first = house.database.write_now(TEST, lambda c: messages.take_next(c, waiting.id))

    dropped = [
        message
        for message in house.thread("7", Channel.TELEGRAM)
        if message.state is MessageState.FAILED
    ]
    assert first is not None
    assert "talking to Lea" in first.text
    assert [message.reason for message in dropped] == ["not_owner"]


async def test_closing_ends_the_episode_and_tells_the_customer(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)
    taken = await house.desk.take(conversation_id, lea, version)

    closed = await house.desk.close(conversation_id, lea, taken.version)

    assert not closed.open
    assert closed.owner is Owner.BOT
    assert house.episode().ended is EpisodeEnd.RESOLVED


async def test_handling_runs_from_take_to_close(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)
    taken = await house.desk.take(conversation_id, lea, version)
    house.clock.advance(120)
    await house.desk.reply(conversation_id, lea, taken.version, "Let me look.")
    house.clock.advance(60)
    await house.desk.close(conversation_id, lea, taken.version)

    assert stretches(house) == [(0, 180)]


async def test_reply_and_leave_ends_the_handling(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)
    taken = await house.desk.take(conversation_id, lea, version)
    house.clock.advance(60)
    await house.desk.reply(conversation_id, lea, taken.version, "Done.", leave=True)
    house.clock.advance(600)
    await house.desk.close(conversation_id, lea, taken.version)

    assert stretches(house) == [(0, 60)]


async def test_five_idle_minutes_are_waiting_and_not_handling(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)
    taken = await house.desk.take(conversation_id, lea, version)
    house.clock.advance(120)
    await house.desk.touch(conversation_id, lea)
    house.clock.advance(301)
    await house.service.timers.end_silent()
    house.clock.advance(99)
    await house.desk.reply(conversation_id, lea, taken.version, "Back again.")

    assert stretches(house) == [(0, 120), (520, None)]


async def test_a_reopened_episode_adds_time_and_no_second_episode(house: House) -> None:
    lea = house.member()
    conversation_id, version = await asked(house)
    taken = await house.desk.take(conversation_id, lea, version)
    house.clock.advance(60)
    closed = await house.desk.close(conversation_id, lea, taken.version)
    house.clock.advance(60)
    again = await house.desk.take(conversation_id, lea, closed.version)
    house.clock.advance(30)
    await house.desk.close(conversation_id, lea, again.version)

    assert stretches(house) == [(0, 60), (120, 150)]
    assert house.events().count("reopened") == 1


def stretches(house: House) -> list[tuple[int, int | None]]:
    """The episode's handling, in seconds since the morning."""
    episode_id = house.episode().id
    found = house.database.read_now(lambda c: handling.of_episode(c, episode_id))
    second = timedelta(seconds=1)
    return [
        (
            (interval.started_at - MORNING) // second,
            None
            if interval.ended_at is None
            else (interval.ended_at - MORNING) // second,
        )
        for interval in found
    ]
