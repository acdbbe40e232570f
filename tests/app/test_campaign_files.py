"""Campaigns between files and versions: nobody's work is overwritten."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.settings import ROOT
from tests.app.conftest import Rapport

KEY = "win-back"


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """A folder of one's own, pulled into below."""
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder


def pull(rapport: Rapport, templates: Path) -> Path:
    ended = rapport("campaign", "pull", KEY, "--templates", str(templates))
    assert ended.code == 0, ended.err
    return templates / "campaigns" / KEY


def push(rapport: Rapport, templates: Path, key: str = KEY):
    return rapport("campaign", "push", key, "--templates", str(templates))


def change(folder: Path, words: str) -> None:
    (folder / "subject.txt").write_text(words, encoding="utf-8")


def test_what_is_pulled_is_what_was_shipped(rapport: Rapport, templates: Path) -> None:
    folder = pull(rapport, templates)

    shipped = ROOT / "templates" / "campaigns" / KEY
    for file in shipped.glob("[a-z]*"):
        assert (folder / file.name).read_text() == file.read_text()


def test_a_change_is_the_next_version(rapport: Rapport, templates: Path) -> None:
    change(pull(rapport, templates), "A new subject\n")

    ended = push(rapport, templates)

    assert ended.code == 0, ended.err
    assert "win-back is version 2" in ended.err


def test_an_unchanged_folder_makes_no_version(
    rapport: Rapport, templates: Path
) -> None:
    pull(rapport, templates)

    assert "win-back is version 1" in push(rapport, templates).err


def test_a_stale_base_is_refused(rapport: Rapport, templates: Path) -> None:
    folder = pull(rapport, templates)
    other = templates.with_name("others")
    shutil.copytree(templates, other)
    change(folder, "Mine\n")
    push(rapport, templates)
    change(other / "campaigns" / KEY, "Theirs\n")

    ended = push(rapport, other)

    assert ended.code == 1
    assert "has changed since it was pulled" in ended.err
    assert "version 1, newest is 2" in ended.err
    assert "rapport campaign pull win-back" in ended.err


def test_one_may_go_on_after_ones_own_push(rapport: Rapport, templates: Path) -> None:
    folder = pull(rapport, templates)
    for words in ("Second\n", "Third\n"):
        change(folder, words)
        ended = push(rapport, templates)

    assert "win-back is version 3" in ended.err


def test_broken_files_are_refused_with_their_line(
    rapport: Rapport, templates: Path
) -> None:
    change(pull(rapport, templates), "Hello {{ customer.nme }}\n")

    ended = push(rapport, templates)

    assert ended.code == 1
    assert "win-back/subject.txt:1" in ended.err
    assert "Did you mean" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["push", "pull"])
def test_an_unknown_campaign_is_named_with_the_nearest(
    rapport: Rapport, command: str
) -> None:
    ended = rapport("campaign", command, "winback")

    assert ended.code == 1
    assert "Did you mean `win-back`?" in ended.err


def test_a_broken_note_of_the_base_is_told(rapport: Rapport, templates: Path) -> None:
    folder = pull(rapport, templates)
    (folder / ".version").write_text("two")

    ended = push(rapport, templates)

    assert ended.code == 1
    assert "(found: two)" in ended.err
    assert "Pull it again" in ended.err


def test_a_field_that_no_condition_knows_is_refused(
    rapport: Rapport, templates: Path
) -> None:
    file = pull(rapport, templates) / "campaign.yaml"
    file.write_text(f"{file.read_text()}\nwhere: total_spend > 100\n", encoding="utf-8")

    ended = push(rapport, templates)

    assert ended.code != 0
    assert "Did you mean `total_spent`?" in ended.err


def test_an_attribute_that_nobody_has_is_told_at_the_push(
    rapport: Rapport, templates: Path
) -> None:
    file = pull(rapport, templates) / "campaign.yaml"
    words = "where: attributes.points > 100"
    file.write_text(f"{file.read_text()}\n{words}\n", encoding="utf-8")

    ended = push(rapport, templates)

    assert ended.code == 0, ended.err
    assert "no customer has `attributes.points` yet" in ended.err
