"""`rapport sources`: data that are fetched by themselves, and who hears when not.

A query's rows are spooled to a file of their own first; from there they take the way
of every file, so a killed pull is taken up again, and a wrong row is rejected alone.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import DataError, DeliveryError, Problem, RapportError, did_you_mean
from core.log import get_logger
from core.model import system
from core.settings import Source
from storage import sources
from storage.sources import SourceState

if TYPE_CHECKING:
    from app.importing import Outcome
    from app.wiring import Program

log = get_logger("sources")
PULLER = system("sources")
# A file that was written to so recently may still be growing.
SETTLED_SECONDS = 30.0
WATCH_EVERY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Spool:
    """The rows of one pull that are not imported yet, and where the next begins."""

    file: Path
    watermark: str | None


def pull_source(program: Program, name: str) -> list[Outcome]:
    """Fetch what is new from one source of the settings, and import it.

    The source's row says afterwards how it went. Somebody is told of the first
    failure after a success, where the settings name an address.

    Raises
    ------
    DataError : there is no such source, or it can't be read or imported
    """
    source = _source(program.settings.collect.sources, name)
    database, clock = program.database, program.clock
    state = database.write_now(
        PULLER, lambda c: sources.set_up(c, source.name, source.priority)
    )
    try:
        outcomes, watermark = _fetch(program, source, state)
    except RapportError as error:
        said, now = str(error), clock.now()
        database.write_now(PULLER, lambda c: sources.failed(c, source.name, said, now))
        log.exception("source_failed", source=source.name)
        _tell(program, state, f"Source {source.name} failed", said)
        raise
    now = clock.now()
    database.write_now(
        PULLER, lambda c: sources.succeeded(c, source.name, watermark, now)
    )
    return outcomes


def late_sources(
    configured: Sequence[Source], states: Sequence[SourceState], now: datetime
) -> list[tuple[Source, SourceState]]:
    """Sources with a schedule that have brought nothing for too long.

    One that never succeeded is late from its first failure on; one that was never
    begun is not known to be late.
    """
    known = {state.name: state for state in states}
    found = []
    for source in configured:
        state = known.get(source.name)
        if not source.cron or state is None:
            continue
        newest = state.succeeded_at or state.failed_at
        if newest is not None and now - newest > timedelta(
            hours=source.late_after_hours
        ):
            found.append((source, state))
    return found


class SourceWatch:
    """Looks now and then whether a source is late, and tells somebody once."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End the wait."""
        self._stopping.set()

    async def run_for_ever(self) -> None:
        """Look until `stop`."""
        while not self._stopping.is_set():
            try:
                await asyncio.to_thread(self.look)
            except Exception:  # the next look may succeed
                log.exception("source_watch_failed")
            waiting = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait({waiting}, timeout=WATCH_EVERY_SECONDS)
            waiting.cancel()

    def look(self) -> int:
        """Tell of every late source that nobody was told of; returns how many."""
        program = self._program
        now = program.clock.now()
        states = program.database.read_now(sources.all_states)
        late = late_sources(program.settings.collect.sources, states, now)
        for source, state in late:
            since = state.succeeded_at or state.failed_at
            hours = source.late_after_hours
            said = f"Nothing has come since {since:%Y-%m-%d %H:%M} UTC ({hours:g} h)."
            if state.error:
                said += f"\n\n{state.error}"
            _tell(program, state, f"Source {source.name} is late", said)
        return len(late)


def show_sources(program: Program) -> None:
    """`rapport sources list`: every source with its age and how its last pull went."""
    from app.tables import show_source_table

    states = program.database.read_now(sources.all_states)
    known = {state.name for state in states}
    configured, now = program.settings.collect.sources, program.clock.now()
    never = [source.name for source in configured if source.name not in known]
    late = {source.name for source, _ in late_sources(configured, states, now)}
    show_source_table(states, never, late, now)


def pull_command(program: Program, name: str) -> int:
    """`rapport sources pull`: the exit code of the worst of its files."""
    from app.import_view import show_outcome
    from app.importing import EXIT_OK, EXIT_REJECTS

    outcomes = pull_source(program, name)
    for outcome in outcomes:
        show_outcome(outcome)
    rejected = any(each.row.progress.rows_rejected for each in outcomes)
    return EXIT_REJECTS if rejected else EXIT_OK


def _source(configured: Sequence[Source], name: str) -> Source:
    found = {source.name: source for source in configured}
    if name not in found:
        hint = did_you_mean(name, found)
        hint = hint or f"The settings have: {', '.join(found) or 'none'}."
        raise DataError(Problem("unknown source", name, hint=hint))
    return found[name]


def _fetch(
    program: Program, source: Source, state: SourceState
) -> tuple[list[Outcome], str | None]:
    """What was imported, and the new watermark; None leaves the old one."""
    if source.file is not None:
        files = _files(source.file, program.clock.now())
        return [_import(program, source, file) for file in files], None
    folder = program.data_directory / "pulls"
    spool = _waiting(folder, source) or _spool(folder, source, state)
    outcomes = [] if spool is None else [_import(program, source, spool.file)]
    if spool is None:
        return outcomes, None
    _done(folder, source)
    return outcomes, spool.watermark


def _import(program: Program, source: Source, file: Path) -> Outcome:
    from app.importing import import_file
    from content.mapping_file import find_mapping
    from content.profile import TEMPLATES

    mapping = replace(find_mapping(source.mapping, TEMPLATES), source=source.name)
    return import_file(program.database, program.clock, program.settings, file, mapping)


def _files(place: Path, now: datetime) -> list[Path]:
    """The file, or the files of a folder or pattern, that are no longer growing."""
    pattern = place / "*" if place.is_dir() else place
    found = sorted(pattern.parent.glob(pattern.name))
    if not found and not place.is_dir():
        raise DataError(Problem("no such file", str(place), hint="Is the path right?"))
    before = now.timestamp() - SETTLED_SECONDS
    return [
        file
        for file in found
        if file.is_file()
        and not file.name.startswith((".", "~"))
        and file.stat().st_mtime <= before
    ]


# --- the spool of a query -------------------------------------------------------------


def _paths(folder: Path, source: Source) -> tuple[Path, Path]:
    safe = "".join(sign if sign.isalnum() else "-" for sign in source.name)
    return folder / f"{safe}.jsonl", folder / f"{safe}.pulled"


def _waiting(folder: Path, source: Source) -> Spool | None:
    """Rows of an earlier pull whose import did not come to its end."""
    file, mark = _paths(folder, source)
    if not mark.exists():
        return None
    return Spool(file, json.loads(mark.read_text(encoding="utf-8")))


def _spool(folder: Path, source: Source, state: SourceState) -> Spool | None:
    """The rows of the query in a file; None where there are none."""
    from storage.pull import pull, watermark_of

    folder.mkdir(parents=True, exist_ok=True)
    file, mark = _paths(folder, source)
    begun = state.watermark or source.watermark_start
    rows, newest = 0, None
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as lines:
        for row in pull(_address(source), source.query, begun, source.name):
            lines.write(json.dumps(row, ensure_ascii=False, default=_moment))
            lines.write("\n")
            rows += 1
            if source.watermark:
                newest = _newer(newest, _value(row, source))
        lines.flush()
        os.fsync(lines.fileno())
    if not rows:
        file.unlink()
        return None
    watermark = None if newest is None else watermark_of(newest)
    # The mark comes last: with it, the rows are whole.
    unfinished = mark.with_suffix(".new")
    unfinished.write_text(json.dumps(watermark), encoding="utf-8")
    unfinished.replace(mark)
    return Spool(file, watermark)


def _done(folder: Path, source: Source) -> None:
    file, mark = _paths(folder, source)
    mark.unlink()
    file.unlink()


def _value(row: dict[str, Any], source: Source) -> Any:
    if source.watermark not in row:
        raise DataError(
            Problem(
                f"the query of source {source.name} has no such column",
                source.watermark,
                hint=f"It has: {', '.join(row)}.",
            )
        )
    return row[source.watermark]


def _newer(newest: Any, value: Any) -> Any:
    if value is None or newest is None:
        return newest if value is None else value
    return max(newest, value)


def _moment(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def _address(source: Source) -> str:
    """The URL, which may hold a password: from the environment, or a file it names."""
    name = source.url_from
    file = os.environ.get(f"{name}_FILE")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                Problem(f"{name}_FILE can't be read", str(error), file=file)
            ) from error
    if name in os.environ:
        return os.environ[name]
    raise DataError(
        Problem(
            f"source {source.name} needs a database's address",
            hint=f"Set {name}, or {name}_FILE to a file that holds it.",
        )
    )


# --- telling somebody -----------------------------------------------------------------


def _tell(program: Program, state: SourceState, subject: str, text: str) -> None:
    """Mail whoever the settings name, once until the source succeeds again."""
    address = program.settings.collect.alert_email
    current = program.database.read_now(lambda c: sources.state_of(c, state.name))
    if not address or current is None or current.alerted_at is not None:
        return
    try:
        asyncio.run(_send(program, address, subject, text))
    except DeliveryError:
        log.exception("alert_not_sent", source=state.name)
        return
    now = program.clock.now()
    program.database.write_now(PULLER, lambda c: sources.alerted(c, state.name, now))


async def _send(program: Program, address: str, subject: str, text: str) -> None:
    from email.utils import make_msgid

    from app.wiring import make_mail_channel
    from core.model import Envelope

    domain = program.settings.mail.from_address.rpartition("@")[2]
    channel = make_mail_channel(program)
    envelope = Envelope(address, make_msgid(domain=domain), text, subject)
    try:
        await channel.send(envelope, lambda: None)
    finally:
        await channel.close()
