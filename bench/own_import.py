"""The import as the program does it, in one process: `python -m bench.own_import`."""

from __future__ import annotations

import json
import resource
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from app.importing import import_file
from content.mapping_file import find_mapping
from content.profile import TEMPLATES
from core.clock import SystemClock
from core.settings import Settings
from storage.database import Database


class TimedDatabase(Database):
    """Notes how long each write took, from the call to its commit."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.writes: list[float] = []

    def write_now(self, actor: Any, work: Any) -> Any:
        begun = time.perf_counter()
        try:
            return super().write_now(actor, work)
        finally:
            self.writes.append(time.perf_counter() - begun)


def main(file: Path, url: str, directory: Path) -> None:
    """Import the file twice; print rows, seconds, memory and writes as JSON."""
    settings = Settings(storage={"url": url, "data_directory": directory})
    mapping = find_mapping("online-retail", TEMPLATES)
    with closing(TimedDatabase(url)) as database:
        outcome = import_file(database, SystemClock(), settings, file, mapping)
        writes = sorted(database.writes)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        again = import_file(database, SystemClock(), settings, file, mapping)
    found = {
        "rows": outcome.rows,
        "seconds": outcome.seconds,
        "peak_mb": peak,
        "longest_ms": writes[-1] * 1000,
        "p99_ms": writes[int(len(writes) * 0.99)] * 1000,
        "again_seconds": again.seconds,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
