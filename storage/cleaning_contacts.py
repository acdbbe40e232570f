"""Findings about addresses, stored: one form, set aside, or a claim on another's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Row, delete, select, update

from core.model import Finding, IdentityKind
from storage.bulk import lookup
from storage.dialect import upsert
from storage.schema import identities, identity_claims

# As `analytics.clean_rule` names them: a number that somebody has already.
CLAIMED, REPEATED = "phone_claimed", "phone_repeated"
# Reasons of cleaning begin so; those of sending (a bounce) stay as they are.
_OURS = ("email_", "phone_")


def apply(
    connection: Connection, findings: Sequence[Finding], now: datetime
) -> list[Finding]:
    """Store these; those whose address is another by now are left out."""
    if not findings:
        return []
    wanted = {each.record_id: each for each in findings}
    rows = connection.execute(
        select(identities)
        .where(identities.c.id.in_(list(wanted)))
        .order_by(identities.c.id)
        .with_for_update()
    ).all()
    owners = _owners(connection, (each.after for each in findings))
    made = []
    for row in rows:
        found = wanted[row.id]
        if row.value != found.before or (found.after is None and not _is_free(row)):
            continue
        if found.after is None:
            _set(connection, row.id, unreachable_reason=found.rule)
            made.append(found)
            continue
        made.append(_give(connection, row, found, owners, now))
        owners.setdefault(found.after, row.customer_id)
    return made


def _give(
    connection: Connection,
    row: Row[tuple[object, ...]],
    found: Finding,
    owners: dict[str, int],
    now: datetime,
) -> Finding:
    """The number in its form, or a claim on it where another customer has it."""
    owner = owners.get(str(found.after))
    if owner is None:
        reason = None if _is_free(row) else row.unreachable_reason
        _set(connection, row.id, value=found.after, unreachable_reason=reason)
        return found
    connection.execute(delete(identities).where(identities.c.id == row.id))
    if owner == row.customer_id:
        return replace(found, rule=REPEATED)
    claim = {
        "customer_id": row.customer_id,
        "kind": row.kind,
        "value": found.after,
        "typed": row.typed,
        "import_id": row.import_id,
        "created_at": now,
    }
    connection.execute(
        upsert(connection, identity_claims).values(**claim).on_conflict_do_nothing()
    )
    return replace(found, rule=CLAIMED)


def _owners(connection: Connection, numbers: Iterable[str | None]) -> dict[str, int]:
    columns = identities.c.value, identities.c.customer_id
    found = lookup(
        connection,
        identities.c.value,
        {each for each in numbers if each is not None},
        columns,
        identities.c.kind == IdentityKind.PHONE,
    )
    return dict(map(tuple, found))


def _is_free(row: Row[tuple[object, ...]]) -> bool:
    """Whether nobody but cleaning has switched the address off."""
    reason = row.unreachable_reason
    return reason is None or str(reason).startswith(_OURS)


def _set(connection: Connection, identity_id: int, **values: object) -> None:
    connection.execute(
        update(identities).where(identities.c.id == identity_id).values(**values)
    )
