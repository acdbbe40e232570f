"""Telegram, against the emulator in its own process: intake, replies and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from telegram import Update as TelegramUpdate

from bot.telegram_intake import converted
from core.clock import SystemClock
from core.errors import DeliveryError
from core.model import Channel, Envelope, IdentityKind, MessageState
from core.settings import Settings
from core.settings import Telegram as TelegramSettings
from storage import customers
from storage.database import Database
from tests.bot.house import TEST, House
from tests.servers.bot_api.client import Emulator, SeenMessage

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("database_kind", ["sqlite"]),
]

ANN = 1001
T = TypeVar("T")


def settings_for(emulator: Emulator) -> Settings:
    telegram = TelegramSettings(
        token=emulator.token,
        api_url=emulator.url,
        messages_per_second=1000,
        messages_per_second_per_chat=1000,
        long_poll_seconds=1,
    )
    return Settings(telegram=telegram)


@pytest.fixture
async def live(
    anyio_backend: str, database: Database, emulator: Emulator, tmp_path: Path
) -> AsyncIterator[House]:
    """A running shop on Telegram."""
    house = House(database, tmp_path, settings_for(emulator), SystemClock())
    await house.service.start()
    await connected(house)
    yield house
    await house.service.stop()


async def connected(house: House) -> None:
    await until(lambda: house.service.telegram.ready)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  no event says it
            await asyncio.sleep(0.02)


async def answers(emulator: Emulator, count: int, chat: int = ANN) -> list[SeenMessage]:
    return await asyncio.to_thread(emulator.from_bot, chat, at_least=count)


def states(house: House, chat: int = ANN) -> list[tuple[MessageState, str | None]]:
    return [
        (message.state, message.reason)
        for message in house.thread(str(chat), Channel.TELEGRAM)
        if message.sender != "customer"
    ]


async def test_answers_what_a_customer_writes(live: House, emulator: Emulator) -> None:
    emulator.say(ANN, "where is my parcel", name="Ann")

    said = await answers(emulator, 2)

    assert "It is on its way." in said[-1].text
    assert [button.data for button in said[-1].buttons] == ["yes", "no", "human"]


async def test_start_with_a_payload_greets_in_the_users_language(
    live: House, emulator: Emulator
) -> None:
    emulator.say(ANN, "/start abc-123", language="zh-hans")

    said = await answers(emulator, 1)

    assert "您好" in said[0].text


async def test_every_press_is_answered(live: House, emulator: Emulator) -> None:
    emulator.say(ANN, "perhaps one of them")
    await answers(emulator, 2)

    press = emulator.press(ANN, "Returns")

    assert await asyncio.to_thread(emulator.answer, press) == ""
    assert "Send it back." in (await answers(emulator, 3))[-1].text


async def test_updates_that_come_three_times_get_one_reply(
    live: House, emulator: Emulator
) -> None:
    emulator.say(ANN, "where is my parcel")
    await answers(emulator, 2)

    emulator.replay(2)
    emulator.say(ANN, "hello")

    said = await answers(emulator, 3)
    assert [("on its way" in message.text) for message in said].count(True) == 1
    assert len(said) == 3


async def test_an_update_is_confirmed_only_by_the_poll_after_its_commit(
    database: Database, emulator: Emulator, tmp_path: Path
) -> None:
    house = await House(
        database, tmp_path, settings_for(emulator), SystemClock()
    ).open()
    emulator.say(ANN, "hello")
    intake = await intake_of(house)

    received = await intake.receive()
    stored, pending = house.waiting_updates(), emulator.pending()
    await intake.receive()

    assert (received, stored, pending, emulator.pending()) == (1, 1, 1, 0)
    await house.service.turns.drain()
    await house.service.telegram.close()


async def test_the_menu_of_commands_is_filled(live: House, emulator: Emulator) -> None:
    await until(lambda: len(emulator.calls("setMyCommands")) == 3)

    assert len(emulator.calls("setMyCommands", 200)) == 3


async def test_who_blocked_the_bot_is_switched_off_after_one_try(
    live: House, emulator: Emulator
) -> None:
    emulator.say(ANN, "hello")
    await answers(emulator, 1)
    emulator.block(ANN)

    await live.say("where is my parcel", who=str(ANN), channel=Channel.TELEGRAM)
    await until(lambda: (MessageState.FAILED, "blocked") in states(live))

    assert len(emulator.calls("sendMessage", 403)) == 1
    assert address_of(live) is None


async def test_who_writes_again_can_be_reached_again(
    live: House, emulator: Emulator
) -> None:
    emulator.say(ANN, "hello")
    await answers(emulator, 1)
    live.database.write_now(
        TEST,
        lambda c: customers.set_unreachable(
            c, IdentityKind.TELEGRAM, str(ANN), "blocked"
        ),
    )

    emulator.say(ANN, "hello")

    await answers(emulator, 2)
    assert address_of(live) == str(ANN)


async def test_after_a_429_the_message_waits_and_arrives_once(
    live: House, emulator: Emulator
) -> None:
    emulator.faults(flood_times=1, flood_seconds=1)
    emulator.say(ANN, "hello")

    said = await answers(emulator, 1)

    assert len(said) == 1
    assert len(emulator.calls("sendMessage", 429)) == 1


async def test_after_a_bad_gateway_the_message_is_sent_again(
    live: House, emulator: Emulator
) -> None:
    emulator.faults(gateway_times=1)
    emulator.say(ANN, "hello")

    assert len(await answers(emulator, 1)) == 1


async def test_a_lost_answer_leaves_the_message_uncertain_and_unrepeated(
    live: House, emulator: Emulator
) -> None:
    emulator.faults(drop_times=1)
    emulator.say(ANN, "hello")
    await until(lambda: (MessageState.UNCERTAIN, "no_answer") in states(live))

    emulator.say(ANN, "hello")
    said = await answers(emulator, 2)

    assert len(said) == 2


async def test_a_chat_that_does_not_exist_is_refused_for_good(
    live: House, emulator: Emulator
) -> None:
    refused = await refusal_of(live, "555")

    assert (refused.reason, refused.permanent) == ("chat_not_found", True)


async def test_a_message_to_a_group_that_moved_arrives_once(
    live: House, emulator: Emulator
) -> None:
    emulator.group(-5, "Friends")
    emulator.migrate(-5, -1005)

    await live.service.telegram.transmit(Envelope("-5", "m1", "Hello"))

    assert len(await answers(emulator, 1, chat=-1005)) == 1


async def test_a_campaign_message_is_in_flight_only_after_its_turn(
    live: House, emulator: Emulator
) -> None:
    emulator.meet(ANN)
    noted: list[int] = []

    receipt = await live.service.ports[Channel.TELEGRAM].send(
        Envelope(str(ANN), "run-1", "10 % off"),
        lambda: noted.append(len(emulator.calls("sendMessage"))),
    )

    assert noted == [0]
    assert receipt.external_id is not None


async def test_without_the_lease_nothing_is_sent(
    live: House, emulator: Emulator
) -> None:
    emulator.meet(ANN)
    live.service.telegram.hold(0.0)

    refused = await refusal_of(live, str(ANN))

    assert (refused.reason, refused.permanent) == ("lease_lost", False)


async def test_an_unknown_token_is_named_and_polls_nothing(
    database: Database, emulator: Emulator, tmp_path: Path
) -> None:
    wrong = settings_for(emulator).model_copy(
        update={
            "telegram": TelegramSettings(token="1:no-such-token", api_url=emulator.url)
        }
    )
    house = House(database, tmp_path, wrong, SystemClock())
    await house.service.start()

    await until(lambda: house.service.problem)
    await house.service.stop()

    assert "RAPPORT_TELEGRAM__TOKEN" in house.service.problem


async def test_a_second_process_waits_for_the_lease(
    live: House, emulator: Emulator, tmp_path: Path
) -> None:
    second = House(live.database, tmp_path, live.settings, SystemClock())
    await second.service.start()
    emulator.say(ANN, "hello")
    await answers(emulator, 1)

    ready = second.service.telegram.ready
    await second.service.stop()

    assert not ready
    assert len(await answers(emulator, 1)) == 1


def message(**fields: Any) -> TelegramUpdate:
    user = {"id": 7, "is_bot": False, "first_name": "Ann"}
    return TelegramUpdate.de_json(
        {
            "update_id": 5,
            "message": {
                "message_id": 9,
                "date": 1_790_000_000,
                "chat": {"id": 7, "type": "private"},
                "from": user,
                **fields,
            },
        }
    )


NOW = datetime(2026, 11, 24, tzinfo=UTC)
STICKER = {
    "file_id": "a",
    "file_unique_id": "b",
    "width": 1,
    "height": 1,
    "is_animated": False,
    "is_video": False,
    "type": "regular",
}
PHOTO = [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]


@pytest.mark.parametrize(
    ("fields", "text", "kind"),
    [
        ({"text": "hi"}, "hi", "text"),
        ({"sticker": STICKER}, "", "sticker"),
        ({"photo": PHOTO}, "", "photo"),
        ({"photo": PHOTO, "caption": "broken"}, "broken", "photo"),
    ],
)
async def test_every_kind_of_message_becomes_an_update(
    database_kind: str, fields: dict[str, Any], text: str, kind: str
) -> None:
    update = converted(message(**fields), NOW)

    assert update is not None
    assert (update.text, update.raw["kind"]) == (text, kind)
    assert update.external_id == "5.9"


async def test_an_album_is_one_update(database_kind: str) -> None:
    first = converted(message(photo=PHOTO, media_group_id="g"), NOW)
    second = converted(message(photo=PHOTO, media_group_id="g", message_id=10), NOW)

    assert first is not None
    assert second is not None
    assert first.external_id == second.external_id


async def test_what_is_said_in_groups_is_not_ours(database_kind: str) -> None:
    group = {"id": -7, "type": "group", "title": "Friends"}

    assert converted(message(text="hi", chat=group), NOW) is None


async def intake_of(house: House) -> Any:
    from bot.telegram_intake import TelegramIntake

    bot = await house.service.telegram.connect()
    return TelegramIntake(
        bot, house.service.turns.store, house.database, house.clock, 0
    )


async def refusal_of(house: House, chat: str) -> DeliveryError:
    with pytest.raises(DeliveryError) as refused:
        await house.service.telegram.transmit(Envelope(chat, "m1", "Hello"))
    return refused.value


def address_of(house: House) -> str | None:
    conversation = house.conversation(str(ANN), Channel.TELEGRAM)
    return house.database.read_now(
        lambda c: customers.address_of(c, conversation.customer_id, Channel.TELEGRAM)
    )
