"""The command line: quick to help, and every mistake told in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.conftest import Rapport
from tests.servers.process import ROOT

HEAVY = ("pandas", "sklearn", "scipy", "matplotlib", "telegram", "fastapi", "aiohttp")
HELP = """
import sys
from app.cli import main
sys.argv = ["rapport", "--help"]
try:
    main()
finally:
    print("loaded", *sys.modules)
"""


def test_help_loads_no_heavy_library() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HELP],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    told, _, loaded = ended.stdout.partition("loaded ")
    assert "campaign" in told
    assert "typer" in loaded.split()
    assert not set(HEAVY) & set(loaded.split())


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("campaign",),
        ("run", "--help"),
        ("serve", "--help"),
        ("demo", "--help"),
        ("report", "service", "--help"),
    ],
)
def test_every_command_explains_itself(
    rapport: Rapport, words: tuple[str, ...]
) -> None:
    assert "Usage" in "".join([(found := rapport(*words)).out, found.err])


def test_an_unknown_campaign_is_named_with_the_nearest(rapport: Rapport) -> None:
    ended = rapport("run", "--campaign", "winback", "--no-send")

    assert ended.code == 1
    assert "unknown campaign (found: winback)" in ended.err
    assert "Did you mean `win-back`?" in ended.err
    assert "Traceback" not in ended.err


def test_an_unknown_setting_is_told_with_its_line(
    rapport: Rapport, config: Path
) -> None:
    config.write_text("web: {port: 0}\noutreach:\n  cap_mesages: 3\n")

    ended = rapport("report", "runs")

    assert ended.code == 1
    assert f"{config}:3" in ended.err
    assert "Did you mean `cap_messages`?" in ended.err


def test_a_missing_settings_file_is_told(rapport: Rapport, tmp_path: Path) -> None:
    ended = rapport("report", "runs", "--config", str(tmp_path / "none.yaml"))

    assert ended.code == 1
    assert "none.yaml" in ended.err
    assert "Traceback" not in ended.err


def test_a_database_of_another_version_is_told(rapport: Rapport, config: Path) -> None:
    (config.parent / "rapport.db").write_bytes(b"no database at all" * 100)

    ended = rapport("campaign", "list")

    assert ended.code == 1
    assert "rapport restore" in ended.err
    assert "Traceback" not in ended.err


def test_campaigns_are_listed(rapport: Rapport) -> None:
    ended = rapport("campaign", "list")

    assert ended.code == 0
    for key in ("win-back", "new-product", "thank-you"):
        assert key in ended.out


def test_a_pass_without_data_says_what_is_missing(rapport: Rapport) -> None:
    ended = rapport("run", "--campaign", "new-product")

    assert ended.code == 0, ended.err
    assert "0 orders; an analysis needs 20" in ended.out
    assert "new-product" in ended.out


def test_a_role_that_does_not_exist_is_told(rapport: Rapport) -> None:
    ended = rapport(
        "staff", "add", "a@shop.example", "--role", "agnet", "--name", "Lea"
    )

    assert ended.code == 1
    assert "Did you mean `agent`?" in ended.err


def test_the_first_account_is_an_administrator(rapport: Rapport) -> None:
    ended = rapport(
        "staff", "add", "a@shop.example", "--role", "agent", "--name", "Lea"
    )

    assert ended.code == 1
    assert "--role admin" in ended.err


def test_a_backup_can_be_checked(rapport: Rapport, tmp_path: Path) -> None:
    made = rapport("backup", str(tmp_path / "backups"))

    assert made.code == 0, made.err
    assert rapport("restore", made.out.strip(), "--check").code == 0
