"""Products and opt-outs of a file, and the writer of all but orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, insert, select, update

from core.errors import DataError
from core.model import Channel, ConsentState, IdentityKind
from core.records import Batch, CustomerRecord, OptOutRecord, ProductRecord
from storage import customers as people
from storage.external import external_customers
from storage.ingest import Import, Progress, save_progress
from storage.schema import consents, products

R = TypeVar("R", CustomerRecord, ProductRecord, OptOutRecord)
# What a batch's rows needed, by reason.
Corrected = Counter[str]
WriteRecords = Callable[[Connection, Import, list[R], datetime], Corrected]

SOURCE = "import"


class RecordWriter(Generic[R]):
    """Writes the batches of one import by `write_records`.

    Parameters
    ----------
    row : the import, as `ingest.begin` gave it
    write_records : `write_customers`, `write_products` or `write_opt_outs`

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


def write_products(
    connection: Connection, row: Import, records: list[ProductRecord], now: datetime
) -> Corrected:
    """Make or fill in the products of a batch.

    Parameters
    ----------
    connection : a writing one
    row : whose source the ids belong to
    records : one per row of the file
    now : not used; products have no time

    Returns
    -------
    No corrections.
    """
    del now
    for record in records:
        fields = {
            name: getattr(record, name)
            for name in ("name", "price_minor", "currency", "category", "url", "active")
            if getattr(record, name) is not None
        }
        key = {"source_id": row.source_id, "external_id": record.external_id}
        ours = [products.c[name] == value for name, value in key.items()]
        found = connection.scalar(select(products.c.id).where(*ours))
        if found is None:
            start = {"name": record.external_id, "active": True}
            connection.execute(insert(products).values(**start | fields | key))
        elif fields:
            connection.execute(
                update(products).where(products.c.id == found).values(**fields)
            )
    return Counter()


def write_opt_outs(
    connection: Connection, row: Import, records: list[OptOutRecord], now: datetime
) -> Corrected:
    """Suppress addresses and withdraw the consents of customers.

    Parameters
    ----------
    connection : a writing one
    row : whose source the ids belong to
    records : one per row of the file; of an unknown id nothing can be withdrawn
    now : aware

    Returns
    -------
    Counts of `email_invalid` and `customer_unknown`.
    """
    corrected: Corrected = Counter()
    names = [record.external_id for record in records if record.external_id]
    known = external_customers(connection, row.source, names)
    for record in records:
        customer_id = known.get(record.external_id or "")
        if record.email is not None:
            try:
                address = people.normalise(IdentityKind.EMAIL, record.email)
            except DataError:
                corrected["email_invalid"] += 1
                continue
            people.suppress(connection, Channel.EMAIL, address, record.reason, now)
        elif customer_id is None:
            corrected["customer_unknown"] += 1
        if customer_id is not None:
            _withdraw(connection, customer_id, row, record.line, now)
    return corrected


def _withdraw(
    connection: Connection, customer_id: int, row: Import, line: int, now: datetime
) -> None:
    for channel in Channel:
        newest = _newest(connection, customer_id, channel)
        everything = newest is not None and newest.topic == people.ALL_TOPICS
        if everything and newest.state == ConsentState.WITHDRAWN:
            continue
        people.record_consent(
            connection,
            customer_id,
            channel,
            people.ALL_TOPICS,
            ConsentState.WITHDRAWN,
            SOURCE,
            now,
            _proof(row, line),
        )


def _newest(
    connection: Connection,
    customer_id: int,
    channel: Channel,
) -> Any:
    return connection.execute(
        select(consents.c.state, consents.c.topic)
        .where(consents.c.customer_id == customer_id, consents.c.channel == channel)
        .order_by(consents.c.id.desc())
        .limit(1)
    ).first()


def _proof(row: Import, line: int) -> str:
    return f"{row.file_name}:{line}"
