"""What a restore must not undo: who was erased since, and who is never written to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from core.model import IdentityKind
from storage import customers as customers_of
from storage import installation
from storage.bulk import lookup
from storage.dialect import upsert
from storage.erasure import ERASED, EXTERNAL, erase
from storage.schema import customers, identities, suppressions

KEY = "address"
ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Carried:
    """Told by the database that is about to be replaced."""

    key: bytes
    # Erased customers: their numbers, and since when they were known.
    erased: dict[int, datetime]
    # Channel, hash, reason and moment.
    suppressed: tuple[tuple[str, str, str, datetime], ...]


def carried(connection: Connection) -> Carried | None:
    """What is to be carried over; None where nobody was ever suppressed."""
    if not installation.has_key(connection, KEY):
        return None
    gone = select(customers.c.id, customers.c.created_at).where(
        customers.c.erased_at.is_not(None)
    )
    columns = [suppressions.c[name] for name in ("channel", "address_hmac")]
    query = select(*columns, suppressions.c.reason, suppressions.c.at)
    return Carried(
        installation.key(connection, KEY),
        {row.id: row.created_at for row in connection.execute(gone)},
        tuple((row[0], row[1], row[2], row[3]) for row in connection.execute(query)),
    )


def carry_over(connection: Connection, known: Carried | None, now: datetime) -> int:
    """Suppress and erase again in a restored database; returns how many customers.

    Of a backup of another installation nothing is known: its hashes mean something
    else.
    """
    has_key = installation.has_key(connection, KEY)
    if known is None or not has_key or installation.key(connection, KEY) != known.key:
        return 0
    _suppress(connection, known)
    due = _by_number(connection, known) | _by_id_of_source(connection, known)
    # Those who were merged are one person.
    people = {customers_of.survivor_of(connection, each) for each in due}
    for customer_id in sorted(people):
        erase(connection, customer_id, now, "restored")
    return len(people)


def _suppress(connection: Connection, known: Carried) -> None:
    names = "channel", "address_hmac", "reason", "at"
    rows = [dict(zip(names, each, strict=True)) for each in known.suppressed]
    statement = upsert(connection, suppressions).on_conflict_do_nothing(
        index_elements=["channel", "address_hmac"]
    )
    for start in range(0, len(rows), ROWS_AT_ONCE):
        connection.execute(statement, rows[start : start + ROWS_AT_ONCE])


def _by_number(connection: Connection, known: Carried) -> set[int]:
    """The same number is the same person only if it is known as long."""
    columns = customers.c.id, customers.c.created_at
    living = customers.c.erased_at.is_(None)
    rows = lookup(connection, customers.c.id, known.erased, columns, living)
    return {key for key, created_at in rows if known.erased[key] == created_at}


def _by_id_of_source(connection: Connection, known: Carried) -> set[int]:
    gone = {
        digest
        for channel, digest, reason, _ in known.suppressed
        if channel == EXTERNAL and reason == ERASED
    }
    if not gone:
        return set()
    query = select(identities.c.customer_id, identities.c.value).where(
        identities.c.kind == IdentityKind.EXTERNAL
    )
    return {
        row.customer_id
        for row in connection.execute(query.execution_options(yield_per=ROWS_AT_ONCE))
        if installation.address_hmac(known.key, row.value) in gone
    }
