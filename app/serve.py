"""Everything in one process: pages and web chat, Telegram, the clock, the sender."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.housekeeping import Housekeeper
from app.receiving import RecordReceiver
from app.runner import JobRunner
from app.single import only_server
from app.sources import SourceWatch
from app.wiring import Program, make_composer, make_mail_channel, make_sender
from core.errors import Problem, SettingsError
from core.log import get_logger
from core.model import Channel, ChannelPort, system
from outreach.schedule import ScheduleClock
from storage.database import DatabaseCorrupt
from storage.lease import new_holder
from storage.migrate import check_integrity

if TYPE_CHECKING:
    import uvicorn

    from bot.service import BotService

log = get_logger("serve")
SERVE = system("serve")
STOP_SECONDS = 10
OnUp = Callable[[str], Awaitable[None]]


async def serve(
    program: Program,
    config: Path,
    on_up: OnUp,
    maildir: Path | None = None,
    setup_code: str | None = None,
) -> None:
    """Serve until a signal; `on_up` is told the address once pages answer.

    Raises
    ------
    AlreadyServed : another process serves this SQLite file
    SettingsError : another program listens at this address
    """
    with only_server(program.database.file):
        await _serve(program, config, on_up, maildir, setup_code)


async def _serve(
    program: Program,
    config: Path,
    on_up: OnUp,
    maildir: Path | None,
    setup_code: str | None,
) -> None:
    from bot.service import BotService

    bot = BotService(
        program.database,
        program.clock,
        program.settings,
        program.data_directory,
        # On SQLite nobody else can serve, so a lease left behind is a dead one's.
        alone=program.database.is_sqlite,
    )
    listener = listen(program.settings.web.host, program.settings.web.port)
    server = _server(program, bot, maildir, setup_code)
    work = _Work(program, config, bot)
    with _signals_end(server):
        checking = asyncio.ensure_future(_check_whole(program, server))
        serving = asyncio.ensure_future(server.serve([listener]))
        try:
            while not server.started:
                if serving.done():
                    return
                await asyncio.sleep(0.01)
            await work.start()
            port = listener.getsockname()[1]
            await on_up(f"http://{program.settings.web.host}:{port}")
        except BaseException:
            server.should_exit = True
            raise
        finally:
            await serving
            await work.stop()
            await checking


async def _check_whole(program: Program, server: uvicorn.Server) -> None:
    """Look at all of a large file beside the work; end where it is damaged."""
    if program.checked:
        return
    try:
        await asyncio.to_thread(check_integrity, program.database)
    except DatabaseCorrupt as error:
        log.error("database_damaged", problem=str(error))  # noqa: TRY400  no trace helps
        say(str(error))
        server.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A socket for the pages.

    Raises
    ------
    SettingsError : the address is taken, or not this machine's
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        problem = Problem(
            f"pages can't be served at {host}:{port}",
            os.strerror(error.errno) if error.errno else str(error),
            hint="Choose another web.port (of the demo: --port) or web.host; "
            "port 0 takes a free one.",
        )
        raise SettingsError(problem) from error


@contextmanager
def _signals_end(server: uvicorn.Server) -> Iterator[None]:
    """Let SIGTERM and Ctrl+C end the pages, and everything else after them."""
    loop = asyncio.get_running_loop()

    def ask() -> None:
        server.force_exit = server.should_exit  # whoever asks twice is in a hurry
        server.should_exit = True

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, ask)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


class Part(Protocol):
    """Something that works until it is told to stop."""

    async def run_for_ever(self) -> None: ...

    def stop(self) -> None: ...


class _Work:
    """All that goes on behind the pages."""

    def __init__(self, program: Program, config: Path, bot: BotService) -> None:
        seconds = program.settings.storage.lease_seconds
        self._program = program
        self._bot = bot
        self._channels: dict[Channel, ChannelPort] = {
            Channel.EMAIL: make_mail_channel(program),
            **bot.ports,
        }
        composer = make_composer(program.settings)
        database, clock = program.database, program.clock
        hours = program.settings.web.session_absolute_hours
        self._parts: tuple[Part, ...] = (
            make_sender(program, composer, self._channels),
            ScheduleClock(database, clock, new_holder(), seconds),
            JobRunner(database, clock, config, seconds),
            Housekeeper(
                database,
                clock,
                hours,
                program.settings.privacy,
                program.data_directory,
            ),
            SourceWatch(program),
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        from outreach.campaigns import set_schedules

        now = self._program.clock.now()
        await self._program.database.write(
            SERVE, lambda c: set_schedules(c, self._program.settings, now)
        )
        await self._bot.start()
        self._tasks = [
            asyncio.create_task(part.run_for_ever(), name=type(part).__name__)
            for part in self._parts
        ]

    async def stop(self) -> None:
        if not self._tasks:
            return
        for part in self._parts:
            part.stop()
        # The sender finishes what is in flight while its channels are still there.
        done, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*done, *late, return_exceptions=True)
        await self._bot.stop()
        await self._channels[Channel.EMAIL].close()


def _server(
    program: Program,
    bot: BotService,
    maildir: Path | None,
    setup_code: str | None,
) -> uvicorn.Server:
    import uvicorn

    from web.server import create_app
    from web.services import Services

    settings = program.settings
    app = create_app(
        Services(
            settings=settings,
            clock=program.clock,
            database=program.database,
            desk=bot.desk,
            chat=bot.webchat,
            composer=make_composer(settings),
            receiver=RecordReceiver(program),
            setup_code=setup_code,
            maildir=maildir,
        )
    )

    class Server(uvicorn.Server):
        """Leaves signals to us: its own way ends the process before the work is."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server(
        uvicorn.Config(
            app,
            host=settings.web.host,
            port=settings.web.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    )


def say(*lines: str) -> None:
    """Talk to the person at the terminal; data goes to standard output instead."""
    for line in lines:
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
