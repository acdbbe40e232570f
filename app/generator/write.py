"""All files of a plan, block by block, with the key of what was planted."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

from app.generator.block import make_block, make_crowd
from app.generator.dirt import plant_dirt
from app.generator.people_rows import customer_sheet, opt_out_sheet
from app.generator.plan import Plan
from app.generator.sale_rows import event_sheet, order_sheet, product_sheet
from app.generator.service_rows import conversation_sheet, feedback_sheet
from app.generator.sheet import KEY_COLUMNS, KEY_FILE, Sheet, as_csv

# In the order in which they are imported.
FILES = (
    *("products.csv", "customers.csv", "orders.csv", "events.csv"),
    *("conversations.csv", "feedback.csv", "opt-outs.csv"),
)
# Starting other processes pays from so many blocks on.
BLOCKS_FOR_HELP = 6
# The header of a file is its first line.
FIRST_LINE = 2

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Part:
    """What one block adds to one file; the key has its rows' numbers, from 0."""

    header: bytes
    text: bytes
    rows: int
    key: tuple[tuple[int, str, str, str, str], ...]


def make_sheets(plan: Plan, number: int) -> dict[str, Sheet]:
    """The rows of one block, by file; with what the plan wants planted."""
    block = make_block(plan, number)
    sheets = [
        customer_sheet(block.crowd),
        order_sheet(block, plan.rng(number, 20)),
        event_sheet(block, plan.rng(number, 21)),
        feedback_sheet(block, plan.rng(number, 22)),
        conversation_sheet(block, plan.rng(number, 23)),
        opt_out_sheet(block.crowd),
    ]
    if number == 0:
        sheets.insert(0, product_sheet(block.profile))
    found = {sheet.name: sheet for sheet in sheets}
    if plan.dirty_ratio:
        plant_dirt(plan, number, found)
    return found


def make_customers(plan: Plan, number: int) -> Sheet:
    """The customers of one block alone, with what the plan wants planted."""
    sheet = customer_sheet(make_crowd(plan, number))
    if plan.dirty_ratio:
        plant_dirt(plan, number, {sheet.name: sheet})
    return sheet


def write_files(
    plan: Plan, folder: Path, report: Report, workers: int | None = None
) -> dict[str, int]:
    """Write every file; returns the rows of each. `report` gets customers and rows.

    Memory holds a few blocks at once, however many customers there are. `workers` are
    the processes; as many as processors where there are blocks enough.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    with ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        key = None
        if plan.dirty_ratio:
            key = stack.enter_context((folder / KEY_FILE).open("wb"))
            key.write(as_csv([KEY_COLUMNS]))
        for number, parts in enumerate(_all_parts(plan, workers)):
            for name, part in parts.items():
                if name not in files:
                    files[name] = stack.enter_context((folder / name).open("wb"))
                    files[name].write(part.header)
                files[name].write(part.text)
                if key is not None:
                    before = counts.get(name, 0) + FIRST_LINE
                    key.write(
                        as_csv((name, before + row, *rest) for row, *rest in part.key)
                    )
                counts[name] = counts.get(name, 0) + part.rows
            done = plan.before(number) + plan.size(number)
            report(done, sum(counts.values()))
    return counts


def _all_parts(plan: Plan, wanted: int | None) -> Iterator[Mapping[str, Part]]:
    """Blocks in order; made by all processors where there are many."""
    usual = (os.cpu_count() or 1) if plan.blocks >= BLOCKS_FOR_HELP else 1
    workers = usual if wanted is None else wanted
    if workers == 1:
        for number in range(plan.blocks):
            yield make_parts(plan, number)
        return
    # A process that was forked may hold a lock of a thread that it does not have.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[dict[str, Part]]] = deque()
        for number in range(plan.blocks):
            waiting.append(pool.submit(make_parts, plan, number))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def make_parts(plan: Plan, number: int) -> dict[str, Part]:
    """One block as text."""
    return {
        name: Part(
            as_csv([sheet.columns]),
            sheet.text(),
            len(sheet.rows),
            tuple(
                (row, _id_of(sheet, each.row), each.field, each.what, each.truth)
                for row, each in sheet.key()
            ),
        )
        for name, sheet in make_sheets(plan, number).items()
    }


def _id_of(sheet: Sheet, row: list[str]) -> str:
    if sheet.name == "opt-outs.csv":
        return row[sheet.place("email")] or row[sheet.place("id")]
    return row[0]
