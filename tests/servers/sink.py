"""The SMTP sink as a test sees it: start it, change its modes, read what it took."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from tests.servers.journal import Entry, read_journal
from tests.servers.process import ServerProcess
from tests.servers.smtp_modes import Modes, dump_modes
from tests.servers.smtp_sink import CERTIFICATE

HOST = "127.0.0.1"


class Sink:
    """A running sink; its journal and control file stand in `folder`."""

    certificate = CERTIFICATE
    host = HOST

    def __init__(
        self, folder: Path, *arguments: str, modes: Modes | None = None
    ) -> None:
        self.journal = folder / "smtp.journal"
        self._control = folder / "smtp.modes"
        if modes is not None:
            self.set(modes)
        self._process = ServerProcess(
            "tests.servers.smtp_sink",
            *("--journal", str(self.journal), "--control", str(self._control)),
            *arguments,
        )
        self.port = self._process.port

    def set(self, modes: Modes) -> None:
        """Behave so from the next command on."""
        new = self._control.with_suffix(".new")
        new.write_text(dump_modes(modes), encoding="utf-8")
        new.replace(self._control)

    def accepted(self) -> list[Entry]:
        """The messages taken so far, oldest first."""
        return list(read_journal(self.journal, "accepted"))

    def noted(self, event: str) -> list[Entry]:
        """Other entries: `refused`, `dropped`, `auth`."""
        return list(read_journal(self.journal, event))

    def stop(self) -> None:
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
