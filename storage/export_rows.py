"""What every export needs: rows as they stream, in an order that is always the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    collate,
    func,
    select,
)

from core.model import IdentityKind
from core.records import Batch
from storage.bulk import lookup
from storage.external import external_identity
from storage.schema import identities, sources

Batches: TypeAlias = Iterator[Batch[Any]]

ROWS_AT_ONCE = 500
# Rows of a person who has no id in the source can't be told.
NO_ID = "no_id"


def in_chunks(
    connection: Connection, query: Select[Any]
) -> Iterator[Sequence[Row[Any]]]:
    """Rows of a query, a few hundred at a time, as they come from the database."""
    result = connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE))
    yield from result.partitions()


def in_order(connection: Connection, column: Column[Any]) -> ColumnElement[Any]:
    """A column to sort by, in the order of its signs on every database."""
    return collate(column, "C") if connection.dialect.name == "postgresql" else column


def source_id_of(connection: Connection, source: str) -> int | None:
    """The number of a source; None where there is none of this name."""
    return connection.scalar(select(sources.c.id).where(sources.c.name == source))


def ids_in_source(
    connection: Connection, source: str, customer_ids: Iterable[int | None]
) -> dict[int | None, str]:
    """What a source calls these customers; of several ids the first."""
    wanted = {key for key in customer_ids if key is not None}
    columns = [identities.c[name] for name in ("customer_id", "value", "place", "id")]
    rows = lookup(
        connection, identities.c.customer_id, wanted, columns, is_id_of(source)
    )
    ordered = sorted(rows, key=lambda row: (row.place, row.id), reverse=True)
    prefix = len(external_identity(source, ""))
    return {row.customer_id: row.value[prefix:] for row in ordered}


def is_id_of(source: str) -> ColumnElement[bool]:
    prefix = external_identity(source, "")
    # LIKE would take capitals for small letters on SQLite.
    starts = func.substr(identities.c.value, 1, len(prefix)) == prefix
    return and_(identities.c.kind == IdentityKind.EXTERNAL, starts)
