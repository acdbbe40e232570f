"""Languages of the pages: catalogues, and how a reader's numbers and dates look."""

from __future__ import annotations

import gettext
import io
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from web.words import Kind, word

CATALOGUES = Path(__file__).parent / "locale"
# The first is the language of the source texts and needs no catalogue.
LOCALES = {"en": "English", "zh_CN": "中文"}
DATES = {
    "en": ("EEE d MMM", "EEE d MMM, HH:mm", "d MMM y"),
    "zh_CN": ("M月d日 EEE", "M月d日 EEE HH:mm", "y年M月d日"),
}


@cache
def translations(locale: str) -> gettext.NullTranslations:
    """The catalogue of a language, read from its .po file."""
    file = CATALOGUES / locale / "LC_MESSAGES" / "messages.po"
    if not file.is_file():
        return gettext.NullTranslations()
    with file.open("rb") as source:
        catalogue = read_po(source, locale=locale)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def choose(cookie: str | None, accepted: str, fallback: str) -> str:
    """The language of a reader: the chosen one, else the browser's, else the shop's."""
    if cookie in LOCALES:
        return cookie
    for wish in accepted.split(","):
        found = _match(wish.split(";")[0].strip())
        if found:
            return found
    return _match(fallback) or "en"


def _match(tag: str) -> str | None:
    wanted = tag.replace("-", "_").lower().split("_")[0]
    return next((name for name in LOCALES if name.split("_")[0] == wanted), None)


@dataclass(frozen=True, slots=True)
class Reader:
    """One language and the shop's time zone: turns values into text."""

    locale: str
    zone: ZoneInfo

    @property
    def tag(self) -> str:
        """The language as HTML and HTTP write it."""
        return self.locale.replace("_", "-")

    @property
    def language(self) -> str:
        """The language as conversations write it (`en`, `zh`)."""
        return self.locale.split("_")[0]

    def text(self, message: str, **values: object) -> str:
        translated = translations(self.locale).gettext(message)
        return translated % values if values else translated

    def word(self, code: str | None, kind: Kind | str) -> str:
        source = word(kind, code)
        return self.text(source) if source else ""

    def number(self, value: float | None, digits: int = 0) -> str:
        if value is None:
            return "–"
        pattern = "#,##0." + "0" * digits if digits else "#,##0"
        return numbers.format_decimal(value, pattern, locale=self.locale)

    def signed(self, value: float, digits: int = 0) -> str:
        sign = "+" if value > 0 else "−" if value < 0 else "±"
        return sign + self.number(abs(value), digits)

    def percent(self, ratio: float | None, digits: int = 0) -> str:
        if ratio is None:
            return "–"
        pattern = "#,##0." + "0" * digits if digits else "#,##0"
        gap = "\u00a0" if self.locale == "en" else ""
        return (
            numbers.format_decimal(ratio * 100, pattern, locale=self.locale) + gap + "%"
        )

    def money(self, minor: int, currency: str) -> str:
        amount = minor / 10 ** numbers.get_currency_precision(currency)
        return numbers.format_currency(amount, currency, locale=self.locale)

    def day(self, moment: date | datetime) -> str:
        local = moment.astimezone(self.zone) if isinstance(moment, datetime) else moment
        return dates.format_date(local, DATES[self.locale][0], locale=self.locale)

    def date(self, moment: date | datetime) -> str:
        """A day that may lie years back."""
        local = moment.astimezone(self.zone) if isinstance(moment, datetime) else moment
        return dates.format_date(local, DATES[self.locale][2], locale=self.locale)

    def moment(self, moment: datetime) -> str:
        return dates.format_datetime(
            moment, DATES[self.locale][1], tzinfo=self.zone, locale=self.locale
        )

    def moment_here(self, moment: datetime) -> str:
        """A moment with the name of its time zone's city."""
        return f"{self.moment(moment)} ({self.city()})"

    def clock_time(self, moment: datetime) -> str:
        return dates.format_time(moment, "HH:mm", tzinfo=self.zone, locale=self.locale)

    def city(self) -> str:
        """The time zone in a word, to stand behind a moment."""
        return self.zone.key.rsplit("/", 1)[-1].replace("_", " ")

    def span(self, length: timedelta) -> str:
        """A waiting time in words: 4 minutes, 2 hours, 3 days."""
        length = max(length, timedelta(minutes=1))
        return dates.format_timedelta(
            length, granularity="minute", threshold=1.5, locale=self.locale
        )

    def duration(self, seconds: float | None) -> str:
        """A measured time: 45 s, 2:10 min, 1:05 h."""
        if seconds is None:
            return "–"
        whole = round(seconds)
        if whole < 60:
            return f"{whole}\u00a0" + self.text("s")
        if whole < 3600:
            return f"{whole // 60}:{whole % 60:02}\u00a0" + self.text("min")
        minutes = round(seconds / 60)
        return f"{minutes // 60}:{minutes % 60:02}\u00a0" + self.text("h")

    def file_size(self, octets: int) -> str:
        if octets < 1024:
            return f"{octets}\u00a0B"
        return self.number(octets / 1024, 1) + "\u00a0KB"
