"""Customers by the ids that another system has for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func

from core.model import IdentityKind
from storage.bulk import insert_rows, lookup, moment_value, new_ids
from storage.erasure import erased_ids
from storage.ingest import Import
from storage.schema import customers, identities

_CUSTOMER = (
    *("id", "country", "preferences", "attributes", "provenance", "source_id"),
    *("import_id", "created_at", "updated_at"),
)
_IDENTITY = ("customer_id", "kind", "value", "typed", "import_id", "created_at")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose id it is; `by_merge` where it was that of somebody who was merged."""

    id: int
    by_merge: bool


def external_identity(source: str, external_id: str) -> str:
    """How an id of a source stands among the identities."""
    return f"{source}:{external_id}"


def external_owners(
    connection: Connection, source: str, names: Iterable[str]
) -> dict[str, Owner]:
    """The customers of a source that are known; of merged ones the survivors."""
    wanted = {external_identity(source, name): name for name in names}
    rows = lookup(
        connection,
        identities.c.value,
        wanted,
        (
            identities.c.value,
            func.coalesce(customers.c.alias_of, customers.c.id),
            identities.c.place,
        ),
        identities.c.kind == IdentityKind.EXTERNAL,
        customers.c.id == identities.c.customer_id,
    )
    return {wanted[value]: Owner(key, place > 0) for value, key, place in rows}


def external_customers(
    connection: Connection, source: str, names: Iterable[str]
) -> dict[str, int]:
    """The ids of those customers of a source that are known."""
    owners = external_owners(connection, source, names)
    return {name: owner.id for name, owner in owners.items()}


def forgotten(connection: Connection, source: str, names: Iterable[str]) -> set[str]:
    """Those ids of a source whose people asked to be forgotten."""
    wanted = {external_identity(source, name): name for name in names}
    return {wanted[value] for value in erased_ids(connection, list(wanted))}


def add_customers(
    connection: Connection,
    row: Import,
    countries: Mapping[str, str | None],
    now: datetime,
) -> dict[str, int]:
    """Ids of new customers of an import's source, by name; each has a country.

    Nobody is made of names whose people asked to be forgotten: they are left out.
    """
    gone = forgotten(connection, row.source, countries)
    countries = {name: each for name, each in countries.items() if name not in gone}
    at = moment_value(connection, now)
    ids = new_ids(connection, customers, len(countries))
    insert_rows(
        connection,
        customers,
        _CUSTOMER,
        [
            (key, country, "{}", "{}", "{}", row.source_id, row.id, at, at)
            for key, country in zip(ids, countries.values(), strict=True)
        ],
    )
    made = dict(zip(countries, ids, strict=True))
    add_external_ids(connection, row, made, now)
    return made


def add_external_ids(
    connection: Connection, row: Import, ids: Mapping[str, int], now: datetime
) -> None:
    """Let customers be known by these ids of the import's source."""
    at = moment_value(connection, now)
    kind = IdentityKind.EXTERNAL.value
    rows = []
    for name, key in ids.items():
        value = external_identity(row.source, name)
        rows.append((key, kind, value, value, row.id, at))
    insert_rows(connection, identities, _IDENTITY, rows)
