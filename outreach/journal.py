"""A worker's own record of what it put on the wire, between two commits.

It is not synced: it survives the death of the process, not of the machine. So the
first line says in which life of the machine it was written, and a lock says whether
the worker still lives.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.model import DeliveryState
from storage.deliveries import Claim, Result

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """A word that changes when the machine starts anew; empty where unknown."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Journal:
    """The journal that one worker writes; open as long as the worker lives."""

    def __init__(self, directory: Path, claim: Claim, boot: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / f"{claim.worker}.journal"
        # Without a lock it would pass for a dead worker's: it gets its name with one.
        unnamed = self.path.with_suffix(".new")
        self._file = os.open(unnamed, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._write({"worker": claim.worker, "fence": claim.fence, "boot": boot})
        unnamed.rename(self.path)

    def start(self, delivery_id: int) -> None:
        """The next byte on the wire could deliver this message."""
        self._write({"start": delivery_id})

    def done(self, result: Result) -> None:
        """The far side has answered."""
        self._write(
            {
                "done": result.delivery_id,
                "state": result.state,
                "reason": result.reason,
                "detail": result.detail,
                "due_at": None if result.due_at is None else result.due_at.isoformat(),
            }
        )

    def committed(self) -> None:
        """All that was written so far stands in the database: begin anew."""
        os.ftruncate(self._file, self._head_length)

    def close(self) -> None:
        """End the worker's life in good order."""
        self.path.unlink(missing_ok=True)
        os.close(self._file)

    def abandon(self) -> None:
        """End it in the middle: what was written stays for `remains`."""
        os.close(self._file)

    def _write(self, entry: dict[str, object]) -> None:
        # One write call a line: a kill can't tear it apart from the page cache.
        line = json.dumps(entry).encode() + b"\n"
        os.write(self._file, line)
        if "worker" in entry:
            self._head_length = len(line)


@dataclass(frozen=True, slots=True)
class Remains:
    """What a dead worker left: which messages it started, and which ended how."""

    path: Path
    worker: str
    boot: str
    started: frozenset[int] = frozenset()
    done: dict[int, Result] = field(default_factory=dict)


def remains(directory: Path) -> Iterator[Remains]:
    """The journals of workers that no longer live; the caller deletes each."""
    for path in sorted(directory.glob("*.journal")):
        found = _read_dead(path)
        if found is not None:
            yield found


def read_journal(directory: Path, worker: str) -> Remains | None:
    """What a worker has written until now, whether it lives or not."""
    path = directory / f"{worker}.journal"
    try:
        return _parse(path, path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return None


def _read_dead(path: Path) -> Remains | None:
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _parse(path, path.read_text(encoding="utf-8", errors="replace"))
    except (BlockingIOError, FileNotFoundError):
        return None  # it lives, or ended in good order while we looked
    finally:
        os.close(file)


def _parse(path: Path, text: str) -> Remains:
    worker, boot = path.stem, ""
    started: set[int] = set()
    done: dict[int, Result] = {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # the torn last line of a machine that lost its power
        if "worker" in entry:
            worker, boot = entry["worker"], entry["boot"]
        elif "start" in entry:
            started.add(entry["start"])
        else:
            done[entry["done"]] = _result(entry)
    return Remains(path, worker, boot, frozenset(started), done)


def _result(entry: dict[str, str | int | None]) -> Result:
    due_at = entry["due_at"]
    return Result(
        int(entry["done"] or 0),
        DeliveryState(str(entry["state"])),
        None if entry["reason"] is None else str(entry["reason"]),
        None if due_at is None else datetime.fromisoformat(str(due_at)),
        None if entry["detail"] is None else str(entry["detail"]),
    )
