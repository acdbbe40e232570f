"""Rows of new ids that belong to customers whose address is proven."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy import Connection, func

from core.errors import DataError
from core.model import IdentityKind
from core.records import CustomerRecord
from storage.bulk import lookup
from storage.customers import normalise
from storage.external import add_external_ids, external_identity
from storage.ingest import Import
from storage.ingest_addresses import addresses_in
from storage.pairs import is_proven
from storage.schema import customers, identities


def verified_owners(
    connection: Connection,
    row: Import,
    part: Mapping[str, CustomerRecord],
    known: Mapping[str, int],
    now: datetime,
) -> dict[str, int]:
    """Known customers who get an id of this source now, by that id.

    A row is theirs where it names an address that they have proven to be theirs and
    where this source knows them by no other id.
    """
    wanted = dict(_proofs(part, known))
    if not wanted:
        return {}
    owners = _owners(connection, [value for _, value in wanted])
    has_one = _with_id(connection, row, [*owners.values(), *known.values()])
    found: dict[str, int] = {}
    for address, name in wanted.items():
        owner = owners.get(address)
        if owner is not None and owner not in has_one and name not in found:
            found[name] = owner
            has_one.add(owner)
    add_external_ids(connection, row, found, now)
    return found


def _proofs(
    part: Mapping[str, CustomerRecord], known: Mapping[str, int]
) -> Iterator[tuple[tuple[str, str], str]]:
    for name, record in part.items():
        if name in known:
            continue
        for kind, typed in addresses_in(record):
            try:
                yield (kind.value, normalise(kind, typed)), name
            except DataError:
                continue


def _owners(connection: Connection, values: list[str]) -> dict[tuple[str, str], int]:
    """Who has proven these addresses."""
    rows = lookup(
        connection,
        identities.c.value,
        values,
        (
            identities.c.kind,
            identities.c.value,
            func.coalesce(customers.c.alias_of, customers.c.id),
        ),
        customers.c.id == identities.c.customer_id,
        identities.c.kind.in_(
            [IdentityKind.EMAIL, IdentityKind.PHONE, IdentityKind.TELEGRAM]
        ),
        is_proven(),
    )
    return {(kind, value): key for kind, value, key in rows}


def _with_id(connection: Connection, row: Import, people: list[int]) -> set[int]:
    """Those whom the source knows by an id."""
    prefix = external_identity(row.source, "")
    rows = lookup(
        connection,
        identities.c.customer_id,
        people,
        (identities.c.customer_id, identities.c.value),
        identities.c.kind == IdentityKind.EXTERNAL,
    )
    return {key for key, value in rows if value.startswith(prefix)}
