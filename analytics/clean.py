"""Repairs customers' records, and lists every change with its rule.

Nothing is guessed: a value that can't be true becomes missing, and only the form of a
name is changed. Consent, addresses and money owed are never touched.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, time
from enum import StrEnum

import pandas as pd

from analytics.frame import empty_table, moment, require_columns, times

OLDEST_YEARS = 110
YOUNGEST_YEARS = 10
EARLIEST_RECORD = "1970-01-02"
# Ten earners of a thousand may have 50 times the median; typing errors have more.
INCOME_MEDIANS = 50
INCOMES_FOR_A_MEDIAN = 20

# People fill a field that they don't want to answer with one digit, six times or more.
_PLACEHOLDER = re.compile(r"(\d)\1{5,}")
_PARTICLES = frozenset(
    {"van", "von", "der", "den", "zu", "de", "da", "di", "du", "la", "le", "el", "y"}
)
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d_]+")

FIXES = {
    "customer_id": "int64",
    "field": "str",
    "before": "str",
    "after": "str",
    "rule": "str",
}


class Rule(StrEnum):
    """Why a value was changed."""

    NAME_FORM = "name_form"
    BIRTH_DATE_IMPOSSIBLE = "birth_date_impossible"
    INCOME_NEGATIVE = "income_negative"
    INCOME_PLACEHOLDER = "income_placeholder"
    INCOME_ABSURD = "income_absurd"
    DATE_IMPOSSIBLE = "date_impossible"


def clean_customers(
    customers: pd.DataFrame, asof: datetime
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What was changed, and the customers after it.

    Parameters
    ----------
    customers : one row per customer: customer_id (int64), name (str), birth_date
        (datetime64 or date), income (float, major units a year), created_at
        (datetime64, UTC); all but the id may be missing. Other columns pass unseen.
    asof : aware; ages and dates of the future are judged by it

    Returns
    -------
    fixes : one row per changed value, by customer and field: customer_id (int64),
        field (str), before (str), after (str, missing where the value was taken
        out), rule (str, of `Rule`)
    frame : a copy of `customers` with these changes, in the same order, renumbered

    Rules: a name is put in composed Unicode with single blanks, and gets capitals
    when it is all capitals or all small; a birth date must give an age of 10 to 110
    years; an income must be at least 0, not one digit six times or more (666666), and,
    where 20 or more are known, at most 50 times their median; created_at must lie
    between 1970 and `asof`. A value that fails becomes missing, never another value.
    Cleaning twice changes nothing more. Empty input gives two empty tables.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    columns = ["customer_id", "name", "birth_date", "income", "created_at"]
    require_columns(customers, "customers", columns)
    frame = customers.reset_index(drop=True)
    fixes = [
        _clean_names(frame),
        _take_out(frame, "birth_date", _impossible_births(frame, asof)),
        _take_out(frame, "income", _wrong_incomes(frame)),
        _take_out(frame, "created_at", _impossible_dates(frame, asof)),
    ]
    changed = [part for part in fixes if not part.empty]
    if not changed:
        return empty_table(FIXES), frame
    table = pd.concat(changed, ignore_index=True).astype(FIXES)
    order = ["customer_id", "field"]
    return table.sort_values(order, kind="stable", ignore_index=True), frame


def clean_name(name: str) -> str:
    """A name in composed Unicode, with single blanks and capitals.

    Parameters
    ----------
    name : as typed; capitals are set only where all letters have the same case, and a
        word of up to two capital letters (initials) stays

    Returns
    -------
    The name; a blank one gives an empty string.
    """
    text = _SPACE.sub(" ", unicodedata.normalize("NFC", name)).strip()
    if text.isupper() or text.islower():
        shouted = text.isupper()
        words = text.split(" ")
        return " ".join(
            _capitals(word, shouted=shouted, first=place == 0)
            for place, word in enumerate(words)
        )
    return text


def _capitals(word: str, *, shouted: bool, first: bool) -> str:
    if word.lower() in _PARTICLES and not first:
        return word.lower()
    if shouted and len(word) <= 2:
        return word
    return _WORD.sub(lambda part: part[0].capitalize(), word)


def _clean_names(frame: pd.DataFrame) -> pd.DataFrame:
    names = frame["name"]
    known = names[names.notna()].astype(str)
    cleaned = known.map(clean_name)
    changed = cleaned[cleaned != known]
    rows = _rows(frame, "name", changed.index, pd.Series(Rule.NAME_FORM, changed.index))
    rows["after"] = changed.mask(changed == "").to_numpy()
    frame.loc[changed.index, "name"] = changed.mask(changed == "")
    return rows


def _impossible_births(frame: pd.DataFrame, asof: datetime) -> pd.Series[str]:
    born = pd.to_datetime(frame["birth_date"], errors="coerce")
    today = moment(asof).tz_localize(None).normalize()
    earliest = today - pd.DateOffset(years=OLDEST_YEARS)
    latest = today - pd.DateOffset(years=YOUNGEST_YEARS)
    wrong = frame["birth_date"].notna() & ~born.between(earliest, latest)
    return pd.Series(Rule.BIRTH_DATE_IMPOSSIBLE, index=frame.index[wrong])


def _wrong_incomes(frame: pd.DataFrame) -> pd.Series[str]:
    income = frame["income"].astype("float64").dropna()
    possible = income[income >= 0]
    rules = pd.Series(Rule.INCOME_NEGATIVE, index=income.index[income < 0])
    whole = possible.map(lambda value: f"{value:.0f}")
    filled = whole.map(lambda text: _PLACEHOLDER.fullmatch(text) is not None)
    placeholders = pd.Series(
        Rule.INCOME_PLACEHOLDER, index=possible.index[filled.to_numpy(dtype=bool)]
    )
    rest = possible.drop(placeholders.index)
    absurd = rest > (
        INCOME_MEDIANS * rest.median()
        if len(rest) >= INCOMES_FOR_A_MEDIAN
        else float("inf")
    )
    far = pd.Series(Rule.INCOME_ABSURD, index=rest.index[absurd])
    parts = [part for part in (rules, placeholders, far) if not part.empty]
    return pd.concat(parts) if parts else rules


def _impossible_dates(frame: pd.DataFrame, asof: datetime) -> pd.Series[str]:
    at = times(frame, "customers", "created_at")
    earliest = pd.Timestamp(EARLIEST_RECORD, tz="UTC")
    wrong = at.notna() & ~at.between(earliest, moment(asof))
    return pd.Series(Rule.DATE_IMPOSSIBLE, index=frame.index[wrong])


def _take_out(frame: pd.DataFrame, field: str, rules: pd.Series[str]) -> pd.DataFrame:
    rows = _rows(frame, field, rules.index, rules)
    frame.loc[rules.index, field] = None
    return rows


def _rows(
    frame: pd.DataFrame, field: str, index: pd.Index[int], rules: pd.Series[str]
) -> pd.DataFrame:
    before = frame.loc[index, field].map(_shown)
    return pd.DataFrame(
        {
            "customer_id": frame.loc[index, "customer_id"].to_numpy(),
            "field": field,
            "before": before.to_numpy(),
            "after": None,
            "rule": rules.astype(str).to_numpy(),
        }
    )


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, datetime) and value == datetime.combine(value, time.min):
        return value.date().isoformat()
    return str(value)
