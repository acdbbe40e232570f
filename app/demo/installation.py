"""The demo's own installation: its folder, its settings, its sign-in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from app.demo.profile import Profile, load_profile
from content.profile import DEFAULT
from core.errors import DataError, Problem
from core.model import Role, system
from core.settings import ROOT, Settings, load_settings
from storage import staff
from storage.database import Connection, Database
from storage.staff import NewMember

DEMO = system("demo")
CONFIG = "config.yaml"
EMAIL = "demo@example.com"


def directory_of(profile: str) -> Path:
    """Where the demo of a profile keeps its data, if nobody says otherwise."""
    return ROOT / "data" / ("demo" if profile == DEFAULT else f"demo-{profile}")


def demo_values(profile: Profile, web_port: int, mail_port: int) -> dict[str, Any]:
    """The settings that differ from the shipped ones."""
    company = profile.company
    host = company.url.removeprefix("https://")
    return {
        "shop": {
            "profile": profile.key,
            "name": company.name,
            "url": company.url,
            "support_email": company.support_email,
            "postal_address": company.postal_address,
        },
        "storage": {"url": "sqlite:///rapport.db", "data_directory": "."},
        "web": {"port": web_port, "public_url": f"http://127.0.0.1:{web_port}"},
        "mail": {
            "host": "127.0.0.1",
            "port": mail_port,
            "tls": "none",
            "from_address": f"hello@{host}",
        },
        # Somebody who tries the demo at night wants to see mail, not wait for it.
        "outreach": {"quiet_hours": "00:00-00:00"},
        "bot": {"survey_delay_seconds": 5.0, "issues": list(profile.issues)},
    }


def write_config(
    directory: Path, web_port: int, mail_port: int, profile: Profile | None = None
) -> Path:
    """Write the settings file of the demo; the environment still stands above it."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / CONFIG
    with file.open("w", encoding="utf-8") as stream:
        stream.write("# Written by `rapport demo` at every start.\n")
        values = demo_values(profile or load_profile(), web_port, mail_port)
        YAML().dump(values, stream)
    return file


def read_config(directory: Path) -> Settings:
    """The settings of the demo in this folder."""
    return load_settings(directory / CONFIG)


def clear(directory: Path) -> None:
    """Remove an earlier demo; refuse a folder that is something else.

    Raises
    ------
    DataError : the folder holds files, and none of them says that it is a demo
    """
    if not directory.exists():
        return
    if any(directory.iterdir()) and not (directory / CONFIG).exists():
        raise DataError(
            Problem(
                "this folder is no demo's and stays as it is",
                file=directory,
                hint="Give an empty folder: --directory FOLDER",
            )
        )
    shutil.rmtree(directory)


def make_sign_in(database: Database, password: str, now: Any) -> None:
    """The account that the demo tells you to use, made once."""
    from web.passwords import hash_password

    def work(connection: Connection) -> None:
        if staff.credentials(connection, EMAIL) is None:
            new = NewMember(EMAIL, "Robin Demo", Role.ADMIN, hash_password(password))
            staff.add_member(connection, new, now)

    database.write_now(DEMO, work)
