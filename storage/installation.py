"""Keys that belong to one installation: they key hashes, tokens and assignments."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from sqlalchemy import Connection, select

from storage.dialect import upsert
from storage.schema import installation

KEY_BYTES = 32


def key(connection: Connection, purpose: str) -> bytes:
    """The key for a purpose (`address`, `holdout`, `links`), made at first use.

    Needs a writing connection the first time.
    """
    query = select(installation.c.value).where(installation.c.key == purpose)
    found = connection.scalar(query)
    if found is not None:
        return bytes(found)
    connection.execute(
        upsert(connection, installation)
        .values(key=purpose, value=secrets.token_bytes(KEY_BYTES))
        .on_conflict_do_nothing()
    )
    return bytes(connection.scalar(query) or b"")


def address_hmac(address_key: bytes, address: str) -> str:
    """What stays of an address after its owner asked to be forgotten."""
    return hmac.new(address_key, address.encode(), hashlib.sha256).hexdigest()


def has_key(connection: Connection, purpose: str) -> bool:
    """Whether the key for a purpose is made already."""
    query = select(installation.c.key).where(installation.c.key == purpose)
    return connection.scalar(query) is not None
