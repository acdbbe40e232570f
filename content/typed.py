"""Typed values of workbooks, Parquet and JSON as words in a mapping's notation."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

# A float holds so many digits; the others are noise of the binary form.
FLOAT_DIGITS = 15
# Beyond this nothing is a number of a shop, and the digits would fill the memory.
EXPONENT_MAX = 30


def number_word(value: float | str, decimal: str = ".") -> str:
    """A number in full: `1.0` is 1, `1e3` is 1000, NaN is nothing.

    A word that is no number, or an absurd one, stays as it is.
    """
    text = f"{value:.{FLOAT_DIGITS}g}" if isinstance(value, float) else value
    if text == "nan":
        return ""
    if not text.isdigit():
        try:
            exact = Decimal(text)
        except InvalidOperation:
            return text
        if not exact.is_finite() or abs(exact.adjusted()) > EXPONENT_MAX:
            return text
        text = f"{exact:f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
    return text.replace(".", decimal) if decimal != "." else text


def moment_word(value: date | time | timedelta) -> str:
    """ISO: a date, a date with its time unless that is midnight, a time, a span.

    A span of time is `hours:minutes:seconds`, like a time of the day.
    """
    if isinstance(value, datetime):
        if value.time() == time(0) and value.tzinfo is None:
            return value.date().isoformat()
        return value.isoformat(" ")
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        minutes, seconds = divmod(seconds, 60)
        return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    return value.isoformat()
