"""Customers of a file: who they are, where they are reached, what they agreed to.

A file fills in and corrects; where it says nothing, nothing is taken away, and what
somebody with more priority has set stays. What is stored is read for a whole batch at
once, and only what differs is written.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, update

from core.records import CustomerRecord
from storage import corrections, provenance
from storage.bulk import insert_rows, lookup, moment_value, new_ids
from storage.corrections import Correction
from storage.customer_fields import COLUMNS, FIELDS, OBJECTS, column_values, value_at
from storage.external import add_external_ids, external_owners, forgotten
from storage.import_journal import FieldChange, changed_fields, named
from storage.ingest import Import
from storage.ingest_addresses import KINDS, Held, write_addresses
from storage.ingest_consents import write_consents
from storage.ingest_figures import write_figures
from storage.provenance import Origin
from storage.schema import corrections as account
from storage.schema import customers
from storage.verified import verified_owners

Corrected = Counter[str]

KEPT = "kept_by_priority"
CHANGED = "import"
# A day that was made of an age or a year says no more than this.
ROUGH_DAYS = 366

_STORED = ("id", *COLUMNS, "source_id", "import_id", "created_at")
_NEW = (
    *("id", *FIELDS, *OBJECTS, "provenance", "source_id", "import_id"),
    *("created_at", "updated_at"),
)


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
    Counts of `kept_by_priority` (a value that somebody with more priority has set
    stayed), `email_invalid`, `email_taken`, `phone_taken`, `telegram_taken` (the
    customer was taken without that address) and `consent_stays_withdrawn` (the file
    grants what the customer withdrew elsewhere); and of `erased`: rows of people who
    asked to be forgotten, which are left out.
    """
    corrected: Corrected = Counter()
    believed = provenance.believed(connection)
    origin = Origin(f"source:{row.source}", believed.by_id.get(row.source_id, 0), now)
    for part in _rounds(records):
        people = _find_or_make(connection, row, part, now)
        filling = _Filling(connection, row, origin, believed)
        filling.fill_in(people.known)
        filling.fill_in(people.merged, gaps_only=True)
        corrected[KEPT] += filling.kept
        corrected["erased"] += people.forgotten
        held = filling.held | _held_whole(people.merged)
        for each in people.made | people.known, people.merged:
            write_addresses(connection, row, each, held, now, corrected)
            write_consents(connection, row, each, now, corrected)
        write_figures(connection, row, people.made | people.known, now)
    return +corrected


@dataclass(frozen=True, slots=True)
class _People:
    """The customers of a batch. `merged`: rows of those who are part of another now.

    Such a row tells only what the survivor's own does not, or the two would overwrite
    each other in every file. `forgotten` counts those who asked for that.
    """

    made: dict[int, CustomerRecord]
    known: dict[int, CustomerRecord]
    merged: dict[int, CustomerRecord]
    forgotten: int


def _find_or_make(
    connection: Connection,
    row: Import,
    part: Mapping[str, CustomerRecord],
    now: datetime,
) -> _People:
    owners = external_owners(connection, row.source, part)
    ids = {name: owner.id for name, owner in owners.items()}
    unknown = [name for name in part if name not in ids]
    gone = forgotten(connection, row.source, unknown)
    part = {name: record for name, record in part.items() if name not in gone}
    ids |= verified_owners(connection, row, part, ids, now)
    known: dict[int, CustomerRecord] = {}
    merged: dict[int, CustomerRecord] = {}
    for name, key in ids.items():
        by_merge = name in owners and owners[name].by_merge
        place = merged if by_merge or key in known else known
        place[key] = part[name]
    new = {name: record for name, record in part.items() if name not in ids}
    return _People(_make(connection, row, new, now), known, merged, len(gone))


def _held_whole(people: Mapping[int, CustomerRecord]) -> Held:
    return {(key, kind.value): True for key in people for kind in KINDS}


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


def _make(
    connection: Connection,
    row: Import,
    records: Mapping[str, CustomerRecord],
    now: datetime,
) -> dict[int, CustomerRecord]:
    """New customers with all that their rows say, by id."""
    at = moment_value(connection, now)
    ids = new_ids(connection, customers, len(records))
    rows = [
        (
            key,
            *(_raw(getattr(record, name)) for name in FIELDS),
            json.dumps(record.preferences, ensure_ascii=False),
            json.dumps(record.attributes, ensure_ascii=False),
            "{}",
            row.source_id,
            row.id,
            moment_value(connection, min(record.created_at or now, now)),
            at,
        )
        for key, record in zip(ids, records.values(), strict=True)
    ]
    insert_rows(connection, customers, _NEW, rows)
    add_external_ids(connection, row, dict(zip(records, ids, strict=True)), now)
    return dict(zip(ids, records.values(), strict=True))


def _raw(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


# --- who they are ---------------------------------------------------------------------


@dataclass(slots=True)
class _Difference:
    """What a file changes of one customer."""

    stored: Any
    values: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, Any]:
        found = column_values(self.stored, self.values)
        if self.entries != self.stored.provenance:
            found["provenance"] = self.entries
        return found


class _Filling:
    """Fills in the customers of one batch who are known."""

    def __init__(
        self,
        connection: Connection,
        row: Import,
        origin: Origin,
        believed: provenance.Believed,
    ) -> None:
        self._connection = connection
        self._row = row
        self._origin = origin
        self._believed = believed
        self._stays: list[Correction] = []
        self.kept = 0
        self.held: Held = {}

    def fill_in(
        self, people: Mapping[int, CustomerRecord], *, gaps_only: bool = False
    ) -> None:
        """Write what differs, with its account and its way back."""
        columns = [customers.c[name] for name in _STORED]
        stored = list(lookup(self._connection, customers.c.id, people, columns))
        older = [each for each in stored if each.import_id != self._row.id]
        named(self._connection, self._row, customers, (each.id for each in older))
        found = [
            self._difference(each, people[each.id], gaps_only=gaps_only)
            for each in stored
        ]
        changed = [each for each in found if each.values]
        self._write(changed)
        self._keep_journal(changed)
        self._account(changed)

    def _difference(
        self, stored: Any, record: CustomerRecord, *, gaps_only: bool
    ) -> _Difference:
        found = _Difference(stored, {}, dict(stored.provenance))
        for path, value in _said(record):
            before = value_at(stored, path)
            if value == before or _agrees(record, path, value, before):
                continue
            if gaps_only and before is not None:
                continue
            entry = stored.provenance.get(path)
            if entry is not None and entry.get("given") == corrections.shown(value):
                # Cleaning has made what is stored of this very value.
                continue
            if self._outweighed(stored, _owner_of(path), before):
                self._keep(stored.id, path, value, before)
                continue
            found.values[path] = value
            self._stamp(found, path)
        created = record.created_at
        if created is not None and created < stored.created_at:
            found.values["created_at"] = created
        self._hold(stored)
        return found

    def _hold(self, stored: Any) -> None:
        for kind in KINDS:
            if self._outweighed(stored, kind, ""):
                self.held[stored.id, kind.value] = kind in stored.provenance

    def _outweighed(self, stored: Any, path: str, before: Any) -> bool:
        if before is None and path not in stored.provenance:
            # Whoever knows something may fill a gap that nobody made.
            return False
        known = self._believed.of(stored.provenance, path, stored.source_id)
        return self._origin.priority < known

    def _keep(self, customer_id: int, path: str, value: Any, before: Any) -> None:
        self.kept += 1
        self._stays.append(
            Correction(customer_id, path, value, before, KEPT, import_id=self._row.id)
        )

    def _stamp(self, found: _Difference, path: str) -> None:
        """A value of the customer's own source needs no entry."""
        if found.stored.source_id == self._row.source_id:
            found.entries.pop(path, None)
        else:
            found.entries[path] = self._origin.entry()

    def _write(self, changed: list[_Difference]) -> None:
        alike: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for each in changed:
            columns = each.columns
            given = {f"new_{name}": value for name, value in columns.items()}
            given |= {"key": each.stored.id, "at": self._origin.at}
            alike[tuple(columns)].append(given)
        for names, rows in alike.items():
            values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
            statement = (
                update(customers)
                .where(customers.c.id == bindparam("key"))
                .values(**values, updated_at=bindparam("at"))
            )
            self._connection.execute(statement, rows)

    def _keep_journal(self, changed: list[_Difference]) -> None:
        entries: list[FieldChange] = []
        for each in changed:
            if each.stored.import_id == self._row.id:
                continue
            was, now = {}, {}
            for path, value in each.values.items():
                was[path], now[path] = value_at(each.stored, path), value
                provenance_path = f"provenance.{path}"
                was[provenance_path] = each.stored.provenance.get(path)
                now[provenance_path] = each.entries.get(path)
            entries.append((each.stored.id, was, now))
        changed_fields(self._connection, self._row, customers, entries)

    def _account(self, changed: list[_Difference]) -> None:
        made = [
            Correction(
                each.stored.id, path, before, value, CHANGED, import_id=self._row.id
            )
            for each in changed
            for path, value in each.values.items()
            # Until a file said it, the day of creation was that of the first import.
            if path != "created_at"
            and (before := value_at(each.stored, path)) is not None
        ]
        corrections.record(self._connection, made, self._origin.at)
        self._account_of_kept()

    def _account_of_kept(self) -> None:
        """Once per value: a daily file says the same again every day."""
        if not self._stays:
            return
        told = {
            tuple(each)
            for each in lookup(
                self._connection,
                account.c.record_id,
                {each.record_id for each in self._stays},
                (account.c.record_id, account.c.field, account.c.before),
                account.c.kind == "customer",
                account.c.rule == KEPT,
            )
        }
        new = [
            each
            for each in self._stays
            if (each.record_id, each.field, corrections.shown(each.before)) not in told
        ]
        corrections.record(self._connection, new, self._origin.at)


def _said(record: CustomerRecord) -> Iterator[tuple[str, Any]]:
    """What the row says, by path."""
    for name in FIELDS:
        value = getattr(record, name)
        if value is not None:
            yield name, value
    for name in OBJECTS:
        for key, value in getattr(record, name).items():
            yield f"{name}.{key}", value


def _agrees(record: CustomerRecord, path: str, value: Any, before: Any) -> bool:
    """Whether a rough value says nothing against the exact one that is stored."""
    if path not in record.approximate or before is None:
        return False
    return isinstance(value, date) and abs((value - before).days) <= ROUGH_DAYS


def _owner_of(path: str) -> str:
    """Who set an amount has set its currency."""
    return "income_minor" if path == "income_currency" else path
