"""The public chat: what a page posts and reads, and campaigns in the same thread."""

from __future__ import annotations

import pytest

from bot.webchat import WebChatChannel, new_visitor
from core.errors import DataError, DeliveryError
from core.model import Button, Channel, Envelope, Owner, Sender
from tests.bot.house import House

pytestmark = pytest.mark.anyio


async def post(house: House, visitor: str, key: str, text: str = "hello") -> bool:
    new = await house.service.webchat.post_message(visitor, key, text=text)
    await house.service.turns.drain()
    return new


def no_commit_point() -> None:
    return None


def offer(address: str, key: str = "run-1-7") -> Envelope:
    return Envelope(address, key, "10 % off", buttons=(Button("Show", "article:x"),))


def channel_of(house: House) -> WebChatChannel:
    return WebChatChannel(house.database, house.clock, "en")


async def test_a_posted_message_is_answered_in_the_thread(house: House) -> None:
    visitor = new_visitor()

    await post(house, visitor, "1")

    thread = await house.service.webchat.thread(visitor)
    assert [m.sender for m in thread.messages] == [Sender.CUSTOMER, Sender.BOT]
    assert thread.owner is Owner.BOT


async def test_a_message_posted_twice_is_one_message(house: House) -> None:
    first = await post(house, "visitor", "1")
    second = await post(house, "visitor", "1")

    thread = await house.service.webchat.thread("visitor")
    assert (first, second) == (True, False)
    assert len(thread.messages) == 2


async def test_the_thread_goes_on_after_the_last_seen_message(house: House) -> None:
    await post(house, "visitor", "1")
    seen = (await house.service.webchat.thread("visitor")).messages[-1].id
    await post(house, "visitor", "2", "where is my parcel")

    news = (await house.service.webchat.thread("visitor", seen)).messages

    assert news[0].sender is Sender.CUSTOMER
    assert all(m.id > seen for m in news)


async def test_a_stored_message_without_an_answer_shows_typing(house: House) -> None:
    await house.service.webchat.post_message("visitor", "1", text="hello")

    before = await house.service.webchat.thread("visitor")
    await house.service.turns.drain()
    after = await house.service.webchat.thread("visitor")

    assert (before.typing, after.typing) == (True, False)


async def test_the_thread_names_the_person_who_took_it(house: House) -> None:
    lea = house.member()
    await post(house, "visitor", "1", "/human")
    waiting = house.conversation("visitor")
    await house.desk.take(waiting.id, lea, waiting.version)

    thread = await house.service.webchat.thread("visitor")

    assert (thread.owner, thread.agent_name) == (Owner.AGENT, "Lea")


async def test_who_waits_sees_their_place(house: House) -> None:
    await post(house, "visitor", "1", "/human")

    thread = await house.service.webchat.thread("visitor")

    assert thread.place is not None
    assert thread.place.position == 1


@pytest.mark.parametrize(
    ("visitor", "key", "text"),
    [
        ("visitor", "1", "   "),  # nothing to say
        ("visitor", "1", "x" * 4097),  # more than a message holds
        ("visi tor", "1", "hello"),  # not an address of ours
        ("visitor", "", "hello"),  # no id
        ("visitor", "x" * 65, "hello"),  # too long an id
    ],
)
async def test_refuses_what_no_page_of_ours_posts(
    house: House, visitor: str, key: str, text: str
) -> None:
    with pytest.raises(DataError):
        await post(house, visitor, key, text)


async def test_addresses_are_unguessable() -> None:
    assert len({new_visitor() for _ in range(100)}) == 100
    assert len(new_visitor()) >= 32


async def test_a_campaign_message_stands_in_the_thread_once(house: House) -> None:
    await post(house, "visitor", "1")
    channel = channel_of(house)

    first = await channel.send(offer("visitor"), no_commit_point)
    second = await channel.send(offer("visitor"), no_commit_point)

    offers = [m for m in house.thread("visitor") if m.text == "10 % off"]
    assert len(offers) == 1
    assert first.external_id == second.external_id


async def test_a_campaign_to_nobody_is_refused_for_good(house: House) -> None:
    with pytest.raises(DeliveryError) as refused:
        await channel_of(house).send(offer("stranger"), no_commit_point)

    assert refused.value.permanent


async def test_a_campaign_message_does_not_open_an_episode(house: House) -> None:
    await post(house, "visitor", "1")

    await channel_of(house).send(offer("visitor"), no_commit_point)

    assert not house.conversation("visitor").open
    assert channel_of(house).name is Channel.WEBCHAT
