"""Forgetting a person: who they were goes, what happened stays without a name.

A hash of each address and of each source's id stays as well, so that the next import
of an old file does not bring them back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Table,
    cast,
    delete,
    literal,
    select,
    update,
)

from core.errors import DataError
from core.model import (
    OPEN_DELIVERY_STATES,
    Channel,
    DeliveryState,
    IdentityKind,
    MessageState,
    Owner,
    SkipReason,
)
from storage import changes, customers, dialect, installation, schema
from storage.bulk import lookup
from storage.conversations import FREED
from storage.dialect import upsert
from storage.person import unknown
from storage.registry import CHILDREN, CUSTOMER_KEYS, OnErase
from storage.schema import deliveries, identities, identity_claims, suppressions
from storage.staff import audit

ERASED = SkipReason.ERASED.value
# In the column of suppressions where channels stand: ids that sources have.
EXTERNAL = IdentityKind.EXTERNAL.value

# What takes the place of each personal value in rows that stay.
BLANKED: Mapping[Table, Mapping[str, Any]] = {
    schema.customers: {
        **dict.fromkeys(
            (
                *("name", "gender", "birth_date", "address", "city", "postcode"),
                *("income_minor", "income_currency"),
            )
        ),
        "preferences": {},
        "attributes": {},
        "provenance": {},
    },
    schema.consents: {"proof": None},
    schema.merges: {"reason": None, "moved": {}},
    schema.orders: {},
    schema.events: {"data": {}},
    schema.customer_totals: {},
    schema.conversations: {
        "dialogue": {},
        "owner": Owner.BOT,
        "owner_staff_id": None,
        "open": False,
        "waiting_since": None,
        "due_at": None,
        "due_event": None,
    },
    schema.feedback: {"comment": None},
    schema.deliveries: {"content": {}},
    schema.order_lines: {},
    schema.episodes: {},
    schema.messages: {
        "text": "",
        "buttons": [],
        "reason": None,
        "inbox_id": None,
        "ordinal": None,
        "external_id": None,
    },
    schema.conversation_events: {"data": {}},
    schema.handling_intervals: {},
    schema.delivery_events: {"detail": None},
}


@dataclass(frozen=True, slots=True)
class Erased:
    """Who was forgotten, and how many rows of each table went or lost their words."""

    customer_id: int
    rows: Mapping[str, int]


def erase(
    connection: Connection, customer_id: int, now: datetime, why: str = "asked"
) -> Erased:
    """Forget a customer, and those who were merged into them, in one transaction.

    Parameters
    ----------
    connection : a writing one
    customer_id : of a merged one, the whole person is forgotten
    now : aware
    why : `asked`; `silent` where nothing was heard for too long; `restored` where they
        had asked after the backup that was brought back

    Returns
    -------
    What was done; a second time nothing is left to do.

    Raises
    ------
    DataError : there is no such customer
    """
    if customers.get(connection, customer_id) is None:
        raise DataError(unknown(customer_id))
    survivor = customers.survivor_of(connection, customer_id)
    with dialect.overwriting(connection):
        found = _erase(connection, survivor, now)
    audit(connection, "customer_erased", "customer", survivor, now, rows=found, why=why)
    return Erased(survivor, found)


def _erase(connection: Connection, survivor: int, now: datetime) -> dict[str, int]:
    ids = customers.ids_of(connection, survivor)
    _remember(connection, ids, now)
    counts: Counter[str] = Counter()
    counts["messages_cancelled"] = _cancel(connection, ids, now)
    _forget_utterances(connection, ids)
    parents = _blank_children(connection, ids, counts)
    _free_inbox(connection, parents)
    for key in CUSTOMER_KEYS:
        owned = key.key.in_(ids)
        if key.erase is OnErase.DELETE:
            done = connection.execute(delete(key.table).where(owned))
            counts[key.table.name] += done.rowcount
        elif key.table is not schema.customers:
            counts[key.table.name] += _blank(connection, key.table, owned)
    _free_addresses(connection, ids)
    known = schema.customers.c.id.in_(ids)
    counts["customers"] += _blank(
        connection, schema.customers, known, erased_at=now, updated_at=now
    )
    for each in ids:
        changes.record(connection, "customer", each, now, what=ERASED)
    return {name: count for name, count in counts.items() if count}


def erased_ids(connection: Connection, values: Sequence[str]) -> set[str]:
    """Those ids of sources (`source:id`) whose people asked to be forgotten.

    One short query as long as nobody has.
    """
    known = select(literal(1)).where(suppressions.c.channel == EXTERNAL).limit(1)
    if not values or connection.scalar(known) is None:
        return set()
    key = installation.key(connection, "address")
    digests = {installation.address_hmac(key, value): value for value in values}
    column = suppressions.c.address_hmac
    ours = suppressions.c.channel == EXTERNAL
    return {
        digests[row[0]] for row in lookup(connection, column, digests, [column], ours)
    }


def _remember(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """Keep hashes of what identified the person: of all else nothing is left."""
    channels = {channel.value for channel in Channel} | {EXTERNAL}
    key = installation.key(connection, "address")
    for table in (identities, identity_claims):
        rows = connection.execute(
            select(table.c.kind, table.c.value).where(
                table.c.customer_id.in_(ids), table.c.kind.in_(channels)
            )
        )
        for kind, value in rows.all():
            connection.execute(
                upsert(connection, suppressions)
                .values(
                    channel=kind,
                    address_hmac=installation.address_hmac(key, value),
                    reason=ERASED,
                    at=now,
                )
                .on_conflict_do_nothing(index_elements=["channel", "address_hmac"])
            )


def _cancel(connection: Connection, ids: Sequence[int], now: datetime) -> int:
    """Nothing more goes out; what is on the wire can't be called back."""
    waiting = OPEN_DELIVERY_STATES - {DeliveryState.SENDING}
    done = connection.execute(
        update(deliveries)
        .where(deliveries.c.customer_id.in_(ids), deliveries.c.state.in_(waiting))
        .values(state=DeliveryState.CANCELLED, reason=ERASED, ended_at=now)
    )
    connection.execute(
        update(schema.messages)
        .where(
            schema.messages.c.id.in_(_messages(ids)),
            schema.messages.c.state == MessageState.QUEUED,
        )
        .values(state=MessageState.FAILED)
    )
    return done.rowcount


def _forget_utterances(connection: Connection, ids: Sequence[int]) -> None:
    """What they asked the bot is no lesson for it any more."""
    spoken = _messages(ids)
    connection.execute(
        delete(schema.utterances).where(schema.utterances.c.message_id.in_(spoken))
    )


def _blank_children(
    connection: Connection, ids: Sequence[int], counts: Counter[str]
) -> dict[Table, Any]:
    """Take the words out of rows behind the customer's; returns how to find them."""
    parents: dict[Table, Any] = {
        key.table: select(key.table.c.id).where(key.key.in_(ids))
        for key in CUSTOMER_KEYS
        if "id" in key.table.c and key.column == "customer_id"
    }
    for child in CHILDREN:
        owned = child.table.c[child.column].in_(parents[child.parent])
        if "id" in child.table.c:
            parents[child.table] = select(child.table.c.id).where(owned)
        if child.table is not schema.utterances:
            counts[child.table.name] += _blank(connection, child.table, owned)
    return parents


def _free_inbox(connection: Connection, parents: Mapping[Table, Any]) -> None:
    """Let go of updates that messages of others may still point at."""
    mine = parents[schema.inbox]
    connection.execute(
        update(schema.messages)
        .where(schema.messages.c.inbox_id.in_(mine))
        .values(inbox_id=None, ordinal=None)
    )


def _free_addresses(connection: Connection, ids: Sequence[int]) -> None:
    """A conversation's address is the person's; whoever has it next begins anew."""
    table = schema.conversations
    nobody = literal(FREED) + cast(table.c.id, String)
    connection.execute(
        update(table)
        .where(table.c.customer_id.in_(ids))
        # Whoever has the conversation open is told that it is another's by now.
        .values(address=nobody, version=table.c.version + 1)
    )


def _blank(
    connection: Connection, table: Table, owned: ColumnElement[bool], **more: Any
) -> int:
    values = dict(BLANKED[table]) | more
    if not values:
        return 0
    return connection.execute(update(table).where(owned).values(**values)).rowcount


def _messages(ids: Sequence[int]) -> Any:
    talks = select(schema.conversations.c.id).where(
        schema.conversations.c.customer_id.in_(ids)
    )
    return select(schema.messages.c.id).where(
        schema.messages.c.conversation_id.in_(talks)
    )


def due_for_erasure(
    connection: Connection, before: datetime, limit: int
) -> Iterable[int]:
    """Customers of whom nothing was heard since `before`: candidates of retention."""
    people = schema.customers
    seen = [
        (schema.orders, schema.orders.c.ordered_at),
        (schema.events, schema.events.c.at),
        (schema.consents, schema.consents.c.at),
        (schema.conversations, schema.conversations.c.last_message_at),
        (schema.feedback, schema.feedback.c.answered_at),
    ]
    silent = [
        ~select(literal(1))
        .where(table.c.customer_id == people.c.id, moment >= before)
        .exists()
        for table, moment in seen
    ]
    return list(
        connection.scalars(
            select(people.c.id)
            .where(
                people.c.alias_of.is_(None),
                people.c.erased_at.is_(None),
                people.c.created_at < before,
                *silent,
            )
            .order_by(people.c.id)
            .limit(limit)
        )
    )
