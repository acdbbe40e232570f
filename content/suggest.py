"""Which kind of record a file holds, and which column is which field.

Both are judged by the words above the columns and by the look of what stands below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from content.column_profile import Look, Profile, profile
from content.headers import HeaderWords, Likeness, plain
from content.mapping import DATES, FIELDS, NUMBERS, REQUIRED
from content.rows import WORD_MAX
from content.sample import Sample
from core.records import RecordKind

LEAST = 0.4
# What looks like an address needs no word above it.
BY_LOOK = {"email": (Look.EMAIL, 0.5), "phone": (Look.CLEAR_PHONE, 0.4)}
BY_LOOK_SHARE = 0.95
# Of a column's words, so many must look like what the field holds.
FITTING = 0.8
KNOWN_PART = 0.2
EMPTY_SCORE = 0.6
SIGN_IN_NAME = 0.6
SIGN_IN_HEADER = 0.1
SIGNS_MOST = 0.3
# Fields that every file has; the others tell the kinds apart.
COMMON = frozenset({"name", "currency", "country", "customer", "product", "topic"})
COMMON_WEIGHT = 0.4
NOT_UNIQUE = 0.3
EVENT_UNNAMED = 0.7
ORDERS_COMPARED = 2000
# One row is one of them, and none comes twice.
ONE_ROW_EACH = frozenset({RecordKind.CUSTOMERS, RecordKind.PRODUCTS})
# Less is no reason to take rows for this kind.
SCORE_LEAST = 0.6

# Fields of one word or a few.
BRIEF = frozenset(
    {
        *("id", "order", "customer", "product", "coupon", "status", "conversation"),
        *("topic", "issue", "channel", "reason", "event", "telegram"),
    }
)

_LOOKS: dict[str, tuple[Look, ...]] = {
    **dict.fromkeys(DATES, (Look.MOMENT,)),
    **dict.fromkeys(NUMBERS - {"score"}, (Look.NUMBER,)),
    "email": (Look.EMAIL,),
    "phone": (Look.PHONE,),
    "birth_year": (Look.YEAR,),
    "age": (Look.AGE,),
    "quantity": (Look.WHOLE,),
    "purchase_count": (Look.WHOLE,),
    "purchase_days": (Look.WHOLE,),
    "reopened": (Look.WHOLE,),
    "url": (Look.URL,),
    "currency": (Look.CURRENCY,),
    "country": (Look.LETTERS,),
    "city": (Look.LETTERS,),
    "given_name": (Look.LETTERS,),
    "family_name": (Look.LETTERS,),
    "gender": (Look.LETTERS, Look.AGE),
    "postcode": (Look.DIGITS,),
    "handling_seconds": (Look.DURATION,),
    "first_response_seconds": (Look.DURATION,),
    "order": (Look.CODE, Look.DIGITS),
}


@dataclass(frozen=True, slots=True)
class Match:
    """A field with its columns, and why."""

    field: str
    columns: tuple[str, ...]
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One way to read a file."""

    kind: RecordKind
    score: float
    reason: str
    matches: tuple[Match, ...]
    # Columns that were left out though their names fit, with the reason.
    refused: tuple[tuple[str, str], ...]
    # Fields that the kind needs and no column was found for.
    lacking: tuple[str, ...]

    @property
    def is_likely(self) -> bool:
        """Whether nothing is lacking that the kind needs, and enough speaks for it."""
        return not self.lacking and self.score >= SCORE_LEAST

    def columns_of(self, name: str) -> tuple[str, ...]:
        """The columns of a field, if it has any."""
        return next((m.columns for m in self.matches if m.field == name), ())

    @property
    def taken(self) -> set[str]:
        """All columns that belong to a field."""
        return {column for match in self.matches for column in match.columns}


@dataclass(slots=True)
class _Choice:
    """Fields and columns that have found each other."""

    matches: dict[str, Match] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    refused: list[tuple[str, str]] = field(default_factory=list)


def profiles_of(sample: Sample, words: HeaderWords) -> dict[str, Profile]:
    """Every named column of a sample."""
    return {
        name: profile(name, sample.words(name), words.unknown)
        for name in dict.fromkeys(sample.header)
        if name
    }


def suggestions(
    sample: Sample,
    profiles: dict[str, Profile],
    words: HeaderWords,
    file: str,
    kinds: Iterable[RecordKind] = RecordKind,
) -> list[Suggestion]:
    """What the file may hold, the likeliest first."""
    found = [_suggestion(kind, sample, profiles, words, file) for kind in kinds]
    return sorted(found, key=lambda each: (not each.is_likely, -each.score))


def _suggestion(
    kind: RecordKind,
    sample: Sample,
    profiles: dict[str, Profile],
    words: HeaderWords,
    file: str,
) -> Suggestion:
    choice = _choose(kind, profiles, words)
    if kind is RecordKind.ORDERS:
        _refuse_totals(choice, sample)
    if kind is RecordKind.CUSTOMERS:
        _name_by_address(choice, profiles)
    _join(choice, profiles, words)
    matches = sorted(choice.matches.values(), key=lambda m: FIELDS[kind].index(m.field))
    score = sum(m.score * _weight(m.field) for m in matches)
    signs, reason = _signs(kind, profiles, words, file)
    key = choice.matches.get("id")
    if kind in ONE_ROW_EACH and key is not None:
        unique = all(profiles[column].is_unique for column in key.columns)
        score *= 1.0 if unique else NOT_UNIQUE
        said = f"`{' + '.join(key.columns)}` differs from row to row"
        reason = ", and ".join(
            part for part in (said if unique else "", reason) if part
        )
    lacking = tuple(
        " or ".join(group)
        for group in REQUIRED[kind]
        if not any(name in choice.matches for name in group)
    )
    if lacking == ("event",) and signs:
        # Then all rows tell of one event, and the file's name may say which.
        lacking, score = (), score * EVENT_UNNAMED
    return Suggestion(
        kind, score + signs, reason, tuple(matches), tuple(choice.refused), lacking
    )


def _weight(name: str) -> float:
    return COMMON_WEIGHT if name in COMMON else 1.0


def _choose(
    kind: RecordKind, profiles: dict[str, Profile], words: HeaderWords
) -> _Choice:
    """The best pairs of field and column, each only once."""
    pairs = []
    choice = _Choice()
    for column in profiles.values():
        refused = ""
        for name in FIELDS[kind]:
            likeness = words.likeness(column.name, kind, name)
            score, reason = _judged(name, column, likeness, words)
            if score >= LEAST:
                pairs.append((score, name, column.name, reason))
            elif likeness.score >= LEAST and reason:
                refused = refused or f"is no `{name}`: {reason}"
        if refused:
            choice.refused.append((column.name, refused))
    for score, name, column_name, reason in sorted(pairs, key=lambda p: -p[0]):
        if name not in choice.matches and column_name not in choice.taken:
            choice.matches[name] = Match(name, (column_name,), score, reason)
            choice.taken.add(column_name)
    choice.refused = [each for each in choice.refused if each[0] not in choice.taken]
    return choice


def _judged(
    name: str, column: Profile, likeness: Likeness, words: HeaderWords
) -> tuple[float, str]:
    """How well a column fits to a field, and why or why not."""
    if likeness.score < LEAST:
        look, score = BY_LOOK.get(name, (Look.CODE, 0.0))
        if score and column.share(look) >= BY_LOOK_SHARE:
            return score, f"each word looks like {look.value}"
        return 0.0, ""
    if not column.filled:
        return likeness.score * EMPTY_SCORE, f"“{likeness.word}”; the column is empty"
    against = _against(name, column, words)
    if against:
        return 0.0, against
    share = _looks_so(name, column)
    reason = f"“{likeness.word}” ({column.example})"
    return likeness.score * (0.9 + share / 10), reason


def _looks_so(name: str, column: Profile) -> float:
    """How much of a column looks like what the field holds."""
    looks = _LOOKS.get(name, ())
    return max((column.share(look) for look in looks), default=1.0)


def _against(name: str, column: Profile, words: HeaderWords) -> str:
    """Why a column can't be the field, whatever it is called; else nothing."""
    if _looks_so(name, column) < FITTING:
        return f"{column.example} look otherwise"
    if name in BRIEF and any(len(word) > WORD_MAX for word in column.every):
        return f"some are longer than {WORD_MAX} letters"
    if name in words.meanings and not _is_known(name, column, words):
        return f"{column.example} say nothing of it"
    return ""


def _is_known(name: str, column: Profile, words: HeaderWords) -> bool:
    """Whether a part of the words at least means something."""
    known = words.meanings[name]
    found = sum(word.casefold() in known for word in column.words)
    return found >= len(column.words) * KNOWN_PART


def _signs(
    kind: RecordKind, profiles: dict[str, Profile], words: HeaderWords, file: str
) -> tuple[float, str]:
    """Words in the names of file and columns that speak for a kind."""
    name = plain(file)
    in_name = next((sign for sign in words.signs[kind] if sign in name), "")
    headers = [plain(column) for column in profiles]
    count = sum(any(s in header for s in words.signs[kind]) for header in headers)
    score = min(SIGNS_MOST, count * SIGN_IN_HEADER)
    if in_name:
        return score + SIGN_IN_NAME, f"the file's name has “{in_name}”"
    return score, ""


# --- what only the rows tell ----------------------------------------------------------


def _refuse_totals(choice: _Choice, sample: Sample) -> None:
    """Leave out what is an order's and not a line's, or the other way round."""
    order = choice.matches.get("order")
    if order is None:
        return
    amount = choice.matches.get("amount")
    if amount and "price" in choice.matches and _is_of_order(sample, order, amount):
        _drop(choice, amount, "the same in all lines of an order: its total, no line's")
    discount = choice.matches.get("discount")
    if discount and _differs(sample, order, discount):
        _drop(choice, discount, "differs between the lines of an order")


def _drop(choice: _Choice, match: Match, reason: str) -> None:
    del choice.matches[match.field]
    choice.taken -= set(match.columns)
    choice.refused += [(column, reason) for column in match.columns]


def _is_of_order(sample: Sample, order: Match, amount: Match) -> bool:
    """Whether lines of one order never differ in it, or only the first has it."""
    groups = list(_lines(sample, order.columns[0], amount.columns[0]))
    alike = sum(len({word for word in group if word}) == 1 for group in groups)
    return len(groups) > 0 and alike >= len(groups) * FITTING


def _differs(sample: Sample, order: Match, column: Match) -> bool:
    groups = list(_lines(sample, order.columns[0], column.columns[0]))
    differing = sum(len({word for word in group if word}) > 1 for group in groups)
    return differing > len(groups) * (1 - FITTING)


def _lines(sample: Sample, order: str, column: str) -> Iterator[list[str]]:
    """The words of a column, for each order of several lines."""
    groups: dict[str, list[str]] = {}
    for number, word in zip(sample.words(order), sample.words(column), strict=True):
        if number in groups or len(groups) < ORDERS_COMPARED:
            groups.setdefault(number, []).append(word)
    return (group for group in groups.values() if len(group) > 1)


def _name_by_address(choice: _Choice, profiles: dict[str, Profile]) -> None:
    """Without a number, a customer is known by the address that nobody else has."""
    email = choice.matches.get("email")
    if "id" not in choice.matches and email is not None:
        (column,) = email.columns
        if profiles[column].is_unique:
            reason = "there is no number of customers; nobody has another's address"
            choice.matches["id"] = Match("id", (column,), LEAST, reason)


def _join(choice: _Choice, profiles: dict[str, Profile], words: HeaderWords) -> None:
    """Put a time to its date, and the parts of an address together."""
    clocks = _beside(choice, profiles, words.beside["clock"])
    for name in ("ordered_at", "opened_at", "answered_at", "at"):
        match = choice.matches.get(name)
        if match is None or _has_clock(profiles[match.columns[0]]):
            continue
        clock = next(
            (c for c in clocks if profiles[c].share(Look.CLOCK) >= FITTING), ""
        )
        if clock:
            _widen(choice, match, (*match.columns, clock), "the time stands beside it")
    address = choice.matches.get("address")
    parts = _beside(choice, profiles, words.beside["address"])
    if address is not None and parts:
        together = {*address.columns, *parts}
        ordered = tuple(name for name in profiles if name in together)
        _widen(choice, address, ordered, "its parts stand beside it")


def _has_clock(column: Profile) -> bool:
    return any(":" in word and " 00:00" not in word for word in column.words)


def _beside(
    choice: _Choice, profiles: dict[str, Profile], known: frozenset[str]
) -> list[str]:
    free = [name for name in profiles if name not in choice.taken]
    return [name for name in free if plain(name) in known]


def _widen(
    choice: _Choice, match: Match, columns: tuple[str, ...], reason: str
) -> None:
    choice.taken |= set(columns)
    choice.matches[match.field] = Match(
        match.field, columns, match.score, f"{match.reason}; {reason}"
    )


def order_prefix(sample: Sample, suggestion: Suggestion) -> str | None:
    """Letters before the numbers of those orders that have negative quantities."""
    orders = suggestion.columns_of("order")
    counted = suggestion.columns_of("quantity") or suggestion.columns_of("amount")
    if not orders or not counted:
        return None
    words = zip(sample.words(orders[0]), sample.words(counted[0]), strict=True)
    before: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for number, units in words:
        letters = number[
            : len(number) - len(number.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        ]
        before[units.startswith("-")][letters] += 1
    returned = before[True]
    if not returned:
        return None
    prefix, count = returned.most_common(1)[0]
    rare = before[False][prefix] == 0
    return prefix if prefix and rare and count >= returned.total() * 0.5 else None


def no_products(profiles: dict[str, Profile], suggestion: Suggestion) -> list[str]:
    """Codes without any digit, where nearly all have one: postage and fees."""
    columns = suggestion.columns_of("product")
    if not columns:
        return []
    column = profiles[columns[0]]
    if column.share(Look.DIGITS) < BY_LOOK_SHARE:
        return []
    return sorted({word for word in column.every if not _has_digit(word)})


def _has_digit(word: str) -> bool:
    return any(letter.isdigit() for letter in word)
