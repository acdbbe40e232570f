"""The import as the program does it, in one process: `python -m bench.own_import`."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from app.importing import TEMPLATES, import_file
from content.mapping_file import find_mapping
from core.clock import SystemClock
from core.settings import Settings
from storage.database import open_database


def main(file: Path, url: str, directory: Path) -> None:
    """Import the file and print rows, seconds and peak memory as JSON."""
    settings = Settings(storage={"url": url, "data_directory": directory})
    mapping = find_mapping("online-retail", TEMPLATES)
    with open_database(url) as database:
        outcome = import_file(database, SystemClock(), settings, file, mapping)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"rows": outcome.rows, "seconds": outcome.seconds, "peak_mb": peak}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
