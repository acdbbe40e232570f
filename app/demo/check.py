"""`rapport demo --check`: the main job at a fixed time, compared with the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from app.demo.installation import read_config, write_config
from app.demo.load import load_shop
from app.demo.profile import Profile, load_profile
from app.demo.shop import make_shop
from app.serve import say
from app.tables import show_report
from app.wiring import (
    Program,
    anchored,
    make_composer,
    make_mail_channel,
    make_sender,
    open_program,
)
from content.profile import DEFAULT
from core.clock import SimulatedClock
from core.model import Channel, ChannelPort
from outreach.mailserver import MailServer, read_taken
from outreach.pipeline import Parts, Report, run
from outreach.reconcile import Recorded, Verdict, check
from storage import deliveries, versions
from storage.database import Connection
from storage.versions import ContentKind

SEED = 7
# A Tuesday morning in Berlin, when nobody's hours are quiet.
NOON = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
EXIT_OK, EXIT_BAD = 0, 1


def check_demo(customers: int = 2000, profile: str = DEFAULT) -> int:
    """0 only where every customer has a terminal state and the journal agrees."""
    with TemporaryDirectory(prefix="rapport-check-") as folder:
        return asyncio.run(_check(Path(folder), customers, load_profile(profile)))


async def _check(folder: Path, customers: int, profile: Profile) -> int:
    clock = SimulatedClock(NOON)
    mail = MailServer(folder, clock)
    await mail.start()
    try:
        write_config(folder, 8080, mail.port, profile)
        with _program(folder, clock) as program:
            shop = make_shop(SEED, NOON, customers, program.settings, profile)
            load_shop(program.database, shop, NOON, program.settings)
            report = await _run(program)
            recorded = await program.database.read(partial(_recorded, report=report))
    finally:
        await mail.stop()
    show_report(report)
    return _judge(report, check(read_taken(mail.journal), recorded), len(recorded))


@contextmanager
def _program(folder: Path, clock: SimulatedClock) -> Iterator[Program]:
    settings = anchored(read_config(folder), folder)
    with open_program(settings, clock) as program:
        yield program


async def _run(program: Program) -> Report:
    from bot.webchat import WebChatChannel

    composer = make_composer(program.settings)
    language = program.settings.shop.languages[0]
    channels: dict[Channel, ChannelPort] = {
        Channel.EMAIL: make_mail_channel(program),
        Channel.WEBCHAT: WebChatChannel(program.database, program.clock, language),
    }
    sender = make_sender(program, composer, channels)
    parts = Parts(program.database, program.clock, program.settings, composer, sender)
    campaigns = await program.database.read(_campaigns)
    try:
        return await run(parts, campaigns)
    finally:
        await channels[Channel.EMAIL].close()


def _campaigns(connection: Connection) -> list[str]:
    return versions.keys(connection, ContentKind.CAMPAIGN)


def _recorded(connection: Connection, report: Report) -> list[Recorded]:
    run_ids = [each.run.id for each in report.runs]
    return [Recorded(*row) for row in deliveries.mailed(connection, run_ids)]


def _judge(report: Report, verdict: Verdict, mails: int) -> int:
    """Say whether all is settled and agrees; the exit code says the same."""
    unsettled = sum(each.open_count for each in report.runs)
    planned = sum(each.planned_count for each in report.runs)
    say(f"{planned:,} deliveries planned, {unsettled:,} without an end.")
    say(f"{mails:,} mails compared with the mail server's journal: {verdict}")
    ended_well = report.stopped is None and planned > 0 and mails > 0
    return EXIT_OK if ended_well and unsettled == 0 and verdict.ok else EXIT_BAD
