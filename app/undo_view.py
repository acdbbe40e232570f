"""What a person sees of an undone import: what went, what came back, what stays."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from core.records import RecordKind
from storage.undo import Undone

WORDS = {
    "in_a_later_import": "a later import has written them anew",
    "in_another_import": "another import names them too",
    "changed_since": "somebody has set other values since",
    "address_taken": "the earlier address is another customer's by now",
    "address_verified": "the customer has proven the address",
    "known_elsewhere": "known by another source or channel as well",
    "consent_since": "gave or withdrew consent by another way",
    "withdrawal_stays": "who asked not to be written to is not written to",
    "suppression_stays": "rows of opt-outs: their addresses stay suppressed",
    "ordered": "has orders of another import",
    "active": "has events of another import",
    "rated": "has a rating or message of another origin",
    "in_conversation": "has a conversation",
    "in_a_campaign": "stands in a campaign's run",
    "merged": "is one with another customer",
    "edited": "somebody has changed the customer by hand",
    "in_use": "something else points at it",
}


def show_undone(undone: Undone) -> None:
    """The summary, as a table on standard output."""
    console = Console()
    row = undone.row
    if undone.was_undone:
        console.print(f"Import {row.id} ({row.file_name}) was undone before.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"undone: {row.file_name}", overflow="fold")
    table.add_column("rows", justify="right")
    _add(table, "taken out", undone.removed, {})
    _add(table, "as they were before", undone.restored, {})
    _add(table, "stay", undone.kept, WORDS)
    console.print(table)
    again = "The file can be imported again."
    if row.kind is RecordKind.OPT_OUTS:
        again = "Whoever opted out stays so; to take one back, ask the customer."
    console.print(f"Import {row.id} is undone. {again}")
    console.print("Next: rapport run")


def _add(table: Table, title: str, counts: Counter[str], words: dict[str, str]) -> None:
    counts = +counts
    table.add_row(title, f"{counts.total():,}")
    for name, count in counts.most_common():
        shown = words.get(name, name.replace("_", " "))
        table.add_row(f"    {shown}", f"{count:,}", style="dim")
