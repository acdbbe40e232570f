"""Customers, products and opt-outs of a file, written batch by batch.

A file fills in and corrects; where it says nothing, nothing is taken away. Consents
are added to the ledger only where they differ from what it says already.
"""

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
from storage.external import add_customers, external_customers
from storage.ingest import Import, Progress, save_progress
from storage.schema import consents, customers, identities, products

R = TypeVar("R", CustomerRecord, ProductRecord, OptOutRecord)
# What a batch's rows needed, by reason.
Corrected = Counter[str]
WriteRecords = Callable[[Connection, Import, list[R], datetime], Corrected]

SOURCE = "import"
_FILLED = (
    *("name", "language", "gender", "birth_date", "address", "city", "country"),
    *("income_minor", "income_currency"),
)


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
        corrected = self._write_records(connection, self._import, batch.records, now)
        progress = self.progress.after(batch, corrected)
        save_progress(connection, self._import.id, progress)
        return progress

    def learn(self, progress: Progress) -> None:
        """Take over how far a committed batch came."""
        self.progress = progress


def write_customers(
    connection: Connection, row: Import, records: list[CustomerRecord], now: datetime
) -> Corrected:
    """Make or fill in the customers of a batch.

    Parameters
    ----------
    connection : a writing one
    row : whose source the ids belong to
    records : one per row of the file
    now : aware

    Returns
    -------
    Counts of `email_invalid`, `email_taken`, `phone_taken`, `telegram_taken` (the
    customer was taken without that address) and `consent_stays_withdrawn` (the file
    grants what the customer withdrew elsewhere).
    """
    countries = {record.external_id: record.country for record in records}
    known = external_customers(connection, row.source, countries)
    new = {name: c for name, c in countries.items() if name not in known}
    known |= add_customers(connection, row, new, now)
    corrected: Corrected = Counter()
    for record in records:
        customer_id = known[record.external_id]
        _fill_in(connection, customer_id, record, now)
        _set_addresses(connection, customer_id, record, now, corrected)
        _set_consents(connection, customer_id, record, row, now, corrected)
    return corrected


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


def _fill_in(
    connection: Connection, customer_id: int, record: CustomerRecord, now: datetime
) -> None:
    stored = connection.execute(
        select(customers).where(customers.c.id == customer_id)
    ).one()
    fields: dict[str, Any] = {
        name: getattr(record, name)
        for name in _FILLED
        if getattr(record, name) not in {None, getattr(stored, name)}
    }
    attributes = stored.attributes | record.attributes
    if attributes != stored.attributes:
        fields["attributes"] = attributes
    if record.created_at is not None and record.created_at < stored.created_at:
        fields["created_at"] = record.created_at
    if fields:
        connection.execute(
            update(customers)
            .where(customers.c.id == customer_id)
            .values(**fields, updated_at=now)
        )


def _set_addresses(
    connection: Connection,
    customer_id: int,
    record: CustomerRecord,
    now: datetime,
    corrected: Corrected,
) -> None:
    typed = {
        IdentityKind.EMAIL: record.email,
        IdentityKind.PHONE: record.phone,
        IdentityKind.TELEGRAM: record.telegram,
    }
    for kind, word in typed.items():
        if word is None:
            continue
        try:
            value = people.normalise(kind, word)
        except DataError:
            corrected[f"{kind}_invalid"] += 1
            continue
        if not _set_address(connection, customer_id, kind, value, word, now):
            corrected[f"{kind}_taken"] += 1


def _set_address(
    connection: Connection,
    customer_id: int,
    kind: IdentityKind,
    value: str,
    typed: str,
    now: datetime,
) -> bool:
    """Whether the address is the customer's; it replaces an unproven other one."""
    owner = connection.scalar(
        select(identities.c.customer_id).where(
            identities.c.kind == kind, identities.c.value == value
        )
    )
    if owner is not None:
        return bool(owner == customer_id)
    unproven = connection.scalars(
        select(identities.c.id).where(
            identities.c.customer_id == customer_id,
            identities.c.kind == kind,
            identities.c.verified_at.is_(None),
        )
    ).all()
    if len(unproven) != 1:
        return people.add_identity(connection, customer_id, kind, typed, now)
    connection.execute(
        update(identities)
        .where(identities.c.id == unproven[0])
        .values(value=value, typed=typed, unreachable_reason=None, created_at=now)
    )
    return True


def _set_consents(
    connection: Connection,
    customer_id: int,
    record: CustomerRecord,
    row: Import,
    now: datetime,
    corrected: Corrected,
) -> None:
    for consent in record.consents:
        topics = consent.topic, people.ALL_TOPICS
        newest = _newest(connection, customer_id, consent.channel, topics)
        granted = consent.state is ConsentState.GRANTED
        if newest is not None and newest.state == consent.state:
            continue
        if granted and newest is not None and newest.source != SOURCE:
            # A customer who said no to us is not asked what an older file says.
            corrected["consent_stays_withdrawn"] += 1
            continue
        people.record_consent(
            connection,
            customer_id,
            consent.channel,
            consent.topic,
            consent.state,
            SOURCE,
            now,
            _proof(row, record.line),
        )


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
    topics: tuple[str, ...] = (),
) -> Any:
    """The row of the ledger that counts, of these topics or of any."""
    query = select(consents.c.state, consents.c.source, consents.c.topic).where(
        consents.c.customer_id == customer_id, consents.c.channel == channel
    )
    if topics:
        query = query.where(consents.c.topic.in_(topics))
    return connection.execute(query.order_by(consents.c.id.desc()).limit(1)).first()


def _proof(row: Import, line: int) -> str:
    return f"{row.file_name}:{line}"
