"""People of a file who want no campaigns."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import Connection

from core.errors import DataError
from core.model import Channel, ConsentState, IdentityKind
from core.records import OptOutRecord
from storage import customers as people
from storage.bulk import insert_rows, moment_value
from storage.external import external_customers
from storage.ingest import Import
from storage.ingest_consents import COLUMNS, ledger
from storage.schema import consents

# Not the word for customers' files: their "yes" does not stand against it.
SOURCE = "opt_out"
_NOTHING = (people.ALL_TOPICS, ConsentState.WITHDRAWN.value)


def write_opt_outs(
    connection: Connection, row: Import, records: list[OptOutRecord], now: datetime
) -> Counter[str]:
    """Suppress addresses and withdraw the consents of customers.

    Parameters
    ----------
    connection : a writing one
    row : whose source the ids belong to
    records : one per row of the file; of an unknown id nothing can be withdrawn
    now : aware

    Returns
    -------
    Counts of `email_invalid` and `customer_unknown`.
    """
    corrected: Counter[str] = Counter()
    addresses: dict[str, str] = {}
    for record in records:
        if record.email is not None:
            try:
                address = people.normalise(IdentityKind.EMAIL, record.email)
            except DataError:
                corrected["email_invalid"] += 1
            else:
                addresses.setdefault(address, record.reason)
    people.suppress_all(connection, Channel.EMAIL, addresses, now)
    named = {r.external_id: r for r in records if r.external_id is not None}
    known = external_customers(connection, row.source, named)
    corrected["customer_unknown"] = sum(
        record.email is None and record.external_id not in known for record in records
    )
    withdrawn = {key: named[name].line for name, key in known.items()}
    _withdraw(connection, row, withdrawn, now)
    return +corrected


def _withdraw(
    connection: Connection, row: Import, lines: dict[int, int], now: datetime
) -> None:
    """Everything on every channel, for those customers who had not done so."""
    said = ledger(connection, list(lines))
    at = moment_value(connection, now)
    new = []
    for customer_id, line in lines.items():
        proof = f"{row.file_name}:{line}"
        for channel in Channel:
            about = (each for each in said[customer_id] if each.channel == channel)
            last = max(about, key=lambda each: each.id, default=None)
            if last is None or (last.topic, last.state) != _NOTHING:
                words = channel.value, *_NOTHING, SOURCE
                new.append((customer_id, *words, proof, row.id, at))
    insert_rows(connection, consents, COLUMNS, new)
