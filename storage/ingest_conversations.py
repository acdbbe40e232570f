"""Tickets, chats and calls of a file, as conversations that are over for us.

Each becomes a conversation of its own with one episode; what the service figures are
computed from (the log of events, the handling, the rating) is made from its row. Its
channel is its kind of case, so that nothing of ours ever answers on it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Column, Connection, bindparam, delete, select, update

from core.model import Owner
from core.records import ConversationRecord
from storage.bulk import LOOKUP_VALUES, insert_rows, moment_value, new_ids
from storage.database import actor_of
from storage.import_journal import changed, named
from storage.ingest import Import
from storage.linked import customers_of, staff_of
from storage.schema import (
    conversation_events,
    conversations,
    episodes,
    feedback,
    handling_intervals,
)
from storage.told_conversation import RATED, SAID, Told, told_of

Corrected = Counter[str]

# Which language was spoken, nobody says.
UNDETERMINED = "und"

_CONVERSATION = (
    *("id", "customer_id", "channel", "address", "owner", "version", "language"),
    *("dialogue", "open", "created_at", "last_message_at"),
)
_EPISODE = ("id", "conversation_id", *SAID, "source_id", "external_id", "import_id")
_EVENT = ("conversation_id", "episode_id", "kind", "actor", "data", "at")
_HANDLING = ("episode_id", "staff_id", "started_at", "ended_at", "active_at")
_RATING = ("episode_id", "source_id", "import_id", *RATED)


def write_conversations(
    connection: Connection,
    row: Import,
    records: list[ConversationRecord],
    now: datetime,
) -> Corrected:
    """Make the conversations of a batch, or bring known ones to their newest state.

    Parameters
    ----------
    connection : a writing one
    row : whose source the ids of conversations and customers belong to; unknown
        customers are made, unknown agents become members who can't sign in
    records : one per row of the file; of two with the same id the later one wins
    now : aware; when new customers and members came to be known

    Returns
    -------
    Counts of `handling_without_agent` (the time counts for nobody and is left out) and
    of `erased`: conversations of people who asked to be forgotten, taken without the
    person and their words.
    """
    told = {record.external_id: record for record in records}
    people = customers_of(connection, row, (r.customer for r in told.values()), now)
    team = staff_of(connection, row, (r.agent for r in told.values()), now)
    stored = _stored(connection, row, told)
    gone = {name for name, r in told.items() if r.customer and r.customer not in people}
    found = {}
    for name, record in told.items():
        customer = people.get(record.customer or "")
        if customer is None and name in stored:
            # A file that names nobody whom we know takes nothing away.
            customer = stored[name]["talk"]["customer_id"]
        said = replace(record, comment=None) if name in gone else record
        staff = team.get(record.agent or "")
        found[name] = told_of(said, customer, staff, actor_of(connection))
    new = {name: each for name, each in found.items() if name not in stored}
    _insert(connection, row, new)
    _renew(connection, row, found, stored)
    named(connection, row, episodes, (each["id"] for each in stored.values()))
    unnamed = [r for r in told.values() if r.handling_seconds and r.agent is None]
    return +Counter(handling_without_agent=len(unnamed), erased=len(gone))


def address_of(source: str, external_id: str) -> str:
    """Where an imported conversation stands; nobody can write there."""
    return f"{source}:{external_id}"


# --- what stands there ----------------------------------------------------------------


def _stored(
    connection: Connection, row: Import, names: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Known episodes with all that belongs to them, as the journal keeps them."""
    known = _rows(connection, _KNOWN, names, source=row.source_id)
    found = {each["external_id"]: each for each in known}
    if not found:
        return found
    by_id = {each["id"]: each for each in known}
    by_talk = {each["conversation_id"]: each for each in known}
    for each in known:
        each |= {"log": [], "handled": [], "rated": None}
    for talk in _rows(connection, _TALKS, by_talk):
        by_talk[talk["id"]]["talk"] = talk
    for event in _rows(connection, _LOGS, by_id):
        by_id[event["episode_id"]]["log"].append(event)
    for interval in _rows(connection, _INTERVALS, by_id):
        by_id[interval["episode_id"]]["handled"].append(interval)
    for rating in _rows(connection, _RATINGS, by_id):
        by_id[rating["episode_id"]]["rated"] = rating
    return found


def _rows(
    connection: Connection, query: Any, wanted: Iterable[Any], **values: Any
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    left = iter(wanted)
    while part := list(islice(left, LOOKUP_VALUES)):
        rows = connection.execute(query, {"wanted": part} | values)
        found += [dict(each) for each in rows.mappings()]
    return found


def _all_of(column: Column[Any]) -> Any:
    """Rows of one of many keys; made once, for it takes longer than it runs."""
    table = column.table
    among = column.in_(bindparam("wanted", expanding=True))
    return select(table).where(among).order_by(table.c.id)


_KNOWN = _all_of(episodes.c.external_id).where(
    episodes.c.source_id == bindparam("source")
)
_TALKS = _all_of(conversations.c.id)
_LOGS = _all_of(conversation_events.c.episode_id)
_INTERVALS = _all_of(handling_intervals.c.episode_id)
_RATINGS = _all_of(feedback.c.episode_id)


# --- new ones -------------------------------------------------------------------------


def _insert(connection: Connection, row: Import, new: Mapping[str, Told]) -> None:
    talks = new_ids(connection, conversations, len(new))
    keys = new_ids(connection, episodes, len(new))
    places = dict(zip(new, zip(talks, keys, strict=True), strict=True))
    raw = _Raw(connection)
    insert_rows(
        connection,
        conversations,
        _CONVERSATION,
        [
            (
                *(places[name][0], told.customer_id, told.episode[0].value),
                *(address_of(row.source, name), Owner.BOT.value, 0, UNDETERMINED),
                *("{}", False, raw(told.episode[2]), raw(_last(told))),
            )
            for name, told in new.items()
        ],
    )
    insert_rows(
        connection,
        episodes,
        _EPISODE,
        [
            (
                *(places[name][1], places[name][0], *map(raw, told.episode)),
                *(row.source_id, name, row.id),
            )
            for name, told in new.items()
        ],
    )
    _insert_children(connection, {places[name]: told for name, told in new.items()})
    rated = {places[n][1]: told.rated for n, told in new.items() if told.rated}
    _insert_ratings(connection, row, rated)


def _last(told: Told) -> datetime:
    """When something happened last."""
    return max(at for *_, at in told.log)


def _insert_children(
    connection: Connection, told: Mapping[tuple[int, int], Told]
) -> None:
    raw = _Raw(connection)
    log, handled = [], []
    for (talk, key), each in told.items():
        log += [(talk, key, *map(raw, happened)) for happened in each.log]
        handled += [
            (key, staff, raw(begun), raw(ended), raw(ended))
            for staff, begun, ended in each.handled
        ]
    insert_rows(connection, conversation_events, _EVENT, log)
    insert_rows(connection, handling_intervals, _HANDLING, handled)


def _insert_ratings(
    connection: Connection, row: Import, rated: Mapping[int, tuple[Any, ...]]
) -> None:
    raw = _Raw(connection)
    rows = [(key, row.source_id, row.id, *map(raw, r)) for key, r in rated.items()]
    insert_rows(connection, feedback, _RATING, rows)


class _Raw:
    """Values as the driver takes them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return moment_value(self._connection, value)
        if isinstance(value, dict):
            return json.dumps(value)
        return getattr(value, "value", value)


# --- known ones -----------------------------------------------------------------------


def _renew(
    connection: Connection,
    row: Import,
    found: Mapping[str, Told],
    stored: Mapping[str, dict[str, Any]],
) -> None:
    other = {name: each for name, each in stored.items() if _differs(each, found[name])}
    changed(connection, row, episodes, map(_journalled, other.values()))
    told = {(o["conversation_id"], o["id"]): found[name] for name, o in other.items()}
    if told:
        _clear(connection, [key for _, key in told])
        _update(connection, row, told)
        _insert_children(connection, told)
    _rate_anew(connection, row, found, stored)


def _differs(stored: Mapping[str, Any], told: Told) -> bool:
    log = [(e["kind"], e["actor"], e["data"], e["at"]) for e in stored["log"]]
    handled = [
        (i["staff_id"], i["started_at"], i["ended_at"]) for i in stored["handled"]
    ]
    return (
        stored["talk"]["customer_id"] != told.customer_id
        or tuple(stored[name] for name in SAID) != told.episode
        or log != list(told.log)
        or handled != list(told.handled)
    )


def _journalled(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The rating has an entry of its own; whose it is, so that erasure finds it."""
    entry = {name: value for name, value in stored.items() if name != "rated"}
    return entry | {"customer_id": stored["talk"]["customer_id"]}


def _clear(connection: Connection, keys: list[int]) -> None:
    for table in (conversation_events, handling_intervals):
        for start in range(0, len(keys), LOOKUP_VALUES):
            part = keys[start : start + LOOKUP_VALUES]
            connection.execute(delete(table).where(table.c.episode_id.in_(part)))


def _update(
    connection: Connection, row: Import, told: Mapping[tuple[int, int], Told]
) -> None:
    connection.execute(
        _TALK,
        [
            {
                "key": talk,
                "customer": each.customer_id,
                "sort": each.episode[0].value,
                "begun": each.episode[2],
                "last": _last(each),
            }
            for (talk, _), each in told.items()
        ],
    )
    connection.execute(
        _ANEW,
        [
            {"key": key, "import": row.id}
            | {f"new_{name}": v for name, v in zip(SAID, each.episode, strict=True)}
            for (_, key), each in told.items()
        ],
    )


def _rate_anew(
    connection: Connection,
    row: Import,
    found: Mapping[str, Told],
    stored: Mapping[str, dict[str, Any]],
) -> None:
    """Ratings of known conversations; one of a file of ratings stays as it is."""
    first: dict[int, tuple[Any, ...]] = {}
    other: dict[int, tuple[Any, ...]] = {}
    befores = []
    for name, each in stored.items():
        told, rating = found[name].rated, each["rated"]
        if told is None:
            continue
        if rating is None:
            first[each["id"]] = told
        elif rating["external_id"] is None and told != tuple(
            rating[column] for column in RATED
        ):
            other[rating["id"]] = told
            befores.append(rating)
    _insert_ratings(connection, row, first)
    changed(connection, row, feedback, befores)
    if other:
        connection.execute(
            _RATED_ANEW,
            [
                {"key": key, "import": row.id}
                | {f"new_{name}": v for name, v in zip(RATED, told, strict=True)}
                for key, told in other.items()
            ],
        )


_TALK = (
    update(conversations)
    .where(conversations.c.id == bindparam("key"))
    .values(
        customer_id=bindparam("customer"),
        channel=bindparam("sort"),
        created_at=bindparam("begun"),
        last_message_at=bindparam("last"),
    )
)
_ANEW = (
    update(episodes)
    .where(episodes.c.id == bindparam("key"))
    .values(
        import_id=bindparam("import"),
        **{name: bindparam(f"new_{name}") for name in SAID},
    )
)
_RATED_ANEW = (
    update(feedback)
    .where(feedback.c.id == bindparam("key"))
    .values(
        import_id=bindparam("import"),
        **{name: bindparam(f"new_{name}") for name in RATED},
    )
)
