"""Customers with a row of everything that a merge can move, and pictures of it all."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from core.model import (
    CaseKind,
    Channel,
    ConsentState,
    DeliveryState,
    IdentityKind,
    ImportState,
    OrderKind,
    Owner,
    Sender,
    SkipReason,
)
from storage import schema
from storage.customers import ALL_TOPICS
from storage.merge_consents import SOURCE
from tests.storage.shop import NOW, new_run

# What a merge leaves behind on purpose, or is counted anew after it.
ACCOUNTS = {"changes", "audit_log", "merges", "match_candidates", "stale_totals"}
# The states in which the customers' rows of a run stand, by customer.
STATES = (
    (DeliveryState.PLANNED, None),
    (DeliveryState.SKIPPED, SkipReason.HOLDOUT),
    (DeliveryState.DEFERRED, "deferred_451"),
    (DeliveryState.ACCEPTED, None),
)


def add(connection: Connection, table: Table, **values: Any) -> Any:
    """The key of a new row."""
    key = next(iter(table.primary_key.columns))
    return connection.execute(insert(table).values(**values).returning(key)).scalar()


def crowd(connection: Connection, count: int) -> list[int]:
    """So many customers with a row in every table that points at one."""
    house = _house(connection)
    return [_person(connection, number, house) for number in range(count)]


def picture(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, but for accounts and the moments of a change."""
    return {
        table.name: _rows(connection, table)
        for table in schema.metadata.sorted_tables
        if table.name not in ACCOUNTS
    }


def _rows(connection: Connection, table: Table) -> list[tuple[Any, ...]]:
    columns = [each for each in table.c if each.name != "updated_at"]
    keys = list(table.primary_key.columns)
    rows = connection.execute(select(*columns).order_by(*keys)).all()
    if table is not schema.consents:
        return [tuple(row) for row in rows]
    # What a merge adds has a number of its own, and a proof that names the merge.
    return [
        tuple(
            "" if row.source == SOURCE and n in {"id", "proof"} else value
            for n, value in row._mapping.items()
        )
        for row in rows
    ]


def _house(connection: Connection) -> dict[str, Any]:
    """What all share: a source, an import, two runs, model runs, a member of staff."""
    source = add(connection, schema.sources, name="shop", priority=50)
    other = add(connection, schema.sources, name="desk", priority=70)
    imported = add(
        connection,
        schema.imports,
        source_id=source,
        kind="orders",
        file_name="orders.csv",
        file_hash="0" * 64,
        mapping_hash="0" * 64,
        state=ImportState.COMPLETE,
        started_at=NOW,
    )
    run_ids = [new_run(connection, key).id for key in ("win_back", "thank_you")]
    models = [
        add(
            connection,
            schema.model_runs,
            kind=kind,
            name=name,
            complete=True,
            created_at=NOW,
        )
        for kind, name in (("features", "customers"), ("segments", "behaviour"))
    ]
    segment = add(
        connection,
        schema.segments,
        model_run_id=models[1],
        key="loyal",
        name="Loyal",
        size=1,
    )
    product = add(
        connection,
        schema.products,
        source_id=source,
        external_id="SKU",
        name="Lamp",
        active=True,
    )
    return {
        "sources": (source, other),
        "import": imported,
        "runs": run_ids,
        "models": models,
        "segment": segment,
        "product": product,
    }


def _person(connection: Connection, number: int, house: dict[str, Any]) -> int:
    customer_id: int = add(
        connection,
        schema.customers,
        name=None if number == 2 else f"Ann {number}",
        language="en" if number % 2 else None,
        birth_date=date(1990, 1, 1 + number) if number % 2 else None,
        city="Berlin" if number < 3 else "Bonn",
        postcode=None if number == 1 else "10115",
        country="Germany",
        income_minor=1000 * number or None,
        income_currency="EUR" if number else None,
        preferences={"tea": str(number)},
        attributes={f"size{number % 2}": "L", "own": str(number)},
        provenance=_provenance(number),
        source_id=house["sources"][number % 2],
        created_at=NOW - timedelta(days=10 - number),
        updated_at=NOW,
    )
    _addresses(connection, number, customer_id)
    _consents(connection, number, customer_id)
    _sales(connection, number, customer_id, house)
    _service(connection, number, customer_id)
    _deliveries(connection, number, customer_id, house)
    _analysis(connection, number, customer_id, house)
    return customer_id


def _provenance(number: int) -> dict[str, Any]:
    if number != 3:
        return {}
    at = NOW.isoformat()
    return {"city": {"by": "staff:1", "priority": 100, "at": at}}


def _addresses(connection: Connection, number: int, customer_id: int) -> None:
    known = {
        IdentityKind.EMAIL: f"ann{number}@shop.example",
        IdentityKind.WEBCHAT: f"visitor{number}",
        IdentityKind.EXTERNAL: f"shop:{number}",
    }
    for kind, value in known.items():
        add(
            connection,
            schema.identities,
            customer_id=customer_id,
            kind=kind,
            value=value,
            typed=value,
            created_at=NOW,
        )
    for value in ("+493099", f"+4930{number}"):
        add(
            connection,
            schema.identity_claims,
            customer_id=customer_id,
            kind=IdentityKind.PHONE,
            value=value,
            typed=value,
            created_at=NOW,
        )


def _consents(connection: Connection, number: int, customer_id: int) -> None:
    said = (
        [("offers", ConsentState.GRANTED)],
        [("offers", ConsentState.WITHDRAWN), ("news", ConsentState.GRANTED)],
        [(ALL_TOPICS, ConsentState.GRANTED)],
        [("news", ConsentState.GRANTED), (ALL_TOPICS, ConsentState.WITHDRAWN)],
    )
    for topic, state in said[number % len(said)]:
        add(
            connection,
            schema.consents,
            customer_id=customer_id,
            channel=Channel.EMAIL,
            topic=topic,
            state=state,
            source="form",
            at=NOW,
        )


def _sales(
    connection: Connection, number: int, customer_id: int, house: dict[str, Any]
) -> None:
    source = house["sources"][0]
    for each in range(2):
        add(
            connection,
            schema.orders,
            source_id=source,
            external_id=f"{number}-{each}",
            customer_id=customer_id,
            kind=OrderKind.SALE,
            ordered_at=NOW,
            total_minor=1000,
            currency="EUR",
            import_id=house["import"],
        )
    add(
        connection,
        schema.events,
        source_id=source,
        external_id=f"{number}",
        customer_id=customer_id,
        kind="visit",
        at=NOW,
    )
    for each in house["sources"][: 1 + number % 2]:
        add(
            connection,
            schema.supplied_figures,
            customer_id=customer_id,
            source_id=each,
            purchase_count=number,
            as_of=NOW,
        )


def _service(connection: Connection, number: int, customer_id: int) -> None:
    conversation_id = converse(connection, customer_id, f"visitor{number}")
    episode_id = connection.scalar(
        select(schema.episodes.c.id).where(
            schema.episodes.c.conversation_id == conversation_id
        )
    )
    rate(connection, customer_id, episode_id)


def converse(connection: Connection, customer_id: int, address: str) -> int:
    """An open conversation on this address, with a word of the customer."""
    conversation_id: int = add(
        connection,
        schema.conversations,
        customer_id=customer_id,
        channel=Channel.WEBCHAT,
        address=address,
        owner=Owner.BOT,
        language="en",
        open=True,
        created_at=NOW,
        last_message_at=NOW,
    )
    add(
        connection,
        schema.episodes,
        conversation_id=conversation_id,
        kind=CaseKind.CHAT,
        opened_at=NOW,
    )
    say(connection, conversation_id, customer_id)
    return conversation_id


def say(connection: Connection, conversation_id: int, customer_id: int) -> int:
    """A message of the customer, by way of the inbox."""
    number = connection.scalar(select(func.count()).select_from(schema.inbox))
    inbox_id: int = add(
        connection,
        schema.inbox,
        source="webchat",
        external_id=f"update{number}",
        customer_id=customer_id,
        received_at=NOW,
        handled_at=NOW,
    )
    add(
        connection,
        schema.messages,
        conversation_id=conversation_id,
        sender=Sender.CUSTOMER,
        text="Hello",
        state="received",
        inbox_id=inbox_id,
        ordinal=0,
        created_at=NOW,
    )
    return inbox_id


def rate(connection: Connection, customer_id: int, episode_id: Any) -> int:
    """A low score for an episode."""
    feedback_id: int = add(
        connection,
        schema.feedback,
        customer_id=customer_id,
        episode_id=episode_id,
        asked_at=NOW,
        answered_at=NOW,
        score=2,
    )
    return feedback_id


def _deliveries(
    connection: Connection, number: int, customer_id: int, house: dict[str, Any]
) -> None:
    state, reason = STATES[number % len(STATES)]
    # Everybody is in the first run, every other one in the second.
    for run_id in house["runs"][: 1 + number % 2]:
        deliver(connection, run_id, customer_id, state, reason)


def deliver(
    connection: Connection,
    run_id: int,
    customer_id: int,
    state: DeliveryState = DeliveryState.PLANNED,
    reason: str | None = None,
    due_at: datetime | None = None,
) -> int:
    """A row of a run."""
    delivery_id: int = add(
        connection,
        schema.deliveries,
        campaign_run_id=run_id,
        customer_id=customer_id,
        channel=Channel.EMAIL,
        state=state,
        reason=reason,
        due_at=due_at,
        planned_at=NOW,
        ended_at=NOW if state.terminal else None,
    )
    return delivery_id


def _analysis(
    connection: Connection, number: int, customer_id: int, house: dict[str, Any]
) -> None:
    features, segments = house["models"]
    own = {"customer_id": customer_id}
    add(
        connection,
        schema.customer_features,
        model_run_id=features,
        features={"frequency": number},
        **own,
    )
    for rank in (1, 2):
        add(
            connection,
            schema.recommendations,
            model_run_id=features,
            rank=rank,
            product_id=house["product"],
            score=0.5,
            method="popular",
            reason="popular",
            **own,
        )
    # Some were analysed only once.
    if number % 2:
        add(
            connection,
            schema.memberships,
            model_run_id=segments,
            segment_id=house["segment"],
            **own,
        )
