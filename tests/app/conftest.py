"""An installation in a folder of its own, with a settings file for child processes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

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
