"""Values that are wrong in the ways in which real files are wrong, with their key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.generator.copies import plant_duplicates
from app.generator.plan import Plan
from app.generator.sheet import Planted, Row, Sheet
from app.generator.typist import full_width

REPEATED = "repeated_row"
REPEATED_RATIO = 0.1
MISSING = "missing"
# What no import takes: the row comes back in the file of rejects.
REJECTED = frozenset(
    {
        *("bad_date", "unknown_currency", "consent_unclear", "bad_quantity"),
        *("bad_number", "no_customer", "score_off_scale", "closed_before_opened"),
        *("bad_duration", "unknown_kind", "nobody"),
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a sheet that is to be made wrong, and those that belong to it."""

    rng: np.random.Generator
    sheet: Sheet
    row: Row
    # All lines of the same order, this one included.
    together: list[Row]
    year: int
    before: Row | None

    def get(self, column: str) -> str:
        """What stands in the row."""
        return self.row[self.sheet.place(column)]

    def put(self, column: str, value: str, what: str) -> bool:
        """Plant a value; False where it would change nothing."""
        if self.get(column) == value:
            return False
        self.sheet.plant(self.row, column, value, what)
        return True

    def put_all(self, column: str, value: str, what: str) -> bool:
        """Plant a value in each line of the order."""
        for row in self.together:
            self.sheet.plant(row, column, value, what)
        return True

    def one_of(self, *choices: str) -> str:
        """One of some words."""
        return choices[int(self.rng.integers(len(choices)))]


Spoil = Callable[[Place], bool]


@dataclass(frozen=True, slots=True)
class Dirt:
    """Ways in which the rows of one file are wrong, each as often as it stands here.

    `in_groups`: rows with the same id belong together, as the lines of an order.
    """

    ways: tuple[Spoil, ...]
    in_groups: bool = False


# --- any file -------------------------------------------------------------------------


def _missing(*columns: str) -> Spoil:
    def spoil(place: Place) -> bool:
        return place.put(place.one_of(*columns), "", MISSING)

    return spoil


def _no_date(column: str) -> Spoil:
    def spoil(place: Place) -> bool:
        value = place.one_of("31.02.2025", "yesterday", "0000-00-00")
        return place.put_all(column, value, "bad_date")

    return spoil


def _in_future(column: str) -> Spoil:
    def spoil(place: Place) -> bool:
        moment = place.get(column)
        years = place.year + 40 + int(place.rng.integers(30))
        # Every year has a 28th of February.
        day = moment[5:10].replace("02-29", "02-28")
        return bool(moment) and place.put_all(
            column, f"{years}-{day}{moment[10:]}", "future_date"
        )

    return spoil


def _times(column: str, factor: int, what: str) -> Spoil:
    def spoil(place: Place) -> bool:
        value = place.get(column)
        if not value or float(value) <= 0:
            return False
        grown = float(value) * factor
        word = f"{grown:.2f}" if "." in value else f"{grown:.0f}"
        return place.put(column, word, what)

    return spoil


def _word(column: str, what: str, *choices: str) -> Spoil:
    return lambda place: place.put(column, place.one_of(*choices), what)


def _everywhere(column: str, what: str, *choices: str) -> Spoil:
    return lambda place: place.put_all(column, place.one_of(*choices), what)


# --- customers ------------------------------------------------------------------------


def _bad_email(place: Place) -> bool:
    local, _, host = place.get("email").partition("@")
    if not host:
        return False
    forms = (
        f"{local}.{host}",
        f"{local}@@{host}",
        f"{local}@{host}.",
        f"{local} {host}",
    )
    return place.put("email", place.one_of(*forms), "email_invalid")


def _bad_phone(place: Place) -> bool:
    phone = place.get("phone")
    short = phone[:7].rstrip()
    return bool(phone) and place.put(
        "phone", place.one_of(short, "000000", "n/a"), "phone_invalid"
    )


def _too_old(place: Place) -> bool:
    born = place.get("birth_date")
    return bool(born) and place.put("birth_date", f"18{born[2:]}", "birth_too_old")


def _negative_income(place: Place) -> bool:
    income = place.get("income")
    return bool(income) and place.put("income", f"-{income}", "income_negative")


def _wide_digits(place: Place) -> bool:
    cells = dict(zip(place.sheet.columns, place.row, strict=True))
    full_width(place.rng, cells)
    done = [place.put(n, cells[n], "full_width") for n in ("phone", "postcode")]
    return any(done)


def _shared_phone(place: Place) -> bool:
    """A household gives one number."""
    if place.before is None:
        return False
    phone = place.before[place.sheet.place("phone")]
    return bool(phone) and place.put("phone", phone, "shared_phone")


# --- the other files ------------------------------------------------------------------


def _negative_quantity(place: Place) -> bool:
    quantity = place.get("quantity")
    return not quantity.startswith("-") and place.put(
        "quantity", f"-{quantity}", "negative_quantity"
    )


def _no_product(place: Place) -> bool:
    code, name = [("POST", "Postage"), ("ADJUST", "Manual adjustment")][
        int(place.rng.integers(2))
    ]
    place.put("product_id", code, "no_product")
    return place.put("product_name", name, "no_product")


def _closed_before(place: Place) -> bool:
    opened = place.get("opened_at")
    return place.put("closed_at", f"2019{opened[4:]}", "closed_before_opened")


def _nobody(place: Place) -> bool:
    column = "email" if place.get("email") else "id"
    return place.put(column, "", "nobody")


DIRT = {
    "customers.csv": Dirt(
        (
            *(_missing("name", "city", "country", "language", "gender"),) * 4,
            *(_bad_email, _bad_email, _bad_phone, _wide_digits, _shared_phone),
            *(_in_future("birth_date"), _too_old, _no_date("birth_date")),
            *(_times("income", 1000, "income_outlier"), _negative_income),
            _word("currency", "unknown_currency", "EURO", "€", "Euros"),
            _word("consent_email", "consent_unclear", "maybe", "see notes"),
        )
    ),
    "products.csv": Dirt(
        (_missing("category", "url", "price"), _word("price", "bad_number", "ask us"))
    ),
    "orders.csv": Dirt(
        (
            *(_negative_quantity, _negative_quantity, _no_product),
            *(_in_future("ordered_at"), _no_date("ordered_at")),
            _times("quantity", 5000, "quantity_outlier"),
            _times("price", 100, "price_outlier"),
            _everywhere("currency", "other_currency", "USD", "CNY", "GBP"),
            _everywhere("currency", "unknown_currency", "EURO", "€"),
            _everywhere("customer_id", MISSING, ""),
            _word("quantity", "bad_quantity", "two", "1 pc"),
            _word("price", "bad_number", "free", "12.9O"),
        ),
        in_groups=True,
    ),
    "events.csv": Dirt(
        (
            *(_in_future("at"), _no_date("at")),
            _word("product_id", "no_product", "P999", "HOME"),
            _word("customer_id", "no_customer", ""),
            _word("value", "bad_number", "n/a", "-,--"),
        )
    ),
    "feedback.csv": Dirt(
        (
            *(_in_future("answered_at"), _no_date("answered_at")),
            _word("score", "score_off_scale", "0", "7", "10"),
            _word("customer_id", "unknown_customer", "C1", "guest"),
            _missing("customer_id", "channel"),
        )
    ),
    "conversations.csv": Dirt(
        (
            _closed_before,
            _word("handling_seconds", "bad_duration", "-20", "long"),
            _word("kind", "unknown_kind", "fax", "pigeon"),
            _times("handling_seconds", 200, "duration_outlier"),
            _missing("customer_id", "topic"),
            _no_date("opened_at"),
        )
    ),
    "opt-outs.csv": Dirt((_nobody, _missing("reason"))),
}

# Each file has its own chance, whichever others there are.
PARTS = {name: 40 + number for number, name in enumerate(DIRT)}


def plant_dirt(plan: Plan, block: int, sheets: dict[str, Sheet]) -> None:
    """People twice, wrong values and repeated rows, in the plan's share of rows."""
    plant_duplicates(plan, block, sheets)
    for sheet in sheets.values():
        rng = plan.rng(block, PARTS[sheet.name])
        _spoil(rng, plan, sheet)
        _repeat(rng, plan, sheet)


def _spoil(rng: np.random.Generator, plan: Plan, sheet: Sheet) -> None:
    dirt = DIRT[sheet.name]
    wanted = np.flatnonzero(rng.random(len(sheet.rows)) < plan.dirty_ratio)
    spoiled = {id(planted.row) for planted in sheet.planted}
    for number in wanted.tolist():
        together = _together(sheet, number) if dirt.in_groups else [sheet.rows[number]]
        if spoiled.intersection(id(row) for row in together):
            continue
        place = Place(
            rng,
            sheet,
            sheet.rows[number],
            together,
            plan.asof.year,
            sheet.rows[number - 1] if number else None,
        )
        if dirt.ways[int(rng.integers(len(dirt.ways)))](place):
            spoiled.update(id(row) for row in together)


def _together(sheet: Sheet, number: int) -> list[Row]:
    """The lines of the same order: they stand one behind the other."""
    rows, name = sheet.rows, sheet.rows[number][0]
    first = last = number
    while first > 0 and rows[first - 1][0] == name:
        first -= 1
    while last + 1 < len(rows) and rows[last + 1][0] == name:
        last += 1
    return rows[first : last + 1]


def _repeat(rng: np.random.Generator, plan: Plan, sheet: Sheet) -> None:
    """Rows that stand there twice, one behind the other; spoiled ones stand once."""
    spoiled = {id(planted.row) for planted in sheet.planted}
    chances = rng.random(len(sheet.rows))
    added: list[tuple[int, Row]] = []
    for number, row in enumerate(sheet.rows):
        again = chances[number] < plan.dirty_ratio * REPEATED_RATIO
        if again and id(row) not in spoiled:
            copy = list(row)
            added.append((number + 1, copy))
            sheet.planted.append(Planted(copy, sheet.columns[0], REPEATED, row[0]))
    sheet.insert(added)
