"""Leases: who may do what only one may do, with a fence that old holders fail."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from core.errors import LeaseLost, Problem
from storage.dialect import upsert
from storage.schema import leases


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to `name` until `expires_at`; `fence` grows with every new holder."""

    name: str
    holder: str
    fence: int
    expires_at: datetime


def new_holder() -> str:
    """A name for this process that no other has, here or on another machine."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def acquire(
    connection: Connection, name: str, holder: str, now: datetime, seconds: float
) -> Lease | None:
    """The lease, if it is free, expired or already ours; None while another has it."""
    connection.execute(
        upsert(connection, leases)
        .values(name=name, holder="", fence=0, expires_at=now)
        .on_conflict_do_nothing()
    )
    expires_at = now + timedelta(seconds=seconds)
    taken = connection.execute(
        update(leases)
        .where(
            leases.c.name == name,
            (leases.c.expires_at <= now) | (leases.c.holder == holder),
        )
        .values(holder=holder, fence=leases.c.fence + 1, expires_at=expires_at)
        .returning(leases.c.fence)
    ).scalar()
    return None if taken is None else Lease(name, holder, taken, expires_at)


def renew(connection: Connection, lease: Lease, now: datetime, seconds: float) -> Lease:
    """The same lease with a later end.

    Raises
    ------
    LeaseLost : another holder has it now, or it had already run out
    """
    expires_at = now + timedelta(seconds=seconds)
    kept = connection.execute(
        update(leases)
        .where(
            leases.c.name == lease.name,
            leases.c.holder == lease.holder,
            leases.c.fence == lease.fence,
            leases.c.expires_at > now,
        )
        .values(expires_at=expires_at)
    ).rowcount
    if not kept:
        raise LeaseLost(
            Problem(
                f"the lease `{lease.name}` went to another process",
                hint="This process was silent for too long; start it again.",
            )
        )
    return Lease(lease.name, lease.holder, lease.fence, expires_at)


def release(connection: Connection, lease: Lease, now: datetime) -> None:
    """Give the lease back early; harmless when it is no longer ours."""
    connection.execute(
        update(leases)
        .where(
            leases.c.name == lease.name,
            leases.c.holder == lease.holder,
            leases.c.fence == lease.fence,
        )
        .values(expires_at=now)
    )


def holder(connection: Connection, name: str, now: datetime) -> str | None:
    """Who holds the lease now, or None."""
    return connection.scalar(
        select(leases.c.holder).where(leases.c.name == name, leases.c.expires_at > now)
    )


def next_fence(connection: Connection, name: str, taker: str, now: datetime) -> int:
    """A number higher than any before it, for work that several may do at once."""
    connection.execute(
        upsert(connection, leases)
        .values(name=name, holder=taker, fence=0, expires_at=now)
        .on_conflict_do_nothing()
    )
    fence: int = connection.execute(
        update(leases)
        .where(leases.c.name == name)
        .values(holder=taker, fence=leases.c.fence + 1, expires_at=now)
        .returning(leases.c.fence)
    ).scalar_one()
    return fence
