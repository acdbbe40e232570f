"""Delivery workers in processes of their own, to be killed or stopped.

They are forked from a process that has imported everything: a start then costs
milliseconds, and a sweep over many kills fits into a build.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from bot.webchat import WebChatChannel
from core.clock import SystemClock
from core.failpoint import VARIABLE
from core.log import configure_logs
from core.model import Channel, ChannelPort
from outreach.compose import Composer
from outreach.delivery import Sender
from outreach.smtp import SmtpChannel
from storage.database import open_database
from tests.outreach.house import REASONS, settings_for

LIFETIME_SECONDS = 120.0
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Work:
    """What one worker is told; `failpoint` names the moment of its death."""

    url: str
    port: int
    journals: Path
    rows_per_claim: int
    lease_seconds: float
    failpoint: str | None = None
    channel: Channel = Channel.EMAIL


def start_worker(work: Work) -> BaseProcess:
    """A running worker; it ends when nothing is open, or with this process."""
    process = _forks.Process(target=_main, args=(work,), daemon=True)
    process.start()
    return process


def _main(work: Work) -> None:
    configure_logs("error", "text")
    if work.failpoint is not None:
        os.environ[VARIABLE] = work.failpoint
    asyncio.run(_send(work))


async def _send(work: Work) -> None:
    settings = settings_for(
        work.port, deliveries_per_claim=work.rows_per_claim, retry_first_seconds=0.1
    )
    clock = SystemClock()
    with open_database(work.url) as database:
        channel: ChannelPort = SmtpChannel(settings.mail, settings.shop.name, clock)
        if work.channel is Channel.WEBCHAT:
            channel = WebChatChannel(database, clock, "en")
        sender = Sender(
            database,
            clock,
            {channel.name: channel},
            Composer(settings, REASONS),
            settings.outreach,
            work.lease_seconds,
            work.journals,
            settings.mail.connections,
        )
        async with asyncio.timeout(LIFETIME_SECONDS):
            await sender.run_until_done()
        await channel.close()
