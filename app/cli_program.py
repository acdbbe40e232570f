"""What every command begins with: the settings, and the program on its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.wiring import Program
    from core.settings import Settings

Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="RAPPORT_CONFIG", help="The settings file."),
]


def settings_of(config: Path | None) -> tuple[Settings, Path]:
    """The settings and the file that they came from."""
    from app.wiring import anchored
    from core.settings import DEFAULT_FILE, load_settings

    file = (config or DEFAULT_FILE).resolve()
    return anchored(load_settings(file), file.parent), file


@contextmanager
def program_of(config: Path | None) -> Iterator[Program]:
    """The program on its prepared database."""
    from app.wiring import open_program
    from core.clock import SystemClock

    settings, _ = settings_of(config)
    with open_program(settings, SystemClock()) as program:
        yield program
