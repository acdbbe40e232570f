"""What the rows of a customers' file say of consent, added to the ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from core.model import ConsentState
from core.records import ConsentRecord, CustomerRecord
from storage.bulk import insert_rows, lookup, moment_value
from storage.customers import ALL_TOPICS
from storage.ingest import Import
from storage.schema import consents, imports

SOURCE = "import"
COLUMNS = (
    *("customer_id", "channel", "topic", "state", "source", "proof", "import_id"),
    "at",
)


def write_consents(
    connection: Connection,
    row: Import,
    people: Mapping[int, CustomerRecord],
    now: datetime,
    corrected: Counter[str],
) -> None:
    """Add what differs from the newest row; counts `consent_stays_withdrawn`."""
    stored = ledger(connection, [k for k, r in people.items() if r.consents])
    at = moment_value(connection, now)
    new = []
    for customer_id, record in people.items():
        for consent in record.consents:
            last = newest(stored[customer_id], consent.channel, consent.topic)
            if last is not None and last.state == consent.state:
                continue
            if _must_stay(row, last, consent):
                corrected["consent_stays_withdrawn"] += 1
                continue
            words = consent.channel.value, consent.topic, consent.state.value
            proof = f"{row.file_name}:{record.line}"
            new.append((customer_id, *words, SOURCE, proof, row.id, at))
    insert_rows(connection, consents, COLUMNS, new)


def ledger(connection: Connection, wanted: list[int]) -> defaultdict[int, list[Any]]:
    """All that these customers said, and which source told it."""
    names = "customer_id", "channel", "topic", "state", "source", "import_id", "id"
    told_by = select(imports.c.source_id).where(imports.c.id == consents.c.import_id)
    columns = [consents.c[name] for name in names]
    origin = told_by.scalar_subquery().label("source_id")
    rows = lookup(connection, consents.c.customer_id, wanted, (*columns, origin))
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for each in rows:
        found[each.customer_id].append(each)
    return found


def newest(rows: list[Any], channel: str, topic: str) -> Any:
    """What counts for a topic; None where nothing was said."""
    about = (
        row
        for row in rows
        if row.channel == channel and row.topic in {topic, ALL_TOPICS}
    )
    return max(about, key=lambda row: row.id, default=None)


def _must_stay(row: Import, last: Any, consent: ConsentRecord) -> bool:
    """Whether the customer said no by another way than this source's files.

    A source may say that its customer has come back; nobody else's "yes" stands
    against a "no".
    """
    if consent.state is not ConsentState.GRANTED or last is None:
        return False
    theirs = last.source == SOURCE and last.source_id in {None, row.source_id}
    return not theirs
