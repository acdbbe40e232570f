"""What is stored about a person as one page that they can read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from jinja2 import Environment, StrictUndefined
from ruamel.yaml import YAML

from content.filters import locale_of, money_text

PAGE, WORDS = "person.html", "person.yaml"
# What another system calls an order or a ticket; ours for those without begin so.
NUMBER, MADE_UP = "external_id", "~"
# More columns than these are no table that one can read: each row becomes a list.
COLUMNS_MAX = 7
# Numbers by which the program knows its rows; the file beside the page has them.
_TECHNICAL = frozenset(
    {
        *("id", "line_no", "step", "provenance", "alias_of", "updated_at"),
        *("message_id", "attempts", "low_id", "high_id"),
    }
)
# Where words of the program stand, which a page can say in the reader's language.
_SPOKEN = frozenset(
    {
        *("kind", "channel", "state", "sender", "owner", "ended", "gender", "method"),
        *("answered_by", "topic", "open", "active"),
    }
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d\S*)?$")

Person = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value in words; empty where the row has none."""

    field: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: what stands in the columns, and what belongs to it.

    `said_by` is who wrote it, where it is a message.
    """

    cells: tuple[Cell, ...]
    parts: tuple[Part, ...]
    said_by: str | None = None

    def text(self, field: str) -> str:
        return next((cell.text for cell in self.cells if cell.field == field), "")


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one kind under a heading."""

    name: str
    title: str
    labels: tuple[str, ...]
    entries: tuple[Entry, ...]

    @property
    def is_table(self) -> bool:
        return 1 < len(self.labels) <= COLUMNS_MAX


def person_page(
    person: Person, layout: Path, language: str, shop: str, timezone: str
) -> str:
    """A page that stands alone: no script, nothing fetched, prints well.

    Parameters
    ----------
    person : as `storage.person.collect` gives it
    layout : the folder with the page and its words
    language : of headings; English where the words have no other
    shop : who holds the data
    timezone : in which times are told
    """
    known = YAML(typ="safe").load((layout / WORDS).read_text(encoding="utf-8"))
    chosen = language if language in known else "en"
    writing = _Writing(known, chosen, timezone)
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.from_string((layout / PAGE).read_text(encoding="utf-8"))
    return page.render(
        language=chosen,
        words=writing.words,
        intro=writing.words["intro"].format(
            shop=shop,
            moment=writing.shown("at", person["exported_at"], {}),
            timezone=timezone,
        ),
        shop=shop,
        about=writing.part("customer", [person["customer"]]),
        parts=[
            writing.part(name, rows) for name, rows in person.items() if _is_rows(rows)
        ],
    )


class _Writing:
    """Values as a reader of one language writes them."""

    def __init__(self, known: Mapping[str, Any], language: str, zone: str) -> None:
        english: dict[str, Any] = known["en"]
        own: dict[str, Any] = known[language]
        self.words = english | own
        for group in ("tables", "fields", "values"):
            self.words[group] = english[group] | own[group]
        self._locale: Locale = locale_of(language)
        self._zone = ZoneInfo(zone)

    def part(
        self, name: str, rows: Sequence[Person], above: Person | None = None
    ) -> Part:
        """`above` is what a row takes from the one that it belongs to."""
        told = [self._told(row) for row in rows]
        fields = list(dict.fromkeys(field for row in told for field in row))
        entries = tuple(
            self._entry(fields, each, {**(above or {}), **row})
            for each, row in zip(told, rows, strict=True)
        )
        title = self.words["tables"].get(name, _spelled(name))
        return Part(name, title, tuple(map(self._label, fields)), entries)

    def _entry(self, fields: Sequence[str], told: Person, row: Person) -> Entry:
        cells = tuple(
            Cell(
                field,
                self._label(field),
                self.shown(field, told[field], row) if field in told else "",
            )
            for field in fields
        )
        currency = {"currency": row.get("currency")}
        parts = tuple(
            self.part(name, rows, currency)
            for name, rows in row.items()
            if _is_rows(rows)
        )
        return Entry(cells, parts, row.get("sender"))

    def _told(self, row: Person) -> dict[str, Any]:
        """The fields that tell a reader something, each once."""
        found = {
            name: value
            for name, value in row.items()
            if value not in (None, "", {}, [])
            and name not in _TECHNICAL
            and (not name.endswith("_id") or name == NUMBER)
            and not _is_rows(value)
        }
        if str(found.get(NUMBER, "")).startswith(MADE_UP):
            del found[NUMBER]
        if found.get("typed") == found.get("value"):
            found.pop("typed", None)
        if any(name.endswith("_minor") for name in found):
            # It stands with the amount.
            found.pop("currency", None)
            found.pop("income_currency", None)
        if not found.get("discount_minor"):
            found.pop("discount_minor", None)
        return found

    def _label(self, field: str) -> str:
        plain = field.removesuffix("_minor").removesuffix("_at")
        return str(self.words["fields"].get(plain) or _spelled(plain))

    def shown(self, field: str, value: Any, row: Person) -> str:
        """A value in words; amounts with the currency of their row."""
        if field.endswith("_minor"):
            currency = row.get("income_currency" if field == "income_minor" else "")
            currency = currency or row.get("currency")
            return money_text(value, currency, self._locale) if currency else str(value)
        if field == "language":
            return self._language(str(value))
        if isinstance(value, bool) or field in _SPOKEN:
            word = str(value).lower() if isinstance(value, bool) else str(value)
            return str(self.words["values"].get(word, value))
        return self._plain(value)

    def _language(self, tag: str) -> str:
        known = locale_of(tag)
        if known.language != tag.partition("-")[0]:
            return tag
        return known.get_display_name(self._locale) or tag

    def _plain(self, value: Any) -> str:
        match value:
            case Mapping():
                named = value.get("name") or value.get("label")
                if isinstance(named, str):
                    return named
                pairs = ((key, self._plain(each)) for key, each in value.items())
                return ", ".join(f"{key}: {text}" for key, text in pairs if text)
            case list():
                return ", ".join(self._plain(each) for each in value)
            case float():
                return f"{value:.4g}"
            case str() if _DATE.match(value):
                return self._date(value)
        return "" if value is None else str(value)

    def _date(self, text: str) -> str:
        """A day, or a moment in the shop's zone, as people write it."""
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return text
        form = "y年M月d日" if self._locale.language == "zh" else "d MMM y"
        if at.tzinfo is None:
            return str(format_date(at, form, locale=self._locale))
        clock = " HH:mm" if self._locale.language == "zh" else ", HH:mm"
        return str(format_datetime(at, form + clock, self._zone, locale=self._locale))


def _is_rows(value: object) -> bool:
    """Whether rows of another table stand there: they have numbers of their own."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, Mapping) for each in value)
        and any(key.endswith("_id") or key == "id" for key in value[0])
    )


def _spelled(name: str) -> str:
    return name.replace("_", " ").capitalize()
