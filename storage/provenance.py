"""Who set each field of a customer, and who may set it anew.

`customers.provenance` names per field who set its value and what that counts: a later
one with less priority does not overwrite it, one with as much does. A field without an
entry has the priority of the customer's own source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, select

from core.model import ActorKind
from storage.dialect import utc_text
from storage.schema import sources

STAFF = 100
CUSTOMER = 90
# As `sources.priority` is by default; cleaning counts as much as its source.
SOURCE = 50
# What nobody vouches for: the name that a chat account shows.
NOBODY = 0

# {"by": "staff:3", "priority": 100, "at": "2026-01-31T08:05:00.000000Z"}; `given` is
# what the source said where cleaning made another value of it.
Entry: TypeAlias = dict[str, Any]
Provenance: TypeAlias = Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sets a value now."""

    by: str
    priority: int
    at: datetime

    def entry(self, given: str | None = None) -> Entry:
        """What is kept beside the value."""
        found: Entry = {
            "by": self.by,
            "priority": self.priority,
            "at": utc_text(self.at),
        }
        return found if given is None else found | {"given": given}


def of_actor(actor: str, now: datetime) -> Origin:
    """The origin of what an actor (`staff:3`) sets by hand."""
    kind = actor.partition(":")[0]
    known = {ActorKind.STAFF.value: STAFF, ActorKind.CUSTOMER.value: CUSTOMER}
    return Origin(actor, known.get(kind, SOURCE), now)


@dataclass(frozen=True, slots=True)
class Believed:
    """The priorities of all sources, read once for a batch."""

    by_id: Mapping[int, int] = field(default_factory=dict)

    def of(self, provenance: Provenance, path: str, source_id: int | None) -> int:
        """The priority of the value that a field has."""
        entry = provenance.get(path)
        if entry is not None:
            return int(entry["priority"])
        return NOBODY if source_id is None else self.by_id.get(source_id, SOURCE)


def believed(connection: Connection) -> Believed:
    """How much each source counts."""
    rows = connection.execute(select(sources.c.id, sources.c.priority))
    return Believed({row.id: row.priority for row in rows})


def is_corrected(provenance: Provenance) -> bool:
    """Whether a person has set any field."""
    return any(entry["priority"] >= CUSTOMER for entry in provenance.values())
