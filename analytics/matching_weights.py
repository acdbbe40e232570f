"""Learns from the data what each agreement is worth, without being told the matches.

Fellegi and Sunter (1969): a level weighs log2(m / u) bits, where m is its share among
pairs of one person and u its share among pairs of two. Expectation and maximisation
find m and the number of matches; u comes from random pairs and from counts of values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.matching_anchor import (
    DIFFERENT_BITS,
    IDENTIFYING,
    M_FACTOR,
    M_PAIRS,
    WIDTH,
    backed,
    believed,
    level_sums,
    same_names,
    trust_in,
)
from analytics.matching_comparison import Compared, compare, value_counts
from analytics.matching_fields import (
    BIRTH,
    COUNTRY,
    EXACT,
    GIVEN,
    MISSING,
    NAMES,
    Comparison,
)
from analytics.matching_people import People

SAMPLE_PAIRS = 100_000
ITERATIONS_MAXIMUM = 200
TOLERANCE = 1e-5
# What is believed at first counts as much as so many pairs, as M_PAIRS do.
U_PAIRS = 50.0
IMPLIED_PAIRS = 20.0
IMPLIED_SAMPLE = 200
# One person in ten is there twice, until the data say otherwise.
DUPLICATES_RATIO = 0.1
PRIOR_MAXIMUM = 0.1
# No field decides alone, however rare its values: a file may repeat one by mistake.
BITS_MAXIMUM = 20.0
APART, ALIKE, IMPLIED, CONTEXTS = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Patterns:
    """Distinct rows of levels, with the context of each, and how many pairs have it."""

    levels: np.ndarray
    context: np.ndarray
    alike: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all pairs: how many there are, know a field, and agree in it exactly."""

    pairs: float
    known: np.ndarray
    exact: np.ndarray


@dataclass(frozen=True, slots=True)
class Weights:
    """The learnt model; `m` is by comparison and level, `u` also by context.

    Level 0 (missing) has equal ratios and weighs nothing. `trust` is, by comparison,
    which share of the probability of a pair is believed that differs in it in full.
    """

    comparisons: tuple[Comparison, ...]
    m: np.ndarray
    u: np.ndarray
    prior_ratio: float
    iterations: int
    converged: bool
    trust: np.ndarray

    @property
    def bits(self) -> np.ndarray:
        """log2(m / u), by context, comparison and level; at most 20 each.

        To differ in full never speaks for one person.
        """
        bits = np.log2(self.m / self.u).clip(-BITS_MAXIMUM, BITS_MAXIMUM)
        for i, each in enumerate(self.comparisons):
            most = DIFFERENT_BITS if each in IDENTIFYING else 0.0
            bits[:, i, each.different] = bits[:, i, each.different].clip(max=most)
        return bits

    def probability(self, bits: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """The probability of a match, from the sum of all weights.

        Parameters
        ----------
        bits : the sum per pair
        levels : per pair and comparison
        """
        odds = np.log2(self.prior_ratio / (1 - self.prior_ratio)) + bits
        likely: np.ndarray = 1 / (1 + np.exp2(-np.clip(odds, -500, 500)))
        return likely * believed(self.comparisons, levels, self.trust)


def contexts(pairs: Compared) -> np.ndarray:
    """Per pair and comparison, in which company it agrees by chance.

    `APART`: of different countries or scripts; `ALIKE`: of the same; from `IMPLIED` on:
    the first, second, third field of `implied_by` agrees exactly, the first counting
    before the others. The country itself knows no company.
    """
    comparisons = pairs.comparisons
    place = {each.field: i for i, each in enumerate(comparisons)}
    levels = pairs.levels
    namesakes = same_names(comparisons, levels)
    found = np.zeros(levels.shape, dtype=np.uint8, order="F")
    for i, each in enumerate(comparisons):
        if each is not COUNTRY:
            found[:, i] = np.where(pairs.alike, ALIKE, APART)
        for number, name in reversed(list(enumerate(each.implied_by))):
            agree = namesakes if name == NAMES else levels[:, place[name]] == EXACT
            found[agree, i] = IMPLIED + number
    return found


def patterns(pairs: Compared) -> Patterns:
    """The distinct rows of levels and contexts."""
    packed = pairs.alike.astype(np.int64)
    for column in pairs.levels.T:
        packed = packed * WIDTH + column
    _, first, counts = np.unique(packed, return_index=True, return_counts=True)
    rows = pairs.part(first)
    return Patterns(rows.levels, contexts(rows), rows.alike, counts.astype(float))


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
    sample = patterns(compare(people, low, high))
    whole = totals(people, comparisons)
    return expect_and_maximise(
        comparisons, patterns(candidates), sample, whole, len(people)
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
    all_trust = np.ones(len(comparisons))
    u = np.stack([u0] * CONTEXTS)
    weights = Weights(comparisons, m0, u, prior0, 0, converged=False, trust=all_trust)
    possible = _conceivable(comparisons, found)
    matches = prior0 * whole.pairs
    for round_ in range(1, ITERATIONS_MAXIMUM + 1):
        likely = _likely(weights, found) * possible
        amounts = found.counts * likely
        m = _m(found, amounts, m0)
        u = _u(weights, found, likely, sample, whole, u0)
        expected = backed(comparisons, found.levels, amounts)
        prior = (expected + 1) / (whole.pairs + 1 / prior0)
        doubted = _likely(replace(weights, trust=all_trust), found) * possible
        trust = trust_in(comparisons, found.levels, found.counts * doubted)
        done = abs(expected - matches) <= TOLERANCE * max(expected, 1.0)
        done = done and bool(np.abs(m - weights.m).max() < TOLERANCE * 10)
        weights = Weights(comparisons, m, u, prior, round_, done, trust)
        matches = expected
        if done:
            break
    return weights


def empty_ratios(comparisons: int) -> tuple[np.ndarray, np.ndarray]:
    """The ratios m and u of levels that all weigh nothing."""
    return np.ones((comparisons, WIDTH)), np.ones((CONTEXTS, comparisons, WIDTH))


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
    m, u = np.ones((2, len(comparisons), WIDTH))
    for i, each in enumerate(comparisons):
        m[i, 1 : each.different + 1] = [level.m_ratio for level in each.levels]
        u[i, 1 : each.different + 1] = [level.u_ratio for level in each.levels]
    return m, u


def _likely(weights: Weights, rows: Patterns) -> np.ndarray:
    places = np.arange(rows.levels.shape[1])
    bits = weights.bits[rows.context, places, rows.levels].sum(axis=1)
    return weights.probability(bits, rows.levels)


def _conceivable(comparisons: Sequence[Comparison], rows: Patterns) -> np.ndarray:
    """Where not both given name and birth date differ.

    Without this, learning may drift to what is a group in the data as well: families,
    or people of one town.
    """
    place = {each.field: i for i, each in enumerate(comparisons)}
    given = rows.levels[:, place[GIVEN.field]]
    birth = rows.levels[:, place[BIRTH.field]]
    possible: np.ndarray = (given != GIVEN.different) | (birth < BIRTH.place("part"))
    return possible


def _m(found: Patterns, amounts: np.ndarray, m0: np.ndarray) -> np.ndarray:
    shares = _shares(level_sums(found.levels, amounts), m0, M_PAIRS)
    return np.minimum(shares, M_FACTOR * m0)


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
    """Shares among pairs of two people, by context; likely matches are taken out."""
    two = sample.counts * (1 - _likely(weights, sample))
    matched = level_sums(found.levels, found.counts * likely)
    known = (whole.known - matched.sum(axis=1)).clip(min=0)
    exact = (whole.exact - matched[:, EXACT]).clip(min=0)
    exact = (exact + U_PAIRS * u0[:, EXACT]) / (known + U_PAIRS)
    plain = _seen(sample, two, u0)
    apart, alike = (
        _with_exact(_seen(sample, two * (sample.alike == each), plain), plain, exact)
        for each in (False, True)
    )
    # The company is told by the country, so it can't tell the country's share.
    country = weights.comparisons.index(COUNTRY)
    apart[country] = alike[country] = _with_exact(plain, plain, exact)[country]
    others = found.counts * (1 - likely)
    implied = [
        _implied(found, others, sample, two, alike, context)
        for context in range(IMPLIED, CONTEXTS)
    ]
    return np.stack([apart, alike, *implied])


def _seen(sample: Patterns, amounts: np.ndarray, beliefs: np.ndarray) -> np.ndarray:
    """Shares of levels in a sample; what it never shows may still be there."""
    sums = level_sums(sample.levels, amounts)
    shares = _shares(sums, beliefs, U_PAIRS)
    least = 0.5 / (sums.sum(axis=1, keepdims=True) + U_PAIRS)
    return np.maximum(shares, np.minimum(least, beliefs))


def _with_exact(shares: np.ndarray, plain: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Shares of a sample with the true share of exact agreement.

    A sample knows too little of rare agreements; it only says how many more or fewer
    there are in this context.
    """
    found = shares.copy()
    found[:, EXACT] = (exact * shares[:, EXACT] / plain[:, EXACT]).clip(max=0.999)
    rest = (1 - found[:, EXACT]) / (1 - shares[:, EXACT])
    found[:, EXACT + 1 :] *= rest[:, None]
    found[:, MISSING] = 1.0
    return found


def _implied(
    found: Patterns,
    others: np.ndarray,
    sample: Patterns,
    two: np.ndarray,
    alike: np.ndarray,
    context: int,
) -> np.ndarray:
    """Shares where a field agrees that implies this one.

    Two people of one address are seldom in a sample, but always candidates.
    """
    sums = level_sums(sample.levels, two[:, None] * (sample.context == context))
    few = sums.sum(axis=1) < IMPLIED_SAMPLE
    rare = level_sums(found.levels, others[:, None] * (found.context == context))
    sums[few] = rare[few]
    shares = _shares(sums, alike, IMPLIED_PAIRS)
    # What is implied is not rarer, though few pairs may seem to say so.
    shares[:, EXACT] = np.maximum(shares[:, EXACT], alike[:, EXACT])
    return shares
