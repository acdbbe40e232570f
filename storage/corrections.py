"""The account of changed values: record, field, before, after, rule; only added to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from storage.bulk import insert_rows, moment_value
from storage.dialect import utc_text
from storage.schema import corrections

_COLUMNS = (
    *("kind", "record_id", "customer_id", "field", "before", "after", "rule"),
    *("import_id", "at"),
)
WORD_MAX = 64


@dataclass(frozen=True, slots=True)
class Correction:
    """One changed value. `kind` is that of the record; None means "no value"."""

    record_id: int
    field: str
    before: Any
    after: Any
    rule: str
    kind: str = "customer"
    customer_id: int | None = None
    import_id: int | None = None


def record(
    connection: Connection, changes: Iterable[Correction], now: datetime
) -> None:
    """Write them down; of a customer's record the customer is known by itself."""
    at = moment_value(connection, now)
    rows = [
        (
            each.kind,
            each.record_id,
            each.record_id if each.kind == "customer" else each.customer_id,
            each.field[:WORD_MAX],
            shown(each.before),
            shown(each.after),
            each.rule,
            each.import_id,
            at,
        )
        for each in changes
    ]
    insert_rows(connection, corrections, _COLUMNS, rows)


def shown(value: Any) -> str | None:
    """A value as a person reads it in the account."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)
