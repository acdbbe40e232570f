"""Consent in a merge: what either of the two withdrew is withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from core.model import ConsentState
from storage import customers
from storage.customers import ALL_TOPICS
from storage.schema import consents

SOURCE = "merge"
# A channel and a topic.
Matter = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """One row of the ledger."""

    id: int
    channel: str
    topic: str
    state: str


_LEDGERS = (
    select(
        consents.c.customer_id,
        *(consents.c[name] for name in ("id", "channel", "topic", "state")),
    )
    .where(consents.c.customer_id.in_(bindparam("ids", expanding=True)))
    .order_by(consents.c.id)
)


def ledgers(connection: Connection, customer_ids: Iterable[int]) -> list[list[Said]]:
    """What each of these customers said so far, the oldest first."""
    found: dict[int, list[Said]] = {each: [] for each in customer_ids}
    for row in connection.execute(_LEDGERS, {"ids": list(found)}):
        said = Said(row.id, row.channel, row.topic, row.state)
        found[row.customer_id].append(said)
    return list(found.values())


def withdrawn(both: Sequence[Sequence[Said]], mark: int) -> list[Matter]:
    """Where the ledger of two says yes, though one of them had said no.

    Parameters
    ----------
    both : what each of the two said
    mark : how far the ledger went when they became one; what came later was said by
        the one person, and counts by itself
    """
    together = sorted((row for rows in both for row in rows), key=lambda row: row.id)
    matters = {(row.channel, row.topic) for row in together}
    return sorted(
        matter
        for matter in matters
        if _says_yes(together, matter, mark)
        and any(_said_no([r for r in rows if r.id <= mark], matter) for rows in both)
    )


def withdraw(
    connection: Connection,
    customer_id: int,
    merge_id: int,
    matters: Iterable[Matter],
    now: datetime,
    known: Mapping[Matter, int],
) -> list[dict[str, Any]]:
    """Add the withdrawals; one that is `known` keeps its place in the ledger."""
    added = []
    for channel, topic in matters:
        values = {
            "customer_id": customer_id,
            "channel": channel,
            "topic": topic,
            "state": ConsentState.WITHDRAWN,
            "source": SOURCE,
            "proof": f"merge {merge_id}",
            "at": now,
        }
        if (channel, topic) in known:
            values["id"] = known[channel, topic]
        row_id = connection.execute(
            insert(consents).values(**values).returning(consents.c.id)
        ).scalar_one()
        added.append({"id": row_id, "channel": channel, "topic": topic})
    return added


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Take back what the merge itself added; nobody had said it."""
    connection.execute(delete(consents).where(consents.c.id.in_(ids)))


def copy_withdrawals(
    connection: Connection, holder_id: int, merged_id: int, after: int
) -> None:
    """What the one person withdrew since the merge counts for both.

    Nobody knows which of the two it was; a yes since then stays with the survivor.
    """
    rows = connection.execute(
        select(consents)
        .where(
            consents.c.customer_id == holder_id,
            consents.c.id > after,
            consents.c.state == ConsentState.WITHDRAWN,
            consents.c.source != SOURCE,
        )
        .order_by(consents.c.id)
    ).all()
    for row in rows:
        if customers.has_consent(connection, holder_id, row.channel, row.topic):
            continue
        values = {name: value for name, value in row._mapping.items() if name != "id"}
        values["customer_id"] = merged_id
        connection.execute(insert(consents).values(**values))


def _says_yes(rows: Sequence[Said], matter: Matter, mark: int) -> bool:
    newest = _newest(rows, matter)
    return (
        newest is not None
        and newest.state == ConsentState.GRANTED
        and newest.id <= mark
    )


def _said_no(rows: Sequence[Said], matter: Matter) -> bool:
    newest = _newest(rows, matter)
    return newest is not None and newest.state == ConsentState.WITHDRAWN


def _newest(rows: Sequence[Said], matter: Matter) -> Said | None:
    channel, topic = matter
    about = [
        row
        for row in rows
        if row.channel == channel and row.topic in {topic, ALL_TOPICS}
    ]
    return about[-1] if about else None
