"""Pairs of customers who may be one person: proposed, shown, decided by a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from core.errors import Problem, RapportError
from core.model import MatchState
from storage import changes
from storage.customer_fields import FIELDS, value_at
from storage.database import actor_of
from storage.pairs import Pair
from storage.schema import (
    conversations,
    customers,
    feedback,
    identities,
    match_candidates,
    orders,
    sources,
)

# What is shown side by side; attributes differ between sources by their nature.
COUNTED = (orders, conversations, feedback)
IDS_PER_STATEMENT = 1000
# Built once, for a night may settle thousands of pairs.
_KNOWN = select(match_candidates.c.id).where(
    match_candidates.c.low_id == bindparam("low"),
    match_candidates.c.high_id == bindparam("high"),
)


class CandidateError(RapportError):
    """There is nothing to decide there."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pair that somebody should look at; `evidence` as the matching told it."""

    low_id: int
    high_id: int
    probability_ratio: float
    evidence: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Person:
    """One side of a candidate. `counts` tells rows by table."""

    id: int
    name: str | None
    source: str | None
    created_at: datetime
    fields: dict[str, Any]
    addresses: tuple[tuple[str, str], ...]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One proposal with both people."""

    id: int
    probability_ratio: float
    evidence: tuple[dict[str, Any], ...]
    found_at: datetime
    low: Person
    high: Person

    @property
    def differing(self) -> frozenset[str]:
        """Fields of which the two say different things."""
        return frozenset(
            name
            for name in FIELDS
            if None
            not in (own := self.low.fields[name], other := self.high.fields[name])
            and own != other
        )


def propose(
    connection: Connection, proposals: Iterable[Proposal], now: datetime
) -> int:
    """Put pairs before a person; returns how many were not waiting already.

    What a person decided stays decided: hand over only what may be asked again.
    """
    new = 0
    for each in proposals:
        own = _is_pair(each.low_id, each.high_id)
        state = connection.scalar(select(match_candidates.c.state).where(own))
        values: dict[str, Any] = {
            "probability_ratio": each.probability_ratio,
            "evidence": [dict(part) for part in each.evidence],
        }
        if state == MatchState.PROPOSED:
            connection.execute(update(match_candidates).where(own).values(**values))
            continue
        values |= {"state": MatchState.PROPOSED, "found_at": now}
        values |= {"decided_by": None, "decided_at": None}
        _write(connection, (each.low_id, each.high_id), values, known=state is not None)
        new += 1
    return new


def forget_others(
    connection: Connection,
    found: Collection[Pair],
    looked_at: datetime,
    among: AbstractSet[int] | None = None,
) -> int:
    """Drop proposals that a newer look did not find; returns how many.

    Parameters
    ----------
    connection : a writing one
    found : the pairs that the look found
    looked_at : when it began; what somebody proposed since stays
    among : who was looked at, None for everybody; proposals about others stay
    """
    rows = connection.execute(
        select(match_candidates).where(
            match_candidates.c.state == MatchState.PROPOSED,
            match_candidates.c.found_at < looked_at,
        )
    )
    gone = [
        row.id
        for row in rows
        if (pair := (row.low_id, row.high_id)) not in found
        and (among is None or not among.isdisjoint(pair))
    ]
    for start in range(0, len(gone), IDS_PER_STATEMENT):
        some = gone[start : start + IDS_PER_STATEMENT]
        connection.execute(
            delete(match_candidates).where(match_candidates.c.id.in_(some))
        )
    return len(gone)


def settle(
    connection: Connection,
    pair: Pair,
    state: MatchState,
    now: datetime,
    probability_ratio: float | None = None,
) -> None:
    """Write down what became of two customers, and who decided it."""
    low_id, high_id = sorted(pair)
    pair_ids = {"low": low_id, "high": high_id}
    known = connection.scalar(_KNOWN, pair_ids)
    values = {"state": state, "decided_by": actor_of(connection), "decided_at": now}
    if known is None:
        values |= {"probability_ratio": probability_ratio or 0.0, "evidence": []}
        values |= {"found_at": now}
    _write(connection, (low_id, high_id), values, known=known is not None)


def keep_apart(connection: Connection, candidate_id: int, now: datetime) -> Pair:
    """A person says that these are two; returns the pair.

    Raises
    ------
    CandidateError : nothing is proposed there any more
    """
    pair = pair_of(connection, candidate_id)
    settle(connection, pair, MatchState.APART, now)
    changes.record(connection, "candidate", candidate_id, now)
    return pair


def pair_of(
    connection: Connection, candidate_id: int, first: int | None = None
) -> Pair:
    """The two customers of a proposal that waits for a decision.

    The older one comes first, unless another is asked for.

    Raises
    ------
    CandidateError : nothing is proposed there any more, or not about that customer
    """
    row = connection.execute(
        _waiting(match_candidates.c.low_id, match_candidates.c.high_id).where(
            match_candidates.c.id == candidate_id
        )
    ).first()
    if row is None:
        hint = "What waits is listed by: rapport duplicates list"
        raise CandidateError(
            Problem(f"no proposal {candidate_id} waits for a decision", hint=hint)
        )
    if first in {None, row.low_id}:
        return row.low_id, row.high_id
    if first != row.high_id:
        hint = f"It is about {row.low_id} and {row.high_id}."
        raise CandidateError(
            Problem(f"proposal {candidate_id} is not about customer {first}", hint=hint)
        )
    return row.high_id, row.low_id


def count(connection: Connection) -> int:
    """How many proposals wait for a decision."""
    found = _waiting(match_candidates.c.id).subquery()
    return connection.scalar(select(func.count()).select_from(found)) or 0


def waiting(connection: Connection, limit: int, offset: int = 0) -> list[Candidate]:
    """Proposals with both people, the most probable first."""
    rows = connection.execute(
        _waiting(match_candidates)
        .order_by(match_candidates.c.probability_ratio.desc(), match_candidates.c.id)
        .limit(limit)
        .offset(offset)
    ).all()
    ids = {each for row in rows for each in (row.low_id, row.high_id)}
    found = people(connection, ids)
    return [
        Candidate(
            row.id,
            row.probability_ratio,
            tuple(row.evidence),
            row.found_at,
            found[row.low_id],
            found[row.high_id],
        )
        for row in rows
    ]


def people(connection: Connection, ids: Collection[int]) -> dict[int, Person]:
    """What there is to compare of these customers, by id."""
    addresses: dict[int, list[tuple[str, str]]] = {each: [] for each in ids}
    for row in connection.execute(
        select(identities.c.customer_id, identities.c.kind, identities.c.typed)
        .where(identities.c.customer_id.in_(ids))
        .order_by(identities.c.kind, identities.c.place, identities.c.id)
    ):
        addresses[row.customer_id].append((row.kind, row.typed))
    counts: dict[int, dict[str, int]] = {each: {} for each in ids}
    for table in COUNTED:
        for customer_id, found in connection.execute(
            select(table.c.customer_id, func.count())
            .where(table.c.customer_id.in_(ids))
            .group_by(table.c.customer_id)
        ):
            counts[customer_id][table.name] = found
    rows = connection.execute(
        select(customers, sources.c.name.label("source"))
        .outerjoin(sources, sources.c.id == customers.c.source_id)
        .where(customers.c.id.in_(ids))
    )
    return {
        row.id: Person(
            row.id,
            row.name,
            row.source,
            row.created_at,
            {name: value_at(row, name) for name in FIELDS},
            tuple(addresses[row.id]),
            counts[row.id],
        )
        for row in rows
    }


def _waiting(*columns: Any) -> Any:
    """Proposals of which neither side was merged or erased since."""
    low, high = customers.alias("low"), customers.alias("high")
    return (
        select(*columns)
        .select_from(match_candidates)
        .join(low, low.c.id == match_candidates.c.low_id)
        .join(high, high.c.id == match_candidates.c.high_id)
        .where(
            match_candidates.c.state == MatchState.PROPOSED,
            *(
                column.is_(None)
                for side in (low, high)
                for column in (side.c.alias_of, side.c.erased_at)
            ),
        )
    )


def _is_pair(low_id: int, high_id: int) -> ColumnElement[bool]:
    return and_(
        match_candidates.c.low_id == low_id, match_candidates.c.high_id == high_id
    )


def _write(
    connection: Connection, pair: Pair, values: Mapping[str, Any], *, known: bool
) -> None:
    low_id, high_id = pair
    if known:
        connection.execute(
            update(match_candidates).where(_is_pair(low_id, high_id)).values(**values)
        )
    else:
        row = {"low_id": low_id, "high_id": high_id, **values}
        connection.execute(insert(match_candidates), row)
