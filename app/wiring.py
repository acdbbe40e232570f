"""Puts the parts together; the only place that knows all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from content.profile import TEMPLATES, content_root
from core.clock import Clock
from core.log import configure_logs
from core.model import Channel, ChannelPort, system
from core.settings import Settings
from storage import installation
from storage.database import Connection, Database, open_database
from storage.migrate import prepare

if TYPE_CHECKING:
    from outreach.compose import Composer
    from outreach.delivery import Sender

SETUP = system("setup")
KEY_PURPOSES = ("address", "holdout", "links", "webchat")


@dataclass(frozen=True, slots=True)
class Program:
    """An open installation: settings, time, and the prepared database."""

    settings: Settings
    clock: Clock
    database: Database
    data_directory: Path
    # False where the file was too large to be checked in full at the start.
    checked: bool = True

    @property
    def journal_directory(self) -> Path:
        return self.data_directory / "journals"


def anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings, with relative paths beginning at `folder`."""
    storage = settings.storage
    prefix, _, path = storage.url.partition(":///")
    url = storage.url
    if prefix.startswith("sqlite") and not Path(path).is_absolute():
        url = f"{prefix}:///{folder / path}"
    directory = folder / storage.data_directory
    moved = storage.model_copy(update={"url": url, "data_directory": directory})
    sources = [
        source.model_copy(update={"file": source.file and folder / source.file})
        for source in settings.collect.sources
    ]
    collect = settings.collect.model_copy(update={"sources": sources})
    return settings.model_copy(update={"storage": moved, "collect": collect})


@contextmanager
def open_program(settings: Settings, clock: Clock) -> Iterator[Program]:
    """The program on its database, made or checked first, closed afterwards.

    Raises
    ------
    SchemaOutdated, DatabaseCorrupt : with the command that mends it
    """
    configure_logs(settings.log.level, settings.log.format)
    database = open_database(settings.storage.url)
    try:
        checked = prepare(database)
        directory = settings.storage.data_directory
        directory.mkdir(parents=True, exist_ok=True)
        program = Program(settings, clock, database, directory, checked)
        _set_up(program)
        yield program
    finally:
        database.close()


def make_composer(settings: Settings) -> Composer:
    """The writer of campaign messages."""
    from content.reasons import read_reasons
    from outreach.compose import Composer

    root = content_root(settings.shop.profile)
    return Composer(settings, read_reasons(root, settings.shop.languages))


def make_sender(
    program: Program, composer: Composer, channels: Mapping[Channel, ChannelPort]
) -> Sender:
    """A delivery worker for these channels."""
    from outreach.delivery import Sender

    settings = program.settings
    return Sender(
        program.database,
        program.clock,
        channels,
        composer,
        settings.outreach,
        settings.storage.lease_seconds,
        program.journal_directory,
        settings.mail.connections,
    )


def make_mail_channel(program: Program) -> ChannelPort:
    """The e-mail channel of the settings."""
    from outreach.smtp import SmtpChannel

    shop = program.settings.shop
    return SmtpChannel(program.settings.mail, shop.name, program.clock)


def _set_up(program: Program) -> None:
    """Keys and the shipped campaigns, where this installation has none yet."""
    missing = program.database.read_now(_missing_keys)
    if missing:
        program.database.write_now(
            SETUP, lambda c: [installation.key(c, purpose) for purpose in missing]
        )
    if not program.database.read_now(_has_campaigns):
        from outreach.campaigns import push_starting_set

        shop, now = program.settings.shop, program.clock.now()
        program.database.write_now(
            SETUP,
            lambda c: push_starting_set(
                c, TEMPLATES, shop.languages, now, shop.profile
            ),
        )


def _missing_keys(connection: Connection) -> list[str]:
    return [
        purpose
        for purpose in KEY_PURPOSES
        if not installation.has_key(connection, purpose)
    ]


def _has_campaigns(connection: Connection) -> bool:
    from storage import versions
    from storage.versions import ContentKind

    return versions.counts(connection, ContentKind.CAMPAIGN) > 0
