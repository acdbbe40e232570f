"""Ratings of a file: whose, about which conversation, by which agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, update

from core.model import Sender
from core.records import FeedbackRecord, fingerprint
from storage.bulk import insert_rows, lookup, moment_value, new_ids
from storage.import_journal import changed, named
from storage.ingest import Import
from storage.linked import customers_of, staff_of
from storage.schema import conversations, episodes, feedback

Corrected = Counter[str]

_SAID = (
    *("customer_id", "episode_id", "answered_at", "score", "given_score"),
    *("given_scale", "issue", "comment", "answered_by", "staff_id", "topic"),
    *("channel", "external_id"),
)
_FEEDBACK = ("id", "source_id", "import_id", *_SAID)


def write_feedback(
    connection: Connection, row: Import, records: list[FeedbackRecord], now: datetime
) -> Corrected:
    """Make the ratings of a batch, or correct those that an earlier file told of.

    Parameters
    ----------
    connection : a writing one
    row : whose source the ids of ratings, customers and conversations belong to;
        unknown customers are made, unknown agents become members who can't sign in
    records : one per row of the file; of two with the same id the later one wins, and
        so it is with two about one conversation
    now : aware; when new customers and members came to be known

    Returns
    -------
    Counts of `conversation_unknown` (the rating is taken without it) and of `erased`:
    ratings of people who asked to be forgotten, taken without the person and their
    words.
    """
    told = {record.external_id or _id(record): record for record in records}
    talks = _conversations(connection, row, told)
    corrected: Corrected = Counter()
    people = customers_of(connection, row, (r.customer for r in told.values()), now)
    team = staff_of(connection, row, (r.agent for r in told.values()), now)
    gone = {name for name, r in told.items() if r.customer and r.customer not in people}
    said = {}
    for name, record in told.items():
        talk = talks.get(record.conversation or "")
        if record.conversation is not None and talk is None:
            corrected["conversation_unknown"] += 1
        customer, staff = (
            people.get(record.customer or ""),
            team.get(record.agent or ""),
        )
        said[name] = _said(record, name, customer, staff, talk)
        if name in gone:
            said[name]["comment"] = None
    _store(connection, row, _one_per_episode(said))
    return +(corrected + Counter(erased=len(gone)))


def _id(record: FeedbackRecord) -> str:
    return fingerprint(
        *(record.customer, record.conversation, record.answered_at),
        *(record.agent, record.topic, record.channel),
        *(record.given_score, record.issue, record.comment),
    )


def _conversations(
    connection: Connection, row: Import, told: Mapping[str, FeedbackRecord]
) -> dict[str, Any]:
    names = {r.conversation for r in told.values() if r.conversation is not None}
    rows = lookup(
        connection,
        episodes.c.external_id,
        names,
        (
            *(episodes.c.external_id, episodes.c.id, episodes.c.topic),
            *(conversations.c.customer_id, conversations.c.channel),
        ),
        episodes.c.source_id == row.source_id,
        conversations.c.id == episodes.c.conversation_id,
    )
    return {found.external_id: found for found in rows}


def _said(
    record: FeedbackRecord,
    name: str,
    customer: int | None,
    staff: int | None,
    talk: Any,
) -> dict[str, Any]:
    """The columns; what the row leaves out, its conversation tells."""
    values = {column: getattr(record, column, None) for column in _SAID}
    values |= {
        "customer_id": customer,
        "external_id": name,
        "staff_id": staff,
        "answered_by": None if staff is None else Sender.AGENT.value,
    }
    if talk is not None:
        values |= {
            "episode_id": talk.id,
            "customer_id": customer or talk.customer_id,
            "topic": record.topic or talk.topic,
            "channel": record.channel or talk.channel,
        }
    return values


def _one_per_episode(said: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    rated = {v["episode_id"]: n for n, v in said.items() if v["episode_id"] is not None}
    return {
        name: values
        for name, values in said.items()
        if values["episode_id"] is None or rated[values["episode_id"]] == name
    }


def _store(
    connection: Connection, row: Import, said: Mapping[str, dict[str, Any]]
) -> None:
    stored = _stored(connection, row, said)
    for name, each in stored.items():
        # A file that names nobody whom we know takes nothing away.
        said[name]["customer_id"] = said[name]["customer_id"] or each.customer_id
    new = [values for name, values in said.items() if name not in stored]
    ids = new_ids(connection, feedback, len(new))
    insert_rows(
        connection,
        feedback,
        _FEEDBACK,
        [
            (key, row.source_id, row.id, *_raw(connection, values))
            for key, values in zip(ids, new, strict=True)
        ],
    )
    other = {
        found.id: (found, said[name])
        for name, found in stored.items()
        if any(said[name][column] != getattr(found, column) for column in _SAID)
    }
    befores = (dict(found._mapping) for found, _ in other.values())
    changed(connection, row, feedback, befores)
    if other:
        connection.execute(
            _ANEW,
            [
                {"key": key, "import": row.id}
                | {f"new_{name}": value for name, value in values.items()}
                for key, (_, values) in other.items()
            ],
        )
    named(connection, row, feedback, (found.id for found in stored.values()))


def _stored(
    connection: Connection, row: Import, said: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """What is there by the same id, else about the same conversation.

    A conversation has one rating: one that moves to a conversation which another
    rates already stays where it is.
    """
    columns = list(feedback.c)
    ours = feedback.c.source_id == row.source_id
    rows = lookup(connection, feedback.c.external_id, said, columns, ours)
    found = {each.external_id: each for each in rows}
    about = {v["episode_id"]: n for n, v in said.items() if v["episode_id"] is not None}
    for each in lookup(connection, feedback.c.episode_id, about, columns, ours):
        name = about[each.episode_id]
        if name not in found:
            found[name] = each
        elif found[name].id != each.id:
            said[name]["episode_id"] = found[name].episode_id
    return found


def _raw(connection: Connection, values: Mapping[str, Any]) -> list[Any]:
    return [
        moment_value(connection, value) if isinstance(value, datetime) else value
        for value in (values[name] for name in _SAID)
    ]


_ANEW = (
    update(feedback)
    .where(feedback.c.id == bindparam("key"))
    .values(
        import_id=bindparam("import"),
        **{name: bindparam(f"new_{name}") for name in _SAID},
    )
)
