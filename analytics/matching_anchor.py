"""What keeps learning at persons where the data have other groups, or no matches.

Where nobody is there twice, the likeliest pairs are families, twins and namesakes; left
to itself, learning would take what they have in common for one person.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analytics.matching_fields import (
    ADDRESS,
    BIRTH,
    EMAIL,
    EXACT,
    FAMILY,
    GIVEN,
    ID_PREFIX,
    MISSING,
    PHONE,
    Comparison,
)

# What is believed at first counts as much as so many pairs: little data stay sane.
M_PAIRS = 20.0
# Of one person's pairs a level is found at most so many times as often as is believed.
M_FACTOR = 3.0
# What names a person, and what it weighs at most that one of these differs.
IDENTIFYING = (GIVEN, FAMILY, BIRTH)
DIFFERENT_BITS = -1.0
# What few people have in common; of one person's pairs at least so many agree in one
# of these or in an id. Names and towns alone don't make the matches many.
STRONG = (BIRTH, EMAIL, PHONE, ADDRESS)
STRONG_RATIO = 0.5
WIDTH = 8


def same_names(comparisons: Sequence[Comparison], levels: np.ndarray) -> np.ndarray:
    """Where neither given name nor surname is missing or differs in full."""
    found = np.ones(len(levels), dtype=bool)
    for each in (GIVEN, FAMILY):
        column = levels[:, comparisons.index(each)]
        found &= (column >= EXACT) & (column < each.different)
    return found


def same_id(comparisons: Sequence[Comparison], levels: np.ndarray) -> np.ndarray:
    """Where an id of any kind agrees exactly."""
    ids = [each.field.startswith(ID_PREFIX) for each in comparisons]
    found: np.ndarray = (levels[:, ids] == EXACT).any(axis=1)
    return found


def backed(
    comparisons: Sequence[Comparison], levels: np.ndarray, amounts: np.ndarray
) -> float:
    """How many matches there can be: what agrees in something strong supports them.

    Parameters as of `trust_in`.
    """
    firm = float(amounts[_strong(comparisons, levels)].sum())
    return min(float(amounts.sum()), firm / STRONG_RATIO)


def _strong(comparisons: Sequence[Comparison], levels: np.ndarray) -> np.ndarray:
    """Where something agrees exactly that few people have in common."""
    ids = [each for each in comparisons if each.field.startswith(ID_PREFIX)]
    places = [comparisons.index(each) for each in (*STRONG, *ids)]
    found: np.ndarray = (levels[:, places] == EXACT).any(axis=1)
    return found


def trust_in(
    comparisons: Sequence[Comparison], levels: np.ndarray, amounts: np.ndarray
) -> np.ndarray:
    """By comparison, which share of the likely pairs that differ in it is believed.

    So many of one person's records differ in a name or the birth date, and not more:
    what is over are twins, families and namesakes. None of them has the other's id.

    Parameters
    ----------
    comparisons : the fields
    levels : one row per pattern
    amounts : per pattern, how many matches its pairs are likely to be
    """
    sums = level_sums(levels, amounts * ~same_id(comparisons, levels))
    trust = np.ones(len(comparisons))
    for i, each in enumerate(comparisons):
        if each in IDENTIFYING:
            agree = M_PAIRS + sums[i, EXACT : each.different].sum()
            most = M_FACTOR * each.levels[-1].m_ratio
            differ = max(sums[i, each.different], 1e-9)
            trust[i] = min(1.0, agree * most / (1 - most) / differ)
    return trust


def believed(
    comparisons: Sequence[Comparison], levels: np.ndarray, trust: np.ndarray
) -> np.ndarray:
    """Which share of the probability is believed, per pair: the least of its trusts."""
    found = np.ones(len(levels))
    doubtful = ~same_id(comparisons, levels)
    for i, each in enumerate(comparisons):
        differ = doubtful & (levels[:, i] == each.different)
        found[differ] = np.minimum(found[differ], trust[i])
    return found


def level_sums(levels: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Per comparison and level the sum of the amounts of its pairs.

    Parameters
    ----------
    levels : one row per pattern
    amounts : per pattern, or per pattern and comparison
    """
    amounts = np.broadcast_to(amounts.reshape(len(levels), -1), levels.shape)
    sums = [
        np.bincount(column, weights=amount, minlength=WIDTH)
        for column, amount in zip(levels.T, amounts.T, strict=True)
    ]
    found = np.array(sums)
    found[:, MISSING] = 0
    return found
