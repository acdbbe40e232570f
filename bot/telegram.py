"""Telegram, the sending side: one message out, its pace, and what refusals mean.

python-telegram-bot takes more than a second to import, so this module imports it when
the bot connects; a program without a token never pays.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bot.pacer import Pacer, Priority
from core.clock import Clock
from core.errors import DeliveryError, Problem, RateLimited, SettingsError
from core.log import get_logger
from core.model import Button, Channel, CommitPoint, Envelope, Receipt
from core.settings import Telegram

if TYPE_CHECKING:
    from telegram import Bot, InlineKeyboardMarkup

CONNECTIONS = 32
READ_SECONDS = 15.0
# Telegram refuses longer texts and button data.
TEXT_MAX = 4096
BUTTON_BYTES_MAX = 64
# Labels so short stand three in a row.
SHORT_LABEL = 12
ROW = 3
# Telegram's words for "never again", and ours for the ledger.
PERMANENT = {
    "bot was blocked by the user": "blocked",
    "user is deactivated": "deactivated",
    "bot was kicked": "kicked",
    "chat not found": "chat_not_found",
    "bot can't initiate conversation": "not_started",
    "peer_id_invalid": "chat_not_found",
}

log = get_logger("telegram")


class TelegramChannel:
    """Sends to chats, one message at a time, at the pace that Telegram allows.

    Only the process that holds the lease may send; `hold` moves its right on.
    """

    name = Channel.TELEGRAM

    def __init__(self, settings: Telegram, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.pacer = Pacer(
            clock, settings.messages_per_second, settings.messages_per_second_per_chat
        )
        self.bot: Bot | None = None
        self._hold_until = 0.0

    def hold(self, until: float) -> None:
        """The right to send lasts until this moment on the boot clock."""
        self._hold_until = until

    @property
    def ready(self) -> bool:
        """Whether this process may send now."""
        return self.bot is not None and self._clock.boot_seconds() < self._hold_until

    async def connect(self) -> Bot:
        """The bot, once Telegram has accepted its token.

        Raises
        ------
        SettingsError : the token is none of Telegram's
        telegram.error.NetworkError : Telegram can't be reached now
        """
        # Without this, each 429 raises the vendor's warning about its own change.
        os.environ.setdefault("PTB_TIMEDELTA", "true")
        from telegram import Bot
        from telegram.error import InvalidToken

        from bot.telegram_http import AiohttpRequest

        bot = Bot(
            self._settings.token.get_secret_value(),
            base_url=f"{self._settings.api_url.rstrip('/')}/bot",
            request=AiohttpRequest(CONNECTIONS, READ_SECONDS),
            get_updates_request=AiohttpRequest(1, READ_SECONDS),
        )
        try:
            await bot.initialize()
        except InvalidToken as error:
            await bot.shutdown()
            raise SettingsError(
                Problem(
                    "Telegram does not know the bot's token",
                    hint="Ask @BotFather for it and set RAPPORT_TELEGRAM__TOKEN.",
                )
            ) from error
        except BaseException:
            await bot.shutdown()
            raise
        self.bot = bot
        return bot

    async def close(self) -> None:
        """Let go of the connections."""
        bot, self.bot = self.bot, None
        if bot is not None:
            await bot.shutdown()

    async def send(
        self, envelope: Envelope, before_commit_point: CommitPoint
    ) -> Receipt:
        """Deliver one campaign message, after the replies that wait."""
        self._check_right()
        await self.pacer.turn(envelope.address, Priority.CAMPAIGN)
        before_commit_point()
        return await self.transmit(envelope)

    async def wait_turn(self, address: str) -> None:
        """Return when a reply to this chat may leave."""
        await self.pacer.turn(address, Priority.REPLY)

    async def transmit(self, envelope: Envelope) -> Receipt:
        """Send at once.

        Raises
        ------
        DeliveryError : with a reason for the ledger; `RateLimited` after a 429
        """
        bot = self._check_right()
        from telegram.error import ChatMigrated, TelegramError

        try:
            return await _send(bot, envelope.address, envelope)
        except ChatMigrated as moved:
            # The group lives on under another id; the next update comes from there.
            try:
                return await _send(bot, str(moved.new_chat_id), envelope)
            except TelegramError as error:
                raise self._translated(error) from error
        except TelegramError as error:
            raise self._translated(error) from error

    def _check_right(self) -> Bot:
        if self.bot is None:
            raise DeliveryError("not_connected", permanent=False)
        if self._clock.boot_seconds() >= self._hold_until:
            raise DeliveryError("lease_lost", permanent=False)
        return self.bot

    def _translated(self, error: Any) -> DeliveryError:
        from telegram.error import RetryAfter

        if isinstance(error, RetryAfter):
            wait: Any = error.retry_after
            seconds = float(getattr(wait, "total_seconds", lambda: wait)())
            self.pacer.pause(seconds)
            log.warning("telegram_asked_to_wait", seconds=seconds)
            return RateLimited(seconds)
        return refusal(error)


def refusal(error: Any) -> DeliveryError:
    """What an error of the vendor means for one message.

    BadRequest and TimedOut are NetworkErrors for the vendor: the order of questions
    matters, or a message that Telegram refuses would be sent for ever.
    """
    from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError

    from bot.telegram_http import NoAnswer

    words = str(error).lower()
    permanent = isinstance(error, BadRequest | Forbidden)
    if permanent:
        known = (ours for theirs, ours in PERMANENT.items() if theirs in words)
        return DeliveryError(next(known, "refused"), permanent=True)
    if isinstance(error, NoAnswer):
        return DeliveryError("no_answer", permanent=False, uncertain=True)
    if isinstance(error, InvalidToken):
        return DeliveryError("invalid_token", permanent=False)
    reason = "network" if isinstance(error, NetworkError) else "telegram_error"
    return DeliveryError(reason, permanent=False)


def keyboard(buttons: tuple[Button, ...]) -> InlineKeyboardMarkup | None:
    """Buttons under a message: short ones side by side, longer ones each in a row."""
    from telegram import InlineKeyboardButton, InlineKeyboardMarkup

    rows: list[list[InlineKeyboardButton]] = []
    for button in buttons:
        if len(button.data.encode()) > BUTTON_BYTES_MAX:
            log.warning("button_left_out", data=button.data)
            continue
        made = InlineKeyboardButton(button.label, callback_data=button.data)
        short = len(button.label) <= SHORT_LABEL
        if short and rows and len(rows[-1]) < ROW and _is_short(rows[-1]):
            rows[-1].append(made)
        else:
            rows.append([made])
    return InlineKeyboardMarkup(rows) if rows else None


def _is_short(row: list[Any]) -> bool:
    return all(len(button.text) <= SHORT_LABEL for button in row)


async def _send(bot: Bot, chat: str, envelope: Envelope) -> Receipt:
    from telegram import LinkPreviewOptions

    if len(envelope.text) > TEXT_MAX:
        raise DeliveryError("text_too_long", permanent=True)
    message = await bot.send_message(
        chat_id=int(chat),
        text=envelope.text,
        reply_markup=keyboard(envelope.buttons),
        link_preview_options=LinkPreviewOptions(is_disabled=True),
    )
    return Receipt(reply="ok", external_id=str(message.message_id))
