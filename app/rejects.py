"""The rows that an import left out, in a file that a person can correct.

It has the columns of the imported file and, behind them, what was wrong; with the
cells corrected it is imported by the same mapping (see `content.rejected`).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from content.rejected import MARKS, Origin, safe_cell
from core.records import Reject

FORM = "utf-8-sig"


class RejectFile:
    """Made with the first reject; `count` of them are kept from an earlier start.

    `header` are the columns of the imported file, `import_id` is the import's.
    """

    def __init__(
        self, path: Path, count: int, header: Sequence[str], import_id: int
    ) -> None:
        self.path = path
        self._header = header
        self._import_id = import_id
        self._places = [p for p, name in enumerate(header) if name not in MARKS]
        if path.exists():
            self._replace(_first(path, count))

    def add(self, rejects: Iterable[Reject], origins: Mapping[int, Origin]) -> None:
        """Write them, down to the disk: they must not come later than their batch.

        A row that was left out before keeps the place that it first came from.
        """
        rows = [
            self._row(reject, origins.get(reject.line, (self._import_id, reject.line)))
            for reject in rejects
        ]
        if not rows:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        with self.path.open("a", encoding=FORM, newline="") as file:
            if is_new:
                csv.writer(file).writerow(self._columns())
            csv.writer(file).writerows(rows)
            file.flush()
            os.fsync(file.fileno())

    def _columns(self) -> list[str]:
        return [*(self._header[place] for place in self._places), *MARKS]

    def _row(self, reject: Reject, origin: Origin) -> list[str]:
        raw = reject.raw
        if len(raw) == len(self._header):
            raw = tuple(raw[place] for place in self._places)
        # A row of another length stays so: it fits only when it is corrected.
        reason = (
            f"{reject.reason} ({reject.column})" if reject.column else reject.reason
        )
        from_import, line = origin
        marks = str(line), reason, reject.value, str(from_import)
        return [safe_cell(cell) for cell in (*raw, *marks)]

    def _replace(self, rows: list[list[str]]) -> None:
        if not rows:
            self.path.unlink()
            return
        new = self.path.with_suffix(".new")
        with new.open("w", encoding=FORM, newline="") as file:
            csv.writer(file).writerows([self._columns(), *rows])
        new.replace(self.path)


def _first(path: Path, count: int) -> list[list[str]]:
    """The first rows that another start of the same import has committed."""
    with path.open(encoding=FORM, newline="") as file:
        return list(islice(csv.reader(file), 1, 1 + count))
