import numpy as np
import pytest

from analytics.interval import mean_difference, mean_interval, share_difference, wilson


# Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I,
# method 3.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_of_a_share_is_as_published(successes, n, low, high):
    interval = wilson(successes, n)

    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


# Newcombe (1998), "Interval estimation for the difference", table II, method 10.
@pytest.mark.parametrize(
    ("groups", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_the_interval_of_a_difference_of_shares_is_as_published(groups, low, high):
    interval = share_difference(*groups)

    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_of_a_mean_worked_by_hand():
    # Mean 3, standard deviation 1.5811, t(0.975, 4) = 2.7764: 3 +- 1.9632.
    interval = mean_interval(np.array([1, 2, 3, 4, 5]))

    assert (interval.low, interval.high) == pytest.approx((1.0368, 4.9632), abs=1e-4)


def test_the_interval_stays_on_the_scale():
    assert mean_interval(np.array([1, 5]), 1, 5).high == 5


@pytest.mark.parametrize("values", [[], [4], [4, 4, 4]])
def test_what_does_not_vary_has_no_interval(values):
    assert mean_interval(np.array(values, dtype=float)) is None


def test_welch_worked_by_hand():
    # Variances 1 and 4 of 3 each: error 1.2910, freedom 2.941, t 3.2174.
    interval = mean_difference(np.array([9.0, 10, 11]), np.array([2.0, 4, 6]))

    assert (interval.low, interval.high) == pytest.approx((1.8464, 10.1536), abs=2e-3)


@pytest.mark.parametrize(
    ("values", "other"), [([], [1.0, 2]), ([1.0], [1.0, 2]), ([2.0, 2], [1.0, 1])]
)
def test_too_few_values_have_no_difference(values, other):
    assert mean_difference(np.array(values), np.array(other)) is None


def test_an_empty_group_has_no_interval():
    assert wilson(0, 0) is None
    assert share_difference(0, 0, 1, 2) is None
