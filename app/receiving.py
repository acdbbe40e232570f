"""Records that came by HTTP take the way of every file: spooled, then imported."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from core.records import RecordKind
from storage.api_keys import ApiKey
from web.api import Received, Refused, Row

if TYPE_CHECKING:
    from app.wiring import Program
    from content.mapping import FileMapping


@dataclass(frozen=True, slots=True)
class RecordReceiver:
    """Imports the rows of one request; `identity` makes two requests the same one."""

    program: Program

    async def __call__(
        self, key: ApiKey, kind: RecordKind, rows: Sequence[Row], identity: str
    ) -> Received:
        return await asyncio.to_thread(self._receive, key, kind, rows, identity)

    def _receive(
        self, key: ApiKey, kind: RecordKind, rows: Sequence[Row], identity: str
    ) -> Received:
        mapping = _mapping(kind, key)
        digest = hashlib.sha256(f"{key.id} {kind} {identity}".encode()).hexdigest()
        spool = self.program.data_directory / "received" / f"{uuid4().hex}.jsonl"
        _write(spool, rows)
        try:
            refused = self._refused(spool, mapping, rows)
            return Received(self._import(spool, mapping, key.name, digest), refused)
        finally:
            spool.unlink(missing_ok=True)

    def _import(self, spool: Path, mapping: FileMapping, name: str, digest: str) -> int:
        from app.importing import import_file

        program = self.program
        outcome = import_file(
            program.database,
            program.clock,
            program.settings,
            spool,
            mapping,
            f"api: {name}",
            file_hash=digest,
        )
        return outcome.row.id

    def _refused(
        self, spool: Path, mapping: FileMapping, rows: Sequence[Row]
    ) -> list[Refused]:
        """What the import will leave out: a repeated request must hear it too."""
        from app.importing import defaults
        from app.kinds import reader_of
        from content.table import open_table

        meant = defaults(self.program.settings, self.program.clock.now())
        with open_table(spool, mapping, "records") as table:
            return [
                Refused(rows[each.line - 1].index, each.column, each.value, each.reason)
                for batch in reader_of(table, mapping, meant).batches()
                for each in batch.rejects
            ]


def _mapping(kind: RecordKind, key: ApiKey) -> FileMapping:
    """Every field under its own name; what else a record holds is an attribute."""
    from content.mapping import FIELDS, REST, FileMapping

    fields = FIELDS[kind]
    own = kind in {RecordKind.CUSTOMERS, RecordKind.EVENTS}
    return FileMapping(
        name=f"api-{kind}",
        kind=kind,
        source=key.source,
        encoding="utf-8",
        decimal=".",
        dates=("iso",),
        columns={field: field for field in fields},
        optional=frozenset(fields),
        attributes=REST if own else (),
    )


def _write(spool: Path, rows: Sequence[Row]) -> None:
    spool.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(spool, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row.cells, ensure_ascii=False))
            lines.write("\n")
