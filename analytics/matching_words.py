"""Says in words what speaks for a pair being one person, and what against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.matching_comparison import Compared
from analytics.matching_fields import EXACT, MISSING, Comparison
from analytics.matching_people import People

# An agreement that is worth so many bits less than usual is of a common value.
COMMON_BITS = 2.0
_UNITS = {"spelling": "letter", "digit": "digit"}
_COLUMNS = {"given_name": "given", "family_name": "family"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One comparison of a pair; `level` is its key, `words` are for a person.

    `weight_bits` is above 0 where the comparison speaks for one person: each bit
    doubles the odds.
    """

    field: str
    level: str
    words: str
    weight_bits: float


def evidence(
    people: People, pairs: Compared, bits: np.ndarray, usual: np.ndarray
) -> list[tuple[Evidence, ...]]:
    """Per pair its comparisons, the heaviest first; what is missing is left out.

    Parameters
    ----------
    people : of whom the pairs are
    pairs : few, for each is put into words
    bits : weight per pair and comparison
    usual : the same without regard to how common an equal value is
    """
    texts = {each.field: _Texts(people, each) for each in pairs.comparisons}
    found = []
    for row in range(len(pairs)):
        sides = int(pairs.low[row]), int(pairs.high[row])
        of_pair = [
            Evidence(
                each.field,
                each.levels[level - 1].key,
                texts[each.field].words(
                    level, sides, float(usual[row, i] - bits[row, i])
                ),
                round(float(bits[row, i]), 1),
            )
            for i, each in enumerate(pairs.comparisons)
            if (level := int(pairs.levels[row, i])) != MISSING
        ]
        found.append(tuple(sorted(of_pair, key=lambda each: -abs(each.weight_bits))))
    return found


def through(customer_id: int) -> Evidence:
    """The evidence of a pair that is one person only by way of a third customer."""
    words = f"both are the same person as customer {customer_id}"
    return Evidence("customer", "chain", words, 0.0)


class _Texts:
    """The words of one comparison."""

    def __init__(self, people: People, comparison: Comparison) -> None:
        name = _COLUMNS.get(comparison.field, comparison.field)
        self._column = people.columns[name]
        self._comparison = comparison

    def words(self, level: int, sides: tuple[int, int], loss_bits: float) -> str:
        found = self._comparison.levels[level - 1]
        if level == EXACT and loss_bits >= COMMON_BITS:
            return f"{found.words}, but common"
        if found.key not in _UNITS:
            return found.words
        codes = [int(self._column.codes[side]) for side in sides]
        if min(codes) < 0:
            return found.words
        one, other = (str(self._column.values[code]) for code in codes)
        noun = self._comparison.noun
        return f"{noun} {_difference(one, other, _UNITS[found.key])}"


def _difference(one: str, other: str, unit: str) -> str:
    if one.replace(" ", "") == other.replace(" ", ""):
        return "differ by a blank"
    if len(one) == len(other) and sorted(one) == sorted(other):
        return f"have two {unit}s swapped"
    return f"differ by one {unit}"
