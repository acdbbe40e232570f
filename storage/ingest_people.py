"""The writer of records that stand alone: every kind but orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Connection

from core.records import Batch
from storage.ingest import Import, Progress, save_progress

R = TypeVar("R")
# What a batch's rows needed, by reason.
Corrected = Counter[str]
WriteRecords = Callable[[Connection, Import, list[R], datetime], Corrected]


class RecordWriter(Generic[R]):
    """Writes the batches of one import by `write_records`.

    Parameters
    ----------
    row : the import, as `ingest.begin` gave it
    write_records : `write_customers`, `write_products` and so on

    `write` and `learn` are used as those of `OrderWriter`.
    """

    def __init__(self, row: Import, write_records: WriteRecords[R]) -> None:
        self.progress = row.progress
        self._import = row
        self._write_records: WriteRecords[R] = write_records

    def write(self, connection: Connection, batch: Batch[R], now: datetime) -> Progress:
        """Store a batch and the place that it reached.

        Parameters
        ----------
        connection : a writing one
        batch : rows in the order of the file; a later one of the same id wins
        now : aware

        Returns
        -------
        What `learn` takes.
        """
        before = self.progress
        reached = before.after(batch, Counter())
        save_progress(connection, self._import, before, reached)
        corrected = self._write_records(connection, self._import, batch.records, now)
        progress = before.after(batch, corrected)
        save_progress(connection, self._import, reached, progress)
        return progress

    def learn(self, progress: Progress) -> None:
        """Take over how far a committed batch came."""
        self.progress = progress
