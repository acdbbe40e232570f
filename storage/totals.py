"""Sums over each customer's orders, kept up to date by what has arrived since."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from storage.dialect import upsert
from storage.schema import stale_totals


def mark_stale(connection: Connection, customer_ids: Iterable[int]) -> None:
    """Let these customers' totals be counted anew; a second mark changes nothing.

    Who changes, moves or takes away an order that may be counted already calls it in
    the same write, for the customer who had the order and for the one who has it.
    """
    rows = [{"customer_id": each} for each in sorted(set(customer_ids))]
    if rows:
        connection.execute(
            upsert(connection, stale_totals).on_conflict_do_nothing(), rows
        )
