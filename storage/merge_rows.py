"""The rows of a merge: what goes to the survivor, what stays, and the way back.

Works off `registry.CUSTOMER_KEYS`, so a table that is registered is moved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Update,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from core.model import DeliveryState, RunState, SkipReason
from storage import deliveries as delivery_rows
from storage.registry import CUSTOMER_KEYS, CustomerKey, OnMerge
from storage.schema import (
    campaign_runs,
    conversations,
    deliveries,
    episodes,
    feedback,
    identities,
    inbox,
    messages,
)

# A statement takes so many names of rows at most on SQLite and on PostgreSQL.
NAMES_PER_STATEMENT = 1000
# Built once, for a night may merge thousands.
_LAST_PLACE = select(func.max(identities.c.place)).where(
    identities.c.customer_id == bindparam("survivor_id")
)
_SHIFT = (
    update(identities)
    .where(identities.c.id.in_(bindparam("ids", expanding=True)))
    .values(place=identities.c.place + bindparam("by"))
)
# In these a row may still be sent.
_OPEN_RUNS = (RunState.PLANNING, RunState.RUNNING, RunState.PAUSED)


@dataclass(frozen=True, slots=True)
class MovedRows:
    """Names of rows by table; of deliveries that were put off, also their state.

    `offset` is how far the places of the moved addresses went up.
    """

    moved: dict[str, list[int]] = field(default_factory=dict)
    left: dict[str, list[int]] = field(default_factory=dict)
    put_off: list[dict[str, Any]] = field(default_factory=list)
    offset: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def move(
    connection: Connection, survivor_id: int, merged_id: int, now: datetime
) -> MovedRows:
    """Give all rows of the merged customer to the survivor, but for what stays."""
    moved: dict[str, list[int]] = {}
    left: dict[str, list[int]] = {}
    # Before any row moves: those that come would be taken for the survivor's own.
    offset = _offset(connection, survivor_id)
    for key, name, stays in _names(connection, survivor_id, merged_id):
        target = left if stays else moved
        target.setdefault(key.table.name, []).append(name)
    for key in _keys():
        _give(connection, key, moved.get(key.table.name, ()), merged_id, survivor_id)
    _shift(connection, moved.get("identities", ()), offset)
    put_off = _put_off(connection, left.get("deliveries", ()), now)
    return MovedRows(moved, left, put_off, offset)


def take_back(
    connection: Connection,
    rows: MovedRows,
    survivor_id: int,
    merged_id: int,
    now: datetime,
) -> None:
    """Give the moved rows back; what is somebody else's by now stays with them."""
    for key in _keys():
        names = rows.moved.get(key.table.name, ())
        _give(connection, key, names, survivor_id, merged_id)
    _shift(connection, rows.moved.get("identities", ()), -rows.offset)
    _take_up(connection, rows.put_off, now)


def give_arrivals(
    connection: Connection,
    holders: Collection[int],
    merged_id: int,
    after_conversation: int,
) -> None:
    """What came to the merged customer's addresses since the merge goes with them.

    A conversation follows its address; the messages, the incoming updates and the
    ratings follow the conversation. All else that came stays with the survivor.
    """
    address = and_(
        identities.c.customer_id == merged_id,
        identities.c.kind == conversations.c.channel,
        identities.c.value == conversations.c.address,
    )
    connection.execute(
        update(conversations)
        .where(
            conversations.c.id > after_conversation,
            conversations.c.customer_id.in_(holders),
            select(identities.c.id).where(address).exists(),
        )
        .values(customer_id=merged_id)
    )
    own = conversations.c.customer_id == merged_id
    rated = select(episodes.c.id).join(conversations).where(own)
    heard = (
        select(messages.c.inbox_id)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(own, messages.c.inbox_id.is_not(None))
    )
    for table, theirs in (
        (feedback, feedback.c.episode_id.in_(rated)),
        (inbox, inbox.c.id.in_(heard)),
    ):
        connection.execute(
            update(table)
            .where(table.c.customer_id.in_(holders), theirs)
            .values(customer_id=merged_id)
        )


# --- which rows -----------------------------------------------------------------------


@cache
def _keys() -> tuple[CustomerKey, ...]:
    kinds = {OnMerge.MOVE, OnMerge.KEEP_SURVIVORS}
    return tuple(key for key in CUSTOMER_KEYS if key.merge in kinds)


def _stays(key: CustomerKey) -> ColumnElement[bool]:
    """Whether a row of what a customer has once stays where it is."""
    if key.merge is OnMerge.MOVE:
        return false()
    own = key.table.alias("own")
    alike = [own.c[name] == key.table.c[name] for name in key.per]
    survivors = select(own.c[key.column]).where(
        own.c[key.column] == bindparam("survivor_id"), *alike
    )
    if key.table is not deliveries:
        return survivors.exists()
    # The planner goes by the number of the customer: a row with a higher one would
    # look to it as if it had come so far.
    planning = select(campaign_runs.c.id).where(
        campaign_runs.c.state == RunState.PLANNING
    )
    return or_(survivors.exists(), deliveries.c.campaign_run_id.in_(planning))


def _names(
    connection: Connection, survivor_id: int, merged_id: int
) -> list[tuple[CustomerKey, int, bool]]:
    """The merged customer's rows, and of each whether it stays."""
    ids = {"survivor_id": survivor_id, "merged_id": merged_id}
    found = {
        (int(place), int(name), bool(stays))
        for place, name, stays in connection.execute(_all_names(), ids)
    }
    return [(_keys()[place], name, stays) for place, name, stays in sorted(found)]


@cache
def _all_names() -> CompoundSelect[Any]:
    """The names of a customer's rows in all tables at once.

    Most customers have rows in few tables. Such a statement takes longer to build than
    to run.
    """
    return union_all(
        *(
            select(literal_column(str(place)), key.name, _stays(key)).where(
                key.key == bindparam("merged_id")
            )
            for place, key in enumerate(_keys())
        )
    )


def _give(
    connection: Connection,
    key: CustomerKey,
    names: Iterable[int],
    from_id: int,
    to_id: int,
) -> None:
    for some in _batches(names):
        values = {"from_id": from_id, "to_id": to_id, "names": some}
        connection.execute(_giving(key), values)


@cache
def _giving(key: CustomerKey) -> Update:
    return (
        update(key.table)
        .where(
            key.key == bindparam("from_id"),
            key.name.in_(bindparam("names", expanding=True)),
        )
        .values({key.column: bindparam("to_id")})
    )


def _batches(names: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(names)
    while some := list(islice(rest, NAMES_PER_STATEMENT)):
        yield some


# --- addresses ------------------------------------------------------------------------


def _offset(connection: Connection, survivor_id: int) -> int:
    """The place behind all addresses of the survivor: they are written to first."""
    last = connection.scalar(_LAST_PLACE, {"survivor_id": survivor_id})
    return 0 if last is None else int(last) + 1


def _shift(connection: Connection, ids: Iterable[int], by: int) -> None:
    # A survivor without addresses has none to stand behind.
    for some in _batches(ids if by else ()):
        connection.execute(_SHIFT, {"ids": some, "by": by})


# --- deliveries that wait -------------------------------------------------------------


def _put_off(
    connection: Connection, ids: Sequence[int], now: datetime
) -> list[dict[str, Any]]:
    """Let what waits for the merged customer end as `merged`; returns what it was."""
    waiting = [
        {"id": row.id, "state": row.state, "reason": row.reason, "run": row.run_id}
        for some in _batches(ids)
        for row in connection.execute(
            select(
                deliveries.c.id,
                deliveries.c.state,
                deliveries.c.reason,
                deliveries.c.campaign_run_id.label("run_id"),
            )
            .where(
                deliveries.c.id.in_(some),
                deliveries.c.state.in_(delivery_rows.WAITING),
            )
            .order_by(deliveries.c.id)
        )
    ]
    for each in waiting:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == each["id"])
            .values(state=DeliveryState.SKIPPED, reason=SkipReason.MERGED, ended_at=now)
        )
    _tell(connection, waiting, now)
    return waiting


def _take_up(
    connection: Connection, put_off: Sequence[dict[str, Any]], now: datetime
) -> None:
    """Let the rows wait again whose run still goes on."""
    going_on = select(campaign_runs.c.id).where(campaign_runs.c.state.in_(_OPEN_RUNS))
    for each in put_off:
        connection.execute(
            update(deliveries)
            .where(
                deliveries.c.id == each["id"],
                deliveries.c.reason == SkipReason.MERGED,
                deliveries.c.campaign_run_id.in_(going_on),
            )
            .values(state=each["state"], reason=each["reason"], ended_at=None)
        )
    _tell(connection, put_off, now)


def _tell(
    connection: Connection, rows: Iterable[dict[str, Any]], now: datetime
) -> None:
    for run_id in sorted({each["run"] for each in rows}):
        delivery_rows.record_change(connection, run_id, now)
