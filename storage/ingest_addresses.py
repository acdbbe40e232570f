"""The addresses of a file's customers: new ones, and those that replace another.

An address that another customer has stays there and becomes a claim: the two may be
one person, but a file alone does not prove it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func

from core.errors import DataError
from core.model import IdentityKind
from core.records import CustomerRecord
from storage import corrections
from storage.bulk import insert_rows, lookup, moment_value, update_rows
from storage.corrections import Correction
from storage.customers import normalise
from storage.dialect import upsert
from storage.import_journal import changed
from storage.ingest import Import
from storage.schema import customers, identities, identity_claims

KINDS = (IdentityKind.EMAIL, IdentityKind.PHONE, IdentityKind.TELEGRAM)
_NEW = ("customer_id", "kind", "value", "typed", "import_id", "created_at")
_MOVED = ("value", "typed", "unreachable_reason", "import_id", "created_at")

# One address of a row: customer, kind, normal form, as typed.
Wanted = tuple[int, str, str, str]
Corrected = Counter[str]
# Those (customer, kind) that somebody with more priority has set; False where a gap
# may be filled nevertheless.
Held = dict[tuple[int, str], bool]


@dataclass(frozen=True, slots=True)
class _Own:
    """An address that the customer has; a file may replace what a file brought."""

    id: int
    typed: str
    replaceable: bool


def write_addresses(
    connection: Connection,
    row: Import,
    people: Mapping[int, CustomerRecord],
    held: Held,
    now: datetime,
    corrected: Corrected,
) -> None:
    """Give the customers of a batch their addresses.

    Counts `email_invalid`, `email_taken`, `kept_by_priority` and so on in `corrected`.
    """
    wanted = list(_wanted(people, corrected))
    owners = owners_of(connection, [(kind, value) for _, kind, value, _ in wanted])
    batch = _Batch(connection, row, now)
    batch.know(list(people))
    for each in wanted:
        customer_id, kind, value, typed = each
        owner = owners.get((kind, value))
        if owner == customer_id:
            continue
        if owner is None and batch.has(customer_id, kind, typed):
            continue
        if owner is not None:
            corrected[f"{kind}_taken"] += 1
            batch.claims.append(each)
        elif batch.is_held(held, customer_id, kind):
            corrected["kept_by_priority"] += 1
        else:
            owners[kind, value] = customer_id
            batch.give(each)
    batch.write()


def addresses_in(record: CustomerRecord) -> Iterator[tuple[IdentityKind, str]]:
    """The kinds that a row names, as typed."""
    for kind in KINDS:
        typed = getattr(record, kind.value)
        if typed is not None:
            yield kind, typed


def owners_of(
    connection: Connection, addresses: list[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Who has these addresses (kind and normal form); of a merged one the survivor."""
    owner = func.coalesce(customers.c.alias_of, customers.c.id)
    found = lookup(
        connection,
        identities.c.value,
        {value for _, value in addresses},
        (identities.c.kind, identities.c.value, owner),
        identities.c.customer_id == customers.c.id,
        # Without the kinds the index on kind and value would be of no use.
        identities.c.kind.in_([kind.value for kind in KINDS]),
    )
    return {(kind, value): key for kind, value, key in found}


def _wanted(
    people: Mapping[int, CustomerRecord], corrected: Corrected
) -> Iterator[Wanted]:
    for customer_id, record in people.items():
        for kind, typed in addresses_in(record):
            try:
                yield customer_id, kind.value, normalise(kind, typed), typed
            except DataError:
                corrected[f"{kind}_invalid"] += 1


class _Batch:
    """What is to be written of the addresses of one batch."""

    def __init__(self, connection: Connection, row: Import, now: datetime) -> None:
        self._connection = connection
        self._row = row
        self._now = now
        self._own: defaultdict[tuple[int, str], list[_Own]] = defaultdict(list)
        self._new: list[Wanted] = []
        self._moved: list[tuple[_Own, Wanted]] = []
        self._claimed: set[tuple[int, str, str]] = set()
        self.claims: list[Wanted] = []

    def know(self, people: list[int]) -> None:
        columns = [
            identities.c[name]
            for name in ("id", "customer_id", "kind", "typed", "verified_at")
        ]
        for each in lookup(
            self._connection,
            identities.c.customer_id,
            people,
            (*columns, identities.c.import_id),
        ):
            replaceable = each.verified_at is None and each.import_id is not None
            own = _Own(each.id, each.typed, replaceable)
            self._own[each.customer_id, each.kind].append(own)
        names = "customer_id", "kind", "typed"
        claimed = [identity_claims.c[name] for name in names]
        found = lookup(self._connection, claimed[0], people, claimed)
        self._claimed = {tuple(each) for each in found}

    def has(self, customer_id: int, kind: str, typed: str) -> bool:
        """Whether cleaning has made a number of this very word, or a claim on one."""
        own = self._own.get((customer_id, kind), [])
        return any(each.typed == typed for each in own) or (
            (customer_id, kind, typed) in self._claimed
        )

    def is_held(self, held: Held, customer_id: int, kind: str) -> bool:
        """Whether the customer's address of this kind stays as it is."""
        key = customer_id, kind
        return key in held and (held[key] or bool(self._own[key]))

    def give(self, wanted: Wanted) -> None:
        """Replace the one address that a file brought, else add another."""
        customer_id, kind, _, _ = wanted
        own = [each for each in self._own[customer_id, kind] if each.replaceable]
        if len(own) == 1:
            self._own[customer_id, kind].remove(own[0])
            self._moved.append((own[0], wanted))
        else:
            self._new.append(wanted)

    def write(self) -> None:
        self._write_moved()
        self._write_new()
        self._write_claims()

    def _write_new(self) -> None:
        at = moment_value(self._connection, self._now)
        rows = [(*each, self._row.id, at) for each in self._new]
        insert_rows(self._connection, identities, _NEW, rows)

    def _write_moved(self) -> None:
        ids = [own.id for own, _ in self._moved]
        columns = list(identities.c)
        before = lookup(self._connection, identities.c.id, ids, columns)
        changed(
            self._connection, self._row, identities, [each._mapping for each in before]
        )
        at = moment_value(self._connection, self._now)
        rows = [
            (value, typed, None, self._row.id, at, own.id)
            for own, (_, _, value, typed) in self._moved
        ]
        update_rows(self._connection, identities, _MOVED, rows)
        account = [
            Correction(who, kind, own.typed, typed, "import", import_id=self._row.id)
            for own, (who, kind, _, typed) in self._moved
        ]
        corrections.record(self._connection, account, self._now)

    def _write_claims(self) -> None:
        if not self.claims:
            return
        names = "customer_id", "kind", "value", "typed"
        common: dict[str, Any] = {"import_id": self._row.id, "created_at": self._now}
        rows = [dict(zip(names, each, strict=True)) | common for each in self.claims]
        statement = upsert(self._connection, identity_claims).on_conflict_do_nothing(
            index_elements=["customer_id", "kind", "value"]
        )
        self._connection.execute(statement, rows)
