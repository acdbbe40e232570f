"""Customers of a file: who they are, where they are reached, what they agreed to.

A file fills in and corrects; where it says nothing, nothing is taken away. What is
stored is read for a whole batch at once, and only what differs is written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, update

from core.errors import DataError
from core.model import ConsentState, IdentityKind
from core.records import ConsentRecord, CustomerRecord
from storage.bulk import insert_rows, lookup, moment_value, update_rows
from storage.customers import ALL_TOPICS, normalise
from storage.external import add_customers, external_customers
from storage.ingest import Import
from storage.schema import consents, customers, identities

Corrected = Counter[str]

SOURCE = "import"
_FILLED = (
    *("name", "language", "gender", "birth_date", "address", "city", "country"),
    *("income_minor", "income_currency"),
)
_STORED = (*_FILLED, "attributes", "created_at")
_IDENTITY = ("customer_id", "kind", "value", "typed", "created_at")
_MOVED = ("value", "typed", "unreachable_reason", "created_at")
_CONSENT = (*("customer_id", "channel", "topic", "state", "source", "proof", "at"),)


def write_customers(
    connection: Connection, row: Import, records: list[CustomerRecord], now: datetime
) -> Corrected:
    """Make or fill in the customers of a batch.

    Parameters
    ----------
    connection : a writing one
    row : whose source the ids belong to
    records : one per row of the file; of two with the same id the later one wins
    now : aware

    Returns
    -------
    Counts of `email_invalid`, `email_taken`, `phone_taken`, `telegram_taken` (the
    customer was taken without that address) and `consent_stays_withdrawn` (the file
    grants what the customer withdrew elsewhere).
    """
    corrected: Corrected = Counter()
    for part in _rounds(records):
        countries = {name: record.country for name, record in part.items()}
        known = external_customers(connection, row.source, countries)
        new = {name: c for name, c in countries.items() if name not in known}
        known |= add_customers(connection, row, new, now)
        people = {known[name]: record for name, record in part.items()}
        _fill_in(connection, people, now)
        _Addresses(connection, people, now).write(corrected)
        _add_consents(connection, people, row, now, corrected)
    return corrected


def _rounds(records: list[CustomerRecord]) -> Iterator[dict[str, CustomerRecord]]:
    """The records in order, split so that each part has an id once."""
    part: dict[str, CustomerRecord] = {}
    for record in records:
        if record.external_id in part:
            yield part
            part = {}
        part[record.external_id] = record
    if part:
        yield part


# --- who they are ---------------------------------------------------------------------


def _fill_in(
    connection: Connection, people: dict[int, CustomerRecord], now: datetime
) -> None:
    columns = [customers.c.id, *(customers.c[name] for name in _STORED)]
    changed: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for stored in lookup(connection, customers.c.id, people, columns):
        fields = _difference(stored, people[stored.id])
        if fields:
            changed[tuple(fields)].append({"key": stored.id, "now": now} | fields)
    for names, rows in changed.items():
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
        statement = (
            update(customers)
            .where(customers.c.id == bindparam("key"))
            .values(**values, updated_at=bindparam("now"))
        )
        given = [
            {f"new_{name}" if name in values else name: v for name, v in row.items()}
            for row in rows
        ]
        connection.execute(statement, given)


def _difference(stored: Any, record: CustomerRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in _FILLED:
        value = getattr(record, name)
        if value is not None and value != getattr(stored, name):
            fields[name] = value
    attributes = stored.attributes | record.attributes
    if attributes != stored.attributes:
        fields["attributes"] = attributes
    if record.created_at is not None and record.created_at < stored.created_at:
        fields["created_at"] = record.created_at
    return fields


# --- where they are reached -----------------------------------------------------------


@dataclass(slots=True)
class _Address:
    """One stored identity."""

    id: int | None
    customer_id: int
    proven: bool


class _Addresses:
    """The addresses of one batch: new ones, and those that replace an unproven one."""

    def __init__(
        self, connection: Connection, people: dict[int, CustomerRecord], now: datetime
    ) -> None:
        self._connection = connection
        self._people = people
        self._at = moment_value(connection, now)
        self._owners: dict[tuple[str, str], int] = {}
        self._own: defaultdict[tuple[int, str], list[_Address]] = defaultdict(list)
        self._new: list[tuple[Any, ...]] = []
        self._moved: list[tuple[Any, ...]] = []

    def write(self, corrected: Corrected) -> None:
        wanted = list(self._wanted(corrected))
        self._look_up([value for _, _, value, _ in wanted])
        for customer_id, kind, value, typed in wanted:
            owner = self._owners.get((kind, value))
            if owner is None:
                self._give(customer_id, kind, value, typed)
            elif owner != customer_id:
                corrected[f"{kind}_taken"] += 1
        insert_rows(self._connection, identities, _IDENTITY, self._new)
        update_rows(self._connection, identities, _MOVED, self._moved)

    def _wanted(self, corrected: Corrected) -> Iterator[tuple[int, str, str, str]]:
        for customer_id, record in self._people.items():
            for kind in (IdentityKind.EMAIL, IdentityKind.PHONE, IdentityKind.TELEGRAM):
                typed = getattr(record, kind.value)
                if typed is None:
                    continue
                try:
                    yield customer_id, kind.value, normalise(kind, typed), typed
                except DataError:
                    corrected[f"{kind}_invalid"] += 1

    def _look_up(self, values: list[str]) -> None:
        columns = identities.c.kind, identities.c.value, identities.c.customer_id
        for kind, value, owner in lookup(
            self._connection, identities.c.value, values, columns
        ):
            self._owners[kind, value] = owner
        columns = identities.c.id, identities.c.customer_id, identities.c.kind
        found = lookup(
            self._connection,
            identities.c.customer_id,
            self._people,
            (*columns, identities.c.verified_at),
        )
        for key, customer_id, kind, verified_at in found:
            address = _Address(key, customer_id, verified_at is not None)
            self._own[customer_id, kind].append(address)

    def _give(self, customer_id: int, kind: str, value: str, typed: str) -> None:
        self._owners[kind, value] = customer_id
        unproven = [a for a in self._own[customer_id, kind] if not a.proven]
        if len(unproven) == 1:
            self._moved.append((value, typed, None, self._at, unproven[0].id))
        else:
            self._new.append((customer_id, kind, value, typed, self._at))


# --- what they agreed to --------------------------------------------------------------


def _add_consents(
    connection: Connection,
    people: dict[int, CustomerRecord],
    row: Import,
    now: datetime,
    corrected: Corrected,
) -> None:
    ledger = _ledger(connection, [k for k, r in people.items() if r.consents])
    at = moment_value(connection, now)
    new = []
    for customer_id, record in people.items():
        for consent in record.consents:
            newest = _newest(ledger[customer_id], consent)
            if newest is not None and newest.state == consent.state:
                continue
            granted = consent.state is ConsentState.GRANTED
            if granted and newest is not None and newest.source != SOURCE:
                # A customer who said no to us is not asked what an older file says.
                corrected["consent_stays_withdrawn"] += 1
                continue
            words = consent.channel.value, consent.topic, consent.state.value
            proof = f"{row.file_name}:{record.line}"
            new.append((customer_id, *words, SOURCE, proof, at))
    insert_rows(connection, consents, _CONSENT, new)


def _ledger(connection: Connection, wanted: list[int]) -> defaultdict[int, list[Any]]:
    columns = [
        consents.c[name]
        for name in ("customer_id", "channel", "topic", "state", "source", "id")
    ]
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for each in lookup(connection, consents.c.customer_id, wanted, columns):
        found[each.customer_id].append(each)
    return found


def _newest(ledger: list[Any], consent: ConsentRecord) -> Any:
    about = (
        row
        for row in ledger
        if row.channel == consent.channel and row.topic in {consent.topic, ALL_TOPICS}
    )
    return max(about, key=lambda row: row.id, default=None)
