"""Tables as pandas frames for the analysis: the only place where storage knows pandas.

Ids are int64, moments datetime64 in UTC, money floats in major units; a missing
value is NaN, NaT or None. Customers who were merged appear as their survivor; orders
of an import that is still running are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Select, case, func, select, union_all

from core.model import IdentityKind, OrderKind, Sender
from storage import schema
from storage.episodes import EventKind
from storage.ingest import arrived, arrived_orders
from storage.schema import (
    conversation_events,
    conversations,
    episodes,
    feedback,
    handling_intervals,
    messages,
    order_lines,
    orders,
)

ROWS_PER_CHUNK = 50_000
MOMENT = "moment"
# What is compared of customers to find those who are one person.
COMPARED = (
    *("name", "birth_date", "gender", "address", "city", "postcode", "country"),
)
CLAIMED = (IdentityKind.EMAIL.value, IdentityKind.PHONE.value)


@dataclass(frozen=True, slots=True, eq=False)
class ServiceFrames:
    """What the service numbers are computed from; see `analytics.service`."""

    episodes: pd.DataFrame
    intervals: pd.DataFrame
    replies: pd.DataFrame
    feedback: pd.DataFrame


def people_frame(
    connection: Connection, id_attributes: Sequence[str] = ()
) -> pd.DataFrame:
    """One row per customer who is neither merged nor erased, as they are compared.

    Parameters
    ----------
    connection : a reading one
    id_attributes : attributes with a number that only one person has

    Returns
    -------
    customer_id (int64), name, birth_date, gender, address, city, postcode, country,
    email, phone (object, None where unknown; of several addresses the first), ids
    (dict of attribute to value), claims (list of (kind, value): the other e-mail
    addresses and telephones that the person had or a source gave).
    """
    table = schema.customers
    columns = [table.c[name] for name in COMPARED]
    query = select(table.c.id.label("customer_id"), *columns, table.c.attributes)
    query = query.where(table.c.alias_of.is_(None), table.c.erased_at.is_(None))
    frame = read_frame(connection, query.order_by(table.c.id), {"customer_id": "int64"})
    addresses = _addresses(connection)
    for kind, known in addresses.items():
        first = {key: values[0] for key, values in known.items()}
        frame[kind] = frame["customer_id"].map(first).astype("object")
    claims = [
        [
            (kind, each)
            for kind in addresses
            for each in addresses[kind].get(key, ())[1:]
        ]
        for key in frame["customer_id"]
    ]
    ids = [
        {name: str(own[name]) for name in id_attributes if own.get(name)}
        for own in frame.pop("attributes")
    ]
    frame["claims"] = pd.Series(claims, frame.index, dtype="object")
    frame["ids"] = pd.Series(ids, frame.index, dtype="object")
    return frame


def _addresses(connection: Connection) -> dict[str, dict[int, list[str]]]:
    """Per kind the addresses of each customer, those that are claimed behind."""
    found: dict[str, dict[int, list[str]]] = {kind: {} for kind in CLAIMED}
    own, claimed = schema.identities, schema.identity_claims
    for table, order in (
        (own, (own.c.place, own.c.id)),
        (claimed, (claimed.c.id,)),
    ):
        rows = connection.execute(
            select(survivor(table.c.customer_id), table.c.kind, table.c.value)
            .select_from(with_customer(table))
            .where(table.c.kind.in_(CLAIMED))
            .order_by(*order)
            .execution_options(yield_per=ROWS_PER_CHUNK)
        )
        for customer_id, kind, value in rows:
            found[kind].setdefault(customer_id, []).append(value)
    return found


def purchases_frame(connection: Connection) -> pd.DataFrame:
    """One row per product in a sale: what baskets and recommendations are made of.

    Returns
    -------
    customer_id (Int64; missing where nobody knows, or was forgotten), order_id,
    product_id (int64), ordered_at (datetime64, UTC).
    """
    known = case((_people.c.erased_at.is_(None), survivor(orders.c.customer_id)))
    query = (
        select(
            known.label("customer_id"),
            order_lines.c.order_id,
            order_lines.c.product_id,
            orders.c.ordered_at,
        )
        .select_from(
            with_customer(
                order_lines.join(orders, orders.c.id == order_lines.c.order_id)
            )
        )
        .where(
            orders.c.kind == OrderKind.SALE,
            order_lines.c.product_id.is_not(None),
            order_lines.c.quantity > 0,
            arrived_orders(),
        )
        .order_by(order_lines.c.order_id, order_lines.c.line_no)
    )
    types = {
        "customer_id": "Int64",
        "order_id": "int64",
        "product_id": "int64",
        "ordered_at": MOMENT,
    }
    return read_frame(connection, query, types)


def feedback_frame(
    connection: Connection, since: datetime | None = None
) -> pd.DataFrame:
    """One row per survey; with `since`, those asked or answered from then on.

    Returns
    -------
    feedback_id (int64), customer_id, episode_id, staff_id (Int64, may be missing),
    asked_at, answered_at (datetime64, UTC), score (float, 1..5), issue, comment,
    topic, channel, answered_by (object).
    """
    query = select(
        feedback.c.id.label("feedback_id"),
        survivor(feedback.c.customer_id),
        feedback.c.episode_id,
        feedback.c.staff_id,
        feedback.c.asked_at,
        feedback.c.answered_at,
        feedback.c.score,
        feedback.c.issue,
        feedback.c.comment,
        feedback.c.topic,
        feedback.c.channel,
        feedback.c.answered_by,
    )
    query = query.select_from(with_customer(feedback)).where(arrived(feedback))
    if since is not None:
        newest = func.coalesce(feedback.c.answered_at, feedback.c.asked_at)
        query = query.where(newest >= since)
    types = {
        "feedback_id": "int64",
        "customer_id": "Int64",
        "episode_id": "Int64",
        "staff_id": "Int64",
        "asked_at": MOMENT,
        "answered_at": MOMENT,
        "score": "float64",
    }
    return read_frame(connection, query.order_by(feedback.c.id), types)


def episodes_frame(connection: Connection, since: datetime) -> pd.DataFrame:
    """One row per episode that was open at `since` or later.

    Returns
    -------
    episode_id, conversation_id (int64), kind, topic, channel, ended (object),
    opened_at, closed_at, first_customer_at, first_agent_reply_at,
    first_bot_reply_at (datetime64, UTC), reopened (int64).
    """
    first = {
        "first_customer_at": EventKind.CUSTOMER_MESSAGE,
        "first_agent_reply_at": EventKind.AGENT_REPLY,
        "first_bot_reply_at": EventKind.BOT_REPLY,
    }
    events = (
        select(
            conversation_events.c.episode_id,
            *(
                func.min(
                    case((conversation_events.c.kind == kind, conversation_events.c.at))
                ).label(name)
                for name, kind in first.items()
            ),
        )
        .group_by(conversation_events.c.episode_id)
        .subquery()
    )
    query = (
        select(
            episodes.c.id.label("episode_id"),
            episodes.c.conversation_id,
            episodes.c.kind,
            episodes.c.topic,
            conversations.c.channel,
            episodes.c.ended,
            episodes.c.opened_at,
            episodes.c.closed_at,
            *(events.c[name] for name in first),
            episodes.c.reopened,
        )
        .join(conversations, conversations.c.id == episodes.c.conversation_id)
        .outerjoin(events, events.c.episode_id == episodes.c.id)
        .where(
            episodes.c.closed_at.is_(None) | (episodes.c.closed_at >= since),
            arrived(episodes),
        )
        .order_by(episodes.c.id)
    )
    moments = dict.fromkeys(("opened_at", "closed_at", *first), MOMENT)
    types = {"episode_id": "int64", "conversation_id": "int64", "reopened": "int64"}
    return read_frame(connection, query, types | moments)


def intervals_frame(connection: Connection, since: datetime) -> pd.DataFrame:
    """One row per handling interval that reaches beyond `since`.

    Returns
    -------
    episode_id, staff_id (int64), started_at, ended_at, active_at (datetime64, UTC).
    """
    table = handling_intervals
    query = (
        select(
            table.c.episode_id,
            table.c.staff_id,
            table.c.started_at,
            table.c.ended_at,
            table.c.active_at,
        )
        .where(table.c.ended_at.is_(None) | (table.c.ended_at >= since))
        .order_by(table.c.id)
    )
    types = {
        "episode_id": "int64",
        "staff_id": "int64",
        "started_at": MOMENT,
        "ended_at": MOMENT,
        "active_at": MOMENT,
    }
    return read_frame(connection, query, types)


def replies_frame(connection: Connection, since: datetime) -> pd.DataFrame:
    """One row per message of an agent in an episode that reaches beyond `since`.

    Of an imported episode the messages are not known: who handled it has replied, and
    did so when the handling began.

    Returns
    -------
    episode_id, staff_id (int64), at (datetime64, UTC).
    """
    reached = episodes.c.closed_at.is_(None) | (episodes.c.closed_at >= since)
    written = (
        select(
            messages.c.episode_id,
            messages.c.staff_id,
            messages.c.created_at.label("at"),
        )
        .join(episodes, episodes.c.id == messages.c.episode_id)
        .where(
            messages.c.sender == Sender.AGENT, messages.c.staff_id.is_not(None), reached
        )
    )
    table = handling_intervals
    imported = (
        select(table.c.episode_id, table.c.staff_id, table.c.started_at)
        .join(episodes, episodes.c.id == table.c.episode_id)
        .where(episodes.c.source_id.is_not(None), reached)
    )
    replies = union_all(written, imported).subquery()
    query = select(replies).order_by(replies.c.at, replies.c.episode_id)
    types = {"episode_id": "int64", "staff_id": "int64", "at": MOMENT}
    return read_frame(connection, query, types)


def service_frames(connection: Connection, since: datetime) -> ServiceFrames:
    """All that service numbers since then are computed from, of one moment.

    Pass the start of the window before the one that is shown, for comparisons.
    """
    return ServiceFrames(
        episodes_frame(connection, since),
        intervals_frame(connection, since),
        replies_frame(connection, since),
        feedback_frame(connection, since),
    )


_people = schema.customers.alias("people")


def with_customer(table: Any) -> Any:
    """A table beside the customers that it names, for `survivor`."""
    column = next(c for c in table.c if c.name.endswith("customer_id"))
    return table.outerjoin(_people, _people.c.id == column)


def survivor(column: Any) -> Any:
    """Whom a customer number stands for now."""
    return func.coalesce(_people.c.alias_of, column).label("customer_id")


def read_frame(
    connection: Connection, query: Select[Any], types: Mapping[str, str]
) -> pd.DataFrame:
    """What a query gives; `types` names the dtypes of columns, or `MOMENT`."""
    result = connection.execute(query.execution_options(yield_per=ROWS_PER_CHUNK))
    names = list(result.keys())
    chunks = [
        pd.DataFrame(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
        for rows in result.partitions()
    ]
    frame = (
        pd.concat(chunks, ignore_index=True) if chunks else pd.DataFrame(columns=names)
    )
    for name, kind in types.items():
        frame[name] = (
            pd.to_datetime(frame[name], utc=True).dt.as_unit("us")
            if kind == MOMENT
            else frame[name].astype(kind)  # type: ignore[call-overload]
        )
    return frame
