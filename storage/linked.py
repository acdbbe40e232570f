"""The customers, products and staff that records of a file name; made where unknown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from core.model import Role
from storage.bulk import insert_rows, lookup, moment_value, new_ids
from storage.external import add_customers, external_customers
from storage.import_journal import made
from storage.ingest import Import
from storage.schema import products, staff
from storage.staff import NO_PASSWORD

_PRODUCT = ("id", "source_id", "external_id", "name", "active", "import_id")
_STAFF = ("id", "email", "name", "role", "password_hash", "active", "created_at")
_EMAIL_MAX = 320


def customers_of(
    connection: Connection, row: Import, names: Iterable[str | None], now: datetime
) -> dict[str, int]:
    """Ids by the source's own; a customer that nobody has told of yet is made.

    Who asked to be forgotten is missing.
    """
    wanted = list(dict.fromkeys(name for name in names if name is not None))
    known = external_customers(connection, row.source, wanted)
    new = {name: None for name in wanted if name not in known}
    return known | add_customers(connection, row, new, now)


def products_of(
    connection: Connection, row: Import, codes: Iterable[str | None]
) -> dict[str, int]:
    """Ids by the source's own; an unknown product is made, named by its code."""
    wanted = list(dict.fromkeys(code for code in codes if code is not None))
    columns = products.c.external_id, products.c.id
    ours = products.c.source_id == row.source_id
    rows = lookup(connection, products.c.external_id, wanted, columns, ours)
    known = {found.external_id: found.id for found in rows}
    new = [code for code in wanted if code not in known]
    ids = dict(zip(new, new_ids(connection, products, len(new)), strict=True))
    insert_rows(
        connection,
        products,
        _PRODUCT,
        [(key, row.source_id, code, code, True, row.id) for code, key in ids.items()],
    )
    return known | ids


def staff_of(
    connection: Connection, row: Import, names: Iterable[str | None], now: datetime
) -> dict[str, int]:
    """Ids of members by e-mail address or name.

    Who is unknown becomes a member that is not active and has no password: figures
    can name the person, and nobody can sign in. Of several of one name the active one
    is meant, then the one who came first.
    """
    wanted = list(dict.fromkeys(name for name in names if name is not None))
    if not wanted:
        return {}
    known: dict[str, int] = {}
    for key, email, name in connection.execute(_STAFF_IN_ORDER):
        known.setdefault(email, key)
        known.setdefault(name.strip().casefold(), key)
    found = {name: known.get(name.strip().casefold()) for name in wanted}
    new = list(dict.fromkeys(n.strip().casefold() for n, k in found.items() if not k))
    known |= _add_staff(connection, row, new, wanted, now)
    return {name: known[name.strip().casefold()] for name in wanted}


_STAFF_IN_ORDER = select(staff.c.id, staff.c.email, staff.c.name).order_by(
    staff.c.active.desc(), staff.c.id
)


def _add_staff(
    connection: Connection,
    row: Import,
    new: list[str],
    typed: list[str],
    now: datetime,
) -> dict[str, int]:
    written = {name.strip().casefold(): name.strip() for name in reversed(typed)}
    ids = dict(zip(new, new_ids(connection, staff, len(new)), strict=True))
    at = moment_value(connection, now)
    role = Role.AGENT.value
    insert_rows(
        connection,
        staff,
        _STAFF,
        [
            (key, _email(row, name), written[name], role, NO_PASSWORD, False, at)
            for name, key in ids.items()
        ],
    )
    made(connection, row, staff, ids.values())
    return ids


def _email(row: Import, name: str) -> str:
    """The person's address, or a word that no address is written like."""
    return (name if "@" in name else f"import:{row.source}:{name}")[:_EMAIL_MAX]
