"""Finding, exporting and erasing one person on the command line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.clock import SystemClock
from core.model import IdentityKind, system
from storage import customers
from storage.database import Connection, open_database
from tests.app.conftest import Rapport


def people(connection: Connection) -> None:
    now = SystemClock().now()
    for name in ("Ann Lee", "王小明"):
        customer_id = customers.create(connection, now, name)
        customers.add_identity(
            connection, customer_id, IdentityKind.EXTERNAL, f"shop:{name}", now
        )


@pytest.fixture
def shop(rapport: Rapport, config: Path) -> Rapport:
    """An installation with two customers."""
    ask(config, people)
    return rapport


def ask(config: Path, work: Callable[[Connection], Any]) -> Any:
    with open_database(f"sqlite:///{config.parent / 'rapport.db'}") as database:
        return database.write_now(system("test"), work)


def name_of(config: Path, customer_id: int) -> Any:
    found = ask(config, lambda c: customers.get(c, customer_id))
    return found.name


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    typed = io.StringIO(text)
    typed.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", typed)


@pytest.mark.parametrize("words", ["小明", "shop:王"])
def test_people_are_found_by_name_and_id(shop: Rapport, words: str) -> None:
    assert shop("customer", "find", words).out == "2\t王小明\n"


def test_a_wildcard_is_no_word(shop: Rapport) -> None:
    assert shop("customer", "find", "%").code == 1


def test_that_nobody_is_found_is_told(shop: Rapport) -> None:
    ended = shop("customer", "find", "Zoe")

    assert ended.code == 1
    assert "Nobody" in ended.err


def test_everything_is_written_for_programs_and_for_reading(
    shop: Rapport, tmp_path: Path
) -> None:
    folder = tmp_path / "told" / "here"

    ended = shop("customer", "export", "2", "--to", str(folder), "--language", "zh")

    assert ended.out == f"{folder / '2.json'}\n{folder / '2.html'}\n"
    told = json.loads((folder / "2.json").read_text(encoding="utf-8"))
    assert told["customer"]["name"] == "王小明"
    assert "王小明" in (folder / "2.html").read_text(encoding="utf-8")


def test_nobody_else_on_the_machine_can_read_it(shop: Rapport, tmp_path: Path) -> None:
    shop("customer", "export", "1", "--to", str(tmp_path))
    old = tmp_path / "1.json"
    old.chmod(0o644)

    shop("customer", "export", "1", "--to", str(tmp_path))

    modes = {(tmp_path / name).stat().st_mode & 0o777 for name in ("1.json", "1.html")}
    assert modes == {0o600}


@pytest.mark.parametrize("command", ["export", "erase"])
def test_a_wrong_number_is_told_with_the_way_to_the_right_one(
    shop: Rapport, command: str
) -> None:
    ended = shop("customer", command, "99")

    assert ended.code == 1
    assert "no such customer (found: 99)" in ended.err
    assert "rapport customer find" in ended.err


def test_erasing_is_asked_for_and_done(
    shop: Rapport, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "erase\n")

    ended = shop("customer", "erase", "1")

    assert "Ann Lee: 0 orders" in ended.err
    assert "Customer 1 is forgotten" in ended.err
    assert name_of(config, 1) is None
    assert name_of(config, 2) == "王小明"


def test_another_answer_erases_nothing(
    shop: Rapport, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "yes\n")

    ended = shop("customer", "erase", "1")

    assert ended.code == 1
    assert name_of(config, 1) == "Ann Lee"


def test_without_a_person_nothing_is_erased_by_chance(
    shop: Rapport, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("erase\n"))

    ended = shop("customer", "erase", "1")

    assert "--yes" in ended.err
    assert name_of(config, 1) == "Ann Lee"


def test_a_script_says_that_it_is_meant(shop: Rapport, config: Path) -> None:
    shop("customer", "erase", "1", "--yes")

    assert name_of(config, 1) is None


def test_who_is_forgotten_is_not_found_any_more(shop: Rapport) -> None:
    shop("customer", "erase", "1", "--yes")

    assert shop("customer", "find", "Ann").code == 1
