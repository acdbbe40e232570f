"""People who work with the console: accounts, sessions, failed sign-ins, audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from core.errors import Problem, RapportError
from core.model import Role
from storage.database import actor_of
from storage.schema import audit_log, sessions, sign_in_attempts, staff

# Who only stands in imported files: no password has this hash.
NO_PASSWORD = "!"  # noqa: S105  it is none

# Reading pages moves a session's last use, but a write for each page is too much.
SEEN_STEP = timedelta(minutes=5)


class StaffError(RapportError):
    """An account can't be made or changed as asked."""


@dataclass(frozen=True, slots=True)
class Member:
    """One person of the team."""

    id: int
    email: str
    name: str
    role: Role
    active: bool


@dataclass(frozen=True, slots=True)
class NewMember:
    """An account to be made."""

    email: str
    name: str
    role: Role
    password_hash: str


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed sign-ins of one account or address since a moment."""

    count: int
    newest_at: datetime | None


def is_empty(connection: Connection) -> bool:
    """Whether nobody has an account yet; people of imported files have none."""
    query = select(staff.c.id).where(staff.c.password_hash != NO_PASSWORD)
    return connection.scalar(query.limit(1)) is None


def members(connection: Connection) -> list[Member]:
    """Everybody, by name."""
    rows = connection.execute(select(staff).order_by(staff.c.name, staff.c.id))
    return [_member(row) for row in rows]


def member(connection: Connection, staff_id: int) -> Member | None:
    row = connection.execute(select(staff).where(staff.c.id == staff_id)).first()
    return _member(row) if row else None


def credentials(connection: Connection, email: str) -> tuple[Member, str] | None:
    """The active member with this address, and the hash of their password."""
    query = select(staff).where(staff.c.email == _normal(email), staff.c.active)
    row = connection.execute(query).first()
    return (_member(row), row.password_hash) if row else None


def add_member(connection: Connection, new: NewMember, now: datetime) -> int:
    """A new account's id; refuses an address that has one.

    Somebody who is known from an imported file becomes a member in earnest.
    """
    address = _normal(new.email)
    account = {
        "name": new.name.strip(),
        "role": new.role.value,
        "password_hash": new.password_hash,
        "active": True,
    }
    known = connection.execute(select(staff).where(staff.c.email == address)).first()
    if known is not None and known.password_hash != NO_PASSWORD:
        raise StaffError(Problem("this address has an account already", address))
    if known is not None:
        staff_id = int(known.id)
        connection.execute(
            update(staff).where(staff.c.id == staff_id).values(**account)
        )
    else:
        made = insert(staff).values(email=address, created_at=now, **account)
        staff_id = int(connection.execute(made.returning(staff.c.id)).scalar_one())
    audit(connection, "staff_added", "staff", staff_id, now, role=new.role.value)
    return staff_id


def add_first_admin(connection: Connection, new: NewMember, now: datetime) -> int:
    """The account of the first run; refused as soon as there is any."""
    if not is_empty(connection):
        raise StaffError(Problem("the first account exists already"))
    return add_member(connection, new, now)


def change_member(
    connection: Connection, staff_id: int, role: Role, active: bool, now: datetime
) -> None:
    """Another role, or no access; both end the member's sessions."""
    connection.execute(
        update(staff).where(staff.c.id == staff_id).values(role=role, active=active)
    )
    others = select(func.count()).where(staff.c.role == Role.ADMIN, staff.c.active)
    if not connection.scalar(others):
        raise StaffError(Problem("one active administrator has to stay"))
    connection.execute(delete(sessions).where(sessions.c.staff_id == staff_id))
    data = {"role": role.value, "active": active}
    audit(connection, "staff_changed", "staff", staff_id, now, **data)


def change_password_hash(
    connection: Connection, staff_id: int, password_hash: str
) -> None:
    """Keep a hash with newer parameters, or of a new password."""
    connection.execute(
        update(staff).where(staff.c.id == staff_id).values(password_hash=password_hash)
    )


def open_session(
    connection: Connection, token_hash: str, staff_id: int, now: datetime
) -> None:
    connection.execute(
        insert(sessions).values(
            token_hash=token_hash, staff_id=staff_id, created_at=now, seen_at=now
        )
    )
    audit(connection, "signed_in", "staff", staff_id, now)


def session_member(
    connection: Connection,
    token_hash: str,
    now: datetime,
    idle: timedelta,
    absolute: timedelta,
) -> tuple[Member, bool] | None:
    """Whose session this is, and whether `touch` is due; None if it is over."""
    query = (
        select(staff, sessions.c.seen_at)
        .join(sessions, sessions.c.staff_id == staff.c.id)
        .where(
            sessions.c.token_hash == token_hash,
            sessions.c.seen_at > now - idle,
            sessions.c.created_at > now - absolute,
            staff.c.active,
        )
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return _member(row), row.seen_at < now - min(SEEN_STEP, idle / 2)


def touch_session(connection: Connection, token_hash: str, now: datetime) -> None:
    connection.execute(
        update(sessions).where(sessions.c.token_hash == token_hash).values(seen_at=now)
    )


def close_session(connection: Connection, token_hash: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


def forget_sessions(connection: Connection, before: datetime) -> int:
    """Drop what ended before; returns how many sessions."""
    result = connection.execute(delete(sessions).where(sessions.c.seen_at < before))
    return result.rowcount


def failures(connection: Connection, subject: str, since: datetime) -> Failures:
    row = connection.execute(
        select(func.count().label("count"), func.max(sign_in_attempts.c.at)).where(
            sign_in_attempts.c.subject == subject, sign_in_attempts.c.at > since
        )
    ).one()
    return Failures(row[0], row[1])


def record_failure(
    connection: Connection, subjects: list[str], now: datetime, forget_before: datetime
) -> None:
    """Count one failed sign-in for each subject, and forget old ones."""
    connection.execute(
        delete(sign_in_attempts).where(sign_in_attempts.c.at < forget_before)
    )
    connection.execute(
        insert(sign_in_attempts), [{"subject": word, "at": now} for word in subjects]
    )


def clear_failures(connection: Connection, subject: str) -> None:
    connection.execute(
        delete(sign_in_attempts).where(sign_in_attempts.c.subject == subject)
    )


def audit(
    connection: Connection,
    action: str,
    entity: str,
    entity_id: int | str | None,
    now: datetime,
    **data: Any,
) -> None:
    """Write down who did what; the actor is the one of the write."""
    connection.execute(
        insert(audit_log).values(
            actor=actor_of(connection),
            action=action,
            entity=entity,
            entity_id=None if entity_id is None else str(entity_id),
            data=data,
            at=now,
        )
    )


def _normal(email: str) -> str:
    return email.strip().lower()


def _member(row: Row[Any]) -> Member:
    return Member(row.id, row.email, row.name, Role(row.role), row.active)
