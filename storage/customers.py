"""Customers: what identifies them, what they agreed to, whom never to write to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, or_, select, update

from core.errors import DataError, Problem
from core.model import Channel, ConsentState, IdentityKind, customer_self
from storage import changes, corrections, installation, provenance
from storage.corrections import Correction
from storage.customer_fields import COLUMNS, check_paths, column_values, value_at
from storage.database import actor_of
from storage.dialect import upsert
from storage.provenance import Origin
from storage.schema import consents, customers, identities, suppressions

# One topic stands for everything that is no service message.
ALL_TOPICS = "*"


@dataclass(frozen=True, slots=True)
class Customer:
    """A person; `alias_of` names the survivor of a merge."""

    id: int
    name: str | None
    language: str | None
    city: str | None
    country: str | None
    alias_of: int | None


def normalise(kind: IdentityKind, typed: str) -> str:
    """The one form of an identity that is matched on.

    Raises
    ------
    DataError : an e-mail address that can't be one
    """
    value = unicodedata.normalize("NFKC", typed).strip()
    if kind is IdentityKind.EMAIL:
        return _normalise_email(value)
    if kind is IdentityKind.PHONE:
        return re.sub(r"[^\d+]", "", value)
    return value


def find(connection: Connection, kind: IdentityKind, value: str) -> Customer | None:
    """The customer with this identity, or None; of a merged one the survivor."""
    row = connection.execute(
        select(customers)
        .join(identities, identities.c.customer_id == customers.c.id)
        .where(identities.c.kind == kind, identities.c.value == normalise(kind, value))
    ).first()
    if row is None:
        return None
    return _customer(row) if row.alias_of is None else get(connection, row.alias_of)


def get(connection: Connection, customer_id: int) -> Customer | None:
    """One customer by id, or None."""
    row = connection.execute(
        select(customers).where(customers.c.id == customer_id)
    ).first()
    return None if row is None else _customer(row)


def survivor_of(connection: Connection, customer_id: int) -> int:
    """The customer that this one is part of; itself where it was never merged.

    Who holds an id from before a merge (a link in a mail, a turn that has begun)
    acts on the survivor by it.
    """
    found = connection.scalar(
        select(customers.c.alias_of).where(customers.c.id == customer_id)
    )
    return customer_id if found is None else int(found)


def one_person(customer_id: int) -> Select[tuple[int]]:
    """The ids of a customer and of all who were merged into it, as a query.

    Most rows move in a merge; those that stay with an alias are found by it.
    """
    own = customers.c.id == customer_id
    return select(customers.c.id).where(or_(own, customers.c.alias_of == customer_id))


def ids_of(connection: Connection, survivor: int) -> list[int]:
    """The ids of `one_person`: the survivor's and those of the merged."""
    return [row.id for row in connection.execute(one_person(survivor))]


def create(
    connection: Connection,
    now: datetime,
    name: str | None = None,
    language: str | None = None,
) -> int:
    """A new customer's id."""
    customer_id: int = connection.execute(
        insert(customers)
        .values(name=name, language=language, created_at=now, updated_at=now)
        .returning(customers.c.id)
    ).scalar_one()
    changes.record(connection, "customer", customer_id, now)
    return customer_id


def identify(
    connection: Connection,
    kind: IdentityKind,
    typed: str,
    now: datetime,
    name: str | None = None,
    language: str | None = None,
) -> Customer:
    """The customer with this identity, made where there is none."""
    found = find(connection, kind, typed)
    if found is not None:
        return found
    with connection.begin_nested() as savepoint:
        customer_id = create(connection, now, name, language)
        if add_identity(connection, customer_id, kind, typed, now):
            return Customer(customer_id, name, language, None, None, None)
        # Somebody else made the same customer while we looked.
        savepoint.rollback()
    return identify(connection, kind, typed, now, name, language)


def add_identity(
    connection: Connection,
    customer_id: int,
    kind: IdentityKind,
    typed: str,
    now: datetime,
) -> bool:
    """Whether the identity is this customer's now; False where another has it."""
    connection.execute(
        upsert(connection, identities)
        .values(
            customer_id=customer_id,
            kind=kind,
            value=normalise(kind, typed),
            typed=typed,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["kind", "value"])
    )
    owner = find(connection, kind, typed)
    return owner is not None and owner.id == survivor_of(connection, customer_id)


def address_of(
    connection: Connection, customer_id: int, channel: Channel
) -> str | None:
    """Where this customer is reached on a channel; None where nowhere."""
    return connection.scalar(
        select(identities.c.value)
        .where(
            identities.c.customer_id == survivor_of(connection, customer_id),
            identities.c.kind == channel.value,
            identities.c.unreachable_reason.is_(None),
        )
        .order_by(identities.c.place, identities.c.id)
        .limit(1)
    )


def set_fields(
    connection: Connection, customer_id: int, fields: Mapping[str, Any], now: datetime
) -> list[str]:
    """Change what is known of a customer: the one door for staff and customers.

    Parameters
    ----------
    connection : a writing one; its actor becomes the origin of the values
    customer_id : of a merged customer the survivor is changed
    fields : by name or path (`attributes.size`); None takes a value out
    now : aware

    Returns
    -------
    The fields that differ now. Each change is a row in `corrections`; what somebody
    with more priority has set stays as it is.

    Raises
    ------
    DataError : no such field, or no such customer
    """
    check_paths(fields)
    origin = provenance.of_actor(actor_of(connection), now)
    return _set(connection, survivor_of(connection, customer_id), fields, origin)


def set_language(
    connection: Connection, customer_id: int, language: str, now: datetime
) -> None:
    """Remember the language that the customer chose; nobody knows it better."""
    customer_id = survivor_of(connection, customer_id)
    by = str(customer_self(customer_id))
    chosen = Origin(by, provenance.CUSTOMER, now)
    _set(connection, customer_id, {"language": language}, chosen, always=True)


def _set(
    connection: Connection,
    customer_id: int,
    fields: Mapping[str, Any],
    origin: Origin,
    *,
    always: bool = False,
) -> list[str]:
    row = connection.execute(
        select(*(customers.c[name] for name in ("source_id", *COLUMNS)))
        .where(customers.c.id == customer_id)
        .with_for_update()
    ).first()
    if row is None:
        raise DataError(Problem("no such customer", str(customer_id)))
    known = provenance.believed(connection)
    wanted = {
        path: value
        for path, value in fields.items()
        if value != value_at(row, path)
        and (always or origin.priority >= known.of(row.provenance, path, row.source_id))
    }
    if not wanted:
        return []
    entries = row.provenance | dict.fromkeys(wanted, origin.entry())
    connection.execute(
        update(customers)
        .where(customers.c.id == customer_id)
        .values(**column_values(row, wanted), provenance=entries, updated_at=origin.at)
    )
    edits = [
        Correction(customer_id, path, value_at(row, path), value, "edited")
        for path, value in wanted.items()
    ]
    corrections.record(connection, edits, origin.at)
    changes.record(connection, "customer", customer_id, origin.at)
    return list(wanted)


def set_unreachable(
    connection: Connection, kind: IdentityKind, value: str, reason: str | None
) -> None:
    """Switch an address off with a reason, or on again with None."""
    connection.execute(
        update(identities)
        .where(identities.c.kind == kind, identities.c.value == value)
        .values(unreachable_reason=reason)
    )


def record_consent(
    connection: Connection,
    customer_id: int,
    channel: Channel,
    topic: str,
    state: ConsentState,
    source: str,
    now: datetime,
    proof: str | None = None,
) -> None:
    """Add one row to the ledger; the newest per channel and topic counts."""
    customer_id = survivor_of(connection, customer_id)
    connection.execute(
        insert(consents).values(
            customer_id=customer_id,
            channel=channel,
            topic=topic,
            state=state,
            source=source,
            proof=proof,
            at=now,
        )
    )
    changes.record(connection, "consent", customer_id, now, state=state)


def withdraw_everywhere(
    connection: Connection,
    customer_id: int,
    source: str,
    now: datetime,
    proof: str | None = None,
) -> None:
    """No more campaigns on any channel and topic, as `/stop` asks."""
    for channel in Channel:
        record_consent(
            connection,
            customer_id,
            channel,
            ALL_TOPICS,
            ConsentState.WITHDRAWN,
            source,
            now,
            proof,
        )


def has_consent(
    connection: Connection, customer_id: int, channel: Channel, topic: str
) -> bool:
    """Whether the newest row for the topic, or for all topics, grants it."""
    state = connection.scalar(
        select(consents.c.state)
        .where(
            consents.c.customer_id == survivor_of(connection, customer_id),
            consents.c.channel == channel,
            consents.c.topic.in_((topic, ALL_TOPICS)),
        )
        .order_by(consents.c.id.desc())
        .limit(1)
    )
    return state == ConsentState.GRANTED


def suppress(
    connection: Connection, channel: Channel, address: str, reason: str, now: datetime
) -> None:
    """Never write to this address again; a second time changes nothing.

    Raises
    ------
    DataError : an e-mail address that can't be one
    """
    suppress_all(connection, channel, {address: reason}, now)


def suppress_all(
    connection: Connection, channel: Channel, reasons: Mapping[str, str], now: datetime
) -> None:
    """`suppress` for many addresses, each with its reason."""
    rows = [
        {"address_hmac": _digest(connection, channel, address), "reason": reason}
        for address, reason in reasons.items()
    ]
    if rows:
        connection.execute(
            upsert(connection, suppressions)
            .values(channel=channel, at=now)
            .on_conflict_do_nothing(index_elements=["channel", "address_hmac"]),
            rows,
        )


def is_suppressed(connection: Connection, channel: Channel, address: str) -> bool:
    """Whether the address may never be written to."""
    return (
        connection.scalar(
            select(func.count())
            .select_from(suppressions)
            .where(
                suppressions.c.channel == channel,
                suppressions.c.address_hmac == _digest(connection, channel, address),
            )
        )
        or 0
    ) > 0


def _digest(connection: Connection, channel: Channel, address: str) -> str:
    value = normalise(IdentityKind(channel.value), address)
    return installation.address_hmac(installation.key(connection, "address"), value)


def _normalise_email(value: str) -> str:
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  slow

    try:
        checked = validate_email(value, check_deliverability=False)
    except EmailNotValidError as error:
        raise DataError(
            Problem("an e-mail address is expected", value, hint=str(error))
        ) from error
    return checked.normalized.lower()


def _customer(row: object) -> Customer:
    return Customer(
        id=row.id,  # type: ignore[attr-defined]
        name=row.name,  # type: ignore[attr-defined]
        language=row.language,  # type: ignore[attr-defined]
        city=row.city,  # type: ignore[attr-defined]
        country=row.country,  # type: ignore[attr-defined]
        alias_of=row.alias_of,  # type: ignore[attr-defined]
    )
