"""What goes by age: found and dropped in small writes, the oldest first.

Rows are written in the order of their time, so their ids are looked through once,
outside of any write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    delete,
    literal,
    select,
    update,
)

from core.model import Actor, ImportState
from storage.database import Database
from storage.erasure import due_for_erasure, erase
from storage.schema import (
    audit_log,
    changes,
    conversations,
    episodes,
    import_changes,
    imports,
    inbox,
    messages,
    utterances,
)

# One write takes a few milliseconds.
ROWS_PER_WRITE = 500
# An erasure touches every table.
CUSTOMERS_AT_ONCE = 50
SILENT = "silent"
# An import that runs, or is being undone, needs what it changed.
ENDED = (ImportState.COMPLETE, ImportState.CLOSED)

Drop: TypeAlias = Callable[[Connection, Sequence[int]], int]


@dataclass(frozen=True, slots=True)
class Ageing:
    """Rows of one kind: which are due, and what becomes of them."""

    table: Table
    # None: rows without a time of their own, all that are due.
    at: Column[Any] | None
    drop: Drop
    # Of old rows, those that there is something to drop of.
    due: tuple[ColumnElement[bool], ...] = ()


def sweep(database: Database, actor: Actor, ageing: Ageing, before: datetime) -> int:
    """Drop what is older than a moment; returns how many rows."""
    return sum(
        database.write_now(actor, lambda c, ids=ids: ageing.drop(c, ids))  # type: ignore[misc]
        for ids in _due(database, ageing, before)
    )


def _due(database: Database, ageing: Ageing, before: datetime) -> Iterator[list[int]]:
    key, place = ageing.table.c.id, 0
    while True:
        query = select(key).where(key > place, *ageing.due).order_by(key)
        if ageing.at is not None:
            query = query.where(ageing.at < before)
        query = query.limit(ROWS_PER_WRITE)
        ids = database.read_now(lambda c: list(c.scalars(query)))  # noqa: B023  read before the next round
        if not ids:
            return
        yield ids
        place = ids[-1]


def _delete(table: Table) -> Drop:
    def drop(connection: Connection, ids: Sequence[int]) -> int:
        return connection.execute(delete(table).where(table.c.id.in_(ids))).rowcount

    return drop


def _drop_updates(connection: Connection, ids: Sequence[int]) -> int:
    """Updates as they arrived; the messages that came of them stay."""
    connection.execute(
        update(messages)
        .where(messages.c.inbox_id.in_(ids))
        .values(inbox_id=None, ordinal=None)
    )
    return _delete(inbox)(connection, ids)


def _blank_messages(connection: Connection, ids: Sequence[int]) -> int:
    # A conversation that was taken up again meanwhile keeps its words.
    return connection.execute(
        update(messages)
        .where(messages.c.id.in_(ids), *_CLOSED)
        .values(text="", buttons=[])
    ).rowcount


_CLOSED = (
    messages.c.text != "",
    ~select(literal(1))
    .where(conversations.c.id == messages.c.conversation_id, conversations.c.open)
    .exists(),
    ~select(literal(1))
    .where(
        episodes.c.conversation_id == messages.c.conversation_id,
        episodes.c.closed_at.is_(None),
    )
    .exists(),
)

CHANGES = Ageing(changes, changes.c.at, _delete(changes))
INBOX = Ageing(inbox, inbox.c.received_at, _drop_updates)
MESSAGES = Ageing(messages, messages.c.created_at, _blank_messages, _CLOSED)
UTTERANCES = Ageing(utterances, utterances.c.at, _delete(utterances))
AUDIT = Ageing(audit_log, audit_log.c.at, _delete(audit_log))


def drop_journals(
    database: Database, actor: Actor, before: datetime, now: datetime
) -> int:
    """Forget what imports changed that ended before a moment; returns how many rows.

    They can't be undone from then on, which is written down first. Which rows of
    other imports a file corrected stays, lest they are imported a second time.
    """
    ended = imports.c.state.in_(ENDED), imports.c.completed_at < before
    database.write_now(
        actor,
        lambda c: c.execute(
            update(imports)
            .where(*ended, imports.c.journal_dropped_at.is_(None))
            .values(journal_dropped_at=now)
        ),
    )
    dropped = select(imports.c.id).where(
        imports.c.journal_dropped_at.is_not(None), imports.c.state.in_(ENDED)
    )
    journal = Ageing(
        import_changes,
        None,
        _delete(import_changes),
        (
            import_changes.c.import_id.in_(dropped),
            import_changes.c.table_name != imports.name,
        ),
    )
    return sweep(database, actor, journal, before)


def erase_silent(
    database: Database, actor: Actor, before: datetime, now: datetime
) -> int:
    """Erase customers of whom nothing was heard since; returns how many."""
    erased = 0
    while True:
        due = database.read_now(
            lambda c: list(due_for_erasure(c, before, CUSTOMERS_AT_ONCE))
        )
        if not due:
            return erased
        for customer_id in due:
            database.write_now(
                actor,
                lambda c, key=customer_id: erase(c, key, now, SILENT),  # type: ignore[misc]
            )
            erased += 1
