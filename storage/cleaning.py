"""Corrections of customers' records, each with a row that says what and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from storage.schema import corrections, customers


@dataclass(frozen=True, slots=True)
class Fix:
    """One changed value; `after` None means that it was taken out."""

    customer_id: int
    field: str
    before: str
    after: str | None
    rule: str


_COLUMNS = {"income": "income_minor"}
# Taken out of these would leave a record that can't be stored: they are only noted.
REQUIRED = frozenset({"created_at"})


def apply_fixes(connection: Connection, fixes: Sequence[Fix], now: datetime) -> int:
    """Correct the customers and note every change; returns how many were made."""
    if not fixes:
        return 0
    for fix in fixes:
        if fix.field not in REQUIRED:
            column = _COLUMNS.get(fix.field, fix.field)
            connection.execute(
                update(customers)
                .where(customers.c.id == fix.customer_id)
                .values({column: _value(fix), "updated_at": now})
            )
    connection.execute(
        insert(corrections),
        [
            {
                "kind": "customer",
                "record_id": fix.customer_id,
                "field": fix.field,
                "before": fix.before,
                "after": fix.after,
                "rule": fix.rule,
                "at": now,
            }
            for fix in fixes
        ],
    )
    return len(fixes)


def noted(connection: Connection, rule: str, field: str) -> set[int]:
    """The customers for whom this was noted before."""
    return set(
        connection.scalars(
            select(corrections.c.record_id).where(
                corrections.c.kind == "customer",
                corrections.c.rule == rule,
                corrections.c.field == field,
            )
        )
    )


def counts_by_rule(connection: Connection) -> dict[str, int]:
    """How many corrections each rule has made so far."""
    rows = connection.execute(
        select(corrections.c.rule, func.count().label("made")).group_by(
            corrections.c.rule
        )
    )
    return {row.rule: row.made for row in rows}


def _value(fix: Fix) -> Any:
    if fix.after is None:
        return None
    return date.fromisoformat(fix.after) if fix.field == "birth_date" else fix.after
