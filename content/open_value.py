"""Values whose kind nobody declared: attributes that came with a file, as text."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

_WORDS = {
    **dict.fromkeys(("true", "yes", "1", "是"), True),
    **dict.fromkeys(("false", "no", "0", "否"), False),
}


def read_as(value: Any, like: str | int | Decimal | bool | date) -> Any:
    """A value read as one of the kind of `like`; None where it can't be one."""
    if isinstance(like, bool):
        return _WORDS.get(str(value).strip().casefold())
    if isinstance(like, int | Decimal):
        return number_of(value)
    if isinstance(like, date):
        return date_of(str(value))
    return str(value).strip()


def number_of(value: Any) -> Decimal | None:
    """`1250`, `-3.5`: digits and at most one dot; None where it is anything else."""
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def date_of(text: str) -> date | None:
    """The day of `2026-01-31`, or of a moment that begins so."""
    moment = moment_of(text)
    return None if moment is None else moment.date()


def moment_of(value: Any) -> datetime | None:
    """A moment in UTC; a date is its midnight, a time without a zone is UTC."""
    if isinstance(value, str):
        value = _read(value.strip())
    if not isinstance(value, date):
        return None
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _read(text: str) -> datetime | None:
    # Python reads other forms of ISO 8601 as well; `20260131` is rather a number.
    if not _DAY.match(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


_DAY = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")
