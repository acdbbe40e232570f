"""`rapport clean`: the stage alone, its account, and the quality of each source."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from app.serve import say
from content.rejected import safe_cell

if TYPE_CHECKING:
    from app.wiring import Program
    from outreach.cleaning import Cleaned
    from storage.cleaning_account import Entry, RuleCount
    from storage.database import Connection
    from storage.quality import Trend

EXAMPLES = 3
# Longer values are cut in the terminal; the file holds them whole.
SHOWN_MAX = 28
NOTHING = "–"
COLUMNS = (
    *("at", "kind", "record_id", "customer_id", "field", "before", "after", "rule"),
)

_console = Console(highlight=False, markup=False)


@dataclass(frozen=True, slots=True)
class Account:
    """What `--report` tells."""

    rules: list[RuleCount]
    quality: list[Trend]


def clean_command(program: Program, *, everything: bool, dry_run: bool) -> None:
    """Clean what came since the last time, or everything; show what was done."""
    from outreach.cleaning import clean_data

    done = asyncio.run(
        clean_data(
            program.database,
            program.clock,
            program.settings,
            everything=everything,
            dry_run=dry_run,
        )
    )
    _show_pass(done, dry_run=dry_run)


def report_command(program: Program, *, as_json: bool, to: Path | None) -> None:
    """Show the account of all cleaning so far, or write every row of it to a file."""
    if to is not None:
        count = program.database.read_now(lambda c: _write(c, to))
        say(f"{count:,} rows in {to}")
        return
    found = program.database.read_now(_account)
    if as_json:
        sys.stdout.write(json.dumps(_plain(found), ensure_ascii=False, indent=2) + "\n")
        return
    _show_account(found)


def _account(connection: Connection) -> Account:
    from storage import cleaning, cleaning_account, quality

    last = cleaning.last_pass(connection)
    since = None if last is None else last.at
    rules = cleaning_account.by_rule(connection, _rules(), since, EXAMPLES)
    return Account(rules, quality.trends(connection))


def _rules() -> list[str]:
    from analytics.clean_rule import Rule

    return [rule.value for rule in Rule]


# --- in the terminal ------------------------------------------------------------------


def _show_pass(done: Cleaned, *, dry_run: bool) -> None:
    title = "Would be cleaned" if dry_run else "Cleaned"
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    for name in ("what", "rule", "n"):
        table.add_column(name, justify="right" if name == "n" else "left")
    for what, counts in (
        ("changed", done.changes_by_rule),
        ("flagged", done.flags_by_rule),
    ):
        for rule, count in sorted(counts.items()):
            table.add_row(what, _words(rule), f"{count:,}")
    if not table.rows:
        table.add_row("nothing", "to correct", "0")
    _console.print(table)
    say(f"Judged: {done.customers:,} customers, {done.orders:,} orders.")
    if not dry_run:
        say("Next: rapport clean --report")


def _show_account(found: Account) -> None:
    rules = Table(
        title="Corrections", title_justify="left", title_style="bold", box=None
    )
    for name in ("rule", "last", "all", "record", "field", "before", "after"):
        rules.add_column(name, justify="right" if name in {"last", "all"} else "left")
    for each in found.rules:
        head = (_words(each.rule), f"{each.count_last:,}", f"{each.count:,}")
        for example in each.examples:
            rules.add_row(*head, *_example(example))
            head = ("", "", "")
    _console.print(rules if found.rules else "Nothing has been corrected.")
    _show_quality(found.quality)
    _show_advice(found.rules)


def _example(entry: Entry) -> tuple[str, str, str, str]:
    values = (entry.before, entry.after)
    if entry.rule.endswith("_flagged") and entry.after == entry.before:
        values = (entry.before, "unchanged")
    before, after = (_short(each) for each in values)
    return f"{entry.kind} {entry.record_id}", entry.field, before, after


def _show_quality(trends: Sequence[Trend]) -> None:
    table = Table(title="Quality", title_justify="left", title_style="bold", box=None)
    for name in ("source", "kind", "records", "score", "change", "weakest"):
        right = name in {"records", "score", "change"}
        table.add_column(name, justify="right" if right else "left")
    for trend in trends:
        now = trend.now
        weakest, value = min(now.parts.items(), key=lambda each: each[1])
        change = NOTHING if trend.change is None else _points(trend.change)
        score = f"{100 * now.score_ratio:.1f}"
        told = f"{weakest} {100 * value:.0f}"
        table.add_row(now.source, now.kind, f"{now.rows:,}", score, change, told)
    if table.rows:
        _console.print(table)


def _show_advice(rules: Sequence[RuleCount]) -> None:
    from analytics.clean_rule import ADVICE, Rule

    table = Table(
        title="To look at", title_justify="left", title_style="bold", box=None
    )
    table.add_column("n", justify="right")
    table.add_column("what")
    table.add_column("what to do")
    for each in rules:
        advice = ADVICE.get(Rule(each.rule))
        if advice is not None:
            table.add_row(f"{each.count:,}", _words(each.rule), advice)
    if table.rows:
        _console.print(table)


def _points(change: float) -> str:
    # A tiny fall would be a minus before nothing.
    return f"{round(100 * change, 1) + 0.0:+.1f}"


def _short(value: str | None) -> str:
    if value is None:
        return NOTHING
    return value if len(value) <= SHOWN_MAX else f"{value[: SHOWN_MAX - 1]}…"


def _words(rule: str) -> str:
    return rule.removesuffix("_flagged").replace("_", " ")


# --- for programs ---------------------------------------------------------------------


def _plain(found: Account) -> dict[str, object]:
    rules = [
        asdict(each)
        | {
            "examples": [
                asdict(entry) | {"at": entry.at.isoformat()} for entry in each.examples
            ]
        }
        for each in found.rules
    ]
    quality = [
        {
            "source": each.now.source,
            "kind": each.now.kind,
            "rows": each.now.rows,
            "score_ratio": each.now.score_ratio,
            "change": each.change,
            "parts": dict(each.now.parts),
        }
        for each in found.quality
    ]
    return {"rules": rules, "quality": quality}


def _write(connection: Connection, to: Path) -> int:
    from storage import cleaning_account

    rows = cleaning_account.entries(connection, _rules())
    # Spreadsheets take a file for UTF-8 where it begins with a byte-order mark.
    with to.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        return _write_rows(writer, rows)


def _write_rows(writer: object, rows: Iterable[Entry]) -> int:
    count = 0
    for entry in rows:
        cells = asdict(entry) | {"at": entry.at.isoformat()}
        writer.writerow(  # type: ignore[attr-defined]
            "" if cells[name] is None else safe_cell(str(cells[name]))
            for name in COLUMNS
        )
        count += 1
    return count
