"""Whether somebody of the team is there to answer."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from core.model import Role
from storage.schema import sessions, staff

# A signed-in page notes its use every few minutes.
SEEN_WITHIN = timedelta(minutes=30)
ANSWERING = (Role.AGENT, Role.LEAD, Role.ADMIN)


def somebody_is_here(connection: Connection, now: datetime) -> bool:
    """Whether a person who may answer customers has used the console lately."""
    query = (
        select(sessions.c.staff_id)
        .join(staff, staff.c.id == sessions.c.staff_id)
        .where(
            sessions.c.seen_at > now - SEEN_WITHIN,
            staff.c.active,
            staff.c.role.in_(ANSWERING),
        )
        .limit(1)
    )
    return connection.scalar(query) is not None
