"""The demo's own installation: its folder, its settings, its sign-in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from core.errors import DataError, Problem
from core.model import Role, system
from core.settings import ROOT, Settings, load_settings
from storage import staff
from storage.database import Connection, Database
from storage.staff import NewMember

DEMO = system("demo")
DIRECTORY = ROOT / "data" / "demo"
CONFIG = "config.yaml"
EMAIL = "demo@example.com"
# The demo listens on loopback alone, and its people are invented.
PASSWORD = "linden-and-tee"  # noqa: S105


def demo_values(web_port: int, mail_port: int) -> dict[str, Any]:
    """The settings that differ from the shipped ones."""
    return {
        "shop": {
            "name": "Linden & Tee",
            "url": "https://shop.example",
            "support_email": "help@shop.example",
            "postal_address": "Linden & Tee, Lindenstrasse 4, 10115 Berlin, Germany",
        },
        "storage": {"url": "sqlite:///rapport.db", "data_directory": "."},
        "web": {"port": web_port, "public_url": f"http://127.0.0.1:{web_port}"},
        "mail": {"host": "127.0.0.1", "port": mail_port, "tls": "none"},
        # Somebody who tries the demo at night wants to see mail, not wait for it.
        "outreach": {"quiet_hours": "00:00-00:00"},
        "bot": {"survey_delay_seconds": 5.0},
    }


def write_config(directory: Path, web_port: int, mail_port: int) -> Path:
    """Write the settings file of the demo; the environment still stands above it."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / CONFIG
    with file.open("w", encoding="utf-8") as stream:
        stream.write("# Written by `rapport demo` at every start.\n")
        YAML().dump(demo_values(web_port, mail_port), stream)
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


def make_sign_in(database: Database, now: Any) -> None:
    """The account that the demo tells you to use, made once."""
    from web.passwords import hash_password

    def work(connection: Connection) -> None:
        if staff.credentials(connection, EMAIL) is None:
            new = NewMember(EMAIL, "Robin Demo", Role.ADMIN, hash_password(PASSWORD))
            staff.add_member(connection, new, now)

    database.write_now(DEMO, work)
