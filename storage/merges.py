"""Two customers who are one person become one, and two again where that was wrong.

The merged customer keeps its row as an alias of the survivor, so that an id from
before still leads somewhere. A merge writes down what it moved and overwrote; to take
one back, the later merges of the same people are taken back first and made again
after it, so that the order in which merges are undone changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update

from core.errors import Problem, RapportError
from core.model import MatchState, MergeMethod
from storage import (
    candidates,
    changes,
    merge_consents,
    merge_fields,
    merge_rows,
    staff,
    totals,
)
from storage.database import actor_of
from storage.merge_fields import UnitedFields
from storage.merge_rows import MovedRows
from storage.schema import consents, conversations, customers, merges

# Built once: each takes longer to build than to run, and a night may merge thousands.
_INSERT = insert(merges).returning(merges)
_HOLD = (
    select(customers)
    .where(customers.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(customers.c.id)
    .with_for_update()
)
_MARKS = select(
    *(
        func.coalesce(select(func.max(table.c.id)).scalar_subquery(), 0).label(name)
        for name, table in (("consents", consents), ("conversations", conversations))
    )
)
_ALIAS = (
    update(customers)
    .where(customers.c.id == bindparam("own_id"))
    .values(alias_of=bindparam("alias_of"), updated_at=bindparam("updated_at"))
)
_WRITE = (
    update(merges)
    .where(merges.c.id == bindparam("merge_id"))
    .values(moved=bindparam("moved", type_=merges.c.moved.type))
)


class MergeError(RapportError):
    """These customers can't become one, or this merge can't be taken back."""


@dataclass(frozen=True, slots=True)
class Merge:
    """One merge. `moved_count` and `left_count` tell rows by table."""

    id: int
    survivor_id: int
    merged_id: int
    survivor: str | None
    merged: str | None
    method: MergeMethod
    probability_ratio: float | None
    reason: str | None
    moved_count: dict[str, int]
    left_count: dict[str, int]
    actor: str
    at: datetime
    undone_at: datetime | None


def merge(
    connection: Connection,
    survivor_id: int,
    merged_id: int,
    method: MergeMethod,
    now: datetime,
    probability_ratio: float | None = None,
    reason: str = "",
) -> int:
    """Make two customers one; returns the id of the merge, which takes it back.

    Raises
    ------
    MergeError : there is no such customer, one was erased or is part of another
        already, or both are the same
    """
    _check(connection, survivor_id, merged_id)
    values = {
        "survivor_id": survivor_id,
        "merged_id": merged_id,
        "method": method,
        "probability_ratio": probability_ratio,
        "reason": reason or None,
        "moved": {},
        "actor": actor_of(connection),
        "at": now,
    }
    row = connection.execute(_INSERT, values).one()
    merge_id = int(row.id)
    _unite(connection, row, now)
    pair = survivor_id, merged_id
    candidates.settle(connection, pair, MatchState.MERGED, now, probability_ratio)
    staff.audit(
        connection,
        "customers_merged",
        "customer",
        survivor_id,
        now,
        merge=merge_id,
        merged=merged_id,
        method=method,
    )
    _tell(connection, pair, now)
    return merge_id


def unmerge(connection: Connection, merge_id: int, now: datetime) -> Merge:
    """Take a merge back, whole; the two are never merged by themselves again.

    What moved goes back, and the survivor's fields are as before, but for what was
    changed since. Of what came since the merge, conversations follow their address
    and withdrawals of consent count for both; all else stays with the survivor.

    Raises
    ------
    MergeError : there is no such merge, it is undone, or somebody in it was erased
    """
    undone = _row(connection, merge_id)
    if undone.undone_at is not None:
        raise MergeError(Problem(f"merge {merge_id} is undone already"))
    later = _later(connection, undone)
    people = _hold(connection, _people([undone, *later]))
    if any(row.erased_at is not None for row in people):
        problem = Problem(f"merge {merge_id} names a customer who was erased")
        raise MergeError(problem)
    for row in reversed(later):
        _take_back(connection, row, now)
    _take_back(connection, undone, now)
    _share_arrivals(connection, undone, later)
    connection.execute(
        update(merges).where(merges.c.id == merge_id).values(undone_at=now)
    )
    for row in later:
        _unite(connection, row, row.at)
    pair = undone.survivor_id, undone.merged_id
    candidates.settle(connection, pair, MatchState.APART, now, undone.probability_ratio)
    staff.audit(
        connection,
        "merge_undone",
        "customer",
        undone.survivor_id,
        now,
        merge=merge_id,
        merged=undone.merged_id,
    )
    _tell(connection, [row.id for row in people], now)
    return _merge(_named(connection, merges.c.id == merge_id)[0])


def get(connection: Connection, merge_id: int) -> Merge | None:
    """One merge, or None."""
    rows = _named(connection, merges.c.id == merge_id)
    return _merge(rows[0]) if rows else None


def newest(connection: Connection, limit: int = 20) -> list[Merge]:
    """The newest merges, those that were undone among them."""
    return [_merge(row) for row in _named(connection, limit=limit)]


def of_customer(connection: Connection, customer_id: int) -> list[Merge]:
    """The merges that made this customer what it is, the newest first."""
    part = or_(merges.c.survivor_id == customer_id, merges.c.merged_id == customer_id)
    return [_merge(row) for row in _named(connection, part)]


# --- one merge, there and back --------------------------------------------------------


def _unite(connection: Connection, row: Row[Any], now: datetime) -> None:
    """Do what the merge says; one that is made again keeps its marks."""
    before: dict[str, Any] = row.moved
    marks = before.get("marks") or connection.execute(_MARKS).one()._asdict()
    both = row.survivor_id, row.merged_id
    found = {each.id: each for each in _hold(connection, both)}
    survivor, merged = (found[each] for each in both)
    said = merge_consents.ledgers(connection, both)
    fields = merge_fields.unite(connection, survivor, merged, now)
    rows = merge_rows.move(connection, survivor.id, merged.id, now)
    known = {
        (each["channel"], each["topic"]): each["id"]
        for each in before.get("consents", ())
    }
    matters = merge_consents.withdrawn(said, marks["consents"])
    added = merge_consents.withdraw(
        connection, survivor.id, row.id, matters, now, known
    )
    values = {"own_id": merged.id, "alias_of": survivor.id, "updated_at": now}
    connection.execute(_ALIAS, values)
    moved = {
        "rows": rows.as_json(),
        "fields": fields.as_json(),
        "consents": added,
        "marks": marks,
    }
    connection.execute(_WRITE, {"merge_id": row.id, "moved": moved})


def _take_back(connection: Connection, row: Row[Any], now: datetime) -> None:
    moved: dict[str, Any] = row.moved
    merge_consents.remove(connection, [each["id"] for each in moved["consents"]])
    rows = MovedRows(**moved["rows"])
    merge_rows.take_back(connection, rows, row.survivor_id, row.merged_id, now)
    survivor = _customer(connection, row.survivor_id)
    fields = UnitedFields(**moved["fields"])
    merge_fields.take_back(connection, survivor, fields, now)
    values = {"own_id": row.merged_id, "alias_of": None, "updated_at": now}
    connection.execute(_ALIAS, values)


def _share_arrivals(
    connection: Connection, undone: Row[Any], later: Sequence[Row[Any]]
) -> None:
    """Part what came since the merge, wherever the survivor has gone meanwhile."""
    holders = [undone.survivor_id]
    joined = [undone]
    for row in later:
        if row.merged_id == holders[-1]:
            holders.append(row.survivor_id)
            joined.append(row)
    after = undone.moved["marks"]["conversations"]
    merge_rows.give_arrivals(connection, holders, undone.merged_id, after)
    for holder, row in zip(holders, joined, strict=True):
        merge_consents.copy_withdrawals(
            connection, holder, undone.merged_id, row.moved["marks"]["consents"]
        )


# --- who ------------------------------------------------------------------------------


def _check(connection: Connection, survivor_id: int, merged_id: int) -> None:
    """Hold both customers, and refuse what would lose somebody."""
    if survivor_id == merged_id:
        raise MergeError(Problem("a customer is one with itself already"))
    found = {row.id: row for row in _hold(connection, (survivor_id, merged_id))}
    for each in (survivor_id, merged_id):
        row = found.get(each)
        if row is None:
            raise MergeError(Problem(f"there is no customer {each}"))
        if row.erased_at is not None:
            raise MergeError(Problem(f"customer {each} was erased"))
        if row.alias_of is not None:
            raise MergeError(
                Problem(
                    f"customer {each} is part of customer {row.alias_of}",
                    hint=f"Use {row.alias_of} instead, or undo that merge first.",
                )
            )


def _hold(connection: Connection, ids: Iterable[int]) -> Sequence[Row[Any]]:
    """These customers, kept from others until this transaction ends."""
    return connection.execute(_HOLD, {"ids": sorted(set(ids))}).all()


def _customer(connection: Connection, customer_id: int) -> Row[Any]:
    return connection.execute(
        select(customers).where(customers.c.id == customer_id)
    ).one()


def _people(rows: Iterable[Row[Any]]) -> set[int]:
    return {each for row in rows for each in (row.survivor_id, row.merged_id)}


def _tell(connection: Connection, ids: Iterable[int], now: datetime) -> None:
    """Let totals be counted anew, and pages look again."""
    people = sorted(set(ids))
    totals.mark_stale(connection, people)
    for each in people:
        changes.record(connection, "customer", each, now)


# --- which merges ---------------------------------------------------------------------


def _row(connection: Connection, merge_id: int) -> Row[Any]:
    row = connection.execute(select(merges).where(merges.c.id == merge_id)).first()
    if row is None:
        hint = "The newest are listed by: rapport duplicates list"
        raise MergeError(Problem(f"there is no merge {merge_id}", hint=hint))
    return row


def _later(connection: Connection, undone: Row[Any]) -> list[Row[Any]]:
    """Merges since then that anybody of the same people is in, the oldest first."""
    found: dict[int, Row[Any]] = {}
    people = _people([undone])
    while True:
        rows = connection.execute(
            select(merges).where(
                merges.c.id > undone.id,
                merges.c.undone_at.is_(None),
                or_(merges.c.survivor_id.in_(people), merges.c.merged_id.in_(people)),
            )
        ).all()
        found |= {row.id: row for row in rows}
        if people >= (more := _people(rows)):
            return [found[key] for key in sorted(found)]
        people |= more


def _named(
    connection: Connection, condition: Any = None, limit: int | None = None
) -> Sequence[Row[Any]]:
    survivor, merged = customers.alias("survivor"), customers.alias("merged")
    query = (
        select(
            merges,
            survivor.c.name.label("survivor_name"),
            merged.c.name.label("merged_name"),
        )
        .join(survivor, survivor.c.id == merges.c.survivor_id)
        .join(merged, merged.c.id == merges.c.merged_id)
        .order_by(merges.c.id.desc())
        .limit(limit)
    )
    return connection.execute(
        query if condition is None else query.where(condition)
    ).all()


def _merge(row: Row[Any]) -> Merge:
    # Of an erased customer nothing is known but that there was a merge.
    rows = MovedRows(**row.moved.get("rows", {}))
    return Merge(
        id=row.id,
        survivor_id=row.survivor_id,
        merged_id=row.merged_id,
        survivor=row.survivor_name,
        merged=row.merged_name,
        method=MergeMethod(row.method),
        probability_ratio=row.probability_ratio,
        reason=row.reason,
        moved_count={name: len(ids) for name, ids in rows.moved.items()},
        left_count={name: len(ids) for name, ids in rows.left.items()},
        actor=row.actor,
        at=row.at,
        undone_at=row.undone_at,
    )
