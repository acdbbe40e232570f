"""Many rows of many tables at once, as a seeded shop needs them; ids come back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select

from core.errors import DataError, Problem
from storage import schema
from storage.bulk import insert_numbers, insert_rows, moment_value, new_ids, update_rows
from storage.dialect import upsert
from storage.totals import start_anew

Row = tuple[Any, ...]

# The columns of a row of each table, in this order, without the id.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customers": (
        *("name", "language", "gender", "birth_date", "city", "country"),
        *("income_minor", "income_currency", "preferences", "attributes"),
        *("source_id", "created_at", "updated_at"),
    ),
    "identities": (
        *("customer_id", "kind", "value", "typed", "verified_at"),
        *("unreachable_reason", "created_at"),
    ),
    "consents": ("customer_id", "channel", "topic", "state", "source", "at"),
    "products": (
        *("source_id", "external_id", "name", "category", "price_minor"),
        *("currency", "url", "active"),
    ),
    "orders": (
        *("source_id", "external_id", "customer_id", "kind", "ordered_at"),
        *("total_minor", "currency", "import_id"),
    ),
    "conversations": (
        *("customer_id", "channel", "address", "owner", "owner_staff_id", "version"),
        *("language", "dialogue", "open", "waiting_since", "created_at"),
        *("last_message_at", "due_at", "due_event"),
    ),
    "episodes": (
        *("conversation_id", "kind", "topic", "opened_at", "closed_at", "ended"),
        "reopened",
    ),
    "messages": (
        *("conversation_id", "episode_id", "sender", "staff_id", "text", "buttons"),
        *("state", "external_id", "created_at", "sent_at"),
    ),
    "conversation_events": (
        *("conversation_id", "episode_id", "kind", "actor", "data", "at"),
    ),
    "handling_intervals": (
        *("episode_id", "staff_id", "started_at", "ended_at", "active_at"),
    ),
    "feedback": (
        *("customer_id", "episode_id", "asked_at", "answered_at", "score", "issue"),
        *("comment", "answered_by", "staff_id", "topic", "channel"),
    ),
    "utterances": (
        *("message_id", "text", "language", "article_key", "score", "outcome", "at"),
    ),
    "deliveries": (
        *("campaign_run_id", "customer_id", "channel", "step", "segment", "state"),
        *("reason", "content", "attempts", "planned_at", "ended_at"),
    ),
    "delivery_events": ("delivery_id", "kind", "detail", "at"),
}
_LINE = ("order_id", "line_no", "product_id", "quantity", "amount_minor")


def insert(connection: Connection, table: str, rows: Sequence[Row]) -> list[int]:
    """The ids of new rows, in their order; values are those of our own types."""
    if table == "orders":
        start_anew(connection)
    target = schema.metadata.tables[table]
    ids = list(new_ids(connection, target, len(rows)))
    raws = _Raws(connection)
    raw = [
        (key, *[raws[type(value)](value) for value in row])
        for key, row in zip(ids, rows, strict=True)
    ]
    insert_rows(connection, target, ("id", *COLUMNS[table]), raw)
    return ids


def insert_lines(
    connection: Connection, rows: Sequence[tuple[int, int, int, int, int]]
) -> None:
    """Lines of orders: order, number, product, quantity, amount."""
    insert_numbers(connection, schema.order_lines, _LINE, rows)


def set_dialogues(
    connection: Connection, dialogues: Sequence[tuple[int, dict[str, Any]]]
) -> None:
    """Where the dialogue of each conversation (by id) stands."""
    rows = [(json.dumps(state), key) for key, state in dialogues]
    update_rows(connection, schema.conversations, ("dialogue",), rows)


def set_message_ids(connection: Connection, names: Sequence[tuple[int, str]]) -> None:
    """The Message-ID of each delivery (by id): it is made from the id."""
    rows = [(name, key) for key, name in names]
    update_rows(connection, schema.deliveries, ("message_id",), rows)


def plant_key(connection: Connection, purpose: str, value: bytes) -> None:
    """Give the installation a known key in place of a random one.

    Raises
    ------
    DataError : there are customers already, who may have been assigned by the old one
    """
    refuse_used(connection)
    connection.execute(
        upsert(connection, schema.installation)
        .values(key=purpose, value=value)
        .on_conflict_do_update(index_elements=["key"], set_={"value": value})
    )


def refuse_used(connection: Connection) -> None:
    """Raise where the database belongs to somebody.

    Raises
    ------
    DataError : there are customers
    """
    found = connection.scalar(select(func.count()).select_from(schema.customers)) or 0
    if found:
        raise DataError(
            Problem(
                "the demo needs a database without customers",
                f"{found} customers",
                hint="Give it one of its own, or delete a demo that was cut off.",
            )
        )


class _Raws(dict[type, Callable[[Any], Any]]):
    """How values of each type reach the driver; a type is looked at once."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, kind: type) -> Callable[[Any], Any]:
        found: Callable[[Any], Any] = _as_it_is
        if issubclass(kind, datetime):
            found = partial(moment_value, self._connection)
        elif issubclass(kind, StrEnum):
            found = str
        elif issubclass(kind, date):
            found = date.isoformat
        elif issubclass(kind, dict | list):
            found = json.dumps
        self[kind] = found
        return found


def _as_it_is(value: Any) -> Any:
    return value
