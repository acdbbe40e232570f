"""Compares pairs of customers field by field; each comparison ends in a level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analytics import matching_grades as grades
from analytics.matching_fields import (
    ADDRESS,
    BIRTH,
    CITY,
    COMPARISONS,
    COUNTRY,
    EMAIL,
    EXACT,
    FAMILY,
    GENDER,
    GIVEN,
    ID_PREFIX,
    MISSING,
    PHONE,
    POSTCODE,
    Comparison,
    id_comparison,
)
from analytics.matching_names import NameComparer, Sides
from analytics.matching_people import People, Shared

SIMILAR_STREET = 0.65
CHUNK = 200_000
PLACES = 10 ** np.arange(8, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Compared:
    """Pairs of places `low` and `high`, and how each comparison of them ended.

    `levels` holds per pair (row) and comparison (column) the level; 0 is missing.
    `alike` says whether both are of one country and write their names in one script, as
    far as is known: there names and places agree more often by chance.
    """

    comparisons: tuple[Comparison, ...]
    low: np.ndarray
    high: np.ndarray
    levels: np.ndarray
    alike: np.ndarray

    def __len__(self) -> int:
        return len(self.low)

    def part(self, rows: np.ndarray) -> Compared:
        """Some of the pairs, by their numbers or by a mask."""
        return Compared(
            self.comparisons,
            self.low[rows],
            self.high[rows],
            self.levels[rows],
            self.alike[rows],
        )


def comparisons_of(people: People) -> tuple[Comparison, ...]:
    """The comparisons that can be made of these people."""
    return (*COMPARISONS, *(id_comparison(kind) for kind in people.id_kinds))


def value_counts(people: People, field: str) -> np.ndarray:
    """How many people have each value of a field, by the code of the value."""
    if field in people.shared:
        return np.bincount(people.shared[field].codes)
    names = {GIVEN.field: "given", FAMILY.field: "family"}
    codes = people.columns[names.get(field, field)].codes
    return np.bincount(
        codes[codes >= 0], minlength=len(people.columns[names.get(field, field)].values)
    )


def compare(people: People, low: np.ndarray, high: np.ndarray) -> Compared:
    """The levels of all pairs.

    Parameters
    ----------
    people : as `prepare` returns them
    low, high : places in `people`, parallel
    """
    comparisons = comparisons_of(people)
    levels = np.zeros((len(low), len(comparisons)), dtype=np.uint8, order="F")
    for rows, place, (level, _) in _made(people, comparisons, low, high):
        levels[rows, place] = level
    return Compared(comparisons, low, high, levels, _alike(people, low, high))


def equal_values(people: People, pairs: Compared) -> np.ndarray:
    """Per pair and comparison the code of the value where both are equal, else -1.

    The codes of a field are those of `value_counts`.
    """
    values = np.full(pairs.levels.shape, -1, dtype=np.int32, order="F")
    made = _made(people, pairs.comparisons, pairs.low, pairs.high)
    for rows, place, (_, value) in made:
        values[rows, place] = value
    return values


def _made(
    people: People,
    comparisons: tuple[Comparison, ...],
    low: np.ndarray,
    high: np.ndarray,
) -> Iterator[tuple[slice, int, Sides]]:
    """Levels and values by rows and place of the comparison."""
    place = {each.field: i for i, each in enumerate(comparisons)}
    comparer = _Comparer(people)
    for begin in range(0, len(low), CHUNK):
        rows = slice(begin, begin + CHUNK)
        for field, made in comparer.fields(low[rows], high[rows]):
            yield rows, place[field], made


def _alike(people: People, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    found = np.ones(len(low), dtype=bool)
    for name in (COUNTRY.field, "script"):
        one, other = (people.columns[name].codes[side] for side in (low, high))
        found &= (one == other) | (one < 0) | (other < 0)
    return found


class _Comparer:
    """What is needed of the people, worked out once for all chunks."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._names = NameComparer(people)
        self._shared = {
            kind: _SharedValues(shared) for kind, shared in people.shared.items()
        }

    def fields(self, low: np.ndarray, high: np.ndarray) -> Iterator[tuple[str, Sides]]:
        given, family = self._names.levels(low, high)
        yield GIVEN.field, given
        yield FAMILY.field, family
        yield BIRTH.field, self._births(low, high)
        yield EMAIL.field, self._addresses(EMAIL.field, low, high, grades.emails)
        yield PHONE.field, self._addresses(PHONE.field, low, high, grades.digits)
        yield ADDRESS.field, self._postal(low, high)
        plain = {
            CITY.field: grades.cities,
            GENDER.field: grades.otherwise(GENDER),
            COUNTRY.field: grades.otherwise(COUNTRY),
        }
        ids = {f"{ID_PREFIX}{kind}": grades.digits for kind in self._people.id_kinds}
        yield POSTCODE.field, self._postcodes(low, high)
        for field, grade in (plain | ids).items():
            yield field, self._column(field, low, high, grade)

    def _column(
        self, name: str, low: np.ndarray, high: np.ndarray, grade: grades.Grade
    ) -> Sides:
        column = self._people.columns[name]
        return grades.compared(
            column.values, column.codes[low], column.codes[high], grade
        )

    def _births(self, low: np.ndarray, high: np.ndarray) -> Sides:
        level, value = self._column(BIRTH.field, low, high, grades.otherwise(BIRTH))
        rest = np.flatnonzero(level == BIRTH.different)
        one, other = self._people.birth[low[rest]], self._people.birth[high[rest]]
        graded = np.full(len(rest), BIRTH.different, dtype=np.uint8)
        graded[_parts_alike(one, other) >= 2] = BIRTH.place("part")
        graded[_digit_apart(one, other)] = BIRTH.place("digit")
        graded[_swapped(one, other)] = BIRTH.place("swapped")
        level[rest] = graded
        return level, value

    def _postcodes(self, low: np.ndarray, high: np.ndarray) -> Sides:
        level, value = self._column(POSTCODE.field, low, high, grades.postcodes)
        area = self._people.columns["area"].codes
        near = (level == POSTCODE.different) & (area[low] == area[high])
        level[near] = POSTCODE.place("area")
        return level, value

    def _addresses(
        self, kind: str, low: np.ndarray, high: np.ndarray, grade: grades.Grade
    ) -> Sides:
        """As a column, but any address that both gave counts, claims included."""
        level, _ = self._column(kind, low, high, grade)
        common = self._shared[kind].in_common(low, high)
        level[common >= 0] = EXACT
        return level, common

    def _postal(self, low: np.ndarray, high: np.ndarray) -> Sides:
        level, value = self._column(ADDRESS.field, low, high, grades.otherwise(ADDRESS))
        street, number = self._people.columns["street"], self._people.columns["number"]
        rest = np.flatnonzero(
            (level == ADDRESS.different) & street.known[low] & street.known[high]
        )
        left, right = low[rest], high[rest]
        likeness = grades.street_likeness(
            street.values[street.codes[left]], street.values[street.codes[right]]
        )
        one, other = number.codes[left], number.codes[right]
        same_number = (one == other) | (one < 0) | (other < 0)
        graded = np.full(len(rest), ADDRESS.different, dtype=np.uint8)
        graded[likeness >= SIMILAR_STREET] = ADDRESS.place("similar")
        near = likeness >= grades.NEARLY_STREET
        graded[near] = ADDRESS.place("street")
        graded[near & same_number] = ADDRESS.place("nearly")
        level[rest] = graded
        return level, value


class _SharedValues:
    """Finds what two people both gave."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._width = int(shared.codes.max(initial=0)) + 1
        self._known = shared.rows * self._width + shared.codes

    def in_common(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """The code of a value that both sides of a pair have, -1 where none."""
        found = np.full(len(low), MISSING - 1, dtype=np.int32)
        rows = self._shared.rows
        begin = np.searchsorted(rows, low, side="left")
        count = np.searchsorted(rows, low, side="right") - begin
        for step in range(int(count.max(initial=0))):
            having = np.flatnonzero(count > step)
            codes = self._shared.codes[begin[having] + step]
            wanted = high[having] * self._width + codes
            place = np.minimum(
                np.searchsorted(self._known, wanted), len(self._known) - 1
            )
            hit = self._known[place] == wanted
            found[having[hit]] = codes[hit]
        return found


def _digits(dates: np.ndarray) -> np.ndarray:
    return dates[:, None] // PLACES % 10


def _digit_apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """One digit is another, or two neighbouring ones are swapped."""
    left, right = _digits(one), _digits(other)
    differ = left != right
    count = differ.sum(axis=1)
    crosswise = (left[:, 1:] == right[:, :-1]) & (left[:, :-1] == right[:, 1:])
    neighbours = (differ[:, 1:] & differ[:, :-1] & crosswise).any(axis=1)
    return (count == 1) | ((count == 2) & neighbours)


def _parts(dates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return dates // 10_000, dates // 100 % 100, dates % 100


def _parts_alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    pairs = zip(_parts(one), _parts(other), strict=True)
    return np.sum([left == right for left, right in pairs], axis=0)


def _swapped(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    (year, month, day), (year_2, month_2, day_2) = _parts(one), _parts(other)
    return (year == year_2) & (month == day_2) & (day == month_2)
