"""`rapport demo`: makes the shop once, then serves it with a mailbox of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from app.demo.installation import (
    CONFIG,
    DEMO,
    DIRECTORY,
    EMAIL,
    PASSWORD,
    clear,
    make_sign_in,
    read_config,
    write_config,
)
from app.serve import listen, say, serve
from app.single import only_server
from app.wiring import Program, anchored, open_program
from core.clock import Clock, SystemClock
from outreach.mailserver import MailServer
from storage import audience, jobs, versions
from storage.database import Connection
from storage.versions import ContentKind

SEED = 7
FIRST_RUN = "demo-first-run"


def show_demo(port: int, directory: Path | None, *, fresh: bool) -> None:
    """Serve the demo until a signal ends it.

    Raises
    ------
    AlreadyServed : another process shows the demo of this folder
    SettingsError : the port is taken
    """
    folder = (directory or DIRECTORY).resolve()
    _refuse_second(folder)
    if fresh:
        clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_show(folder, port))


def _refuse_second(folder: Path) -> None:
    """It would take settings, mails and data from under the first."""
    if (folder / CONFIG).exists():
        with only_server(folder / "rapport.db"):
            pass


async def _show(folder: Path, port: int) -> None:
    clock = SystemClock()
    mail = MailServer(folder, clock)
    await mail.start()
    try:
        config = write_config(folder, port, mail.port)
        settings = anchored(read_config(folder), folder)
        # A taken port is told before the shop is made, which takes its time.
        listen(settings.web.host, settings.web.port).close()
        with open_program(settings, clock) as program:
            _make_shop(program, clock)
            await serve(program, config, _tell, maildir=mail.maildir)
    finally:
        await mail.stop()


def _make_shop(program: Program, clock: Clock) -> None:
    """Make the shop where there is none, and ask for its first pass."""
    now = clock.now()
    if not program.database.read_now(lambda c: audience.customer_ids(c, None, 0, 1)):
        from app.demo.load import load_shop
        from app.demo.shop import make_shop

        say("Making a shop of 2,000 customers ...")
        shop = make_shop(SEED, now, settings=program.settings)
        load_shop(program.database, shop, now, program.settings)
    make_sign_in(program.database, now)

    def ask(connection: Connection) -> None:
        campaigns = versions.keys(connection, ContentKind.CAMPAIGN)
        payload = {"campaigns": campaigns}
        jobs.enqueue(connection, "pipeline", payload, now, FIRST_RUN)

    program.database.write_now(DEMO, ask)


async def _tell(address: str) -> None:
    say(
        "1. Customers grow unhappy, and one product is why: "
        f"{address}/satisfaction?days=90",
        f"2. Three campaigns are going out now: {address}/campaigns, {address}/mailbox",
        f"3. Be a customer at {address}/chat, then answer at {address}/inbox",
        f"Sign in as {EMAIL} with {PASSWORD}. Ctrl+C ends the demo.",
    )
