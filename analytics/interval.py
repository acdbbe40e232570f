"""Intervals of 95 % around shares and means, and around their differences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
Z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true figure probably lies."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether the value lies outside."""
        return not self.low <= value <= self.high


def wilson(successes: int, n: int) -> Interval | None:
    """The interval of a share.

    Parameters
    ----------
    successes : 0..n
    n : observations, independent of each other

    Returns
    -------
    Interval within 0..1, or None where n is 0.

    References
    ----------
    Wilson (1927), score interval without continuity correction. Asymmetric near 0
    and 1, and of use from about five observations on.
    """
    if n == 0:
        return None
    share = successes / n
    scale = 1 + Z**2 / n
    middle = (share + Z**2 / (2 * n)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def mean_interval(
    values: np.ndarray, low: float = -math.inf, high: float = math.inf
) -> Interval | None:
    """The interval of a mean.

    Parameters
    ----------
    values : observations, none missing, independent of each other
    low, high : bounds of the scale; the interval is cut there

    Returns
    -------
    Student's t interval; None for fewer than two observations, or where all are
    alike: such values say nothing of how far the next one may lie.

    References
    ----------
    Student (1908). With few and skewed values it is too narrow on the long side.
    """
    n = len(values)
    if n < 2 or np.ptp(values) == 0:
        return None
    half = float(
        stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n)
    )
    middle = float(np.mean(values))
    return Interval(max(low, middle - half), min(high, middle + half))


def share_difference(
    successes: int, n: int, other_successes: int, other_n: int
) -> Interval | None:
    """The interval of a share less another share.

    Parameters
    ----------
    successes, n : of the first group
    other_successes, other_n : of the group that is taken off

    Returns
    -------
    Interval within -1..1, or None where a group is empty.

    References
    ----------
    Newcombe (1998), "Interval estimation for the difference between independent
    proportions", method 10 (hybrid score).
    """
    own, other = wilson(successes, n), wilson(other_successes, other_n)
    if own is None or other is None:
        return None
    share, other_share = successes / n, other_successes / other_n
    difference = share - other_share
    below = math.hypot(share - own.low, other.high - other_share)
    above = math.hypot(own.high - share, other_share - other.low)
    return Interval(difference - below, difference + above)


def mean_difference(values: np.ndarray, other: np.ndarray) -> Interval | None:
    """The interval of a mean less another mean.

    Parameters
    ----------
    values : of the first group, none missing
    other : of the group that is taken off

    Returns
    -------
    Interval, or None where a group has fewer than two values, or none vary.

    References
    ----------
    Welch (1947): unequal variances. Amounts of money are skewed; below some hundred
    customers a group the interval is rough.
    """
    if len(values) < 2 or len(other) < 2:
        return None
    own_part = float(np.var(values, ddof=1)) / len(values)
    other_part = float(np.var(other, ddof=1)) / len(other)
    if own_part + other_part == 0:
        return None
    freedom = (own_part + other_part) ** 2 / (
        own_part**2 / (len(values) - 1) + other_part**2 / (len(other) - 1)
    )
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * math.sqrt(
        own_part + other_part
    )
    difference = float(np.mean(values) - np.mean(other))
    return Interval(difference - half, difference + half)
