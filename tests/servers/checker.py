"""Compares a sink's journal with the deliveries of the database, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from outreach.reconcile import Recorded, Taken, Verdict, check
from tests.servers.journal import read_journal


def taken_by(journal: Path) -> Iterator[Taken]:
    """Every message and recipient in the journal of `tests.servers.smtp_sink`."""
    for entry in read_journal(journal, "accepted"):
        for recipient in entry["recipients"]:
            yield Taken(entry["message_id"], recipient)


def check_sink(journal: Path, deliveries: Iterable[Recorded]) -> Verdict:
    """What of the two does not agree; assert that it is `ok` and show it if not."""
    return check(taken_by(journal), deliveries)
