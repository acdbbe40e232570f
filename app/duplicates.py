"""Customers who may be one person: find, decide, merge, take back; in words."""

from __future__ import annotations

import asyncio

from app.commands import COMMAND_LINE
from app.serve import say
from app.tables import show_candidate_table, show_merge_table
from app.wiring import Program
from core.model import MergeMethod
from storage import candidates, merges
from storage.database import Connection
from storage.merges import Merge

SHOWN = 20


def show_duplicates(program: Program) -> None:
    """`rapport duplicates list`: what waits, and what was merged lately."""
    read = program.database.read_now
    show_candidate_table(
        read(lambda c: candidates.waiting(c, SHOWN)), read(candidates.count)
    )
    done = read(lambda c: merges.newest(c, SHOWN))
    if done:
        show_merge_table(done)


def find_duplicates(program: Program, *, everything: bool) -> None:
    """`rapport duplicates find`: what the nightly run does, now."""
    from outreach.matching import match_customers

    found = asyncio.run(
        match_customers(
            program.database,
            program.clock,
            program.settings.matching,
            everything=everything,
        )
    )
    if found.reason is not None:
        say(f"{found.reason[:1].upper()}{found.reason[1:]}.")
    if found.people:
        those = f"{found.people:,} customers"
        if found.changed is not None:
            those = f"{found.changed:,} who changed, of {found.people:,} customers,"
        say(
            f"{those} compared, {found.merged:,} merged, "
            f"{found.proposed:,} new proposals."
        )
    if found.waiting:
        say(f"{found.waiting:,} wait for a decision. See: rapport duplicates list")


def merge_candidate(
    program: Program, candidate_id: int, survivor_id: int | None
) -> None:
    """`rapport duplicates merge`: the older customer survives, if nobody is named."""
    low, high = program.database.read_now(
        lambda c: candidates.pair_of(c, candidate_id, survivor_id)
    )
    merge_customers(program, low, high)


def keep_apart(program: Program, candidate_id: int) -> None:
    """`rapport duplicates apart`."""
    now = program.clock.now()
    low, high = program.database.write_now(
        COMMAND_LINE, lambda c: candidates.keep_apart(c, candidate_id, now)
    )
    say(
        f"Customers {low} and {high} stay two. They are proposed again only when a new "
        f"address becomes known.\nTo change that: rapport merge {low} {high}"
    )


def merge_customers(program: Program, survivor_id: int, merged_id: int) -> None:
    """`rapport merge`: says what moved, and how to take it back."""
    now = program.clock.now()

    def work(connection: Connection) -> Merge | None:
        merge_id = merges.merge(
            connection, survivor_id, merged_id, MergeMethod.PERSON, now
        )
        return merges.get(connection, merge_id)

    done = program.database.write_now(COMMAND_LINE, work)
    if done is not None:
        say(f"Customer {merged_id} is part of customer {survivor_id} now.")
        say(f"Moved: {_rows(done.moved_count)}.")
        if done.left_count:
            say(f"Left with number {merged_id}: {_rows(done.left_count)}.")
        say(f"To take it back: rapport unmerge {done.id}")


def take_back(program: Program, merge_id: int) -> None:
    """`rapport unmerge`."""
    now = program.clock.now()
    done = program.database.write_now(
        COMMAND_LINE, lambda c: merges.unmerge(c, merge_id, now)
    )
    one, other = done.survivor_id, done.merged_id
    say(f"Customers {one} and {other} are two again.")
    say(f"Given back: {_rows(done.moved_count)}.")
    say(
        "They are never merged by themselves again. "
        f"To merge them after all: rapport merge {one} {other}"
    )


def _rows(counts: dict[str, int]) -> str:
    told = [f"{name.replace('_', ' ')} ({count:,})" for name, count in counts.items()]
    return ", ".join(told) or "nothing"
