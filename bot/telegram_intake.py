"""Telegram, the receiving side: updates are stored before Telegram may forget them.

The vendor's own updater confirms updates when they sit in memory; a kill then loses
what customers wrote. Here the next getUpdates, which confirms, comes after the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from core.clock import Clock
from core.log import get_logger
from core.model import Channel, IdentityKind, Update, system
from storage import customers
from storage.database import Connection, Database

if TYPE_CHECKING:
    from telegram import Bot, CallbackQuery, ChatMemberUpdated, Message
    from telegram import Update as TelegramUpdate

SOURCE = "telegram"
ALLOWED = ["message", "callback_query", "my_chat_member"]
RETRY_FIRST_SECONDS = 1.0
RETRY_MAX_SECONDS = 30.0
# Another poller may be the one whose lease has just ended; it goes away by itself.
CONFLICT_PATIENCE_SECONDS = 90.0
GONE = frozenset({"kicked", "left"})
# What a customer can send that has no words; it gets a polite answer.
WORDLESS = frozenset(
    {
        "animation",
        "audio",
        "contact",
        "dice",
        "document",
        "location",
        "photo",
        "poll",
        "sticker",
        "story",
        "venue",
        "video",
        "video_note",
        "voice",
    }
)

COMMANDS = {
    "en": [
        ("human", "Talk to a person"),
        ("help", "What the bot can do"),
        ("settings", "Language and offers"),
        ("privacy", "What happens to your data"),
        ("stop", "No more offers"),
    ],
    "zh": [
        ("human", "转人工客服"),
        ("help", "我能做什么"),
        ("settings", "语言与优惠信息"),
        ("privacy", "您的数据如何使用"),
        ("stop", "不再接收优惠信息"),
    ],
}

log = get_logger("telegram")

Store = Callable[..., Awaitable[int]]


class PolledElsewhere(Exception):
    """Another program asks for this bot's updates."""


class TelegramIntake:
    """Asks Telegram for updates, one long poll after the other."""

    def __init__(
        self,
        bot: Bot,
        store: Store,
        database: Database,
        clock: Clock,
        long_poll_seconds: int,
    ) -> None:
        self._bot = bot
        self._store = store
        self._database = database
        self._clock = clock
        self._long_poll_seconds = long_poll_seconds
        self._offset: int | None = None
        self._answers: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Receive for ever.

        Raises
        ------
        PolledElsewhere : another program uses the token
        """
        retry_seconds = RETRY_FIRST_SECONDS
        began = self._clock.boot_seconds()
        while True:
            try:
                await self.receive()
                retry_seconds = RETRY_FIRST_SECONDS
            except Exception as error:  # noqa: BLE001  what Telegram says must not end the loop
                self._look_at(error, began)
                await asyncio.sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, RETRY_MAX_SECONDS)

    async def receive(self) -> int:
        """One poll: store what came; the next poll confirms it. Returns how many."""
        updates = await self._bot.get_updates(
            offset=self._offset,
            timeout=self._long_poll_seconds,
            allowed_updates=ALLOWED,
        )
        if not updates:
            return 0
        now = self._clock.now()
        read = [converted(update, now) for update in updates]
        await self._store(*(update for update in read if update is not None))
        for update in updates:
            if update.my_chat_member is not None:
                await self._note_membership(update.my_chat_member)
            if update.callback_query is not None:
                self._answer(update.callback_query)
        self._offset = updates[-1].update_id + 1
        return len(updates)

    def _look_at(self, error: Exception, began: float) -> None:
        from telegram.error import Conflict

        if isinstance(error, Conflict):
            if self._clock.boot_seconds() - began > CONFLICT_PATIENCE_SECONDS:
                raise PolledElsewhere from error
            log.warning("telegram_polled_elsewhere")
            return
        # A time-out of a long poll or a lost connection: Telegram keeps the updates.
        log.warning("telegram_poll_failed", error=type(error).__name__)

    def _answer(self, query: CallbackQuery) -> None:
        """Stop the button's spinner; Telegram forgets queries after a while."""
        task = asyncio.get_running_loop().create_task(self._answer_now(query.id))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer_now(self, query_id: str) -> None:
        from telegram.error import TelegramError

        try:
            await self._bot.answer_callback_query(query_id)
        except TelegramError as error:
            log.info("callback_not_answered", error=type(error).__name__)

    async def _note_membership(self, member: ChatMemberUpdated) -> None:
        reason = "blocked" if member.new_chat_member.status in GONE else None
        address = str(member.chat.id)

        def work(connection: Connection) -> None:
            customers.set_unreachable(
                connection, IdentityKind.TELEGRAM, address, reason
            )

        await self._database.write(system("telegram"), work)


async def say_commands(bot: Bot, languages: Sequence[str]) -> None:
    """Fill the menu of commands; without it everything works as well."""
    from telegram.error import TelegramError

    try:
        for language in languages:
            if language in COMMANDS:
                await bot.set_my_commands(COMMANDS[language], language_code=language)
        await bot.set_my_commands(COMMANDS["en"])
    except TelegramError as error:
        log.warning("commands_not_set", error=type(error).__name__)


def converted(update: TelegramUpdate, now: Any) -> Update | None:
    """One update in our words; None for what is no customer's doing in a private chat.

    The id joins Telegram's number with the message's: the numbers may begin anew
    after a week of silence.
    """
    if update.callback_query is not None:
        return _pressed(update.update_id, update.callback_query, now)
    message = update.message
    if message is None or message.from_user is None or message.from_user.is_bot:
        return None
    if message.chat.type != "private":
        return None
    text = message.text or message.caption or ""
    kind = _kind(message)
    if not text and kind not in WORDLESS:
        return None
    # An album comes as many messages and gets one answer.
    album = message.media_group_id if not text else None
    return Update(
        source=SOURCE,
        external_id=f"album.{album}"
        if album
        else f"{update.update_id}.{message.message_id}",
        channel=Channel.TELEGRAM,
        address=str(message.chat.id),
        received_at=now,
        text=text,
        display_name=message.from_user.full_name,
        language=message.from_user.language_code,
        raw={"kind": kind, "message_id": message.message_id},
    )


def _pressed(update_id: int, query: CallbackQuery, now: Any) -> Update | None:
    if query.data is None or query.message is None:
        return None
    if query.message.chat.type != "private":
        return None
    return Update(
        source=SOURCE,
        external_id=f"{update_id}.{query.id}",
        channel=Channel.TELEGRAM,
        address=str(query.message.chat.id),
        received_at=now,
        button=query.data,
        display_name=query.from_user.full_name,
        language=query.from_user.language_code,
        raw={"kind": "button", "message_id": query.message.message_id},
    )


def _kind(message: Message) -> str:
    from telegram.helpers import effective_message_type

    return str(effective_message_type(message) or "unknown")
