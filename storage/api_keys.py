"""Keys by which other programs send records, and what they were answered."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from core.records import RecordKind
from storage.dialect import upsert
from storage.schema import api_keys, api_requests, sources

# Known to scanners of leaked secrets by its beginning.
PREFIX = "rapport_"
KEY_BYTES = 32
# Somebody who repeats a request later than that means another one.
ANSWERS_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret; it may send these kinds, into this source."""

    id: int
    name: str
    source: str
    kinds: tuple[RecordKind, ...]
    active: bool
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered, for whoever repeats it."""

    body_hash: str
    status: int
    content: dict[str, Any]


def create(
    connection: Connection,
    name: str,
    source: str,
    kinds: Sequence[RecordKind],
    now: datetime,
) -> str:
    """A new key's secret, which is shown once and stored as a hash alone."""
    secret = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    connection.execute(
        upsert(connection, sources).values(name=source).on_conflict_do_nothing()
    )
    source_id = connection.scalar(select(sources.c.id).where(sources.c.name == source))
    connection.execute(
        insert(api_keys).values(
            name=name,
            source_id=source_id,
            key_hash=_hash(secret),
            kinds=[kind.value for kind in kinds],
            created_at=now,
        )
    )
    return secret


def holder(connection: Connection, secret: str) -> ApiKey | None:
    """The active key with this secret, or None."""
    found = _keys(
        connection, api_keys.c.key_hash == _hash(secret), api_keys.c.active.is_(True)
    )
    return found[0] if found else None


def all_keys(connection: Connection) -> list[ApiKey]:
    """Every key, oldest first; the revoked ones too."""
    return _keys(connection)


def revoke(connection: Connection, key_id: int) -> bool:
    """Take a key back, at once; False where no active key has this number."""
    revoked = connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.active.is_(True))
        .values(active=False)
    )
    return revoked.rowcount > 0


def answer_to(
    connection: Connection, key: ApiKey, idempotency_key: str, now: datetime
) -> Answer | None:
    """What this request was answered before, or None."""
    row = connection.execute(
        select(api_requests).where(
            api_requests.c.api_key_id == key.id,
            api_requests.c.idempotency_key == idempotency_key,
            api_requests.c.at > now - ANSWERS_KEPT,
        )
    ).first()
    return None if row is None else Answer(row.body_hash, row.status, row.answer)


def keep_answer(
    connection: Connection,
    key: ApiKey,
    idempotency_key: str,
    answer: Answer,
    now: datetime,
) -> None:
    """Remember an answer, and that the key was used."""
    values = {
        "body_hash": answer.body_hash,
        "status": answer.status,
        "answer": answer.content,
        "at": now,
    }
    connection.execute(
        upsert(connection, api_requests)
        .values(api_key_id=key.id, idempotency_key=idempotency_key, **values)
        .on_conflict_do_update(
            index_elements=["api_key_id", "idempotency_key"], set_=values
        )
    )
    connection.execute(
        update(api_keys).where(api_keys.c.id == key.id).values(used_at=now)
    )


def forget_answers(connection: Connection, now: datetime) -> int:
    """Drop answers that nobody may ask for again; returns how many."""
    dropped = connection.execute(
        delete(api_requests).where(api_requests.c.at <= now - ANSWERS_KEPT)
    )
    return dropped.rowcount


def _keys(connection: Connection, *conditions: Any) -> list[ApiKey]:
    rows = connection.execute(
        select(api_keys, sources.c.name.label("source"))
        .join(sources, sources.c.id == api_keys.c.source_id)
        .where(*conditions)
        .order_by(api_keys.c.id)
    )
    return [
        ApiKey(
            row.id,
            row.name,
            row.source,
            tuple(RecordKind(kind) for kind in row.kinds),
            row.active,
            row.created_at,
            row.used_at,
        )
        for row in rows
    ]


def _hash(secret: str) -> str:
    # A secret of 256 random bits needs no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()
