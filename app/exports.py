"""`rapport export`: records as a file that a spreadsheet opens and an import takes."""

from __future__ import annotations

import csv
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from app.people import private_file
from app.serve import say
from content.export import Rows, others_in
from content.mapping_file import read_mapping, shipped_mappings
from content.profile import TEMPLATES
from core.errors import DataError, Problem, did_you_mean
from core.records import RecordKind
from storage import audience, export

if TYPE_CHECKING:
    from app.wiring import Program
    from content.mapping import FileMapping
    from storage.database import Connection

STDOUT = "-"
# Excel takes a file without this mark for one of its old encodings.
FORM = "utf-8-sig"
PEOPLE = tuple(export.PEOPLE)


@dataclass(slots=True)
class Exported:
    """What came of an export."""

    source: str
    rows: int = 0
    # Of people, those who were told; of events, those who can't be.
    people: int = 0
    left_out: int = 0
    others: list[str] = field(default_factory=list)


def export_command(
    program: Program, kind: str, to: str, source: str | None, segment: str | None
) -> None:
    """Write all records of a kind that a source has, as of one moment.

    Raises
    ------
    DataError : there is no such kind, source or segment; or nothing says which source
    """
    wanted = _kind(kind)
    if segment is not None and wanted not in PEOPLE:
        known = ", ".join(PEOPLE)
        problem = Problem("only people are in segments", kind, hint=f"Of {known}.")
        raise DataError(problem)
    with _stream(to) as stream:

        def write(connection: Connection) -> Exported:
            name = _source(connection, wanted, source)
            _check_segment(connection, segment)
            return write_records(connection, stream, wanted, name, segment)

        done = program.database.read_now(write)
    where = "standard output" if to == STDOUT else to
    of = "" if wanted is RecordKind.RATES else f" of source {done.source}"
    say(f"{done.rows:,} rows of {wanted}{of} are in {where}.")
    if done.left_out:
        say(f"{done.left_out:,} are left out, of customers who have no id in it.")
    mapping = _mapping(wanted).name
    say(f"Back by: rapport import FILE --mapping {mapping} --source {done.source}")


def write_records(
    connection: Connection,
    stream: IO[str],
    kind: RecordKind,
    source: str,
    segment: str | None = None,
) -> Exported:
    """Write the records of one source, as a file with its header."""
    done = Exported(source)

    def read() -> Iterator[Any]:
        return export.batches(connection, kind, source, segment)

    done.others = _others(read)
    rows = Rows(_mapping(kind), done.others)
    with ExitStack() as stack:
        parts = _Parts(stream, stack)
        parts.add(0, rows.header)
        for batch in read():
            for part, row in rows.of(batch):
                parts.add(part, row)
                done.rows += 1
                done.people += part == 0
            done.left_out += batch.flagged[export.NO_ID]
        parts.join()
    if kind is RecordKind.CUSTOMERS and segment is None:
        done.left_out = export.customers_count(connection) - done.people
    return done


def _others(read: Callable[[], Iterator[Any]]) -> list[str]:
    """The columns that no field takes: all that any record has, by name."""
    return sorted({name for batch in read() for name in others_in(batch)})


class _Parts:
    """Rows of later parts wait on the disk for the end of the first."""

    def __init__(self, stream: IO[str], stack: ExitStack) -> None:
        self._streams = [stream]
        self._stack = stack
        self._writers = [csv.writer(stream)]

    def add(self, part: int, row: list[str]) -> None:
        while len(self._writers) <= part:
            waiting = self._stack.enter_context(
                TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115  the stack closes it
            )
            self._streams.append(waiting)
            self._writers.append(csv.writer(waiting))
        self._writers[part].writerow(row)

    def join(self) -> None:
        for waiting in self._streams[1:]:
            waiting.seek(0)
            shutil.copyfileobj(waiting, self._streams[0])


def _kind(word: str) -> RecordKind:
    kinds = [kind.value for kind in RecordKind]
    plain = word.replace("-", "_")
    if plain not in kinds:
        hint = did_you_mean(plain, kinds) or f"There are: {', '.join(kinds)}."
        raise DataError(Problem("unknown kind", word, hint=hint))
    return RecordKind(plain)


def _mapping(kind: RecordKind) -> FileMapping:
    """The shipped one of plain column names."""
    return read_mapping(shipped_mappings(TEMPLATES)[kind.value.replace("_", "-")])


def _source(connection: Connection, kind: RecordKind, source: str | None) -> str:
    known = export.sources_with(connection, kind)
    if kind is RecordKind.RATES:
        return source or "shop"
    if source is None and len(known) == 1:
        return known[0]
    if not known:
        raise DataError(Problem(f"there are no {kind} that came by a file"))
    there = f"These have {kind}: {', '.join(known)}."
    if source is None:
        problem = Problem("say which source: --source NAME", hint=there)
        raise DataError(problem)
    if source not in known:
        hint = did_you_mean(source, known) or there
        raise DataError(Problem(f"no {kind} of this source", source, hint=hint))
    return source


def _check_segment(connection: Connection, segment: str | None) -> None:
    if segment is None or audience.has_segment(connection, segment):
        return
    known = audience.segment_keys(connection)
    there = f"There are: {', '.join(known) or 'none yet'}."
    hint = did_you_mean(segment, known) or there
    raise DataError(Problem("unknown segment", segment, hint=hint))


@contextmanager
def _stream(to: str) -> Iterator[IO[str]]:
    """Standard output, or a file that has its name only when it is whole."""
    if to == STDOUT:
        stream = io.TextIOWrapper(sys.stdout.buffer, encoding=FORM, newline="")
        try:
            yield stream
            stream.flush()
        finally:
            stream.detach()
        return
    path = Path(to)
    part = path.with_name(f".{path.name}.part")
    try:
        with private_file(part, FORM, newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        problem = Problem("the file can't be written", error.strerror, file=path)
        raise DataError(problem) from error
    finally:
        part.unlink(missing_ok=True)
