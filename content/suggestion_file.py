"""A suggestion as a mapping in YAML, with its reasons beside the lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from content.column_profile import Profile
from content.conversations import ENDS, KINDS
from content.guess import dates_for, decimal_for
from content.headers import HeaderWords, plain
from content.mapping import GUESSED, NUMBERS, REST, FileMapping
from content.mapping_file import read_mapping, shipped_mappings
from content.sample import Finding, Sample
from content.suggest import Suggestion, no_products, order_prefix
from content.values import BadValue, truth
from core.errors import DataError
from core.records import RecordKind

# Kinds whose other columns are kept beside the fields.
WITH_ATTRIBUTES = frozenset({RecordKind.CUSTOMERS, RecordKind.EVENTS})
# A shipped mapping that names so many columns does not fit by chance.
SHIPPED_LEAST = 4
VALUES_MOST = 40
CODES_MOST = 60
SCALES = ((1, 5), (0, 5), (1, 7), (1, 10), (0, 10), (1, 100), (0, 100))
MONEY = frozenset(
    {
        *("price", "amount", "discount", "income", "average_purchase_price"),
        "value",
    }
)
UNITS = {
    "minutes": ("minutes", "minute", "min", "mins", "minuten", "minutos"),
    "hours": ("hours", "hour", "hrs", "h", "stunden", "heures", "horas"),
}
ANSWERS = frozenset({"active", "consent_email", "consent_telegram"})

_PLAIN = re.compile(r"[^\W\d][\w./()-]*(?: [\w./()-]+)*")
_YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class Looked:
    """What a file was seen to be, ready to be written down."""

    file: str
    mapping: FileMapping
    sample: Sample
    profiles: Mapping[str, Profile]
    findings: tuple[Finding, ...]


def fitting_shipped(root: Path, header: tuple[str, ...]) -> Path | None:
    """The shipped mapping of just these columns, if there is one."""
    there = set(header)
    found = []
    for path in shipped_mappings(root).values():
        mapping = read_mapping(path)
        needed = {
            column
            for field in mapping.columns
            if field not in mapping.optional
            for column in mapping.columns_of(field)
        }
        if len(needed) >= SHIPPED_LEAST and needed <= there:
            found.append((len(needed), path))
    return max(found)[1] if found else None


def mapping_text(
    looked: Looked, suggestion: Suggestion, words: HeaderWords, also: Suggestion | None
) -> str:
    """The mapping, ready to be looked at, changed and used."""
    return "\n".join(_lines(looked, suggestion, words, also)) + "\n"


def _lines(
    looked: Looked, suggestion: Suggestion, words: HeaderWords, also: Suggestion | None
) -> Iterator[str]:
    rows = len(looked.sample.rows)
    yield f"# Guessed from {looked.file}: {rows:,} of its rows were looked at."
    yield "# Change what is wrong, and give this file to `rapport import --mapping`."
    yield _said(f"kind: {suggestion.kind}", _why(suggestion, also))
    yield _said("source: shop", "ids of one shop belong to one source")
    yield from _form(looked)
    yield from _read_as(looked, suggestion, words)
    yield ""
    yield "columns:"
    for match in suggestion.matches:
        names = [_column(name) for name in match.columns]
        joined = f"[{', '.join(names)}]" if len(names) > 1 else names[0]
        yield _said(f"  {match.field}: {joined}", match.reason)
        if match.field == "id":
            yield from _repeated(looked.profiles[match.columns[0]])
    yield from _rest(looked, suggestion)
    yield from _defaults(looked, suggestion, words)
    yield from _values(looked, suggestion, words)
    yield from _rules(looked, suggestion)


def _why(suggestion: Suggestion, also: Suggestion | None) -> str:
    fields = ", ".join(match.field for match in suggestion.matches[:4])
    said = suggestion.reason or f"there are {fields}"
    if also is not None:
        said += f"; if they are {also.kind}, say --kind {also.kind}"
    return said


def _form(looked: Looked) -> Iterator[str]:
    """Encoding and separator, as they were found."""
    for finding in looked.findings:
        key = "delimiter" if finding.what == "separator" else finding.what
        value = finding.value.removesuffix("-sig")
        yield _said(f"{key}: {value}", finding.reason, sure=finding.sure)


def _read_as(
    looked: Looked, suggestion: Suggestion, words: HeaderWords
) -> Iterator[str]:
    """Decimal sign, dates and the words for nothing."""
    missing = _missing(looked, words)
    mapping = replace(
        looked.mapping,
        kind=suggestion.kind,
        columns={match.field: match.columns for match in suggestion.matches},
        missing=("", *missing),
        guess=frozenset(GUESSED),
    )
    try:
        decimal = decimal_for(mapping, looked.sample, looked.file)
    except DataError as error:
        yield from _unclear("decimal", error)
    else:
        if decimal is not None:
            sure = decimal.sure
            yield _said(f'decimal: "{decimal.value}"', decimal.reason, sure=sure)
    try:
        forms, findings = dates_for(mapping, looked.sample, looked.file)
    except DataError as error:
        yield from _unclear("dates", error)
    else:
        if findings:
            reasons = dict.fromkeys(f.reason for f in findings)
            telling = [each for each in reasons if not each.startswith("as in")]
            reason = "; ".join(telling or [findings[0].reason])
            listed = ", ".join(_quoted(form) for form in forms)
            yield _said(f"dates: [{listed}]", reason)
            if any(":" in f.reason or "%H" in f.value for f in findings):
                yield "# timezone: Europe/Berlin  # of times that name none"
    if missing:
        listed = ", ".join(_quoted(word) for word in missing)
        yield _said(f"missing: [{listed}]", "stand where nothing is known")


def _unclear(key: str, error: DataError) -> Iterator[str]:
    (problem,) = error.problems
    yield f"# UNCLEAR: {problem.expected} (found: {problem.value})."
    yield f"# {problem.hint}"
    yield f"{key}: guess"


def _missing(looked: Looked, words: HeaderWords) -> list[str]:
    """Words for nothing that stand alone in some column."""
    found = {
        word
        for column in looked.sample.header
        for word in set(looked.sample.words(column))
        if word and word.casefold() in words.unknown
    }
    return sorted(found)


def _repeated(column: Profile) -> Iterator[str]:
    if column.filled > column.different:
        more = column.filled - column.different
        yield f"  # not sure: {more:,} rows repeat an id; the last row of each counts"


def _rest(looked: Looked, suggestion: Suggestion) -> Iterator[str]:
    refused = dict(suggestion.refused)
    free = [name for name in looked.profiles if name not in suggestion.taken]
    if suggestion.kind in WITH_ATTRIBUTES and free:
        yield ""
        yield _said(f"attributes: {REST}", "all that no field takes is kept:")
    elif free:
        yield ""
        yield "# Not used:"
    for name in free:
        reason = f" ({refused[name]})" if name in refused else ""
        example = _one_line(looked.profiles[name].example)
        yield f"#   {_one_line(name)}{reason}: {example}"


def _defaults(
    looked: Looked, suggestion: Suggestion, words: HeaderWords
) -> Iterator[str]:
    fields = {match.field for match in suggestion.matches}
    lines = []
    if fields & MONEY and "currency" not in fields:
        found = _currency(looked, suggestion, words)
        if found is None:
            lines.append("  # currency: EUR  # of the prices; else shop.currency")
        else:
            lines.append(_said(f"  currency: {found[0]}", found[1]))
    if suggestion.kind is RecordKind.EVENTS and "event" not in fields:
        name = plain(looked.file.partition(".")[0]).replace(" ", "_") or "event"
        lines.append(_said(f"  event: {_quoted(name)}", "the file's name"))
    real = any(not line.lstrip().startswith("#") for line in lines)
    if lines:
        yield ""
        yield "defaults:" if real else "# defaults:"
        yield from lines


def _currency(
    looked: Looked, suggestion: Suggestion, words: HeaderWords
) -> tuple[str, str] | None:
    """By a sign beside the numbers, or a word in the header."""
    for match in suggestion.matches:
        if match.field not in NUMBERS:
            continue
        column = match.columns[0]
        for word in looked.profiles[column].words[:50]:
            sign = re.sub(r"[\d.,'\s+()-]", "", word).casefold()
            if sign in words.currencies:
                return words.currencies[sign], f"as in {word}"
        for token in re.split(r"[\s_()（）/-]+", column.casefold()):
            if token in words.currencies:
                return words.currencies[token], f"the header is {column}"
    return None


# --- words with a meaning -------------------------------------------------------------


def _values(
    looked: Looked, suggestion: Suggestion, words: HeaderWords
) -> Iterator[str]:
    """Words of the file that a field would not understand, with their meaning."""
    lines = []
    scale = ""
    for match in suggestion.matches:
        column = looked.profiles[match.columns[0]]
        meanings, unsure = _meanings(match.field, column, words)
        if match.field == "score":
            scale = _scale(column, bool(meanings))
        if meanings:
            lines.append(f"  {match.field}:")
            for word, meaning in meanings.items():
                comment = "not sure" if word in unsure else ""
                lines.append(_said(f"    {_quoted(word)}: {_quoted(meaning)}", comment))
    if scale:
        yield ""
        yield scale
    if lines:
        yield ""
        yield "values:"
        yield from lines


def _meanings(
    name: str, column: Profile, words: HeaderWords
) -> tuple[dict[str, str], set[str]]:
    """What the words of a column mean, and those that were not known."""
    if name in ANSWERS:
        known, fallback = words.answers, None
    elif name == "currency":
        known, fallback = words.currencies, None
    elif name == "score":
        known, fallback = words.scores, ""
    elif name == "kind":
        known, fallback = words.kinds, "request"
    elif name == "ended":
        known, fallback = words.ends, ""
    else:
        return {}, set()
    found: dict[str, str] = {}
    unsure = set()
    for word in column.every[:VALUES_MOST]:
        if _understood(name, word):
            continue
        meaning = known.get(word.casefold(), fallback)
        if meaning is not None:
            found[word] = meaning
            if word.casefold() not in known:
                unsure.add(word)
    return found, unsure


def _understood(name: str, word: str) -> bool:
    """Whether the reader of this field knows the word by itself."""
    if name == "kind":
        return word.lower() in KINDS
    if name == "ended":
        return word.lower() in ENDS
    if name == "score":
        return word.replace(",", ".").replace(".", "", 1).isdigit()
    if name == "currency":
        return len(word) == len("EUR") and word.isascii() and word.isalpha()
    try:
        truth(word)
    except BadValue:
        return False
    return True


def _scale(column: Profile, is_words: bool) -> str:
    numbers = [float(w.replace(",", ".")) for w in column.every if _is_score(w)]
    if not numbers:
        return "scale: [1, 5]" if is_words else ""
    low, high = min(numbers), max(numbers)
    for least, most in SCALES:
        if least <= low and high <= most:
            reason = f"scores from {low:g} to {high:g} were seen"
            return _said(f"scale: [{least}, {most}]", reason, sure=high == most)
    return _said(f"scale: [{low:g}, {high:g}]", "lowest and highest seen", sure=False)


def _is_score(word: str) -> bool:
    return _understood("score", word)


def _rules(looked: Looked, suggestion: Suggestion) -> Iterator[str]:
    if suggestion.kind is RecordKind.CONVERSATIONS:
        yield from _time_unit(suggestion)
    if suggestion.kind is not RecordKind.ORDERS:
        return
    prefix = order_prefix(looked.sample, suggestion)
    codes = no_products(dict(looked.profiles), suggestion)[:CODES_MOST]
    if not prefix and not codes:
        return
    yield ""
    yield "rules:"
    if prefix:
        reason = "orders with negative quantities begin so, and no others"
        yield _said(f"  return_prefix: {_quoted(prefix)}", reason)
    if codes:
        listed = ", ".join(_quoted(code) for code in codes)
        yield f"  no_product: [{listed}]"
        yield "    # codes without a digit, where nearly all have one: postage, fees?"


def _time_unit(suggestion: Suggestion) -> Iterator[str]:
    """Where the headers of durations name another unit than seconds."""
    durations = ("first_response_seconds", "handling_seconds")
    names = [plain(c) for field in durations for c in suggestion.columns_of(field)]
    for unit, signs in UNITS.items():
        if any(sign in name.split() for name in names for sign in signs):
            yield ""
            yield "rules:"
            yield _said(f"  time_unit: {unit}", "as a header says")
            return


# --- writing --------------------------------------------------------------------------


def _said(line: str, reason: str, *, sure: bool = True) -> str:
    if not reason:
        return line
    doubt = "" if sure else "not sure: "
    return f"{line}  # {doubt}{_one_line(reason)}"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text))


def _column(name: str) -> str:
    """A column's name; one that ends with `?` would be taken for optional."""
    return _quoted(f"{name}?" if name.endswith("?") else name)


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.casefold() not in _YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
