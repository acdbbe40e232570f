"""Every incoming update, stored before it is acknowledged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core.model import Channel, Update
from storage.dialect import upsert
from storage.schema import inbox

ERROR_CHARACTERS = 8000


@dataclass(frozen=True, slots=True)
class Stored:
    """An update with its place in the inbox."""

    id: int
    update: Update


def store(connection: Connection, received: Update) -> Stored | None:
    """Keep an update; None where the channel has delivered it before."""
    inbox_id = connection.execute(
        upsert(connection, inbox)
        .values(
            source=received.source,
            external_id=received.external_id,
            payload=_payload(received),
            received_at=received.received_at,
        )
        .on_conflict_do_nothing(index_elements=["source", "external_id"])
        .returning(inbox.c.id)
    ).scalar()
    return None if inbox_id is None else Stored(inbox_id, received)


def unhandled(connection: Connection, after_id: int, limit: int) -> list[Stored]:
    """Updates that no turn has worked on, in the order of arrival."""
    rows = connection.execute(
        select(inbox)
        .where(inbox.c.handled_at.is_(None), inbox.c.id > after_id)
        .order_by(inbox.c.id)
        .limit(limit)
    )
    return [Stored(row.id, _update(row)) for row in rows]


def has_waiting(connection: Connection, source: str, prefix: str) -> bool:
    """Whether an update of this source still waits; ids of others don't begin so."""
    query = select(inbox.c.id).where(
        inbox.c.handled_at.is_(None),
        inbox.c.source == source,
        inbox.c.external_id.startswith(prefix, autoescape=True),
    )
    return connection.scalar(query.limit(1)) is not None


def is_waiting(connection: Connection, inbox_id: int) -> bool:
    """Whether the update still needs its turn; holds it for this transaction."""
    query = select(inbox.c.handled_at).where(inbox.c.id == inbox_id).with_for_update()
    return connection.execute(query).scalar_one() is None


def mark_handled(
    connection: Connection,
    inbox_id: int,
    customer_id: int | None,
    now: datetime,
    error: str | None = None,
) -> None:
    """The update had its turn; `error` says what went wrong in it."""
    connection.execute(
        update(inbox)
        .where(inbox.c.id == inbox_id)
        .values(
            handled_at=now,
            customer_id=customer_id,
            error=None if error is None else error[-ERROR_CHARACTERS:],
        )
    )


def errors(connection: Connection, limit: int = 50) -> list[str]:
    """What went wrong in turns, the newest first."""
    rows = connection.scalars(
        select(inbox.c.error)
        .where(inbox.c.error.is_not(None))
        .order_by(inbox.c.id.desc())
        .limit(limit)
    )
    return list(rows)


def _payload(received: Update) -> dict[str, Any]:
    return {
        "channel": received.channel.value,
        "address": received.address,
        "text": received.text,
        "button": received.button,
        "display_name": received.display_name,
        "language": received.language,
        "raw": received.raw,
    }


def _update(row: Row[Any]) -> Update:
    values = dict(row.payload)
    return Update(
        source=row.source,
        external_id=row.external_id,
        received_at=row.received_at,
        channel=Channel(values.pop("channel")),
        **values,
    )
