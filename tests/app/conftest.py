"""An installation in a folder of its own, with a settings file for child processes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from app.cli import main

VALUES = {
    "storage": {"url": "sqlite:///rapport.db", "data_directory": "."},
    "web": {"port": 0},
    "mail": {"port": 9, "tls": "none"},
    "bot": {"embedder": "none"},
    "outreach": {"quiet_hours": "00:00-00:00"},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def config(sqlite_template: Path, tmp_path: Path) -> Path:
    """A settings file beside a migrated database."""
    shutil.copy(sqlite_template, tmp_path / "rapport.db")
    file = tmp_path / "config.yaml"
    with file.open("w") as stream:
        YAML().dump(VALUES, stream)
    return file


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Rapport = Callable[..., Ended]


@pytest.fixture
def rapport(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Rapport:
    """Runs a command line on the installation."""
    monkeypatch.setenv("RAPPORT_CONFIG", str(config))
    monkeypatch.setenv("RAPPORT_LOG__LEVEL", "error")
    # Wide enough that no table is broken into lines.
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["rapport", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        return Ended(code if isinstance(code, int) else 1, *capsys.readouterr())

    return run
