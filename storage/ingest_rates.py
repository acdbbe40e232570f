"""What currencies are worth, by day: a newer file corrects an older one."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import Connection, tuple_

from core.records import RateRecord
from storage.dialect import upsert
from storage.import_journal import changed
from storage.ingest import Import
from storage.schema import currency_rates


def write_rates(
    connection: Connection, row: Import, records: list[RateRecord], now: datetime
) -> Counter[str]:
    """Set the rates of a batch.

    Parameters
    ----------
    connection : a writing one
    row : the import
    records : one per row of the file; of two of a currency and day the later one wins
    now : not used; rates have a day of their own

    Returns
    -------
    No corrections.
    """
    del now
    told = {(record.currency, record.day): record.rate for record in records}
    if not told:
        return Counter()
    key = tuple_(currency_rates.c.currency, currency_rates.c.day)
    rows = connection.execute(
        currency_rates.select().where(key.in_(list(told)))
    ).mappings()
    stored = {(found["currency"], found["day"]): dict(found) for found in rows}
    other = {
        place: rate
        for place, rate in told.items()
        if place not in stored or stored[place]["rate"] != rate
    }
    changed(
        connection,
        row,
        currency_rates,
        [stored[place] for place in other if place in stored],
    )
    if other:
        statement = upsert(connection, currency_rates)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["currency", "day"],
                set_={
                    "rate": statement.excluded.rate,
                    "import_id": statement.excluded.import_id,
                },
            ),
            [
                {"currency": code, "day": day, "rate": rate, "import_id": row.id}
                for (code, day), rate in other.items()
            ],
        )
    return Counter()
