"""One serving process per SQLite file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.single import AlreadyServed, only_server


def test_a_second_server_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "rapport.db"

    with only_server(file), pytest.raises(AlreadyServed) as refused, only_server(file):
        pass

    told = str(refused.value)
    assert f"process {os.getpid()}" in told
    assert str(file) in told
    assert "Stop it first" in told


def test_the_next_server_may_begin_when_the_first_has_ended(tmp_path: Path) -> None:
    file = tmp_path / "rapport.db"
    with only_server(file):
        pass

    with only_server(file):
        assert (tmp_path / "rapport.db.serve").read_text() == str(os.getpid())


def test_a_failing_server_lets_go(tmp_path: Path) -> None:
    file = tmp_path / "rapport.db"

    with pytest.raises(RuntimeError, match="broken"), only_server(file):
        raise RuntimeError("broken")

    with only_server(file):
        pass


def test_two_files_have_a_server_each(tmp_path: Path) -> None:
    with only_server(tmp_path / "a.db"), only_server(tmp_path / "b.db"):
        held = sorted(lock.name for lock in tmp_path.iterdir())

    assert held == ["a.db.serve", "b.db.serve"]


def test_postgresql_may_have_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with only_server(None), only_server(None):
        assert not list(tmp_path.iterdir())
