"""The whole site on a loopback port, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import uvicorn

from bot.handover import Desk
from bot.knowledge import Knowledge
from bot.record import Recorder
from bot.turn import Parts, Turns, handle_turn
from bot.webchat import WebChat
from content.reasons import read_reasons
from core.clock import Clock, SystemClock
from core.model import Role, system
from core.settings import ROOT, Settings
from outreach.compose import Composer
from storage import staff
from storage.database import Database
from storage.staff import NewMember
from web.api import Receiver
from web.passwords import hash_password
from web.server import create_app
from web.services import Services

PASSWORD = "correct horse battery"
SETUP_CODE = "abcde-fghjk"
PAGE_HEADERS = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class Site:
    """A running site and what stands behind it."""

    url: str
    database: Database
    clock: Clock
    maildir: Path

    def visitor(self) -> httpx.Client:
        """A browser that has never been here."""
        return httpx.Client(
            base_url=self.url, headers=PAGE_HEADERS, timeout=20, trust_env=False
        )

    def add(self, role: Role, name: str = "Ada Winter") -> str:
        """The address of a new member with this role."""
        email = f"{role}-{name.split(maxsplit=1)[0].lower()}@shop.example"
        new = NewMember(email, name, role, stored_password())
        now = self.clock.now()
        self.database.write_now(system("test"), lambda c: staff.add_member(c, new, now))
        return email

    @contextmanager
    def signed_in(self, role: Role, name: str = "Ada Winter") -> Iterator[httpx.Client]:
        """A browser in which a new member with this role is signed in."""
        with self.visitor() as client:
            sign_in(client, self.add(role, name))
            yield client


@cache
def stored_password() -> str:
    """The hash of PASSWORD; making one is slow on purpose."""
    return hash_password(PASSWORD)


def sign_in(
    client: httpx.Client, email: str, password: str = PASSWORD
) -> httpx.Response:
    return client.post("/sign-in", data={"email": email, "password": password})


@contextmanager
def running(
    database: Database,
    folder: Path,
    *,
    bot: bool = True,
    receiver: Receiver | None = None,
) -> Iterator[Site]:
    """A site over `database`, ended with the block; without `bot` nobody answers."""
    clock = SystemClock()
    settings = Settings()
    ready = threading.Event()
    ended: list[asyncio.Event] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        maildir = folder / "maildir"

        async def live() -> None:
            knowledge = Knowledge(database, clock, settings, folder)
            if bot:
                await knowledge.prepare()
            recorder = Recorder(settings, knowledge)
            turns = Turns(Parts(database, clock, recorder, knowledge), handle_turn)
            services = Services(
                settings=settings,
                clock=clock,
                database=database,
                desk=Desk(database, clock, recorder),
                chat=WebChat(database, clock, turns.store, 240),
                composer=Composer(
                    settings,
                    read_reasons(ROOT / "templates", settings.shop.languages),
                ),
                receiver=receiver,
                setup_code=SETUP_CODE,
                maildir=maildir,
            )
            server = uvicorn.Server(
                uvicorn.Config(
                    create_app(services),
                    log_config=None,
                    lifespan="off",
                    timeout_graceful_shutdown=1,
                )
            )
            ended.append(asyncio.Event())
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110  the server has no event
                await asyncio.sleep(0.005)
            ready.set()
            await ended[0].wait()
            server.should_exit = True
            await serving
            await turns.drain()

        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
        thread.start()
        assert ready.wait(30), "the site did not start"
        yield Site(url, database, clock, maildir)
        loop.call_soon_threadsafe(ended[0].set)
        thread.join()
        loop.close()
