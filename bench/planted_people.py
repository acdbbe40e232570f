"""Generated people with planted duplicates, as matching reads them.

They are those that `rapport generate --dirty` writes: people as another clerk, or they
themselves on another day, would have typed them, beside families, twins and namesakes,
who share much and are not one person.
"""

from __future__ import annotations

from itertools import combinations

import pandas as pd

from app.generator.copies import DUPLICATE
from app.generator.plan import Plan
from app.generator.write import make_customers

# With these, about one row in seven is somebody who is there already.
DIRTY_RATIO = 0.1
FIELDS = (
    *("name", "birth_date", "gender", "email", "phone"),
    *("address", "city", "postcode", "country"),
)


def planted_people(
    customers: int, seed: int, dirty_ratio: float = DIRTY_RATIO
) -> tuple[pd.DataFrame, set[tuple[int, int]]]:
    """A frame for `match_people` with `customers` rows, and the true pairs of ids."""
    plan = Plan(customers, seed, dirty_ratio=dirty_ratio)
    rows: list[dict[str, str]] = []
    persons: list[str] = []
    for number in range(plan.blocks):
        sheet = make_customers(plan, number)
        whose = {
            id(each.row): each.truth for each in sheet.planted if each.what == DUPLICATE
        }
        seen: set[str] = set()
        for row in sheet.rows:
            cells = dict(zip(sheet.columns, row, strict=True))
            # A row that stands there twice is one record of the source.
            if cells["id"] not in seen:
                seen.add(cells["id"])
                rows.append({name: cells[name] for name in FIELDS})
                persons.append(whose.get(id(row), cells["id"]))
        if len(rows) >= customers:
            break
    frame = pd.DataFrame(rows[:customers])
    frame["birth_date"] = pd.to_datetime(frame["birth_date"], errors="coerce").dt.date
    frame = frame.astype("object").where(frame.notna() & (frame != ""), None)
    frame.insert(0, "customer_id", range(1, len(frame) + 1))
    return frame, true_pairs(persons[:customers])


def true_pairs(persons: list[str]) -> set[tuple[int, int]]:
    """Pairs of ids, counted from 1, of rows with the same person."""
    numbers: dict[str, list[int]] = {}
    for number, person in enumerate(persons, start=1):
        numbers.setdefault(person, []).append(number)
    return {pair for same in numbers.values() for pair in combinations(same, 2)}
