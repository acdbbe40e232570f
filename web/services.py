"""What the pages need from the rest of the program; `app.wiring` makes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.handover import Desk
from bot.webchat import WebChat
from core.clock import Clock
from core.settings import ROOT, Settings
from outreach.compose import Composer
from storage.database import Database

if TYPE_CHECKING:
    from web.api import Receiver

NODE_MODULES = ROOT / "node_modules"


@dataclass(frozen=True, slots=True)
class Services:
    """The open parts of one running program.

    `setup_code` is what the first administrator types: the server prints it at
    start while there is no staff. `maildir` is the demo's mailbox, if it runs.
    """

    settings: Settings
    clock: Clock
    database: Database
    desk: Desk
    chat: WebChat
    composer: Composer
    receiver: Receiver | None = None
    setup_code: str | None = None
    maildir: Path | None = None
    vendor: Path = NODE_MODULES
