"""What is known of pairs of customers before they are compared."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    or_,
    select,
)

from core.model import IdentityKind, MatchState
from storage.schema import customers, identities, identity_claims, match_candidates

# Two customers, the smaller id first.
Pair = tuple[int, int]


def proven(connection: Connection) -> list[tuple[Pair, str]]:
    """Pairs of which one proved an address that a source gave for the other.

    Each with the kind of the address. Two with different birth dates are not among
    them: a family may share a telephone.
    """
    owner, claimant = customers.alias("owner"), customers.alias("claimant")
    low, high = _root(claimant), _root(owner)
    rows = connection.execute(
        select(low.label("one"), high.label("other"), identities.c.kind)
        .select_from(identity_claims)
        .join(
            identities,
            and_(
                identities.c.kind == identity_claims.c.kind,
                identities.c.value == identity_claims.c.value,
                is_proven(),
            ),
        )
        .join(owner, owner.c.id == identities.c.customer_id)
        .join(claimant, claimant.c.id == identity_claims.c.customer_id)
        .where(
            low != high,
            owner.c.erased_at.is_(None),
            claimant.c.erased_at.is_(None),
            or_(
                owner.c.birth_date.is_(None),
                claimant.c.birth_date.is_(None),
                owner.c.birth_date == claimant.c.birth_date,
            ),
        )
        .order_by(identity_claims.c.id)
    )
    return [(_ordered(row.one, row.other), row.kind) for row in rows]


def is_proven() -> ColumnElement[bool]:
    """Whether an identity is its owner's beyond doubt, as who writes by Telegram."""
    by_chat = and_(
        identities.c.kind == IdentityKind.TELEGRAM, identities.c.import_id.is_(None)
    )
    return or_(identities.c.verified_at.is_not(None), by_chat)


def apart(connection: Connection) -> dict[Pair, bool]:
    """Pairs that a person found to be two, by the customers that they are now.

    The value says whether an address of either is newer than the decision: such a
    pair may be proposed again. None of them is ever merged without a person.
    """
    low, high = customers.alias("low"), customers.alias("high")
    newer = [
        exists().where(
            table.c.customer_id.in_((_root(low), _root(high))),
            table.c.created_at > match_candidates.c.decided_at,
        )
        for table in (identities, identity_claims)
    ]
    rows = connection.execute(
        select(
            _root(low).label("one"),
            _root(high).label("other"),
            or_(*newer).label("is_newer"),
        )
        .select_from(match_candidates)
        .join(low, low.c.id == match_candidates.c.low_id)
        .join(high, high.c.id == match_candidates.c.high_id)
        .where(match_candidates.c.state == MatchState.APART)
        .order_by(match_candidates.c.id)
    )
    found: dict[Pair, bool] = {}
    for row in rows:
        if row.one != row.other:
            pair = _ordered(row.one, row.other)
            found[pair] = found.get(pair, True) and bool(row.is_newer)
    return found


def survivors(connection: Connection) -> dict[int, int]:
    """Everybody who was merged, with the customer that they are now."""
    query = select(customers.c.id, customers.c.alias_of)
    rows = connection.execute(query.where(customers.c.alias_of.is_not(None)))
    return {row.id: row.alias_of for row in rows}


def changed(connection: Connection, since: datetime) -> set[int]:
    """Customers of whom anything that is compared may have changed since then.

    Of one who was merged both: the row that changed, and who the customer is now.
    """
    found: set[int] = set()
    for key, moment in (
        (customers.c.id, customers.c.updated_at),
        (identities.c.customer_id, identities.c.created_at),
        (identity_claims.c.customer_id, identity_claims.c.created_at),
    ):
        query = select(key, _root(customers)).distinct()
        if key.table is not customers:
            query = query.join(customers, customers.c.id == key)
        rows = connection.execute(query.where(moment >= since))
        found.update(each for row in rows for each in row)
    return found


def _root(table: Any) -> ColumnElement[int]:
    return func.coalesce(table.c.alias_of, table.c.id)


def _ordered(one: int, other: int) -> Pair:
    return min(one, other), max(one, other)
