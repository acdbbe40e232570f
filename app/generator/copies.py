"""People who are there more than once, each time under another id."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from app.demo.people import FIRST_CODE
from app.generator.plan import Plan
from app.generator.sheet import Planted, Row, Sheet
from app.generator.typist import CHANGES, Cells

DUPLICATE, BY_DUPLICATE = "duplicate", "by_duplicate"
# Many are there twice, few more often; and so many things differ.
COPIES = (1, 1, 1, 2, 3)
CHANGES_MADE = (1, 1, 2, 2, 3, 4)
TRIES = 5
# The other record came by another way, so rarely all addresses are in both.
EMAIL_KEPT_RATIO, PHONE_KEPT_RATIO = 0.5, 0.6
# Of the orders of a person so many were placed under the other id.
ORDERS_RATIO = 0.3


def plant_duplicates(plan: Plan, block: int, sheets: dict[str, Sheet]) -> None:
    """Add people once more to the customers, and give them some of the orders."""
    rng = plan.rng(block, 30)
    customers = sheets["customers.csv"]
    chances = rng.random(len(customers.rows))
    doubled = [
        row
        for row, chance in zip(customers.rows, chances, strict=True)
        if chance < plan.dirty_ratio
    ]
    first = FIRST_CODE + plan.customers + plan.before(block) * max(COPIES)
    added: list[tuple[int, Row]] = []
    others: dict[str, str] = {}
    for row in doubled:
        for _ in range(COPIES[int(rng.integers(len(COPIES)))]):
            code = f"C{first + len(added)}"
            copy = _copy(rng, customers, row, code)
            added.append((int(rng.integers(len(customers.rows) + 1)), copy))
            others[row[0]] = code
    customers.insert(added)
    if "orders.csv" in sheets:
        _share_orders(rng, sheets["orders.csv"], others)


def _copy(rng: np.random.Generator, sheet: Sheet, row: Row, code: str) -> Row:
    """The row once more; what differs in it stands in the key."""
    before: Cells = dict(zip(sheet.columns, row, strict=True))
    cells, done = dict(before), dict[str, str]()
    for what in _changes(rng, cells):
        for name, word in cells.items():
            if word != before[name] and name not in done:
                done[name] = what
    for name, ratio in (("email", EMAIL_KEPT_RATIO), ("phone", PHONE_KEPT_RATIO)):
        if rng.random() > ratio and cells[name]:
            cells[name], done[name] = "", "missing"
    # Consent is given by one record, and chat ids are one person's alone.
    cells |= {"id": code, "telegram": "", "topic": ""}
    cells |= {"consent_email": "", "consent_telegram": ""}
    copy = list(cells.values())
    sheet.planted.append(Planted(copy, "id", DUPLICATE, before["id"]))
    sheet.planted += [
        Planted(copy, name, what, before[name])
        for name, what in done.items()
        if cells[name] != before[name]
    ]
    return copy


def _changes(rng: np.random.Generator, cells: Cells) -> Iterator[str]:
    """Change the cells, one thing after the other; yields what was done."""
    wanted = CHANGES_MADE[int(rng.integers(len(CHANGES_MADE)))]
    for _ in range(wanted):
        for _ in range(TRIES):
            before = dict(cells)
            what = CHANGES[int(rng.integers(len(CHANGES)))](rng, cells)
            if what is not None and cells != before:
                yield what
                break


def _share_orders(
    rng: np.random.Generator, orders: Sheet, others: dict[str, str]
) -> None:
    place = orders.place("customer_id")
    taken: dict[str, bool] = {}
    for row in orders.rows:
        if row[place] in others:
            if row[0] not in taken:
                taken[row[0]] = bool(rng.random() < ORDERS_RATIO)
            if taken[row[0]]:
                orders.plant(row, "customer_id", others[row[place]], BY_DUPLICATE)
