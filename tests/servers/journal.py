"""An append-only file that says what a server has taken, one JSON object a line."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

Entry = dict[str, Any]


class Journal:
    """Writes entries so that a killed process leaves whole lines behind.

    An entry is one write to a file opened for appending: lines of two processes
    never mix, and only the last line can be torn.
    """

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._sync = sync

    def note(self, event: str, **fields: Any) -> None:
        """Write what may be lost when the machine loses power."""
        entry = {"event": event, "at": time.time(), **fields}
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
        os.write(self._descriptor, line.encode() + b"\n")

    def commit(self, event: str, **fields: Any) -> None:
        """Write what a client is about to rely on; it is on disk on return."""
        self.note(event, **fields)
        if self._sync:
            os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_journal(path: Path, event: str | None = None) -> Iterator[Entry]:
    """The entries of `path`, only those of `event` if given; none without a file.

    A last line without its end was being written when the process died, so the
    client never got its answer: it is left out. A broken line elsewhere is an error.
    """
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            entry: Entry = json.loads(line)
            if event is None or entry["event"] == event:
                yield entry
