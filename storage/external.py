"""Customers by the ids that another system has for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from core.model import IdentityKind
from storage.bulk import insert_rows, lookup, moment_value, new_ids
from storage.ingest import Import
from storage.schema import customers, identities

_CUSTOMER = (
    *("id", "country", "preferences", "attributes", "source_id"),
    *("created_at", "updated_at"),
)
_IDENTITY = ("customer_id", "kind", "value", "typed", "created_at")


def external_identity(source: str, external_id: str) -> str:
    """How an id of a source stands among the identities."""
    return f"{source}:{external_id}"


def external_customers(
    connection: Connection, source: str, names: Iterable[str]
) -> dict[str, int]:
    """The ids of those customers of a source that are known."""
    wanted = {external_identity(source, name): name for name in names}
    rows = lookup(
        connection,
        identities.c.value,
        wanted,
        (identities.c.value, identities.c.customer_id),
        identities.c.kind == IdentityKind.EXTERNAL,
    )
    return {wanted[value]: customer_id for value, customer_id in rows}


def add_customers(
    connection: Connection,
    row: Import,
    countries: Mapping[str, str | None],
    now: datetime,
) -> dict[str, int]:
    """Ids of new customers of an import's source, by name; each has a country."""
    at = moment_value(connection, now)
    names = list(countries)
    ids = list(new_ids(connection, customers, len(names)))
    source_id = row.source_id
    insert_rows(
        connection,
        customers,
        _CUSTOMER,
        [
            (key, countries[name], "{}", "{}", source_id, at, at)
            for key, name in zip(ids, names, strict=True)
        ],
    )
    values = [external_identity(row.source, name) for name in names]
    insert_rows(
        connection,
        identities,
        _IDENTITY,
        [
            (key, IdentityKind.EXTERNAL.value, value, value, at)
            for key, value in zip(ids, values, strict=True)
        ],
    )
    return dict(zip(names, ids, strict=True))
