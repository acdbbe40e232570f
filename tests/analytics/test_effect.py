import numpy as np
import pandas as pd
import pytest

from analytics.effect import Verdict, effect
from core.errors import DataError


def members(treated, holdout, outcome="converted"):
    arms = ["treated"] * len(treated) + ["holdout"] * len(holdout)
    values = np.r_[treated, holdout]
    ids = range(len(values))
    return pd.DataFrame({"customer_id": ids, "arm": arms, outcome: values})


def shares(successes, n):
    return np.arange(n) < successes


def test_a_difference_of_shares_with_its_interval():
    # Newcombe (1998), table II: 56 of 70 less 48 of 80.
    table = members(shares(56, 70), shares(48, 80))

    found = effect(table, means=[]).differences[0]

    assert found.difference == pytest.approx(0.2)
    assert found.interval.low == pytest.approx(0.0524, abs=5e-5)
    assert found.interval.high == pytest.approx(0.3339, abs=5e-5)
    assert found.verdict == Verdict.MORE
    assert found.total == pytest.approx(14)


def test_a_difference_of_means_with_its_interval():
    # 50 values of 10 +- 1 against 50 of 12 +- 1 (variance 50/49): error 0.2020.
    table = members([9.0, 11.0] * 25, [11.0, 13.0] * 25, "revenue")

    found = effect(table, [], ["revenue"]).differences[0]

    assert found.difference == pytest.approx(-2)
    assert found.interval.low == pytest.approx(-2.401, abs=1e-3)
    assert found.verdict == Verdict.LESS


def test_an_interval_that_holds_zero_shows_no_difference():
    found = effect(members(shares(11, 100), shares(10, 100)), means=[]).differences[0]

    assert found.verdict == Verdict.NO_DIFFERENCE


@pytest.mark.parametrize(
    ("treated", "holdout", "reason"),
    [
        (shares(9, 100), shares(2, 29), "29 customers held out: at least 30 needed"),
        (shares(5, 20), shares(2, 40), "20 customers treated: at least 30 needed"),
        (shares(4, 100), shares(0, 50), "4 customers with it: at least 5 needed"),
        (shares(99, 100), shares(48, 50), "3 customers without it: at least 5 needed"),
    ],
)
def test_too_little_data_says_so_without_an_interval(treated, holdout, reason):
    found = effect(members(treated, holdout), means=[]).differences[0]

    assert found.verdict == Verdict.NOT_ENOUGH_DATA
    assert found.reason == reason
    assert found.interval is None
    assert found.difference is not None


def test_values_that_are_all_alike_say_nothing():
    found = effect(members([0.0] * 50, [0.0] * 50, "orders"), [], ["orders"])

    assert found.differences[0].reason == "all values are alike in each group"


def test_nobody_assigned_is_not_enough_data():
    found = effect(members([], []), means=[]).differences[0]

    assert found.verdict == Verdict.NOT_ENOUGH_DATA
    assert found.difference is None
    assert found.total is None


def test_a_customer_in_both_arms_leaves_the_analysis():
    table = members(shares(20, 50), shares(10, 50))
    merged = pd.concat([table, table.iloc[[0]].assign(arm="holdout")])

    found = effect(merged, means=[])

    assert found.excluded == 1
    assert found.differences[0].treated_n == 49


def test_an_unknown_outcome_is_left_out_of_that_outcome_only():
    table = members([5.0, 4.0, np.nan] * 20, [3.0, 4.0] * 20, "csi").assign(orders=1)

    csi, orders = effect(table, [], ["csi", "orders"]).differences

    assert (csi.treated_n, orders.treated_n) == (40, 60)


def test_an_unknown_arm_is_refused():
    with pytest.raises(DataError, match="treated or holdout"):
        effect(members([True], []).assign(arm="control"), means=[])
