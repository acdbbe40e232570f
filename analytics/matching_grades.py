"""How unequal words are: from two arrays of words the levels of one comparison.

All words given here are known and unequal; the exact level is settled before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA, Indel, JaroWinkler

from analytics.matching_fields import (
    CITY,
    EMAIL,
    EXACT,
    MISSING,
    PHONE,
    POSTCODE,
    Comparison,
)

# Jaro-Winkler: "jon" and "john" 0.93, "meyer" and "meier" 0.89, "anna" and "emma" 0.5.
SIMILAR_NAME = 0.88
# Shorter words that differ by one letter are other words: Li and Lu.
SPELLING_LENGTH = 4
NEARLY_STREET = 0.85

Grade = Callable[[np.ndarray, np.ndarray], np.ndarray]


def each(
    scorer: Callable[..., float], one: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """A score per pair of words.

    Parameters
    ----------
    scorer : of rapidfuzz
    one, other : object arrays of str, parallel
    """
    if not len(one):
        return np.zeros(0, dtype=np.float32)
    return process.cpdist(one.tolist(), other.tolist(), scorer=scorer)


def names(comparison: Comparison) -> Grade:
    """The grade of given names or surnames, which have the same levels."""
    spelling, similar = comparison.place("spelling"), comparison.place("similar")

    def grade(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        likeness = each(JaroWinkler.similarity, one, other)
        level = np.full(len(one), comparison.different, dtype=np.uint8)
        level[likeness >= SIMILAR_NAME] = similar
        level[_one_letter_apart(one, other)] = spelling
        return level

    return grade


def cities(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The grade of cities."""
    level = np.full(len(one), CITY.different, dtype=np.uint8)
    level[each(JaroWinkler.similarity, one, other) >= SIMILAR_NAME] = CITY.place(
        "similar"
    )
    level[_one_letter_apart(one, other)] = CITY.place("spelling")
    return level


def postcodes(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The grade of postcodes; who lives in one area is left to the caller."""
    level = np.full(len(one), POSTCODE.different, dtype=np.uint8)
    level[each(OSA.distance, one, other) <= 1] = POSTCODE.place("digit")
    return level


def digits(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The grade of phone numbers and ids."""
    near = each(OSA.distance, one, other) <= 1
    return np.where(near, PHONE.place("digit"), PHONE.different).astype(np.uint8)


def emails(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The grade of e-mail addresses."""
    near = each(OSA.distance, one, other) <= 1
    return np.where(near, EMAIL.place("spelling"), EMAIL.different).astype(np.uint8)


def otherwise(comparison: Comparison) -> Grade:
    """The grade of a field that is the same or not."""

    def grade(one: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.full(len(one), comparison.different, dtype=np.uint8)

    return grade


def street_likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """0 to 1: letters in common, or words in common where one leaves some out."""
    likeness = each(Indel.normalized_similarity, one, other)
    apart = np.flatnonzero(likeness < NEARLY_STREET)
    by_words = each(fuzz.token_set_ratio, one[apart], other[apart]) / 100
    likeness[apart] = np.maximum(likeness[apart], by_words)
    return likeness


def _one_letter_apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """One letter changed, left out or put in, or two neighbours swapped."""
    near = each(OSA.distance, one, other) <= 1
    rows = np.flatnonzero(near)
    near[rows] = [
        min(len(left), len(right)) >= SPELLING_LENGTH
        for left, right in zip(one[rows], other[rows], strict=True)
    ]
    return near


def compared(
    values: np.ndarray, one: np.ndarray, other: np.ndarray, grade: Grade
) -> tuple[np.ndarray, np.ndarray]:
    """Per pair of codes the level, and the code of an equal value or -1.

    Parameters
    ----------
    values : the words of the codes
    one, other : codes, parallel; -1 is missing
    grade : judges the pairs that are known and unequal
    """
    known = (one >= 0) & (other >= 0)
    same = known & (one == other)
    level = np.where(same, EXACT, MISSING).astype(np.uint8)
    rest = np.flatnonzero(known & ~same)
    level[rest] = grade(values[one[rest]], values[other[rest]])
    return level, np.where(same, one, -1)
