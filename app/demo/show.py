"""`rapport demo`: makes the shop once, then serves it with a mailbox of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from app.demo.installation import (
    CONFIG,
    DEMO,
    EMAIL,
    clear,
    directory_of,
    make_sign_in,
    read_config,
    write_config,
)
from app.demo.profile import Profile, load_profile
from app.serve import OnUp, listen, say, serve
from app.single import only_server
from app.wiring import Program, anchored, open_program
from content.profile import DEFAULT
from core.clock import Clock, SystemClock
from core.errors import DataError, Problem
from outreach.mailserver import MailServer
from storage import audience, jobs, versions
from storage.database import Connection
from storage.versions import ContentKind

SEED = 7
FIRST_RUN = "demo-first-run"


def show_demo(
    port: int, directory: Path | None, *, fresh: bool, profile: str = DEFAULT
) -> None:
    """Serve the demo until a signal ends it.

    Raises
    ------
    AlreadyServed : another process shows the demo of this folder
    DataError : there is no such profile, or the folder holds the demo of another
    SettingsError : the port is taken
    """
    trade = load_profile(profile)
    folder = (directory or directory_of(profile)).resolve()
    _refuse_second(folder)
    if fresh:
        clear(folder)
    _refuse_other(folder, profile)
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_show(folder, port, trade))


def _refuse_second(folder: Path) -> None:
    """It would take settings, mails and data from under the first."""
    if (folder / CONFIG).exists():
        with only_server(folder / "rapport.db"):
            pass


def _refuse_other(folder: Path, profile: str) -> None:
    """The data of one trade under the words of another would make no sense."""
    if not (folder / CONFIG).exists():
        return
    shown = read_config(folder).shop.profile
    if shown != profile:
        raise DataError(
            Problem(
                "this folder holds the demo of another profile",
                shown,
                file=folder,
                hint=f"Add --profile {shown}, or --fresh to begin anew.",
            )
        )


async def _show(folder: Path, port: int, profile: Profile) -> None:
    clock = SystemClock()
    mail = MailServer(folder, clock)
    await mail.start()
    try:
        config = write_config(folder, port, mail.port, profile)
        settings = anchored(read_config(folder), folder)
        # A taken port is told before the shop is made, which takes its time.
        listen(settings.web.host, settings.web.port).close()
        with open_program(settings, clock) as program:
            _make_shop(program, clock, profile)
            tell = _teller(profile, program)
            await serve(program, config, tell, maildir=mail.maildir)
    finally:
        await mail.stop()


def _make_shop(program: Program, clock: Clock, profile: Profile) -> None:
    """Make the shop where there is none, and ask for its first pass."""
    now = clock.now()
    if not program.database.read_now(lambda c: audience.customer_ids(c, None, 0, 1)):
        from app.demo.load import load_shop
        from app.demo.shop import make_shop

        say(f"Making a {profile.company.kind} of 2,000 customers ...")
        shop = make_shop(SEED, now, settings=program.settings, profile=profile)
        load_shop(program.database, shop, now, program.settings)
    make_sign_in(program.database, profile.password, now)

    def ask(connection: Connection) -> None:
        campaigns = versions.keys(connection, ContentKind.CAMPAIGN)
        payload = {"campaigns": campaigns}
        jobs.enqueue(connection, "pipeline", payload, now, FIRST_RUN)

    program.database.write_now(DEMO, ask)


def _teller(profile: Profile, program: Program) -> OnUp:
    """Says where to look, once the pages are up."""
    campaigns = program.database.read_now(
        lambda c: versions.keys(c, ContentKind.CAMPAIGN)
    )
    many = {2: "Two", 3: "Three"}.get(len(campaigns), str(len(campaigns)))

    async def tell(address: str) -> None:
        say(
            "1. Customers grow unhappy, and one product is why: "
            f"{address}/satisfaction?days=90",
            f"2. {many} campaigns are going out now: "
            f"{address}/campaigns, {address}/mailbox",
            f"3. Be a customer at {address}/chat, then answer at {address}/inbox",
            f"Sign in as {EMAIL} with {profile.password}. Ctrl+C ends the demo.",
        )

    return tell
