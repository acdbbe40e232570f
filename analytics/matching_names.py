"""Compares names: given name with given name, surname with surname, and crosswise."""

from __future__ import annotations

import numpy as np
from rapidfuzz.distance import Indel, JaroWinkler

from analytics import matching_grades as grades
from analytics.matching_fields import (
    EXACT,
    FAMILY,
    GIVEN,
    MISSING,
    Comparison,
)
from analytics.matching_people import People, is_han, sound

# Two names that differ by a blank and perhaps a letter: "anne marie", "annemarie".
NEARLY_WHOLE = 0.93

Sides = tuple[np.ndarray, np.ndarray]


class NameComparer:
    """What is needed of the names, worked out once for all pairs."""

    def __init__(self, people: People) -> None:
        self._columns = people.columns
        self._names = people.columns["given"].values
        self._han = np.array([*(is_han(name) for name in self._names), False])
        sounds = np.array([*(sound(name) for name in self._names), ""], dtype=str)
        self._sounds = np.unique(sounds, return_inverse=True)[1]
        self._short = np.array([*(len(name) == 1 for name in self._names), False])
        first = np.array([*(name[0] for name in self._names), ""], dtype=str)
        self._first = np.unique(first, return_inverse=True)[1]
        blank = np.array([*(" " in name for name in self._names), False])
        self._blank = blank[people.columns["given"].codes]

    def levels(self, low: np.ndarray, high: np.ndarray) -> tuple[Sides, Sides]:
        """Levels and equal values of given names, and the same of surnames."""
        given, family = self._aligned(low, high)
        first, last = self._compared(GIVEN, given), self._compared(FAMILY, family)
        swapped = self._swapped(given, family, first[0], last[0])
        first[0][swapped] = GIVEN.place("swapped")
        last[0][swapped] = MISSING
        self._mend_blanks(low, high, first[0], last[0])
        return first, last

    def _aligned(self, low: np.ndarray, high: np.ndarray) -> tuple[Sides, Sides]:
        """Given names and surnames of both; a single name goes where it fits better."""
        given, family, single = (
            self._columns[name].codes for name in ("given", "family", "single")
        )
        firsts = given[low].copy(), given[high].copy()
        lasts = family[low].copy(), family[high].copy()
        alone = single[low], single[high]
        for this, that in ((0, 1), (1, 0)):
            rows = np.flatnonzero(alone[this] >= 0)
            word, known = alone[this][rows], alone[that][rows] < 0
            fits_given = self._likeness(word, firsts[that][rows])
            fits_family = self._likeness(word, lasts[that][rows])
            as_given = known & (fits_given > fits_family)
            firsts[this][rows[as_given]] = word[as_given]
            lasts[this][rows[~as_given]] = word[~as_given]
        for sides in (firsts, lasts):
            # A Chinese name and a Latin one can't be compared letter by letter.
            sides[0][self._han[sides[0]] != self._han[sides[1]]] = -1
        return firsts, lasts

    def _likeness(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        found = np.zeros(len(one))
        known = np.flatnonzero((one >= 0) & (other >= 0))
        found[known] = grades.each(
            JaroWinkler.similarity, self._names[one[known]], self._names[other[known]]
        )
        return found

    def _compared(self, comparison: Comparison, sides: Sides) -> Sides:
        one, other = sides
        level, value = grades.compared(
            self._names, one, other, grades.names(comparison)
        )
        differ = level == comparison.different
        # An initial stands for a name.
        level[differ & self._initial(one, other)] = comparison.place("similar")
        # One character more or less is another Chinese name, as brothers have.
        han = self._han[one] & self._han[other] & (level > EXACT)
        level[han] = comparison.different
        return level, value

    def _initial(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Where one is the first letter of the other; false where one is missing."""
        short = self._short[one] | self._short[other]
        found: np.ndarray = short & (self._first[one] == self._first[other])
        return found & (one >= 0)

    def _swapped(
        self, given: Sides, family: Sides, first: np.ndarray, last: np.ndarray
    ) -> np.ndarray:
        """Where given name and surname agree only crosswise."""
        differ = (first >= GIVEN.place("similar")) & (last >= FAMILY.place("similar"))
        sounds = self._sounds
        crosswise = (sounds[given[0]] == sounds[family[1]]) | (
            sounds[family[0]] == sounds[given[1]]
        )
        rows = np.flatnonzero(differ & crosswise)
        near = [
            (self._likeness(one, other) >= grades.SIMILAR_NAME)
            | self._initial(one, other)
            for one, other in (
                (given[0][rows], family[1][rows]),
                (family[0][rows], given[1][rows]),
            )
        ]
        found = np.zeros(len(first), dtype=bool)
        found[rows[near[0] & near[1]]] = True
        return found

    def _mend_blanks(
        self, low: np.ndarray, high: np.ndarray, first: np.ndarray, last: np.ndarray
    ) -> None:
        blank = self._blank
        rows = np.flatnonzero((last == FAMILY.different) & (blank[low] | blank[high]))
        whole = self._columns["whole"]
        one, other = whole.codes[low[rows]], whole.codes[high[rows]]
        likeness = grades.each(
            Indel.normalized_similarity, whole.values[one], whole.values[other]
        )
        alike = rows[likeness >= NEARLY_WHOLE]
        first[alike] = GIVEN.place("spelling")
        last[alike] = FAMILY.place("spelling")
