"""The account of cleaning as people read it: counts by rule, examples, every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from storage.schema import corrections

ROWS_PER_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the account."""

    at: datetime
    kind: str
    record_id: int
    customer_id: int | None
    field: str
    before: str | None
    after: str | None
    rule: str


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What one rule found: in the last pass, in all, and the newest examples."""

    rule: str
    count_last: int
    count: int
    examples: tuple[Entry, ...]


def by_rule(
    connection: Connection, rules: Sequence[str], since: datetime | None, examples: int
) -> list[RuleCount]:
    """The rules of these that found anything, most findings first.

    `since` is the start of the last pass.
    """
    account = corrections.c
    query = (
        select(account.rule, func.count().label("made"))
        .where(account.rule.in_(rules))
        .group_by(account.rule)
    )
    in_all = {row.rule: row.made for row in connection.execute(query)}
    newest = {}
    if since is not None:
        last = query.where(account.at >= since)
        newest = {row.rule: row.made for row in connection.execute(last)}
    return [
        RuleCount(rule, newest.get(rule, 0), count, _newest(connection, rule, examples))
        for rule, count in sorted(in_all.items(), key=lambda each: (-each[1], each[0]))
    ]


def entries(connection: Connection, rules: Sequence[str]) -> Iterator[Entry]:
    """All rows of these rules, oldest first."""
    query = _entries().where(corrections.c.rule.in_(rules)).order_by(corrections.c.id)
    rows = connection.execute(query.execution_options(yield_per=ROWS_PER_CHUNK))
    return (Entry(*row) for row in rows)


def _newest(connection: Connection, rule: str, count: int) -> tuple[Entry, ...]:
    query = _entries().where(corrections.c.rule == rule)
    order = corrections.c.at.desc(), corrections.c.id.desc()
    rows = connection.execute(query.order_by(*order).limit(count))
    return tuple(Entry(*row) for row in rows)


def _entries() -> Any:
    names = (
        *("at", "kind", "record_id", "customer_id", "field", "before", "after"),
        "rule",
    )
    return select(*(corrections.c[name] for name in names))
