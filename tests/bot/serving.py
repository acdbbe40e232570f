"""A shop on Telegram in a process of its own, to be killed."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from core.clock import SystemClock
from core.log import configure_logs
from core.settings import Settings, Storage, Telegram
from storage.database import open_database
from tests.bot.house import House
from tests.servers.life import announce, until_end

# A killed process keeps its lease for so long.
LEASE_SECONDS = 1.0
LIFETIME_SECONDS = 300.0


def settings_of(url: str, token: str, api_url: str) -> Settings:
    return Settings(
        storage=Storage(url=url, lease_seconds=LEASE_SECONDS),
        telegram=Telegram(
            token=token,
            api_url=api_url,
            messages_per_second=1000,
            messages_per_second_per_chat=1000,
            long_poll_seconds=1,
        ),
    )


async def serve(settings: Settings, base: Path, parent: int) -> None:
    with open_database(settings.storage.url) as database:
        house = House(database, base, settings, SystemClock())
        await house.service.start()
        announce(pid=os.getpid())
        await until_end(LIFETIME_SECONDS, parent)
        await house.service.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    for name in ("--url", "--token", "--api-url", "--base"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    configure_logs("warning", "text")
    settings = settings_of(given.url, given.token, given.api_url)
    asyncio.run(serve(settings, Path(given.base), given.parent))


if __name__ == "__main__":
    main()
