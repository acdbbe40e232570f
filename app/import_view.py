"""What a person sees of an import: a bar while it runs, a summary at its end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from app.importing import Outcome, Report, Step
from content.sample import Finding
from core.clock import Clock
from core.records import RecordKind
from storage.ingest import Import

LINE_EVERY_SECONDS = 10.0

REASONS = {
    "amount_rounded": "the price has more places than the currency; amount rounded",
    "order_date_differs": "another date than the first line's; that one taken",
    "order_customer_differs": "another customer than the first line's; that one taken",
    "email_invalid": "no e-mail address; customer taken without it",
    "phone_invalid": "no phone number; customer taken without it",
    "email_taken": "e-mail address of another customer; left there",
    "phone_taken": "phone number of another customer; left there",
    "telegram_taken": "Telegram account of another customer; left there",
    "kept_by_priority": "set by somebody with more weight; left so",
    "consent_stays_withdrawn": "the customer withdrew it elsewhere; that counts",
    "conversation_unknown": "no such conversation; rating taken without it",
    "handling_without_agent": "handling time without an agent; it counts for nobody",
    "customer_unknown": "no customer has this id",
    "number_of_fields": "another number of fields than the header",
    "quote_not_closed": "a quotation mark is not closed",
    "bad_quotes": "words after a closed quotation mark",
    "broken_encoding": "bytes that are no text; is `encoding` of the mapping right?",
    "nul_byte": "a zero byte: damaged, or no text",
    "cell_too_long": "a cell far too long",
    "line_too_long": "a line far too long",
    "cell_error": "an error of the workbook",
    "bad_json": "no JSON object",
    "bad_number": "not a number",
    "bad_quantity": "not a whole number of units",
    "bad_count": "not a number of things",
    "bad_date": "not a date of the mapping's forms",
    "bad_age": "not an age in years",
    "bad_duration": "neither a number nor a clock",
    "bad_yes_no": "neither yes nor no",
    "bad_score": "not a score on the mapping's scale",
    "bad_scale": "not a scale of scores, as 1-10",
    "bad_order_kind": "neither sale nor return",
    "no_score": "neither score nor comment nor issue",
    "bad_kind": "not a kind of conversation; say it under `values`",
    "bad_end": "not an end of a conversation; say it under `values`",
    "bad_period": "not a period of income",
    "bad_preferences": "no list of preferences",
    "bad_rate": "not a rate above 0",
    "before_opened": "before the conversation began",
    "unknown_currency": "not a currency of three letters",
    "no_order": "the order's number is missing",
    "no_id": "the id is missing",
    "no_customer": "the customer's number is missing",
    "no_event": "the event's name is missing",
    "no_email_or_id": "neither e-mail address nor id",
    "erased": "of people who asked to be forgotten; left out, or taken without them",
    "corrected_before": "corrected and imported before; left out",
    "quantity_over_limit": "more units than the mapping's limit; kept",
}
NEXT = {
    RecordKind.CUSTOMERS: "rapport import FILE --mapping orders",
    RecordKind.PRODUCTS: "rapport import FILE --mapping orders",
}


@contextmanager
def show_progress(name: str, clock: Clock) -> Iterator[Report]:
    """A bar with rate and time left; away from a terminal, a line every 10 s."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(name, clock)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(name, total=1.0, rate="")
        begun = clock.boot_seconds()

        def report(step: Step) -> None:
            seconds = clock.boot_seconds() - begun
            rate = f"{_rate(step.rows, seconds)} rows/s"
            bar.update(task, completed=_share(step), rate=rate)

        yield report


def show_findings(name: str, findings: Sequence[Finding]) -> None:
    """What the file told of its form, before it is read by that."""
    if not findings:
        return
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", overflow="fold")
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold", ratio=1)
    for finding in findings:
        value = finding.value
        if finding.what == "encoding":
            value = value.removesuffix("-sig").upper()
        # A word beside the colour: not everybody sees it, and logs have none.
        reason = finding.reason if finding.sure else f"not sure: {finding.reason}"
        style = None if finding.sure else "yellow"
        table.add_row(finding.what, value, Text(reason), style=style)
    console = Console(stderr=True)
    console.print(f"{name} is read so, unless the mapping says otherwise:")
    console.print(table)


def show_outcome(outcome: Outcome) -> None:
    """The summary, as a table on standard output."""
    console = Console()
    row = outcome.row
    if outcome.was_complete:
        day = row.completed_at.date() if row.completed_at else "an earlier day"
        console.print(
            f"{row.file_name} was imported on {day} already (import {row.id});"
            " nothing has changed."
        )
        return
    console.print(_summary(outcome))
    if outcome.resumed_at:
        console.print(f"Went on after row {outcome.resumed_at:,} of an earlier start.")
    rate = _rate(outcome.rows, outcome.seconds)
    console.print(
        f"Import {row.id}: {outcome.rows:,} rows in {outcome.seconds:.1f} s,"
        f" {rate} a second."
    )
    if outcome.rejects is not None and row.progress.rows_rejected:
        console.print(f"Rejected rows: {outcome.rejects}", soft_wrap=True)
    console.print(f"Next: {NEXT.get(row.kind, 'rapport run')}")


def show_folder(count: int, failed: int, left_out: Sequence[str]) -> None:
    """The last line about a folder."""
    console = Console()
    if left_out:
        names = ", ".join(left_out)
        console.print(f"Left out: {names}", markup=False, soft_wrap=True)
    told = f", {failed} of them could not be imported" if failed else ""
    console.print(f"{count} files{told}.")


def show_imports(rows: Sequence[Import]) -> None:
    """Every import, as a table on standard output."""
    table = Table("id", "file", "kind", "source", "state", "rows", box=None)
    table.columns[-1].justify = "right"
    for row in rows:
        read = f"{row.progress.rows_read:,}"
        table.add_row(str(row.id), row.file_name, row.kind, row.source, row.state, read)
    Console().print(table if rows else "Nothing was imported yet.")


def _summary(outcome: Outcome) -> Table:
    progress = outcome.row.progress
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{outcome.row.file_name}", overflow="fold")
    table.add_column("rows", justify="right")
    table.add_row("read", f"{progress.rows_read:,}")
    table.add_row("accepted", f"{progress.rows_accepted:,}")
    table.add_row("  of these corrected", f"{progress.rows_corrected:,}")
    _add_reasons(table, progress.corrected)
    table.add_row("rejected", f"{progress.rows_rejected:,}")
    _add_reasons(table, progress.rejected)
    _add_reasons(table, progress.flagged)
    return table


def _add_reasons(table: Table, reasons: Counter[str]) -> None:
    for reason, count in reasons.most_common():
        words = REASONS.get(reason, reason.replace("_", " "))
        table.add_row(f"    {words}", f"{count:,}", style="dim")


class _Lines:
    """Progress for logs."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._begun = self._said = clock.boot_seconds()

    def __call__(self, step: Step) -> None:
        now = self._clock.boot_seconds()
        if now - self._said < LINE_EVERY_SECONDS:
            return
        self._said = now
        rate = _rate(step.rows, now - self._begun)
        sys.stderr.write(
            f"{self._name}: {step.rows:,} rows, {_share(step):.0%}, {rate} rows/s\n"
        )


def _share(step: Step) -> float:
    return step.bytes_read / step.bytes_total if step.bytes_total else 1.0


def _rate(rows: int, seconds: float) -> str:
    return f"{rows / seconds:,.0f}" if seconds > 0 else "-"
