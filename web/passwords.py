"""Passwords by argon2id: equal time for unknown people, few hashes at once."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from storage.staff import Failures

LENGTH_LEAST = 10
LENGTH_MOST = 256
# Each hash takes 64 MiB; more at once than this would be a way to fill the memory.
HASHES_AT_ONCE = 2

WINDOW = timedelta(hours=1)
FREE_TRIES_PER_ACCOUNT = 5
FREE_TRIES_PER_ADDRESS = 20
LONGEST_WAIT = timedelta(minutes=15)

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """What is stored; takes about a tenth of a second on purpose."""
    return _hasher.hash(password)


async def verify(stored: str | None, password: str) -> bool:
    """Whether the password fits; `None` (unknown person) takes as long and is no."""
    return await asyncio.to_thread(_verify, stored or _nobody(), password) and bool(
        stored
    )


def needs_new_hash(stored: str) -> bool:
    """Whether the parameters have grown since this hash was made."""
    return _hasher.check_needs_rehash(stored)


def wait_until(failures: Failures, free_tries: int) -> datetime | None:
    """When the next try is allowed: twice as long after each failure."""
    over = failures.count - free_tries
    if over < 0 or failures.newest_at is None:
        return None
    seconds = min(2.0 ** min(over, 20), LONGEST_WAIT.total_seconds())
    return failures.newest_at + timedelta(seconds=seconds)


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(16))
