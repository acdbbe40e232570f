"""Findings about addresses, stored: one form, set aside, or a claim on another's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from core.model import Finding, IdentityKind
from storage.bulk import lookup, update_rows
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
    batch = _Batch(now, _owners(connection, (each.after for each in findings)))
    for row in rows:
        batch.add(row, wanted[row.id])
    batch.write(connection)
    return batch.made


class _Batch:
    """What is to be written of some findings, in the order of the addresses."""

    def __init__(self, now: datetime, owners: dict[str, int]) -> None:
        self.made: list[Finding] = []
        self._now = now
        self._owners = owners
        self._set: list[tuple[str, str | None, int]] = []
        self._given_up: list[int] = []
        self._claims: list[dict[str, Any]] = []

    def add(self, row: Any, found: Finding) -> None:
        """Decide about one address as it stands now."""
        free = row.unreachable_reason is None or row.unreachable_reason.startswith(
            _OURS
        )
        if row.value != found.before or (found.after is None and not free):
            return
        if found.after is None:
            self._set.append((row.value, found.rule, row.id))
            self.made.append(found)
            return
        owner = self._owners.get(found.after)
        if owner is None:
            self._owners[found.after] = row.customer_id
            reason = None if free else row.unreachable_reason
            self._set.append((found.after, reason, row.id))
            self.made.append(found)
        else:
            self._give_up(row, found, is_own=owner == row.customer_id)

    def _give_up(self, row: Any, found: Finding, *, is_own: bool) -> None:
        """Somebody has the number: the identity goes, and a claim stays."""
        self._given_up.append(row.id)
        self.made.append(replace(found, rule=REPEATED if is_own else CLAIMED))
        if not is_own:
            self._claims.append(
                {
                    "customer_id": row.customer_id,
                    "kind": row.kind,
                    "value": found.after,
                    "typed": row.typed,
                    "import_id": row.import_id,
                    "created_at": self._now,
                }
            )

    def write(self, connection: Connection) -> None:
        """Store what was decided."""
        if self._given_up:
            gone = identities.c.id.in_(self._given_up)
            connection.execute(delete(identities).where(gone))
        update_rows(connection, identities, ("value", "unreachable_reason"), self._set)
        if self._claims:
            connection.execute(
                upsert(connection, identity_claims).on_conflict_do_nothing(),
                self._claims,
            )


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
