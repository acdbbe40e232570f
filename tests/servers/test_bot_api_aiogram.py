"""The emulator as aiogram sees it, which sends forms where the other sends JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.filters import CommandStart
from aiogram.types import (
    BotCommand,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
)

from tests.servers.bot_api.client import Emulator

ADA = 1001
T = TypeVar("T")


def with_bot(emulator: Emulator, use: Callable[[Bot], Awaitable[T]]) -> T:
    async def main() -> T:
        session = AiohttpSession(api=TelegramAPIServer.from_base(emulator.url))
        async with Bot(emulator.token, session=session) as bot:
            return await use(bot)

    return asyncio.run(main())


def keyboard(word: str) -> InlineKeyboardMarkup:
    button = InlineKeyboardButton(text=word.title(), callback_data=word)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def test_knows_itself(emulator: Emulator) -> None:
    me = with_bot(emulator, lambda bot: bot.get_me())

    assert me.is_bot
    assert me.id == emulator.bot_id


def test_refuses_a_wrong_token(emulator: Emulator) -> None:
    emulator.token = "123456:wrong"

    with pytest.raises(TelegramUnauthorizedError):
        with_bot(emulator, lambda bot: bot.get_me())


def test_gives_updates_again_until_an_offset_confirms_them(emulator: Emulator) -> None:
    first = emulator.say(ADA, "one")
    second = emulator.say(ADA, "two")
    assert first is not None

    async def poll(bot: Bot) -> list[list[int]]:
        return [
            [update.update_id for update in await bot.get_updates(offset=offset)]
            for offset in (None, None, first + 1, -1)
        ]

    assert with_bot(emulator, poll) == [
        [first, second],
        [first, second],
        [second],
        [second],
    ]


def test_gives_no_more_updates_than_the_limit(emulator: Emulator) -> None:
    emulator.say(ADA, "one")
    emulator.say(ADA, "two")

    updates = with_bot(emulator, lambda bot: bot.get_updates(limit=1))

    assert [update.message.text for update in updates if update.message] == ["one"]


def test_a_long_poll_ends_when_a_message_arrives(emulator: Emulator) -> None:
    async def poll(bot: Bot) -> str | None:
        waiting = asyncio.create_task(bot.get_updates(timeout=50, request_timeout=20))
        await asyncio.to_thread(emulator.wait_for_poll)
        await asyncio.to_thread(emulator.say, ADA, "here I am")
        (update,) = await waiting
        return update.message.text if update.message else None

    assert with_bot(emulator, poll) == "here I am"


def test_a_second_poller_ends_the_first(emulator: Emulator) -> None:
    async def poll_twice(bot: Bot) -> None:
        first = asyncio.create_task(bot.get_updates(timeout=50, request_timeout=20))
        await asyncio.to_thread(emulator.wait_for_poll)
        await bot.get_updates(timeout=0)
        await first

    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates"):
        with_bot(emulator, poll_twice)


def test_a_flood_names_the_seconds_to_wait(emulator: Emulator) -> None:
    emulator.meet(ADA)
    emulator.faults(flood_times=1, flood_seconds=7)

    with pytest.raises(TelegramRetryAfter) as caught:
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hello"))

    assert caught.value.retry_after == 7


def test_a_blocked_bot_may_not_write(emulator: Emulator) -> None:
    emulator.block(ADA)

    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hello"))


def test_an_unknown_chat_is_not_found(emulator: Emulator) -> None:
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hello"))


def test_a_group_that_moved_names_its_new_id(emulator: Emulator) -> None:
    emulator.group(-5, "Team")
    emulator.migrate(-5, to=-1005)

    with pytest.raises(TelegramMigrateToChat) as caught:
        with_bot(emulator, lambda bot: bot.send_message(-5, "hello"))

    assert caught.value.migrate_to_chat_id == -1005


def test_a_bad_gateway_delivers_nothing(emulator: Emulator) -> None:
    emulator.meet(ADA)
    emulator.faults(gateway_times=1)

    with pytest.raises(TelegramServerError):
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hello"))

    assert emulator.from_bot(ADA) == []


def test_commands_are_kept(emulator: Emulator) -> None:
    async def converse(bot: Bot) -> list[tuple[str, str]]:
        await bot.set_my_commands([BotCommand(command="human", description="人工")])
        kept = await bot.get_my_commands()
        return [(each.command, each.description) for each in kept]

    assert with_bot(emulator, converse) == [("human", "人工")]


def test_a_chat_tells_about_itself(emulator: Emulator) -> None:
    emulator.say(ADA, "hello", name="Ada")

    assert with_bot(emulator, lambda bot: bot.get_chat(ADA)).first_name == "Ada"


async def greet(message: Message) -> None:
    await message.reply("Hello", reply_markup=keyboard("more"))


async def tell_more(query: CallbackQuery) -> None:
    await query.answer("Here")
    assert isinstance(query.message, Message)
    await query.message.edit_text("More")


def test_a_whole_dispatcher_polls_answers_and_edits(emulator: Emulator) -> None:
    dispatcher = Dispatcher()
    dispatcher.message.register(greet, CommandStart())
    dispatcher.callback_query.register(tell_more)

    def use() -> None:
        emulator.say(ADA, "/start")
        emulator.from_bot(ADA, at_least=1)
        assert emulator.answer(emulator.press(ADA, "more")) == "Here"

    async def converse(bot: Bot) -> None:
        polling = asyncio.create_task(
            dispatcher.start_polling(
                bot, polling_timeout=20, handle_signals=False, close_bot_session=False
            )
        )
        await asyncio.to_thread(use)
        await dispatcher.stop_polling()
        await polling

    with_bot(emulator, converse)

    assert "More" in [message.text for message in emulator.from_bot(ADA)]
