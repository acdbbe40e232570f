"""The customer's way as one part of the program: wired, started and stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bot.handover import Desk
from bot.knowledge import Knowledge
from bot.leased import Leased
from bot.outbox import Outbox
from bot.record import Recorder
from bot.telegram import TelegramChannel
from bot.timers import Timers
from bot.turn import Parts, Turns, handle_turn
from bot.webchat import WebChat, WebChatChannel
from core.clock import Clock
from core.errors import RapportError
from core.log import get_logger
from core.model import Channel, ChannelPort
from core.settings import Settings
from storage.database import Database

LEASE = "telegram"
RECONNECT_SECONDS = 10.0
RESTART_SECONDS = 5.0
STOP_SECONDS = 5.0

log = get_logger("bot")


class BotService:
    """All that answers customers.

    `desk` is for the console, `webchat` for the public page, `ports` for campaigns.
    `base` is the directory of data, for trained models.
    `alone` says that no other process uses the database, as after `only_server`.
    `problem` says in words why Telegram does not work, if it doesn't.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        base: Path,
        knowledge: Knowledge | None = None,
        *,
        alone: bool = False,
    ) -> None:
        self.database = database
        self.clock = clock
        self.settings = settings
        self.knowledge = knowledge or Knowledge(database, clock, settings, base)
        self.recorder = Recorder(settings, self.knowledge)
        self.turns = Turns(
            Parts(database, clock, self.recorder, self.knowledge), handle_turn
        )
        self.desk = Desk(database, clock, self.recorder)
        self.timers = Timers(database, clock, self.recorder)
        self.webchat = WebChat(
            database,
            clock,
            self.turns.store,
            settings.bot.seconds_per_waiting_customer,
        )
        self.telegram: TelegramChannel | None = None
        if settings.telegram.token.get_secret_value():
            self.telegram = TelegramChannel(settings.telegram, clock)
        self.problem: str | None = None
        self._alone = alone
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def ports(self) -> dict[Channel, ChannelPort]:
        """The channels that campaigns can be sent on."""
        language = self.settings.shop.languages[0]
        webchat = WebChatChannel(self.database, self.clock, language)
        ports: dict[Channel, ChannelPort] = {Channel.WEBCHAT: webchat}
        if self.telegram is not None:
            ports[Channel.TELEGRAM] = self.telegram
        return ports

    async def start(self) -> None:
        """Begin to answer; returns at once, models load in the background."""
        self._begin("knowledge", self.knowledge.run)
        self._begin("turns", self.turns.run)
        self._begin("timers", self.timers.run)
        if self.telegram is not None:
            self._begin("telegram", self._run_telegram)

    async def stop(self) -> None:
        """Finish the turns that have begun, then end everything."""
        ending = [task for task in self._tasks if task.get_name() != "knowledge"]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        # A turn may wait for the model, so that part goes last. A turn that takes too
        # long is cut off: its update is stored, and the next start takes it up.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.turns.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _begin(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.get_running_loop().create_task(_kept(name, work), name=name)
        self._tasks.append(task)

    async def _run_telegram(self) -> None:
        channel = self.telegram
        if channel is None:
            return
        leased = Leased(
            self.database,
            self.clock,
            LEASE,
            self.settings.storage.lease_seconds,
            channel.hold,
            alone=self._alone,
        )
        try:
            await leased.run(lambda: self._serve_telegram(channel))
        finally:
            await channel.close()

    async def _serve_telegram(self, channel: TelegramChannel) -> None:
        # A whole second of imports must not hold up the pages.
        await asyncio.to_thread(_import_telegram)
        from bot.telegram_intake import PolledElsewhere, TelegramIntake, say_commands

        bot = await self._connected(channel)
        try:
            await say_commands(bot, self.settings.shop.languages)
            intake = TelegramIntake(
                bot,
                self.turns.store,
                self.database,
                self.clock,
                self.settings.telegram.long_poll_seconds,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(intake.run())
                group.create_task(Outbox(self.database, self.clock, channel).run())
        except* PolledElsewhere:
            self.problem = (
                "Another program uses the same Telegram token. Stop it, or give this "
                "one a token of its own, then start again."
            )
            log.error("telegram_polled_elsewhere", hint=self.problem)  # noqa: TRY400
            await asyncio.Event().wait()
        finally:
            await channel.close()

    async def _connected(self, channel: TelegramChannel) -> Any:
        from telegram.error import TelegramError

        while True:
            try:
                bot = await channel.connect()
            except TelegramError as error:
                self.problem = f"Telegram can't be reached: {type(error).__name__}"
                log.warning("telegram_unreachable", error=type(error).__name__)
            except RapportError as error:
                self.problem = str(error)
                log.exception("telegram_token_refused")
                await asyncio.Event().wait()
            else:
                self.problem = None
                return bot
            await asyncio.sleep(RECONNECT_SECONDS)


def _import_telegram() -> None:
    import bot.telegram_http  # noqa: F401  it brings the vendors


async def _kept(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Work for ever; a part that fails, as without its database, begins anew."""
    while True:
        try:
            await work()
        except Exception:  # a short outage must not silence the bot until a restart
            log.exception("part_failed", part_name=name)
        else:
            log.error("part_ended", part_name=name)
        await asyncio.sleep(RESTART_SECONDS)
