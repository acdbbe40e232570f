from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.servers.journal import Journal, read_journal


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "journal"

    with Journal(path) as journal:
        journal.note("first", number=1)
        journal.commit("second", number=2)

    assert [(e["event"], e["number"]) for e in read_journal(path)] == [
        ("first", 1),
        ("second", 2),
    ]


def test_only_the_asked_event_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.note("first")
        journal.note("second")

    entries = list(read_journal(path, "second"))

    assert [entry["event"] for entry in entries] == ["second"]


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.commit("whole")
    with path.open("ab") as file:
        file.write(b'{"event":"torn","at"')

    entries = list(read_journal(path))

    assert [entry["event"] for entry in entries] == ["whole"]


def test_a_broken_line_elsewhere_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"event":"torn"\n{"event":"whole"}\n')

    with pytest.raises(json.JSONDecodeError):
        list(read_journal(path))


def test_a_missing_journal_holds_nothing(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "absent")) == []


def test_a_second_writer_adds_to_the_first(tmp_path: Path) -> None:
    path = tmp_path / "journal"

    for name in ("one", "two"):
        with Journal(path) as journal:
            journal.commit(name)

    assert [entry["event"] for entry in read_journal(path)] == ["one", "two"]
