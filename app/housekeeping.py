"""What nobody needs any more goes, once a day and in small steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from core.clock import Clock
from core.log import get_logger
from core.model import system
from core.settings import Privacy
from storage import api_keys, retention, staff
from storage.database import Connection, Database
from storage.retention import Ageing

log = get_logger("housekeeping")
HOUSEKEEPER = system("housekeeper")
EVERY_SECONDS = 24 * 3600.0
# Listeners look back seconds; a month lets a person trace what happened.
KEEP_CHANGES = timedelta(days=30)
# Below the data directory: rows of people that an import left out, or did not reach.
FOLDERS = ("rejects", "pulls", "received")


class Housekeeper:
    """Tidies at the start and then every day."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        session_hours: float,
        privacy: Privacy,
        data_directory: Path,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keep_sessions = timedelta(hours=session_hours)
        self._privacy = privacy
        self._data_directory = data_directory
        self._stopping = asyncio.Event()
        self._stopped = False

    def stop(self) -> None:
        """End the wait, and what is under way after its next small step."""
        self._stopped = True
        self._stopping.set()

    async def run_for_ever(self) -> None:
        """Tidy until `stop`."""
        while not self._stopping.is_set():
            try:
                await asyncio.to_thread(self.tidy)
            except Exception:  # tomorrow is another day
                log.exception("tidying_failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY_SECONDS)

    def tidy(self) -> dict[str, int]:
        """Drop what is over; returns how many of each kind."""
        now = self._clock.now()
        found: dict[str, int] = {}
        for name, work in self._works(now):
            if self._stopped:
                break
            count = work()
            if count:
                found[name] = count
                log.info("retention", what=name, count=count)
        return found

    def _works(self, now: datetime) -> Iterator[tuple[str, Callable[[], int]]]:
        """Each kind with what drops it; those that are kept for ever left out."""
        keep, database = self._privacy, self._database
        yield "changes", self._sweep(retention.CHANGES, now - KEEP_CHANGES)
        yield "api answers", self._once(lambda c: api_keys.forget_answers(c, now))
        ended = now - self._keep_sessions
        yield "sessions", self._once(lambda c: staff.forget_sessions(c, ended))
        for name, days, ageing in (
            ("updates", keep.inbox_days, retention.INBOX),
            ("message texts", keep.message_days, retention.MESSAGES),
            ("utterances", keep.utterance_days, retention.UTTERANCES),
            ("audit log", keep.audit_days, retention.AUDIT),
        ):
            if days:
                yield name, self._sweep(ageing, now - timedelta(days=days))
        if keep.import_undo_days:
            before = now - timedelta(days=keep.import_undo_days)
            yield (
                "import journals",
                lambda: retention.drop_journals(database, HOUSEKEEPER, before, now),
            )
        if keep.silent_customer_days:
            silent = now - timedelta(days=keep.silent_customer_days)
            yield (
                "silent customers",
                lambda: retention.erase_silent(database, HOUSEKEEPER, silent, now),
            )
        if keep.file_days:
            oldest = now - timedelta(days=keep.file_days)
            yield "files", lambda: _drop_files(self._data_directory, oldest)

    def _sweep(self, ageing: Ageing, before: datetime) -> Callable[[], int]:
        return lambda: retention.sweep(self._database, HOUSEKEEPER, ageing, before)

    def _once(self, work: Callable[[Connection], int]) -> Callable[[], int]:
        return lambda: self._database.write_now(HOUSEKEEPER, work)


def _drop_files(data_directory: Path, before: datetime) -> int:
    """Files that nobody wrote to since; how many."""
    dropped = 0
    for folder in FOLDERS:
        for file in (data_directory / folder).glob("*"):
            # Somebody else may be faster.
            with suppress(FileNotFoundError):
                if file.is_file() and file.stat().st_mtime < before.timestamp():
                    file.unlink()
                    dropped += 1
    return dropped
