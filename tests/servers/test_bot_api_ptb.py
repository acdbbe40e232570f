"""The emulator as python-telegram-bot sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from telegram import (
    Bot,
    BotCommand,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Update,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TimedOut,
)
from telegram.ext import (
    ApplicationBuilder,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
)

from tests.servers.bot_api.client import Emulator

ADA = 1001
BOB = 1002
T = TypeVar("T")


@pytest.fixture(autouse=True)
def _new_form_of_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without it python-telegram-bot 22 warns at every 429.
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


def with_bot(emulator: Emulator, use: Callable[[Bot], Awaitable[T]]) -> T:
    async def main() -> T:
        bot = Bot(emulator.token, base_url=emulator.url + "/bot")
        async with bot:
            return await use(bot)

    return asyncio.run(main())


def keyboard(*words: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(word.title(), callback_data=word) for word in words]]
    )


def test_knows_itself(emulator: Emulator) -> None:
    me = with_bot(emulator, lambda bot: bot.get_me())

    assert me.is_bot
    assert me.id == emulator.bot_id


def test_refuses_a_wrong_token(emulator: Emulator) -> None:
    emulator.token = "123456:wrong"

    with pytest.raises(InvalidToken):
        with_bot(emulator, lambda bot: bot.get_me())


def test_receives_what_a_user_writes(emulator: Emulator) -> None:
    emulator.say(ADA, "/start now", name="Ada", language="zh")

    (update,) = with_bot(emulator, lambda bot: bot.get_updates())

    assert update.message is not None
    assert update.message.text == "/start now"
    assert update.message.entities[0].type == "bot_command"
    assert update.message.from_user is not None
    assert update.message.from_user.language_code == "zh"


def test_gives_updates_again_until_an_offset_confirms_them(emulator: Emulator) -> None:
    first = emulator.say(ADA, "one")
    second = emulator.say(ADA, "two")
    assert first is not None

    async def poll(bot: Bot) -> list[list[int]]:
        return [
            [update.update_id for update in await bot.get_updates(offset=offset)]
            for offset in (None, None, first + 1)
        ]

    assert with_bot(emulator, poll) == [[first, second], [first, second], [second]]
    assert emulator.pending() == 1


def test_a_long_poll_ends_when_a_message_arrives(emulator: Emulator) -> None:
    async def poll(bot: Bot) -> tuple[Update, ...]:
        waiting = asyncio.create_task(bot.get_updates(timeout=50, read_timeout=20))
        await asyncio.to_thread(emulator.wait_for_poll)
        await asyncio.to_thread(emulator.say, ADA, "here I am")
        return await waiting

    (update,) = with_bot(emulator, poll)

    assert update.message is not None
    assert update.message.text == "here I am"


def test_a_second_poller_ends_the_first(emulator: Emulator) -> None:
    async def poll_twice(bot: Bot) -> None:
        first = asyncio.create_task(bot.get_updates(timeout=50, read_timeout=20))
        await asyncio.to_thread(emulator.wait_for_poll)
        await asyncio.to_thread(with_bot, emulator, lambda other: other.get_updates())
        await first

    with pytest.raises(Conflict, match="terminated by other getUpdates"):
        with_bot(emulator, poll_twice)


def test_a_webhook_stands_in_the_way_of_polling(emulator: Emulator) -> None:
    async def poll(bot: Bot) -> None:
        await bot.set_webhook("https://shop.example/hook")
        await bot.get_updates()

    with pytest.raises(Conflict, match="webhook is active"):
        with_bot(emulator, poll)


def test_deleting_the_webhook_drops_updates_on_request(emulator: Emulator) -> None:
    emulator.say(ADA, "old")

    async def clear(bot: Bot) -> int:
        await bot.delete_webhook(drop_pending_updates=True)
        return (await bot.get_webhook_info()).pending_update_count

    assert with_bot(emulator, clear) == 0


def test_gives_only_the_allowed_kinds(emulator: Emulator) -> None:
    async def poll(bot: Bot) -> list[Any]:
        await bot.get_updates(allowed_updates=["callback_query"])
        await asyncio.to_thread(emulator.say, ADA, "unwanted")
        return list(await bot.get_updates())

    assert with_bot(emulator, poll) == []


def test_replays_a_confirmed_update_on_request(emulator: Emulator) -> None:
    number = emulator.say(ADA, "once")
    emulator.replay(2)
    assert number is not None

    async def poll(bot: Bot) -> list[int]:
        offsets = (None, number + 1, number + 1, number + 1)
        return [len(await bot.get_updates(offset=offset)) for offset in offsets]

    assert with_bot(emulator, poll) == [1, 1, 1, 0]


def test_shows_a_sent_message_with_its_buttons(emulator: Emulator) -> None:
    emulator.meet(ADA)

    with_bot(
        emulator,
        lambda bot: bot.send_message(
            ADA, "<b>Hello</b> 😀 <i>Ada</i>", "HTML", reply_markup=keyboard("yes")
        ),
    )

    (seen,) = emulator.from_bot(ADA)
    assert seen.text == "Hello 😀 Ada"
    assert [(b.label, b.data) for b in seen.buttons] == [("Yes", "yes")]


def test_counts_entities_in_utf16_units(emulator: Emulator) -> None:
    emulator.meet(ADA)

    message = with_bot(
        emulator, lambda bot: bot.send_message(ADA, "😀 <i>Ada</i>", "HTML")
    )

    assert message.parse_entities() == {message.entities[0]: "Ada"}


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        # Telegram's limit, one over.
        ("x" * 4097, None, "Message is too long"),
        # Nothing that a person could see.
        ("   ", None, "Message text is empty"),
        # A tag that Telegram does not know.
        ("<h1>no</h1>", "HTML", "Can't parse entities"),
        # A tag without its end.
        ("<b>no", "HTML", "Can't parse entities"),
    ],
)
def test_refuses_a_text_that_telegram_would_refuse(
    emulator: Emulator, text: str, mode: str | None, reason: str
) -> None:
    emulator.meet(ADA)

    with pytest.raises(BadRequest, match=reason):
        with_bot(emulator, lambda bot: bot.send_message(ADA, text, mode))


def test_takes_a_text_of_the_full_length(emulator: Emulator) -> None:
    emulator.meet(ADA)

    with_bot(emulator, lambda bot: bot.send_message(ADA, "x" * 4096))

    assert len(emulator.from_bot(ADA)[0].text) == 4096


def test_refuses_button_data_over_64_bytes(emulator: Emulator) -> None:
    emulator.meet(ADA)

    with pytest.raises(BadRequest, match="Button_data_invalid"):
        with_bot(
            emulator,
            lambda bot: bot.send_message(ADA, "?", reply_markup=keyboard("é" * 33)),
        )


def test_an_unknown_chat_is_not_found(emulator: Emulator) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hello"))


def test_a_blocked_bot_may_not_write(emulator: Emulator) -> None:
    emulator.block(ADA)

    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hello"))


def test_tells_the_bot_that_it_was_blocked(emulator: Emulator) -> None:
    emulator.block(ADA)

    (update,) = with_bot(emulator, lambda bot: bot.get_updates())

    assert update.my_chat_member is not None
    assert update.my_chat_member.new_chat_member.status == "kicked"


def test_an_unblocked_bot_may_write_again(emulator: Emulator) -> None:
    emulator.block(ADA)
    emulator.unblock(ADA)

    with_bot(emulator, lambda bot: bot.send_message(ADA, "hello"))

    assert [message.text for message in emulator.from_bot(ADA)] == ["hello"]


def test_refuses_a_chat_with_any_answer(emulator: Emulator) -> None:
    emulator.refuse(ADA, 403, "Forbidden: user is deactivated")

    with pytest.raises(Forbidden, match="user is deactivated"):
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hello"))


def test_a_group_that_moved_names_its_new_id(emulator: Emulator) -> None:
    emulator.group(-5, "Team")
    emulator.migrate(-5, to=-1005)

    with pytest.raises(ChatMigrated) as caught:
        with_bot(emulator, lambda bot: bot.send_message(-5, "hello"))

    assert caught.value.new_chat_id == -1005


def test_a_pressed_button_arrives_and_is_answered(emulator: Emulator) -> None:
    emulator.meet(ADA)

    async def converse(bot: Bot) -> CallbackQuery | None:
        await bot.send_message(ADA, "Sure?", reply_markup=keyboard("yes", "no"))
        press = await asyncio.to_thread(emulator.press, ADA, "No")
        (update,) = await bot.get_updates()
        await bot.answer_callback_query(press, "Noted")
        assert await asyncio.to_thread(emulator.answer, press) == "Noted"
        return update.callback_query

    query = with_bot(emulator, converse)

    assert query is not None
    assert query.data == "no"


def test_a_press_is_answered_once(emulator: Emulator) -> None:
    emulator.meet(ADA)

    async def converse(bot: Bot) -> None:
        await bot.send_message(ADA, "Sure?", reply_markup=keyboard("yes"))
        press = await asyncio.to_thread(emulator.press, ADA, "yes")
        await bot.answer_callback_query(press)
        await bot.answer_callback_query(press)

    with pytest.raises(BadRequest, match="Query is too old"):
        with_bot(emulator, converse)


def test_an_edit_changes_what_the_user_sees(emulator: Emulator) -> None:
    emulator.meet(ADA)

    async def converse(bot: Bot) -> None:
        sent = await bot.send_message(ADA, "Sure?", reply_markup=keyboard("yes"))
        await bot.edit_message_text("Done.", ADA, sent.message_id)

    with_bot(emulator, converse)

    (seen,) = emulator.from_bot(ADA)
    assert (seen.text, seen.buttons, seen.edited) == ("Done.", (), True)


def test_takes_the_buttons_away(emulator: Emulator) -> None:
    emulator.meet(ADA)

    async def converse(bot: Bot) -> None:
        sent = await bot.send_message(ADA, "Sure?", reply_markup=keyboard("yes"))
        await bot.edit_message_reply_markup(ADA, sent.message_id)

    with_bot(emulator, converse)

    (seen,) = emulator.from_bot(ADA)
    assert (seen.text, seen.buttons) == ("Sure?", ())


def test_an_edit_without_a_change_is_refused(emulator: Emulator) -> None:
    emulator.meet(ADA)

    async def converse(bot: Bot) -> None:
        sent = await bot.send_message(ADA, "Same")
        await bot.edit_message_text("Same", ADA, sent.message_id)

    with pytest.raises(BadRequest, match="Message is not modified"):
        with_bot(emulator, converse)


def test_a_users_own_message_cannot_be_edited(emulator: Emulator) -> None:
    emulator.say(ADA, "mine")
    (mine,) = emulator.messages(ADA)

    with pytest.raises(BadRequest, match="can't be edited"):
        with_bot(
            emulator, lambda bot: bot.edit_message_text("yours", ADA, mine.message_id)
        )


def test_a_deleted_message_is_gone(emulator: Emulator) -> None:
    emulator.meet(ADA)

    async def converse(bot: Bot) -> None:
        sent = await bot.send_message(ADA, "Oops")
        await bot.delete_message(ADA, sent.message_id)

    with_bot(emulator, converse)

    assert emulator.messages(ADA) == []


def test_a_reply_shows_what_it_answers(emulator: Emulator) -> None:
    emulator.say(ADA, "Where is my parcel?")
    (question,) = emulator.messages(ADA)

    reply = with_bot(
        emulator,
        lambda bot: bot.send_message(
            ADA, "On its way.", reply_to_message_id=question.message_id
        ),
    )

    assert reply.reply_to_message is not None
    assert reply.reply_to_message.text == "Where is my parcel?"


def test_commands_are_kept_per_language(emulator: Emulator) -> None:
    async def converse(bot: Bot) -> tuple[tuple[BotCommand, ...], ...]:
        await bot.set_my_commands([BotCommand("human", "A person")])
        await bot.set_my_commands([BotCommand("human", "人工")], language_code="zh")
        await bot.delete_my_commands()
        return await bot.get_my_commands(), await bot.get_my_commands(
            language_code="zh"
        )

    assert with_bot(emulator, converse) == ((), (BotCommand("human", "人工"),))


def test_a_chat_tells_about_itself(emulator: Emulator) -> None:
    emulator.say(ADA, "hello", name="Ada")

    async def converse(bot: Bot) -> str | None:
        await bot.send_chat_action(ADA, "typing")
        return (await bot.get_chat(ADA)).first_name

    assert with_bot(emulator, converse) == "Ada"


def test_a_flood_names_the_seconds_to_wait(emulator: Emulator) -> None:
    emulator.meet(ADA)
    emulator.faults(flood_times=1, flood_seconds=7)

    with pytest.raises(RetryAfter) as caught:
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hello"))

    assert caught.value.retry_after == timedelta(seconds=7)
    assert [each["status"] for each in emulator.calls("sendMessage")] == [429]


def test_limits_one_chat_after_a_short_burst(emulator: Emulator) -> None:
    emulator.meet(ADA, BOB)
    emulator.faults(limits=True)

    async def hurry(bot: Bot) -> None:
        await bot.send_message(BOB, "another chat")
        # Far more than the bucket lets through, even on a slow machine.
        for number in range(100):
            await bot.send_message(ADA, str(number))

    with pytest.raises(RetryAfter):
        with_bot(emulator, hurry)

    assert len(emulator.from_bot(ADA)) == len(emulator.calls("sendMessage", 200)) - 1


def test_a_bad_gateway_delivers_nothing(emulator: Emulator) -> None:
    emulator.meet(ADA)
    emulator.faults(gateway_times=1)

    with pytest.raises(NetworkError, match="Bad Gateway"):
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hello"))

    assert emulator.from_bot(ADA) == []


def test_a_slow_answer_times_out_after_the_delivery(emulator: Emulator) -> None:
    emulator.meet(ADA)
    emulator.faults(slow_times=1, slow_seconds=60)

    with pytest.raises(TimedOut):
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hi", read_timeout=0.5))

    assert len(emulator.from_bot(ADA)) == 1
    assert len(emulator.calls("sendMessage", 200)) == 1


def test_a_dropped_connection_comes_after_the_delivery(emulator: Emulator) -> None:
    emulator.meet(ADA)
    emulator.faults(drop_times=1)

    with pytest.raises(NetworkError):
        with_bot(emulator, lambda bot: bot.send_message(ADA, "hi"))

    assert len(emulator.from_bot(ADA)) == 1


def test_a_bot_that_logged_out_is_refused(emulator: Emulator) -> None:
    async def leave(bot: Bot) -> None:
        await bot.log_out()
        await bot.get_me()

    with pytest.raises(BadRequest, match="Logged out"):
        with_bot(emulator, leave)


async def greet(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message is not None
    await update.message.reply_text("Hello", reply_markup=keyboard("more"))


async def tell_more(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.callback_query is not None
    await update.callback_query.answer("Here")
    await update.callback_query.edit_message_text("More")


def test_a_whole_application_polls_answers_and_edits(emulator: Emulator) -> None:
    async def main() -> None:
        builder = ApplicationBuilder().token(emulator.token)
        app = builder.base_url(emulator.url + "/bot").build()
        app.add_handler(CommandHandler("start", greet))
        app.add_handler(CallbackQueryHandler(tell_more))
        async with app:
            await app.start()
            assert app.updater is not None
            await app.updater.start_polling(timeout=20)
            await asyncio.to_thread(use)
            await app.updater.stop()
            await app.stop()

    def use() -> None:
        emulator.say(ADA, "/start")
        emulator.from_bot(ADA, at_least=1)
        assert emulator.answer(emulator.press(ADA, "More")) == "Here"

    asyncio.run(main())

    assert "More" in [message.text for message in emulator.from_bot(ADA)]
