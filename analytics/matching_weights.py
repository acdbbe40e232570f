"""Learns from the data what each agreement is worth, without being told the matches.

Fellegi and Sunter (1969): a level weighs log2(m / u) bits, where m is its share among
pairs of one person and u its share among pairs of two. Expectation and maximisation
find m and the number of matches; u comes from random pairs and from counts of values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.matching_comparison import Compared, compare, value_counts
from analytics.matching_fields import EXACT, MISSING, Comparison
from analytics.matching_people import People

SAMPLE_PAIRS = 100_000
ITERATIONS_MAXIMUM = 200
TOLERANCE = 1e-5
# What is believed at first counts as much as so many pairs: little data stay sane.
M_PAIRS = 20.0
U_PAIRS = 50.0
IMPLIED_PAIRS = 20.0
# One person in ten is there twice, until the data say otherwise.
DUPLICATES_RATIO = 0.1
PRIOR_MAXIMUM = 0.1
# A value that nobody else has is at most 5 bits better than the average one.
RARITY_MAXIMUM = 32.0
RARITY_PEOPLE = 100.0
# No field decides alone, however rare its values: a file may repeat one by mistake.
BITS_MAXIMUM = 20.0
_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Patterns:
    """Distinct rows of levels and how many pairs have each.

    `implied` says per row and comparison whether a field agrees that makes this one
    likely to agree also between two people.
    """

    levels: np.ndarray
    implied: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all pairs: how many there are, know a field, and agree in it exactly."""

    pairs: float
    known: np.ndarray
    exact: np.ndarray


@dataclass(frozen=True, slots=True)
class Weights:
    """The learnt model; `m` is by comparison and level, `u` also by implied or not.

    Level 0 (missing) has equal ratios and weighs nothing.
    """

    comparisons: tuple[Comparison, ...]
    m: np.ndarray
    u: np.ndarray
    prior_ratio: float
    iterations: int
    converged: bool

    @property
    def bits(self) -> np.ndarray:
        """log2(m / u), by implied or not, comparison and level; at most 20 each."""
        bits: np.ndarray = np.log2(self.m[None] / self.u)
        return bits.clip(-BITS_MAXIMUM, BITS_MAXIMUM)

    def probability(self, bits: np.ndarray) -> np.ndarray:
        """The probability of a match, from the sum of all weights."""
        odds = np.log2(self.prior_ratio / (1 - self.prior_ratio)) + bits
        likely: np.ndarray = 1 / (1 + np.exp2(-np.clip(odds, -500, 500)))
        return likely


def patterns(comparisons: Sequence[Comparison], levels: np.ndarray) -> Patterns:
    """The distinct rows of a table of levels.

    Parameters
    ----------
    comparisons : as many as `levels` has columns
    levels : per pair and comparison the number of the level, below 8
    """
    packed = np.zeros(len(levels), dtype=np.int64)
    for column in levels.T:
        packed = packed * _WIDTH + column
    found, counts = np.unique(packed, return_counts=True)
    shifts = _WIDTH ** np.arange(levels.shape[1], dtype=np.int64)[::-1]
    rows = (found[:, None] // shifts % _WIDTH).astype(np.uint8)
    return Patterns(rows, implied(comparisons, rows), counts.astype(float))


def implied(comparisons: Sequence[Comparison], levels: np.ndarray) -> np.ndarray:
    """Per pair and comparison, 1 where a field of `implied_by` agrees exactly."""
    place = {each.field: i for i, each in enumerate(comparisons)}
    found = np.zeros(levels.shape, dtype=np.uint8)
    for i, each in enumerate(comparisons):
        parents = [place[name] for name in each.implied_by]
        if parents:
            found[:, i] = (levels[:, parents] == EXACT).any(axis=1)
    return found


def learn(people: People, candidates: Compared, random_state: int) -> Weights:
    """The weights of these people.

    Parameters
    ----------
    people : at least two
    candidates : levels of the pairs that blocking found; those it did not find are
        taken for no matches
    random_state : seed of the random pairs
    """
    comparisons = candidates.comparisons
    low, high = _random_pairs(len(people), random_state)
    sample = patterns(comparisons, compare(people, low, high).levels)
    found = patterns(comparisons, candidates.levels)
    return expect_and_maximise(
        comparisons, found, sample, totals(people, comparisons), len(people)
    )


def totals(people: People, comparisons: Sequence[Comparison]) -> Totals:
    """Counts over all pairs, from counts of values."""
    counts = [value_counts(people, each.field) for each in comparisons]
    exact = [(each * (each - 1) / 2).sum() for each in counts]
    known = np.array([each.sum() for each in counts], dtype=float)
    pairs = len(people) * (len(people) - 1) / 2
    return Totals(pairs, known * (known - 1).clip(min=0) / 2, np.array(exact))


def expect_and_maximise(
    comparisons: tuple[Comparison, ...],
    found: Patterns,
    sample: Patterns,
    whole: Totals,
    people: int,
) -> Weights:
    """The weights that make the seen levels likeliest.

    Parameters
    ----------
    comparisons : the fields and their first beliefs
    found : candidate pairs
    sample : random pairs
    whole : counts over all pairs
    people : how many there are

    Returns
    -------
    Weights after the number of expected matches stands still, or after 200 rounds.

    References
    ----------
    Winkler (1988), EM for the Fellegi-Sunter model; Winkler (2000) on frequencies.
    Comparisons are taken as independent, given whether the pair is one person and
    whether a field agrees that implies this one.
    """
    m0, u0 = _beliefs(comparisons)
    prior0 = min(PRIOR_MAXIMUM, 2 * DUPLICATES_RATIO / max(people - 1, 1))
    weights = Weights(comparisons, m0, np.stack([u0, u0]), prior0, 0, converged=False)
    matches = prior0 * whole.pairs
    for round_ in range(1, ITERATIONS_MAXIMUM + 1):
        likely = _likely(weights, found)
        m = _m(found, found.counts * likely, m0)
        u = _u(weights, found, likely, sample, whole, u0)
        expected = float((found.counts * likely).sum())
        prior = (expected + 1) / (whole.pairs + 1 / prior0)
        done = abs(expected - matches) <= TOLERANCE * max(expected, 1.0)
        done = done and bool(np.abs(m - weights.m).max() < TOLERANCE * 10)
        weights = Weights(comparisons, m, u, prior, round_, converged=done)
        matches = expected
        if done:
            break
    return weights


def _random_pairs(people: int, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    if people * (people - 1) // 2 <= SAMPLE_PAIRS:
        low, high = np.triu_indices(people, 1)
        return low, high
    random = np.random.default_rng(random_state)
    one, other = random.integers(0, people, (2, SAMPLE_PAIRS))
    apart = one != other
    one, other = one[apart], other[apart]
    return np.minimum(one, other), np.maximum(one, other)


def _beliefs(comparisons: Sequence[Comparison]) -> tuple[np.ndarray, np.ndarray]:
    m, u = np.ones((2, len(comparisons), _WIDTH))
    for i, each in enumerate(comparisons):
        m[i, 1 : each.different + 1] = [level.m_ratio for level in each.levels]
        u[i, 1 : each.different + 1] = [level.u_ratio for level in each.levels]
    return m, u


def _likely(weights: Weights, rows: Patterns) -> np.ndarray:
    places = np.arange(rows.levels.shape[1])
    bits = weights.bits[rows.implied, places, rows.levels].sum(axis=1)
    return weights.probability(bits)


def _level_sums(rows: Patterns, amounts: np.ndarray) -> np.ndarray:
    """Per comparison and level the sum of the amounts of its pairs."""
    sums = [
        np.bincount(column, weights=amounts, minlength=_WIDTH)
        for column in rows.levels.T
    ]
    found = np.array(sums)
    found[:, MISSING] = 0
    return found


def _m(found: Patterns, amounts: np.ndarray, m0: np.ndarray) -> np.ndarray:
    return _shares(_level_sums(found, amounts), m0, M_PAIRS)


def _shares(sums: np.ndarray, beliefs: np.ndarray, strength: float) -> np.ndarray:
    known = sums.sum(axis=-1, keepdims=True)
    shares = (sums + strength * beliefs) / (known + strength)
    shares[..., MISSING] = 1.0
    return shares


def _u(
    weights: Weights,
    found: Patterns,
    likely: np.ndarray,
    sample: Patterns,
    whole: Totals,
    u0: np.ndarray,
) -> np.ndarray:
    """Shares among pairs of two people: the likely matches are taken out."""
    matched = _level_sums(found, found.counts * likely)
    others = (whole.known - matched.sum(axis=1)).clip(min=0)
    exact = (whole.exact - matched[:, EXACT]).clip(min=0)
    exact = (exact + U_PAIRS * u0[:, EXACT]) / (others + U_PAIRS)
    sums = _level_sums(sample, sample.counts * (1 - _likely(weights, sample)))
    sums[:, EXACT] = 0
    beliefs = u0.copy()
    beliefs[:, EXACT] = 0
    beliefs /= (1 - u0[:, EXACT])[:, None]
    plain = _shares(sums, beliefs, U_PAIRS) * (1 - exact)[:, None]
    plain[:, EXACT] = exact
    plain[:, MISSING] = 1.0
    amounts = found.counts * (1 - likely)
    within = [
        np.bincount(levels, weights=amounts * given, minlength=_WIDTH)
        for levels, given in zip(found.levels.T, found.implied.T, strict=True)
    ]
    sums = np.array(within)
    sums[:, MISSING] = 0
    implied_ = _shares(sums, plain, IMPLIED_PAIRS)
    # What is implied is no rarer than what is not, few pairs seem to say so at times.
    implied_[:, EXACT] = np.maximum(implied_[:, EXACT], plain[:, EXACT])
    return np.stack([plain, implied_])


def pair_bits(people: People, weights: Weights, pairs: Compared) -> np.ndarray:
    """Per pair and comparison the weight in bits, rare values counting more.

    Parameters
    ----------
    people : of whom the pairs are
    weights : as `learn` returns them
    pairs : levels and equal values
    """
    context = implied(pairs.comparisons, pairs.levels)
    bits = np.empty(pairs.levels.shape, dtype=np.float32, order="F")
    for i, each in enumerate(pairs.comparisons):
        bits[:, i] = weights.bits[context[:, i], i, pairs.levels[:, i]]
        same = np.flatnonzero(pairs.levels[:, i] == EXACT)
        counts = value_counts(people, each.field)
        rarity = _rarity(counts, weights.u[0, i, EXACT])
        bits[same, i] += rarity[pairs.values[same, i]]
        # An agreement is never worse evidence than none.
        bits[same, i] = bits[same, i].clip(0, BITS_MAXIMUM)
    return bits


def _rarity(counts: np.ndarray, u_exact: float) -> np.ndarray:
    """Bits by value: above 0 for a rare one, below 0 for a common one.

    The pair itself doesn't make its value common, so two people don't count.
    """
    known = counts.sum()
    others = (counts - 2).clip(min=0) + RARITY_PEOPLE * u_exact
    ratio = others / (known + RARITY_PEOPLE) / u_exact
    bits: np.ndarray = -np.log2(ratio.clip(min=1 / RARITY_MAXIMUM))
    return bits
