"""The words after `|` in a template: marketers' names, output as people write it.

A value that is missing passes through every filter, so that `default` at the end of a
chain still sees it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import format_currency, format_percent, get_currency_precision
from jinja2 import Undefined, pass_context
from jinja2.runtime import Context

Filter = Callable[..., Any]

# A link can carry code; only schemes that open a page, a mail or a call are sent.
LINK_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
DATE_STYLES = frozenset({"short", "medium", "long", "full"})
DATE_FORMAT_CHARACTERS_MAX = 100
GLUE_CHARACTERS_MAX = 100
URL_CHARACTERS_MAX = 2000

_STRFTIME = {
    "a": "EEE", "A": "EEEE", "b": "MMM", "B": "MMMM", "d": "dd", "-d": "d", "e": "d",
    "m": "MM", "-m": "M", "y": "yy", "Y": "yyyy", "H": "HH", "-H": "H", "I": "hh",
    "-I": "h", "M": "mm", "S": "ss", "p": "a", "j": "DDD", "%": "%",
}  # fmt: skip


def locale_of(language: str) -> Locale:
    """The locale of a language tag; English where it is not known."""
    try:
        return Locale.parse(language.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return Locale("en")


def missing(value: Any) -> bool:
    """Whether a value is None, empty text or not there at all."""
    return value is None or isinstance(value, Undefined) or value == ""


def _through(function: Filter) -> Filter:
    @functools.wraps(function)
    def filtered(value: Any, *args: Any, **options: Any) -> Any:
        if missing(value):
            return value
        return function(value, *args, **options)

    return filtered


def default(value: Any, instead: Any = "") -> Any:
    """The value, or `instead` where it is None, empty or undefined."""
    return instead if missing(value) else value


def text_of(value: Any) -> str:
    """A value as text; refuses what has no written form."""
    if isinstance(value, str | int | float | Decimal | date):
        return str(value)
    if missing(value):
        raise ValueError("a value is missing here; give it one with `default`")
    raise ValueError(f"a {type(value).__name__} can't be written as text")


def moment(value: Any) -> date:
    """A date or time, given as such or in its ISO form; the caller chose its zone."""
    if isinstance(value, str):
        value = (
            datetime.fromisoformat(value)
            if len(value) > len("2026-01-31")
            else date.fromisoformat(value)
        )
    if isinstance(value, date):
        return value
    raise ValueError(f"`date` needs a date, not {value!r}")


def date_pattern(form: str) -> str:
    """The CLDR pattern of a form such as `%d %b`."""
    if len(form) > DATE_FORMAT_CHARACTERS_MAX:
        raise ValueError("the form of a date is too long")
    parts = re.findall(r"%(-?.)|([^%]+)", form)
    return "".join(
        _cldr(code) if code else "'" + literal.replace("'", "''") + "'"
        for code, literal in parts
    )


def _cldr(code: str) -> str:
    if code not in _STRFTIME:
        raise ValueError(f"`date` doesn't know `%{code}`")
    return _STRFTIME[code]


# Prices, dates and links repeat from customer to customer.
@functools.lru_cache(maxsize=4096)
def date_text(when: date, form: str, locale: Locale) -> str:
    """A date as `form` asks: one of the locale's own styles, or signs such as %d."""
    if form in DATE_STYLES:
        return str(format_date(when, format=form, locale=locale))
    pattern = _reordered(date_pattern(form), locale)
    if isinstance(when, datetime):
        # Babel shifts a naive time; with its own zone it stays as it is.
        zone = when.tzinfo or UTC
        at = when.replace(tzinfo=zone)
        return str(format_datetime(at, format=pattern, tzinfo=zone, locale=locale))
    return str(format_date(when, format=pattern, locale=locale))


def minor_units(amount: float, currency: str) -> int:
    """An amount in the smallest unit of its currency: 19.99 EUR → 1999, 5 JPY → 5."""
    places: int = get_currency_precision(currency)
    return round(amount * 10.0**places)


@functools.lru_cache(maxsize=4096)
def money_text(minor: Decimal | float, currency: str, locale: Locale) -> str:
    """An amount in minor units as people write it: 1999, EUR → €19.99."""
    places = get_currency_precision(currency)
    amount = Decimal(str(minor)).scaleb(-places)
    return str(format_currency(amount, currency, locale=locale))


@functools.lru_cache(maxsize=256)
def utm(url: str, source: str = "rapport", medium: str = "", campaign: str = "") -> str:
    """The address with utm parameters; its own query, old utm words included, stays."""
    if len(url) > URL_CHARACTERS_MAX:
        raise ValueError("an address of this length opens nowhere")
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    known = {key for key, _ in query}
    added = {
        "utm_source": source,
        "utm_medium": medium,
        "utm_campaign": campaign,
    }
    query += [(key, text) for key, text in added.items() if text and key not in known]
    path = parts.path or "/"
    return urlunsplit(
        parts._replace(path=path, query=urlencode(query, quote_via=quote))
    )


def link(url: Any) -> str:
    """The address itself; refuses schemes that a mail must not carry."""
    text = text_of(url).strip()
    if urlsplit(text).scheme.lower() not in LINK_SCHEMES:
        raise ValueError(f"a link must be http(s), mailto or tel, not {text[:40]!r}")
    return text


def first_name(name: str) -> str:
    """The name to call someone by: the first word, or a Chinese name whole."""
    words = str(name).split()
    return words[0] if words else ""


def truncate(text: str, length: int = 50, end: str = "…") -> str:
    """At most `length` characters, cut at a word where there is one."""
    whole = text_of(text)
    if len(whole) <= length:
        return whole
    cut = whole[: max(length - len(end), 0)]
    inside_word = " " in cut and not whole[len(cut)].isspace()
    at_word = cut.rsplit(" ", 1)[0] if inside_word else cut
    return at_word.rstrip() + end


def titlecase(text: str) -> str:
    """First letters in capitals; `don't` stays one word."""
    return re.sub(
        r"[^\W\d_]+('[^\W\d_]+)?",
        lambda word: word.group(0)[0].upper() + word.group(0)[1:].lower(),
        text_of(text),
    )


def replace(text: Any, old: str, new: str) -> str:
    """Text with every `old` changed to `new`."""
    # An empty `old` or a long `new` multiplies the text.
    if not old or len(new) > GLUE_CHARACTERS_MAX:
        raise ValueError("`replace` needs a word to look for and a short replacement")
    return text_of(text).replace(text_of(old), text_of(new))


def joined(values: Iterable[Any], between: str = ", ", key: str | None = None) -> str:
    """The values, or one field of each, with `between` between them."""
    if len(between) > GLUE_CHARACTERS_MAX:
        raise ValueError("what `join` puts between is too long")
    return between.join(_column(values, key))


def urlencoded(text: Any) -> str:
    """Text as a part of an address."""
    return quote(text_of(text), safe="")


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def _first(values: Any) -> Any:
    return values[0] if values else None


def _last(values: Any) -> Any:
    return values[-1] if values else None


def _rounded(number: Any, places: int = 0) -> Any:
    if not -10 <= places <= 10:
        raise ValueError("`round` takes up to 10 places")
    result = round(number, places)
    return int(result) if places <= 0 else result


def _column(values: Iterable[Any], key: str | None) -> list[str]:
    rows = values if key is None else [_field(row, key) for row in values]
    return [text_of(row) for row in rows]


def _field(row: Any, key: str) -> Any:
    if not isinstance(row, Mapping):
        raise TypeError(f"`{key}` needs a list of things with fields")
    return row.get(key)


def filters_for(language: str) -> dict[str, Filter]:
    """All filters, speaking `language`."""
    locale = locale_of(language)

    @pass_context
    def money(context: Context, minor: Any, currency: str | None = None) -> Any:
        if missing(minor):
            return minor
        return money_text(minor, currency or _shop_currency(context), locale)

    def date_(value: Any, form: str = "medium") -> str:
        return date_text(moment(value), form, locale)

    def plural(count: Any, one: str, many: str) -> str:
        return one if locale.plural_form(count) == "one" else many

    def join_and(values: Iterable[Any], key: str | None = None) -> str:
        return str(format_list(_column(values, key), locale=locale))

    def percent(ratio: Any, places: int = 0) -> str:
        digits = "." + "0" * min(places, 10) if places else ""
        return str(format_percent(ratio, format=f"#,##0{digits}%", locale=locale))

    spoken: dict[str, Filter] = {
        "date": date_, "plural": plural, "join_and": join_and, "percent": percent,
    }  # fmt: skip
    through = {name: _through(function) for name, function in (spoken | _PLAIN).items()}
    return through | {"default": default, "money": money, "link": link}


_PLAIN: dict[str, Filter] = {
    "truncate": truncate,
    "titlecase": titlecase,
    "first_name": first_name,
    "utm": utm,
    "urlencode": urlencoded,
    "upper": lambda text: text_of(text).upper(),
    "lower": lambda text: text_of(text).lower(),
    "capitalize": lambda text: text_of(text).capitalize(),
    "trim": lambda text: text_of(text).strip(),
    "replace": replace,
    "join": joined,
    "length": _length,
    "first": _first,
    "last": _last,
    "round": _rounded,
    "abs": abs,
    "int": int,
}


def _reordered(pattern: str, locale: Locale) -> str:
    """A Chinese date runs from year to day, whatever order the form has."""
    parts = set(re.sub(r"'[ ,]*'", " ", pattern).split())
    if locale.language != "zh" or not any("MMM" in part for part in parts):
        return pattern
    if not parts <= {"d", "dd", "MMM", "MMMM", "yyyy", "EEE", "EEEE"}:
        return pattern
    order = [
        ("yyyy年", {"yyyy"}), ("M月", {"MMM", "MMMM"}), ("d日", {"d", "dd"}),
        ("EEE", {"EEE"}), ("EEEE", {"EEEE"}),
    ]  # fmt: skip
    return "".join(written for written, fields in order if parts & fields)


def _shop_currency(context: Context) -> str:
    company = context.get("company")
    currency = company.get("currency") if isinstance(company, Mapping) else None
    if not currency:
        raise ValueError("`money` needs a currency: money(item.currency)")
    return str(currency)
