"""The weight of each pair: what its levels are worth, and how rare its values are."""

from __future__ import annotations

import numpy as np

from analytics.matching_comparison import CHUNK, Compared, value_counts
from analytics.matching_fields import COUNTRY, EXACT
from analytics.matching_people import People
from analytics.matching_weights import BITS_MAXIMUM, IMPLIED, Weights, contexts

# A value that nobody else has is at most 5 bits better than the average one.
RARITY_BITS = 5.0
RARE_FIELDS = 3
# An agreement of three people is not yet a common value.
RARITY_PEOPLE = 3.0


def usual_bits(weights: Weights, pairs: Compared) -> np.ndarray:
    """Per pair and comparison the weight of its level, whatever the values.

    Parameters
    ----------
    weights : as `learn` returns them
    pairs : compared
    """
    places = np.arange(len(pairs.comparisons))
    bits: np.ndarray = weights.bits[contexts(pairs), places, pairs.levels]
    return bits


def worth_scoring(weights: Weights, pairs: Compared, least_ratio: float) -> np.ndarray:
    """Numbers of the pairs that may reach a probability, were their values rare.

    Parameters
    ----------
    weights : as `learn` returns them
    pairs : compared; millions, so they are looked at in parts
    least_ratio : the probability
    """
    least = np.log2(least_ratio / (1 - least_ratio)) - RARE_FIELDS * RARITY_BITS
    prior = np.log2(weights.prior_ratio / (1 - weights.prior_ratio))
    found = []
    for begin in range(0, len(pairs), CHUNK):
        rows = np.arange(begin, min(begin + CHUNK, len(pairs)))
        bits = usual_bits(weights, pairs.part(rows)).sum(axis=1)
        found.append(rows[prior + bits >= least])
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def pair_bits(
    people: People, weights: Weights, pairs: Compared, values: np.ndarray
) -> np.ndarray:
    """Per pair and comparison the weight in bits, rare values counting more.

    Parameters
    ----------
    people : of whom the pairs are
    weights : as `learn` returns them
    pairs : compared
    values : as `equal_values` returns them
    """
    context = contexts(pairs)
    bits = usual_bits(weights, pairs)
    for i, each in enumerate(pairs.comparisons):
        same = pairs.levels[:, i] == EXACT
        # A rare city says nothing more where the address agrees already, and a rare
        # country nothing more than its names and cities, which are as rare.
        free = same & (context[:, i] < IMPLIED) & (each is not COUNTRY)
        rarity = _rarity(value_counts(people, each.field))
        bits[free, i] += rarity[values[free, i]]
        # An agreement is never worse evidence than none.
        bits[same, i] = bits[same, i].clip(0, BITS_MAXIMUM)
    return bits


def _rarity(counts: np.ndarray) -> np.ndarray:
    """Bits by value: above 0 for a rarer one than usual, below 0 for a common one.

    Usual is what the average agreeing pair has. The pair itself doesn't make its value
    common, so two people don't count.
    """
    others = (counts - 2).clip(min=0)
    pairs = counts * (counts - 1)
    usual = (pairs * others).sum() / max(pairs.sum(), 1)
    bits: np.ndarray = np.log2((usual + RARITY_PEOPLE) / (others + RARITY_PEOPLE))
    return bits.clip(max=RARITY_BITS)
