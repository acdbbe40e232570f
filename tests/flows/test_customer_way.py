"""The customer's whole way, by web chat and by Telegram, with the shipped knowledge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from bot.service import BotService
from bot.webchat import new_visitor
from core.clock import SystemClock
from core.model import Button, Channel, ConsentState, Owner, Role, Sender, system
from core.settings import Bot, Settings, Telegram
from storage import conversations, customers, episodes, feedback, messages, staff
from storage.conversations import Conversation
from storage.database import Database
from storage.staff import Member, NewMember
from tests.servers.bot_api.client import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.flow]

TEST = system("test")
ANN = 1001
PATIENCE_SECONDS = 30.0


class Customer(Protocol):
    """Somebody in a chat: what they do, and what they read."""

    channel: Channel
    address: str

    async def say(self, text: str) -> None: ...

    async def press(self, button: str) -> None: ...

    async def read(self) -> list[tuple[str, tuple[Button, ...]]]: ...


class WebCustomer:
    """A browser with a cookie of ours."""

    channel = Channel.WEBCHAT

    def __init__(self, service: BotService) -> None:
        self._chat = service.webchat
        self._count = 0
        self.address = new_visitor()

    async def say(self, text: str) -> None:
        await self._chat.post_message(self.address, self._next(), text=text)

    async def press(self, button: str) -> None:
        await self._chat.post_message(self.address, self._next(), button=button)

    async def read(self) -> list[tuple[str, tuple[Button, ...]]]:
        thread = await self._chat.thread(self.address)
        return [
            (message.text, message.buttons)
            for message in thread.messages
            if message.sender is not Sender.CUSTOMER
        ]

    def _next(self) -> str:
        self._count += 1
        return f"message-{self._count}"


class TelegramCustomer:
    """A user of Telegram, whose client the emulator is."""

    channel = Channel.TELEGRAM
    address = str(ANN)

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    async def say(self, text: str) -> None:
        await asyncio.to_thread(self._emulator.say, ANN, text, name="Ann")

    async def press(self, button: str) -> None:
        await asyncio.to_thread(self._emulator.press, ANN, button)

    async def read(self) -> list[tuple[str, tuple[Button, ...]]]:
        seen = await asyncio.to_thread(self._emulator.from_bot, ANN)
        return [
            (
                message.text,
                tuple(Button(b.label, str(b.data)) for b in message.buttons),
            )
            for message in seen
        ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the model stays, so that it is trained once for these tests."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def bot_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("bot_host")) as emulator:
        yield emulator


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def service(
    anyio_backend: str,
    database: Database,
    bot_host: Emulator,
    base: Path,
    tmp_path: Path,
) -> AsyncIterator[BotService]:
    """A running shop that asks at once how it was."""
    bot_host.renew(tmp_path)
    telegram = Telegram(
        token=bot_host.token,
        api_url=bot_host.url,
        messages_per_second_per_chat=20,
        long_poll_seconds=1,
    )
    settings = Settings(telegram=telegram, bot=Bot(survey_delay_seconds=0))
    service = BotService(database, SystemClock(), settings, base)
    await service.start()
    await service.knowledge.ready()
    yield service
    await service.stop()


@pytest.fixture(params=[Channel.WEBCHAT, Channel.TELEGRAM])
def customer(
    request: pytest.FixtureRequest, service: BotService, bot_host: Emulator
) -> Customer:
    if request.param is Channel.WEBCHAT:
        return WebCustomer(service)
    return TelegramCustomer(bot_host)


@pytest.fixture
def lea(database: Database) -> Member:
    """A member of the team who is signed in."""

    def work(connection: Any) -> Member:
        now = SystemClock().now()
        new = NewMember("lea@shop.example", "Lea", Role.AGENT, "x")
        staff_id = staff.add_member(connection, new, now)
        staff.open_session(connection, "hash", staff_id, now)
        found = staff.member(connection, staff_id)
        assert found is not None
        return found

    return database.write_now(TEST, work)


async def answer(
    customer: Customer, words: str, count: int = 1
) -> tuple[str, tuple[Button, ...]]:
    """The newest message with these words, once there are so many."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = [said for said in await customer.read() if words in said[0]]
            if len(found) >= count:
                return found[-1]
            await asyncio.sleep(0.05)


async def until(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := condition()):  # noqa: ASYNC110  no event says it
            await asyncio.sleep(0.05)
        return found


def talk(database: Database, customer: Customer) -> Conversation:
    found = database.read_now(
        lambda c: conversations.find(c, customer.channel, customer.address)
    )
    assert found is not None
    return found


async def test_from_the_greeting_to_the_score_and_the_opt_out(
    service: BotService, database: Database, customer: Customer, lea: Member
) -> None:
    await customer.say("hello")
    await answer(customer, "the shop's assistant")
    consent_to_offers(database, talk(database, customer).customer_id)

    # An answer from the knowledge base, in the customer's language.
    await customer.say("where is my order?")
    _, choices = await answer(customer, "Did this help?")
    assert [choice.data for choice in choices] == ["yes", "no", "human"]

    # A question between two articles: did you mean?
    await customer.say("my order has not arrived")
    _, titles = await answer(customer, "Did you mean one of these?")
    assert titles[0].data.startswith("article:")
    await customer.press(titles[0].data)
    await answer(customer, "Did this help?", count=2)

    # A person, who answers and closes.
    await customer.press("human")
    await answer(customer, "You are next in line")
    waiting = talk(database, customer)
    taken = await service.desk.take(waiting.id, lea, waiting.version)
    await answer(customer, "You are now talking to Lea")
    await customer.say("my refund is late")
    await service.desk.reply(waiting.id, lea, taken.version, "It left on Monday.")
    await answer(customer, "It left on Monday.")
    await until(lambda: heard(database, waiting.id, "my refund is late"))
    await service.desk.close(waiting.id, lea, taken.version)

    # The survey: a low score, what went wrong, and a comment.
    _, scores = await answer(customer, "How satisfied are you")
    await customer.press(scores[1].data)
    await answer(customer, "What went wrong?")
    await customer.press("issue:refund_not_received")
    await answer(customer, "Would you like to add anything?")
    await customer.say("It took two weeks")
    await answer(customer, "Thank you, that helps us.")

    await customer.say("/stop")
    await answer(customer, "any more offers")

    kept = last_feedback(database, waiting.id)
    assert (kept.score, kept.issue, kept.comment, kept.staff_id) == (
        2,
        "refund_not_received",
        "It took two weeks",
        lea.id,
    )
    assert not database.read_now(
        lambda c: customers.has_consent(c, waiting.customer_id, Channel.EMAIL, "offers")
    )
    assert {
        "opened",
        "customer_message",
        "bot_reply",
        "handed_over",
        "taken",
        "agent_reply",
        "closed",
        "survey_sent",
        "scored",
    } <= events(database, waiting.id)
    assert talk(database, customer).owner is Owner.BOT


async def test_speaks_chinese_with_who_writes_chinese(
    service: BotService, customer: Customer
) -> None:
    await customer.say("你好")
    await answer(customer, "智能助手")

    await customer.say("我的快递到哪里了？")

    _, choices = await answer(customer, "解决您的问题")
    assert "人工" in choices[-1].label


def consent_to_offers(database: Database, customer_id: int) -> None:
    database.write_now(
        TEST,
        lambda c: customers.record_consent(
            c,
            customer_id,
            Channel.EMAIL,
            "offers",
            ConsentState.GRANTED,
            "test",
            SystemClock().now(),
        ),
    )


def heard(database: Database, conversation_id: int, words: str) -> bool:
    thread = database.read_now(lambda c: messages.thread(c, conversation_id))
    return any(message.text == words for message in thread)


def last_feedback(database: Database, conversation_id: int) -> feedback.Feedback:
    episode = database.read_now(lambda c: episodes.newest(c, conversation_id))
    assert episode is not None
    found = database.read_now(lambda c: feedback.of_episode(c, episode.id))
    assert found is not None
    return found


def events(database: Database, conversation_id: int) -> set[str]:
    kinds = database.read_now(lambda c: episodes.events_of(c, conversation_id))
    return {kind.value for kind in kinds}
