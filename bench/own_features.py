"""Features as the program computes them, in one process.

`python -m bench.own_features URL CUSTOMERS LINES NIGHT`
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from analytics.features import customer_features
from bench.order_books import BENCH, Books, write_night
from storage import feature_frames, totals
from storage.database import Database

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class TimedDatabase(Database):
    """Notes how long its longest write took, from the call to the commit."""

    longest = 0.0

    def write_now(self, actor: Any, work: Any) -> Any:
        begun = time.perf_counter()
        try:
            return super().write_now(actor, work)
        finally:
            self.longest = max(self.longest, time.perf_counter() - begun)


def main(url: str, customers: int, lines: int, night: int) -> None:
    """Bring totals up to date and compute all features; print the figures as JSON.

    Night 0 is the first. On a later one all was done the evening before, in the same
    process, and then a hundredth more lines came.
    """
    with TimedDatabase(url) as database:
        if night:
            _compute(database)
            write_night(database, Books(customers, lines), night)
            database.longest = 0.0
        begun = time.perf_counter()
        refreshed, features = _compute(database)
        found = {
            "seconds": time.perf_counter() - begun,
            "refresh_seconds": refreshed - begun,
            "customers": len(features),
            "longest_ms": database.longest * 1000,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    print(json.dumps(found))


def _compute(database: Database) -> tuple[float, pd.DataFrame]:
    """When the totals were up to date, and the features."""
    totals.refresh(database, BENCH, "EUR", NOW)
    refreshed = time.perf_counter()
    tables = database.read_now(lambda c: feature_frames.customer_frames(c, "EUR", NOW))
    parts = [getattr(tables, name) for name in tables.__slots__]
    return refreshed, customer_features(*parts, asof=NOW)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
