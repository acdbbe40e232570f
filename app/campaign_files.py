"""Campaigns on disk: which version a folder was pulled from, so that none is lost."""

from __future__ import annotations

from pathlib import Path

from app.serve import say
from app.wiring import Program
from content.files import (
    CampaignSource,
    read_campaign,
    read_layout,
    write_campaign,
)
from content.lint import unknown_names
from content.profile import TEMPLATES, content_root
from core.errors import CampaignError, Problem
from core.model import system
from outreach.campaigns import newest_campaign, push_campaign, set_schedules
from outreach.policy import FIELDS
from storage import versions
from storage.audience import open_names
from storage.database import Connection
from storage.versions import ContentKind, Version

COMMAND_LINE = system("command-line")
# Begins with a dot, so that it is no file of the campaign.
BASE_FILE = ".version"


def push(program: Program, key: str, templates: Path | None) -> None:
    """Make a version from files; refuse what somebody has changed since the pull."""
    root = templates or content_root(program.settings.shop.profile)
    source = _with_layout(read_campaign(root, key))
    now, languages = program.clock.now(), program.settings.shop.languages

    def work(connection: Connection) -> Version:
        base = _base(connection, root, key)
        version = push_campaign(connection, source, languages, now, base)
        set_schedules(connection, program.settings, now)
        return version

    version = program.database.write_now(COMMAND_LINE, work)
    _note(root, key, version.version)
    known = program.database.read_now(open_names)
    for finding in unknown_names(source, FIELDS, known):
        say(str(finding))
    say(f"{key} is version {version.version}. Next: rapport run --campaign {key}")


def pull(program: Program, key: str, templates: Path | None) -> None:
    """Write the newest version to files."""
    root = templates or content_root(program.settings.shop.profile)
    version, _ = program.database.read_now(lambda c: newest_campaign(c, key))
    folder = write_campaign(root, CampaignSource(key, version.files))
    _note(root, key, version.version)
    say(f"Version {version.version} of {key} is in {folder}")


def _with_layout(source: CampaignSource) -> CampaignSource:
    """The campaign with the shipped mail layout, where its folder has none."""
    if any(name.startswith("layout/") for name in source.files):
        return source
    return CampaignSource(source.key, {**source.files, **read_layout(TEMPLATES)})


def _base(connection: Connection, root: Path, key: str) -> int:
    """The version that the folder was made from; the shipped ones are the first."""
    file = root / "campaigns" / key / BASE_FILE
    if file.exists():
        text = file.read_text(encoding="utf-8", errors="replace").strip()
        if text.isascii() and text.isdigit():
            return int(text)
        raise CampaignError(
            Problem(
                "the number of the version that this folder was pulled as",
                text,
                file=file,
                hint=f"Pull it again: rapport campaign pull {key}",
            )
        )
    newest = versions.newest(connection, ContentKind.CAMPAIGN, key)
    return 0 if newest is None else 1


def _note(root: Path, key: str, version: int) -> None:
    file = root / "campaigns" / key / BASE_FILE
    file.write_text(f"{version}\n", encoding="ascii")
