"""The scheduler's whole way on a seeded shop, with a real mail server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from app.demo.check import NOON, SEED, check_demo
from app.demo.installation import read_config, write_config
from app.demo.load import load_shop
from app.demo.shop import make_shop
from app.wiring import (
    Program,
    anchored,
    make_composer,
    make_mail_channel,
    make_sender,
    open_program,
)
from bot.webchat import WebChatChannel
from core.clock import SimulatedClock
from core.model import Channel, ChannelPort, RunState
from outreach.mailserver import MailServer, read_taken
from outreach.pipeline import Parts, Report, run
from outreach.reconcile import Recorded, check
from storage import audience, deliveries
from storage.database import Connection

pytestmark = pytest.mark.flow

CUSTOMERS = 150
CAMPAIGNS = ("win-back", "new-product", "thank-you")


@dataclass(frozen=True)
class Pass:
    """Two calls for the same moment, and the journals after each."""

    program: Program
    first: Report
    second: Report
    taken_by_first: int
    mail: Path


async def run_once(program: Program) -> Report:
    composer = make_composer(program.settings)
    channels: dict[Channel, ChannelPort] = {
        Channel.EMAIL: make_mail_channel(program),
        Channel.WEBCHAT: WebChatChannel(program.database, program.clock, "en"),
    }
    sender = make_sender(program, composer, channels)
    parts = Parts(program.database, program.clock, program.settings, composer, sender)
    try:
        return await run(parts, CAMPAIGNS, NOON)
    finally:
        await channels[Channel.EMAIL].close()


async def run_twice(folder: Path, program: Program, mail: MailServer) -> Pass:
    first = await run_once(program)
    taken = len(list(read_taken(mail.journal)))
    second = await run_once(program)
    return Pass(program, first, second, taken, mail.journal)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pass]:
    """A small shop whose pipeline ran twice for the same moment."""
    folder = tmp_path_factory.mktemp("shop")
    clock = SimulatedClock(NOON)

    async def main(mail: MailServer, program: Program) -> Pass:
        try:
            return await run_twice(folder, program, mail)
        finally:
            await mail.stop()

    with asyncio.Runner() as runner:
        mail = MailServer(folder, clock)
        runner.run(mail.start())
        write_config(folder, 8080, mail.port)
        with open_program(anchored(read_config(folder), folder), clock) as program:
            load_shop(program.database, make_shop(SEED, NOON, CUSTOMERS), NOON)
            yield runner.run(main(mail, program))


def recorded(connection: Connection, report: Report) -> list[Recorded]:
    ids = [each.run.id for each in report.runs]
    return [Recorded(*row) for row in deliveries.mailed(connection, ids)]


def test_every_customer_comes_to_an_end(done: Pass) -> None:
    assert done.first.stopped is None
    assert [each.run.campaign_key for each in done.first.runs] == list(CAMPAIGNS)
    assert [each.open_count for each in done.first.runs] == [0, 0, 0]
    assert {each.run.state for each in done.first.runs} == {RunState.FINISHED}


def test_everybody_in_the_audience_has_a_row(done: Pass) -> None:
    everybody = done.program.database.read_now(
        lambda c: audience.customer_ids(c, None, 0, 10 * CUSTOMERS)
    )
    by_key = {each.run.campaign_key: each for each in done.first.runs}

    assert by_key["new-product"].planned_count == len(everybody)
    assert 0 < by_key["win-back"].planned_count < len(everybody)


def test_the_mail_server_agrees_with_the_database(done: Pass) -> None:
    known = done.program.database.read_now(partial(recorded, report=done.first))

    assert len(known) > CUSTOMERS / 4
    verdict = check(read_taken(done.mail), known)
    assert verdict.ok, str(verdict)


def test_the_same_moment_again_sends_nothing_more(done: Pass) -> None:
    assert len(list(read_taken(done.mail))) == done.taken_by_first
    assert [each.run for each in done.second.runs] == [
        each.run for each in done.first.runs
    ]
    assert [each.funnel for each in done.second.runs] == [
        each.funnel for each in done.first.runs
    ]


def test_the_analysis_names_segments_and_finds_offers(done: Pass) -> None:
    analysed = done.first.analysed

    assert analysed is not None
    assert sum(analysed.segments.values()) <= analysed.customers
    assert any("risk" in name.lower() for name in analysed.segments)
    assert analysed.recommendations > CUSTOMERS


def test_the_check_of_the_demo_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    code = check_demo(customers=CUSTOMERS)

    told = capsys.readouterr()
    assert code == 0, told.err
    assert "journal and database agree" in told.err
    assert "win-back" in told.out
