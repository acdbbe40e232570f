"""A stored update becomes one answer: through crashes, replays and broken turns."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot import turn
from bot.turn import Turns, handle_turn
from core.model import Channel, IdentityKind, MessageState, Owner, Sender
from storage import customers, inbox
from storage.database import Database
from storage.inbox import Stored
from tests.bot.house import TEST, House

pytestmark = pytest.mark.anyio


async def test_answers_a_question_with_its_article(house: House) -> None:
    replies = await house.say("where is my parcel")

    assert "It is on its way." in replies[-1].text
    assert [button.data for button in replies[-1].buttons] == ["yes", "no", "human"]
    assert house.episode().topic == "parcel"


async def test_a_greeting_opens_no_episode(house: House) -> None:
    await house.say("hello")

    assert not house.conversation().open
    assert house.events() == ["customer_message", "bot_reply"]


async def test_a_doubtful_question_gets_titles_to_choose(house: House) -> None:
    replies = await house.say("perhaps something")

    labels = [button.label for button in replies[-1].buttons]
    assert labels == ["Parcel", "Returns", "None of these"]


async def test_a_pressed_title_is_kept_as_its_label(house: House) -> None:
    await house.say("perhaps something")

    await house.say(button="article:returns")

    pressed = [m for m in house.thread() if m.sender is Sender.CUSTOMER][-1]
    assert pressed.text == "Returns"


async def test_the_same_update_three_times_gets_one_reply(house: House) -> None:
    update = house.update("same", "where is my parcel")

    for _ in range(3):
        await house.service.turns.store(update)
    await house.service.turns.drain()

    answers = [m for m in house.thread() if "on its way" in m.text]
    assert len(answers) == 1


async def test_a_turn_taken_twice_replies_once(house: House) -> None:
    update = house.update("twice", "where is my parcel")
    stored = house.database.write_now(TEST, lambda c: inbox.store(c, update))
    assert stored is not None

    await handle_turn(parts_of(house), stored)
    before = len(house.thread())
    await handle_turn(parts_of(house), stored)

    assert len(house.thread()) == before


async def test_messages_of_a_conversation_are_answered_in_their_order(
    house: House,
) -> None:
    await house.service.turns.store(
        *(house.update(f"k{number}", f"unknown {number}") for number in range(5))
    )
    await house.service.turns.drain()

    said = [m.text for m in house.thread() if m.sender is Sender.CUSTOMER]
    assert said == [f"unknown {number}" for number in range(5)]


async def test_takes_up_what_was_stored_before_a_crash(house: House) -> None:
    update = house.update("left", "where is my parcel")
    house.database.write_now(TEST, lambda c: inbox.store(c, update))

    await house.service.turns.look()
    await house.service.turns.drain()

    assert "It is on its way." in house.thread()[-1].text


async def test_a_broken_turn_apologises_and_brings_a_person(house: House) -> None:
    async def broken(parts: turn.Parts, stored: Stored) -> None:
        message = "a wheel came off"
        raise RuntimeError(message)

    turns = Turns(parts_of(house), broken)
    await turns.store(house.update("bad", "where is my parcel"))
    await turns.drain()

    assert house.conversation().owner is Owner.QUEUE
    assert "sorry" in house.thread()[1].text
    assert house.events().count("handed_over") == 1


async def test_a_broken_turn_keeps_its_traceback_with_the_update(house: House) -> None:
    async def broken(parts: turn.Parts, stored: Stored) -> None:
        message = "a wheel came off"
        raise RuntimeError(message)

    turns = Turns(parts_of(house), broken)
    await turns.store(house.update("bad", "hello"))
    await turns.drain()

    errors = house.database.read_now(inbox.errors)
    assert "a wheel came off" in errors[0]


async def test_stop_withdraws_the_consent_to_everything(house: House) -> None:
    await house.say("hello")
    customer_id = house.conversation().customer_id
    house.database.write_now(
        TEST,
        lambda c: customers.record_consent(
            c,
            customer_id,
            Channel.EMAIL,
            "offers",
            customers.ConsentState.GRANTED,
            "test",
            house.clock.now(),
        ),
    )

    await house.say("/stop")

    assert not house.consent(Channel.EMAIL)


async def test_the_customers_language_is_followed_and_kept(house: House) -> None:
    replies = await house.say("你好")

    assert "您好" in replies[-1].text
    assert house.conversation().language == "zh"


async def test_a_first_word_speaks_the_channels_language(house: House) -> None:
    replies = await house.say("/start", language="zh-hans")

    assert "您好" in replies[-1].text


async def test_a_message_without_words_gets_a_polite_answer(house: House) -> None:
    replies = await house.say("")

    assert "I can only read text" in replies[-1].text


async def test_writing_makes_a_customer_reachable_again(house: House) -> None:
    await house.say("hello")
    kind = IdentityKind.WEBCHAT
    house.database.write_now(
        TEST, lambda c: customers.set_unreachable(c, kind, "ann", "blocked")
    )

    await house.say("hello")

    customer_id = house.conversation().customer_id
    address = house.database.read_now(
        lambda c: customers.address_of(c, customer_id, Channel.WEBCHAT)
    )
    assert address == "ann"


async def test_replies_on_telegram_are_queued_for_the_sender(house: House) -> None:
    replies = await house.say("hello", who="77", channel=Channel.TELEGRAM)

    assert replies[0].state is MessageState.QUEUED


async def test_who_comes_back_soon_goes_on_with_the_episode(house: House) -> None:
    await house.say("where is my parcel")
    await house.say(button="yes")
    await house.say(button="done")
    first = house.episode()

    house.clock.advance(600)
    await house.say("how do I return it")

    assert house.episode().id == first.id
    assert house.episode().reopened == 1


async def test_who_comes_back_late_opens_another_episode(house: House) -> None:
    await house.say("where is my parcel")
    await house.say(button="done")
    first = house.episode()

    house.clock.advance(2 * 3600)
    await house.say("how do I return it")

    assert house.episode().id != first.id


def parts_of(house: House) -> turn.Parts:
    service = house.service
    return turn.Parts(
        service.database, service.clock, service.recorder, service.knowledge
    )


async def test_words_to_a_person_do_not_wait_for_the_model(
    database: Database, tmp_path: Path
) -> None:
    house = House(database, tmp_path)
    await house.service.knowledge.prepare()
    await house.say(button="human")

    # Without a model a question to the bot would wait for far longer.
    async with asyncio.timeout(20):
        await house.say("it is broken")

    assert "it is broken" in [m.text for m in house.thread()]
    assert house.waiting_updates() == 0
