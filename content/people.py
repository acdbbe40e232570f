"""Customers, products and opt-outs, read from a table row by row."""

from __future__ import annotations

import json
import re
from datetime import date

from content.mapping import FileMapping
from content.rows import Cells, FileDefaults, Forms, RowReader
from content.table import Table
from content.values import BadValue, count, truth
from core.model import Channel, ConsentState
from core.records import (
    ConsentRecord,
    CustomerRecord,
    OptOutRecord,
    ProductRecord,
    SuppliedFigures,
)

# One consent for everything that is no service message.
ALL_TOPICS = "*"
OLDEST_YEAR = 1850
OLDEST_AGE = 130
# Of a year alone, its middle is the least wrong day.
MIDDLE = (7, 1)
YES = "yes"

GENDERS = {
    **dict.fromkeys(("f", "female", "woman", "w", "女", "女性"), "female"),
    **dict.fromkeys(("m", "male", "man", "男", "男性"), "male"),
}
# How often a year an income of this period comes.
PERIODS = {
    **dict.fromkeys(("year", "yearly", "annual", "annually", "pa", "p.a."), 1),
    **dict.fromkeys(("年", "每年", "年薪", "年收入"), 1),
    **dict.fromkeys(("month", "monthly", "月", "每月", "月薪", "月收入"), 12),
    **dict.fromkeys(("week", "weekly", "周", "每周", "周薪", "星期"), 52),
}
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff·]+")
_PARTS = re.compile(r"[;；|]")


def customer_reader(
    table: Table, mapping: FileMapping, defaults: FileDefaults
) -> RowReader[CustomerRecord]:
    """Reads customers; a word that can't be what its column holds rejects the row."""
    form = _Form(table, mapping, defaults)
    return RowReader(table, mapping, form.customer)


def product_reader(
    table: Table, mapping: FileMapping, defaults: FileDefaults
) -> RowReader[ProductRecord]:
    """Reads products."""
    form = _Form(table, mapping, defaults)
    return RowReader(table, mapping, form.product)


def opt_out_reader(table: Table, mapping: FileMapping) -> RowReader[OptOutRecord]:
    """Reads people who want no campaigns."""
    return RowReader(table, mapping, _opt_out)


class _Form:
    """How the words of one file become values."""

    def __init__(
        self, table: Table, mapping: FileMapping, defaults: FileDefaults
    ) -> None:
        self._rest = table.rest
        self._today = defaults.today
        self._forms = Forms(mapping, defaults)

    def customer(self, cells: Cells) -> CustomerRecord:
        income, currency = self._income(cells)
        birth_date, is_exact = self._birth_date(cells)
        return CustomerRecord(
            external_id=cells.required("id"),
            line=cells.line,
            name=cells.word("name") or _full_name(cells),
            language=cells.short("language", 16),
            gender=_gender(cells),
            birth_date=birth_date,
            address=cells.word("address"),
            city=cells.word("city"),
            postcode=cells.short("postcode", 16),
            country=cells.short("country"),
            income_minor=income,
            income_currency=currency,
            email=cells.word("email"),
            phone=cells.word("phone"),
            telegram=cells.identifier("telegram"),
            created_at=self._forms.moment(cells, "created_at"),
            preferences=_preferences(cells),
            attributes=cells.others(self._rest),
            consents=_consents(cells),
            figures=self._figures(cells),
            approximate=frozenset() if is_exact else frozenset({"birth_date"}),
        )

    def product(self, cells: Cells) -> ProductRecord:
        price, currency = self._forms.money(cells, "price")
        active = cells.word("active")
        return ProductRecord(
            external_id=cells.required("id"),
            name=cells.word("name"),
            price_minor=price,
            currency=currency,
            category=cells.word("category"),
            url=cells.word("url"),
            active=None if active is None else truth(active),
        )

    def _income(self, cells: Cells) -> tuple[int | None, str | None]:
        """What comes in within a year."""
        income, currency = self._forms.money(cells, "income")
        if income is None:
            return None, None
        period = cells.word("income_period")
        if period is None:
            return income, currency
        if period.lower() not in PERIODS:
            raise BadValue("bad_period", period)
        return income * PERIODS[period.lower()], currency

    def _birth_date(self, cells: Cells) -> tuple[date | None, bool]:
        """The day, and whether it is known to the day."""
        text = cells.word("birth_date")
        if text is not None:
            return self._forms.moments.day(text), True
        year = cells.word("birth_year")
        if year is not None:
            if not year.isdecimal() or not OLDEST_YEAR <= int(year) <= date.max.year:
                raise BadValue("bad_date", year)
            return date(int(year), *MIDDLE), False
        age = cells.word("age")
        if age is not None:
            return self._born(age), False
        return None, True

    def _born(self, age: str) -> date:
        """The middle of a year by which somebody is as old as this today.

        The same age gives the same date for a year, so that a file that comes every
        day changes nothing.
        """
        years = count(age)
        if years > OLDEST_AGE:
            raise BadValue("bad_age", age)
        had_birthday = (self._today.month, self._today.day) >= MIDDLE
        return date(self._today.year - years - (not had_birthday), *MIDDLE)

    def _figures(self, cells: Cells) -> SuppliedFigures | None:
        """What the file itself says of the purchases, as of a moment."""
        average, currency = self._forms.money(cells, "average_purchase_price")
        purchases = cells.word("purchase_count")
        purchase_count = None if purchases is None else count(purchases)
        days = cells.word("purchase_days")
        purchase_days = None if days is None else count(days)
        if purchases is None and days is None and average is None:
            return None
        as_of = self._forms.moment(cells, "figures_at")
        return SuppliedFigures(
            purchase_count,
            purchase_days,
            average,
            currency,
            as_of or self._forms.moments.moment(self._today.isoformat()),
        )


def _full_name(cells: Cells) -> str | None:
    """Given name and family name; in Chinese the family's stands before it."""
    given, family = cells.word("given_name"), cells.word("family_name")
    if given is None or family is None:
        return given or family
    if _HAN.fullmatch(given) and _HAN.fullmatch(family):
        return family + given
    return f"{given} {family}"


def _gender(cells: Cells) -> str | None:
    text = cells.short("gender", 16)
    return None if text is None else GENDERS.get(text.lower(), text)


def _preferences(cells: Cells) -> dict[str, str]:
    """`tea; size=M` means tea: yes, size: M. A JSON object is one, too."""
    return parse_preferences(cells.word("preferences") or "")


def parse_preferences(text: str) -> dict[str, str]:
    """What a cell of preferences says.

    Raises
    ------
    BadValue : `bad_preferences`
    """
    if text.startswith(("{", "[")):
        return _from_json(text)
    found = {}
    for part in _PARTS.split(text):
        name, _, value = (word.strip() for word in part.partition("="))
        if name:
            found[name] = value or YES
    return found


def _from_json(text: str) -> dict[str, str]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise BadValue("bad_preferences", text) from None
    if isinstance(given, list):
        return {str(name): YES for name in given}
    return {
        str(name): value if isinstance(value, str) else json.dumps(value)
        for name, value in given.items()
    }


def _consents(cells: Cells) -> tuple[ConsentRecord, ...]:
    topic = cells.short("topic") or ALL_TOPICS
    found = []
    for channel in (Channel.EMAIL, Channel.TELEGRAM):
        answer = cells.word(f"consent_{channel}")
        if answer is not None:
            state = ConsentState.GRANTED if truth(answer) else ConsentState.WITHDRAWN
            found.append(ConsentRecord(channel, topic, state))
    return tuple(found)


def _opt_out(cells: Cells) -> OptOutRecord:
    email, external_id = cells.word("email"), cells.identifier("id")
    if email is None and external_id is None:
        raise BadValue("no_email_or_id", "")
    reason = cells.short("reason") or "opt_out"
    return OptOutRecord(cells.line, external_id, email, reason)
