"""Keys of an installation: made once, one for each purpose."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError

from storage import installation
from storage.database import Database
from tests.storage.shop import TEST
from tests.storage.test_lease import at_once


def made(database: Database, purpose: str) -> bytes:
    return database.write_now(TEST, lambda c: installation.key(c, purpose))


def test_a_key_is_made_once_and_stays(database: Database) -> None:
    first = made(database, "address")

    assert made(database, "address") == first
    assert database.read_now(lambda c: installation.key(c, "address")) == first
    assert len(first) == installation.KEY_BYTES


def test_each_purpose_has_its_own_key(database: Database) -> None:
    assert made(database, "address") != made(database, "links")


def test_many_at_once_make_one_key(database: Database) -> None:
    assert len(set(at_once(4, lambda _: made(database, "holdout")))) == 1


def test_a_reader_makes_no_key(database: Database) -> None:
    with pytest.raises(DBAPIError):
        database.read_now(lambda c: installation.key(c, "address"))

    assert not database.read_now(lambda c: installation.has_key(c, "address"))


def test_the_digest_of_an_address_is_hmac_sha256() -> None:
    # The second case of RFC 4231.
    digest = installation.address_hmac(b"Jefe", "what do ya want for nothing?")

    assert digest == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
