"""The cleaning as a step: what is certainly wrong is corrected, with an account."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from core.clock import Clock
from core.model import system
from storage import cleaning
from storage.cleaning import Fix
from storage.database import Connection, Database

CLEANER = system("cleaner")
FIXES_PER_WRITE = 200


@dataclass(frozen=True, slots=True)
class Cleaned:
    """How many values each rule changed in this pass."""

    changes_by_rule: dict[str, int] = field(default_factory=dict)


async def clean_customers(database: Database, clock: Clock) -> Cleaned:
    """Correct what is certainly wrong in customers' records, in small writes."""
    from analytics.clean import clean_customers as find_fixes
    from storage import frames

    now = clock.now()
    customers = await database.read(frames.customers_frame)
    found, _ = find_fixes(customers, now)
    fixes = [
        Fix(
            int(row["customer_id"]),
            str(row["field"]),
            str(row["before"]),
            _or_none(row["after"]),
            str(row["rule"]),
        )
        for row in found.to_dict("records")
    ]
    fresh = await database.read(lambda c: _not_noted(c, fixes))
    for start in range(0, len(fresh), FIXES_PER_WRITE):
        batch = fresh[start : start + FIXES_PER_WRITE]
        await database.write(
            CLEANER, partial(cleaning.apply_fixes, fixes=batch, now=now)
        )
    counts: dict[str, int] = {}
    for fix in fresh:
        counts[fix.rule] = counts.get(fix.rule, 0) + 1
    return Cleaned(counts)


def _not_noted(connection: Connection, fixes: list[Fix]) -> list[Fix]:
    """Those that change something; what can only be noted is noted once."""
    known = {
        (rule, name): cleaning.noted(connection, rule, name)
        for rule, name in {(fix.rule, fix.field) for fix in fixes}
    }
    return [
        fix
        for fix in fixes
        if fix.field not in cleaning.REQUIRED
        or fix.customer_id not in known[fix.rule, fix.field]
    ]


def _or_none(value: Any) -> str | None:
    import pandas as pd

    return None if pd.isna(value) else str(value)
