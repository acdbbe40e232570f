"""What a file itself tells of its form: encoding, separator, decimal sign, dates.

`settle` fills in what a mapping leaves to the file, before anything is read by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from content.columns import wanted
from content.forms import (
    UnclearDates,
    UnclearDecimal,
    dates_of,
    decimal_of,
    in_order,
)
from content.mapping import DATES, DELIMITERS, NUMBERS, FileMapping
from content.sample import (
    Finding,
    Sample,
    delimiter_of,
    encoding_of,
    is_text,
    parts_of,
    rows_of,
    rows_of_table,
    text_of,
)
from core.errors import DataError, Problem

# More would not be surer; they are taken from all parts of what was looked at.
WORDS_MAX = 1500


def settle(
    mapping: FileMapping, path: Path, name: str = ""
) -> tuple[FileMapping, tuple[Finding, ...]]:
    """The mapping with nothing left to guess, and what was found for it.

    Raises
    ------
    DataError : the file can't be read; or what its dates or numbers mean can't be
        told, with the line of the mapping that says it
    """
    if not mapping.guess:
        return mapping, ()
    name = name or path.name
    settled, sample, findings = look(mapping, path, name)
    found = list(findings)
    if "decimal" in settled.guess:
        decimal = decimal_for(settled, sample, name)
        found += [decimal] if decimal else []
        settled = replace(settled, decimal=decimal.value if decimal else ".")
    if "dates" in settled.guess:
        forms, told = dates_for(settled, sample, name)
        found += told
        settled = replace(settled, dates=forms)
    done = replace(settled, guess=frozenset(), written_hash=mapping.content_hash)
    return done, tuple(found)


def look(
    mapping: FileMapping, path: Path, name: str
) -> tuple[FileMapping, Sample, list[Finding]]:
    """A sample of the file, and the mapping with what was needed to read it."""
    parts = parts_of(path, name)
    if not is_text(path, parts[0].data):
        return mapping, rows_of_table(path, mapping, name), []
    findings = []
    encoding, delimiter = mapping.encoding, mapping.delimiter
    if "encoding" in mapping.guess:
        findings.append(encoding_of(parts))
        encoding = findings[-1].value
    texts = text_of(parts, encoding)
    if delimiter is None:
        findings.append(delimiter_of(texts[0], wanted(mapping)))
        delimiter = DELIMITERS[findings[-1].value]
    sample = rows_of(texts, delimiter, mapping)
    return replace(mapping, encoding=encoding, delimiter=delimiter), sample, findings


def some_of(words: Iterable[str], missing: Iterable[str] = ("",)) -> list[str]:
    """The different words, at most so many, from all over them."""
    unknown = set(missing)
    different = [word for word in dict.fromkeys(words) if word not in unknown]
    step = -(-len(different) // WORDS_MAX) or 1
    return different[::step]


def decimal_for(mapping: FileMapping, sample: Sample, name: str) -> Finding | None:
    """The sign in all columns with numbers together: a file writes them alike.

    Raises
    ------
    DataError : they speak for both signs; says how the mapping tells it
    """
    columns = [c for f in NUMBERS for c in mapping.columns_of(f) if c in sample.header]
    words = [
        w for c in sorted(columns) for w in some_of(sample.words(c), mapping.missing)
    ]
    if not words:
        return None
    try:
        return decimal_of(words, typed=not sample.is_text)
    except UnclearDecimal as unclear:
        problem = Problem(
            "the decimal sign can't be told",
            unclear.reason,
            file=name,
            hint='Say it in the mapping: `decimal: "."` or `decimal: ","`.',
        )
        raise DataError(problem) from None


def dates_for(
    mapping: FileMapping, sample: Sample, name: str
) -> tuple[tuple[str, ...], list[Finding]]:
    """The forms of all mapped dates, in the order in which they are tried.

    Raises
    ------
    DataError : there is no form, or day and month can't be told apart; says how the
        mapping tells it
    """
    columns = {}
    for field in sorted(DATES & mapping.columns.keys()):
        there = [c for c in mapping.columns_of(field) if c in sample.header]
        if there:
            rows = zip(*(sample.words(column) for column in there), strict=True)
            joined = (" ".join(cells).strip() for cells in rows)
            columns[" + ".join(there)] = some_of(joined, mapping.missing)
    try:
        found = dates_of(columns)
    except UnclearDates as unclear:
        raise DataError(_unclear(unclear, name)) from None
    findings = []
    for column, dates in found.items():
        if not dates.known and dates.wrong:
            raise DataError(_unknown(column, dates.wrong[0], name))
        if dates.forms:
            reason = dates.reason or f"as in {columns[column][0]}"
            value = ", ".join(dates.forms)
            findings.append(Finding(f"dates of {column}", value, reason))
    forms = in_order(form for dates in found.values() for form in dates.forms)
    return forms, findings


def _unclear(unclear: UnclearDates, name: str) -> Problem:
    day, month = (f'`dates: [iso, "{form}"]`' for form in unclear.forms)
    hint = f"Say it in the mapping: {day} (day first) or {month} (month first)."
    expected = f"day and month can't be told apart: {unclear.reason}"
    return Problem(expected, unclear.example, file=name, hint=hint)


def _unknown(column: str, word: str, name: str) -> Problem:
    hint = (
        "If these are dates, say their form in the mapping in the signs of strptime,"
        ' such as `dates: ["%d.%m.%Y %H:%M"]`; if not, map another column.'
    )
    return Problem(f"no dates that are known in `{column}`", word, file=name, hint=hint)
