"""What is wrong in customers' records, each with its rule; nothing is guessed.

A value that can't be true is taken out, a value in another form gets the one form, and
what is only strange is flagged. Names, contacts, orders and missing values have
modules of their own beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from analytics.clean_name import (
    clean_name,
    is_doubtful,
    reordered_name,
    split_honorific,
)
from analytics.clean_rule import Rule
from analytics.clean_word import country_form, gender_form, language_form
from analytics.frame import moment, require_columns, times
from analytics.outlier import Cutoff, distances
from core.model import Finding

CUSTOMER = "customer"
HONORIFIC = "attributes.honorific"
EARLIEST_RECORD = "1970-01-02"
INCOMES_FOR_A_MEDIAN = 20
# Incomes differ less than quantities: below this spread of logarithms none is believed.
INCOME_SPREAD = 0.7

# People fill a field that they don't want to answer with one digit, six times or more.
_PLACEHOLDER = re.compile(r"(\d)\1{5,}")

Found = list[Finding]
COLUMNS = (
    *("customer_id", "name", "language", "gender", "birth_date", "country"),
    *("income", "income_minor", "created_at"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken for possible; outliers are looked for where `cutoff` is given."""

    age_min_years: int = 10
    age_max_years: int = 110
    income_max: float | None = None
    cutoff: float | None = 5.0
    honorifics_aside: bool = False


def clean_customers(
    customers: pd.DataFrame,
    asof: datetime,
    limits: Limits | None = None,
    incomes: pd.Series[float] | None = None,
) -> Found:
    """What to change, take out and flag in these customers.

    Parameters
    ----------
    customers : one row per customer: customer_id (int64), name, language, gender,
        country (str), birth_date (date or datetime64), income (float, major units a
        year), income_minor (the same as it is stored), created_at (datetime64, UTC);
        all but the id may be missing
    asof : aware; ages and dates of the future are judged by it
    limits : what is possible; the usual where not given
    incomes : float, of all customers, where `customers` are but some: outliers are
        judged by them

    Returns
    -------
    One correction per finding, by customer and field, `before` and `after` in words:
    name_form, honorific_set_aside, country_form, language_form, gender_form;
    gender_unknown, birth_date_impossible, income_negative, income_placeholder,
    income_over_limit (taken out); and flags, which change nothing. When all of it has
    been applied, the same call finds the same flags and nothing else. Empty input
    gives an empty list.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    limits = limits or Limits()
    require_columns(customers, "customers", list(COLUMNS))
    frame = customers.reset_index(drop=True)
    found = [
        *_names(frame, limits),
        *_words(
            frame, "country", country_form, Rule.COUNTRY_FORM, Rule.COUNTRY_UNKNOWN
        ),
        *_words(
            frame, "language", language_form, Rule.LANGUAGE_FORM, Rule.LANGUAGE_UNKNOWN
        ),
        *_words(frame, "gender", gender_form, Rule.GENDER_FORM, Rule.GENDER_WORD),
        *_births(frame, asof, limits),
        *_incomes(frame, limits, incomes),
        *_dates(frame, asof),
    ]
    return sorted(found, key=lambda each: (each.record_id, each.field, each.rule))


def repeated_customers(groups: Iterable[Sequence[int]]) -> Found:
    """A flag for each customer whose data another one has, too.

    Parameters
    ----------
    groups : ids of customers with the same name, birth date, address, city, postcode
        and country, by id

    Returns
    -------
    `customer_repeated_flagged` for all but the first of a group; `after` names it.
    """
    return [
        Finding(
            CUSTOMER, each, each, "id", str(each), str(first), Rule.CUSTOMER_REPEATED
        )
        for first, *others in groups
        for each in others
    ]


def _names(frame: pd.DataFrame, limits: Limits) -> Iterator[Finding]:
    known = frame.loc[frame["name"].notna(), ["customer_id", "name"]]
    pairs = zip(known["customer_id"].to_list(), known["name"].to_list(), strict=True)
    for customer_id, name in pairs:
        cleaned = clean_name(name)
        if limits.honorifics_aside:
            honorific, cleaned = split_honorific(cleaned)
            if honorific is not None:
                yield _note(customer_id, HONORIFIC, None, honorific, Rule.HONORIFIC)
        if cleaned != name:
            yield _note(customer_id, "name", name, cleaned or None, Rule.NAME_FORM)
        if not cleaned:
            continue
        if is_doubtful(cleaned):
            yield _note(customer_id, "name", cleaned, cleaned, Rule.NAME_DOUBTFUL)
        meant = reordered_name(cleaned)
        if meant is not None:
            yield _note(customer_id, "name", cleaned, meant, Rule.NAME_ORDER)


def _words(
    frame: pd.DataFrame,
    field: str,
    form_of: Callable[[str], str | None],
    changed: Rule,
    unknown: Rule,
) -> Iterator[Finding]:
    known = frame.loc[frame[field].notna(), ["customer_id", field]]
    forms = {word: form_of(word) for word in known[field].unique()}
    differs = known[field].map(lambda word: forms[word] != word)
    wrong = known[differs.astype(bool)]
    for customer_id, word in zip(wrong["customer_id"], wrong[field], strict=True):
        form = forms[word]
        if form is None:
            yield _note(customer_id, field, word, word, unknown)
        elif form == "":
            yield _note(customer_id, field, word, None, Rule.GENDER_UNKNOWN)
        else:
            yield _note(customer_id, field, word, form, changed)


def _births(frame: pd.DataFrame, asof: datetime, limits: Limits) -> Iterator[Finding]:
    born = pd.to_datetime(frame["birth_date"], errors="coerce")
    today = moment(asof).tz_localize(None).normalize()
    earliest = today - pd.DateOffset(years=limits.age_max_years)
    latest = today - pd.DateOffset(years=limits.age_min_years)
    wrong = frame["birth_date"].notna() & ~born.between(earliest, latest)
    return _taken_out(frame, "birth_date", wrong, Rule.BIRTH_DATE_IMPOSSIBLE)


def _incomes(
    frame: pd.DataFrame, limits: Limits, incomes: pd.Series[float] | None
) -> Iterator[Finding]:
    income = frame["income"].astype("float64")
    digits = income.map(lambda value: f"{value:.0f}", na_action="ignore").astype("str")
    filled = income.notna() & digits.str.fullmatch(_PLACEHOLDER.pattern).fillna(False)
    over = income > (limits.income_max or float("inf"))
    yield from _taken_out(frame, "income_minor", income < 0, Rule.INCOME_NEGATIVE)
    yield from _taken_out(frame, "income_minor", filled, Rule.INCOME_PLACEHOLDER)
    yield from _taken_out(frame, "income_minor", over & ~filled, Rule.INCOME_OVER_LIMIT)
    if limits.cutoff is None:
        return
    usual = income[(income > 0) & ~filled & ~over]
    everybody = usual if incomes is None else incomes[incomes > 0]
    far = _far_incomes(usual, everybody, Cutoff(limits.cutoff, INCOME_SPREAD))
    for place in usual.index[far]:
        shown = _shown(frame["income_minor"][place])
        customer_id = frame["customer_id"][place]
        yield _note(customer_id, "income_minor", shown, shown, Rule.INCOME_OUTLIER)


def _far_incomes(
    some: pd.Series[float], everybody: pd.Series[float], at: Cutoff
) -> Any:
    """Which of `some` lie far from the median of everybody."""
    if some.empty or len(everybody) < INCOMES_FOR_A_MEDIAN:
        return some.to_numpy() != some.to_numpy()
    counted = everybody.value_counts()
    counted = counted.reindex(
        counted.index.union(pd.Index(some.unique())), fill_value=1
    )
    values = pd.Series(counted.index, dtype="float64")
    weights = pd.Series(counted.to_numpy())
    found = distances(values, weights, pd.Series(0, index=values.index), at)
    far = set(values[found > at.deviations])
    return some.isin(far).to_numpy()


def _dates(frame: pd.DataFrame, asof: datetime) -> Iterator[Finding]:
    at = times(frame, "customers", "created_at")
    earliest = pd.Timestamp(EARLIEST_RECORD, tz="UTC")
    wrong = at.notna() & ~at.between(earliest, moment(asof))
    for place in frame.index[wrong]:
        shown = at[place].isoformat()
        customer_id = frame["customer_id"][place]
        yield _note(customer_id, "created_at", shown, shown, Rule.CREATED_IMPOSSIBLE)


def _taken_out(
    frame: pd.DataFrame, field: str, wrong: pd.Series[bool], rule: Rule
) -> Iterator[Finding]:
    rows = frame.loc[wrong.astype(bool), ["customer_id", field]]
    for customer_id, value in zip(rows["customer_id"], rows[field], strict=True):
        yield _note(customer_id, field, _shown(value), None, rule)


def _note(
    customer_id: Any, field: str, before: str | None, after: str | None, rule: Rule
) -> Finding:
    who = int(customer_id)
    return Finding(CUSTOMER, who, who, field, before, after, rule)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}"
    if isinstance(value, datetime):
        return value.date().isoformat()
    return str(value)
