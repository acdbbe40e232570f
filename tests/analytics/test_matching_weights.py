"""What is learnt: weights of known truth come back, and rare values count more."""

import numpy as np
import pandas as pd
import pytest

from analytics.matching_anchor import IDENTIFYING, backed, trust_in
from analytics.matching_blocking import candidates
from analytics.matching_comparison import Compared, compare
from analytics.matching_fields import (
    BIRTH,
    COMPARISONS,
    COUNTRY,
    EXACT,
    FAMILY,
    GENDER,
    GIVEN,
    POSTCODE,
)
from analytics.matching_people import prepare
from analytics.matching_scores import worth_scoring
from analytics.matching_weights import (
    ALIKE,
    BITS_MAXIMUM,
    Totals,
    contexts,
    expect_and_maximise,
    learn,
    patterns,
)
from bench.planted_people import planted_people

# Shares of levels among matches and others, exact first and different last, in the
# order of COMPARISONS; a field of None is missing everywhere.
TRUE_M = {
    GIVEN: (0.7, 0.1, 0.1, 0.04, 0.06),
    FAMILY: (0.75, 0.1, 0.05, 0.1),
    BIRTH: (0.85, 0.05, 0.05, 0.02, 0.03),
    GENDER: (0.95, 0.05),
    POSTCODE: (0.6, 0.15, 0.05, 0.2),
}
TRUE_U = {
    GIVEN: (0.01, 0.004, 0.02, 0.001, 0.965),
    FAMILY: (0.008, 0.003, 0.01, 0.979),
    BIRTH: (0.001, 0.001, 0.002, 0.01, 0.986),
    GENDER: (0.5, 0.5),
    POSTCODE: (0.01, 0.02, 0.1, 0.87),
}
MATCHES, OTHERS = 2_000, 198_000


def drawn(shares, pairs, random):
    """Pairs whose levels are drawn from known shares, each field by itself."""
    levels = np.zeros((pairs, len(COMPARISONS)), dtype=np.uint8)
    for comparison, ratios in shares.items():
        place = COMPARISONS.index(comparison)
        levels[:, place] = random.choice(len(ratios), pairs, p=ratios) + 1
    nobody = np.zeros(pairs, dtype=np.int64)
    return Compared(COMPARISONS, nobody, nobody, levels, np.ones(pairs, dtype=bool))


@pytest.fixture(scope="module")
def learnt():
    random = np.random.default_rng(1)
    matches, others = drawn(TRUE_M, MATCHES, random), drawn(TRUE_U, OTHERS, random)
    levels = np.concatenate([matches.levels, others.levels])
    pairs = len(levels)
    nobody = np.zeros(pairs, dtype=np.int64)
    every = Compared(COMPARISONS, nobody, nobody, levels, np.ones(pairs, dtype=bool))
    seen = [COMPARISONS.index(each) for each in TRUE_M]
    known, exact = np.zeros((2, len(COMPARISONS)))
    known[seen] = pairs
    exact[seen] = (levels[:, seen] == EXACT).sum(axis=0)
    whole = Totals(float(pairs), known, exact)
    return expect_and_maximise(
        COMPARISONS, patterns(every), patterns(every), whole, people=633
    )


def test_learning_comes_to_an_end(learnt):
    assert learnt.converged
    assert learnt.iterations < 100


def test_the_share_of_matches_is_recovered(learnt):
    assert learnt.prior_ratio == pytest.approx(MATCHES / (MATCHES + OTHERS), rel=0.05)


@pytest.mark.parametrize("comparison", TRUE_M, ids=lambda each: each.field)
def test_known_m_are_recovered(learnt, comparison):
    place = COMPARISONS.index(comparison)

    found = learnt.m[place, 1 : comparison.different + 1]

    assert found == pytest.approx(TRUE_M[comparison], abs=0.03)
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("comparison", TRUE_U, ids=lambda each: each.field)
def test_known_u_are_recovered(learnt, comparison):
    place = COMPARISONS.index(comparison)

    found = learnt.u[ALIKE, place, 1 : comparison.different + 1]

    assert found == pytest.approx(TRUE_U[comparison], abs=0.003)
    assert found.sum() == pytest.approx(1, abs=1e-6)


def test_a_missing_field_weighs_nothing(learnt):
    assert np.all(learnt.bits[:, :, 0] == 0)


def test_no_field_decides_alone(learnt):
    assert np.abs(learnt.bits).max() <= BITS_MAXIMUM


def test_the_probability_is_that_of_prior_and_weight(learnt):
    odds = learnt.prior_ratio / (1 - learnt.prior_ratio)

    # Ten bits multiply the odds by 1,024.
    agreeing = np.full((1, len(COMPARISONS)), EXACT)
    assert learnt.probability(np.array([10.0]), agreeing)[0] == pytest.approx(
        1024 * odds / (1 + 1024 * odds)
    )


@pytest.mark.parametrize("people", [2, 3, 8, 30])
def test_few_people_leave_what_was_believed(people):
    frame, _ = planted_people(people, seed=6, dirty_ratio=0.0)
    prepared = prepare(frame)
    low, high = np.triu_indices(people, 1)

    weights = learn(prepared, compare(prepared, low, high), random_state=1)

    bits = weights.bits[ALIKE]
    different = [each.different for each in COMPARISONS]
    assert (bits[range(len(COMPARISONS)), EXACT] > 0).all()
    assert (bits[range(len(COMPARISONS)), different] < 0).all()


@pytest.fixture(scope="module")
def strangers():
    """What is learnt of people of whom nobody is there twice."""
    people = prepare(planted_people(4000, seed=7, dirty_ratio=0.0)[0])
    found = candidates(people)
    return learn(people, compare(people, found.low, found.high), random_state=1)


def test_of_people_who_are_all_different_hardly_a_match_is_expected(strangers):
    assert strangers.prior_ratio * 4000 * 3999 / 2 < 8


@pytest.mark.parametrize("comparison", IDENTIFYING, ids=lambda each: each.field)
def test_who_differs_in_what_names_a_person_is_never_likelier_the_same(
    strangers, comparison
):
    place = strangers.comparisons.index(comparison)

    assert strangers.m[place, comparison.different] <= 0.2
    assert (strangers.bits[:, place, comparison.different] <= -1).all()


def test_more_likely_pairs_that_differ_than_one_person_has_are_not_believed():
    twins = drawn(TRUE_U, 40, np.random.default_rng(1)).levels
    twins[:, COMPARISONS.index(GIVEN)] = GIVEN.different

    trust = trust_in(COMPARISONS, twins, np.ones(len(twins)))

    # 20 pairs are believed to agree, and 18 of 100 may differ.
    assert trust[COMPARISONS.index(GIVEN)] == pytest.approx(20 * 0.18 / 0.82 / 40)


def test_namesakes_alone_back_no_matches():
    levels = np.zeros((3, len(COMPARISONS)), dtype=np.uint8)
    levels[:, [COMPARISONS.index(GIVEN), COMPARISONS.index(FAMILY)]] = EXACT
    levels[2, COMPARISONS.index(BIRTH)] = EXACT

    found = backed(COMPARISONS, levels, np.array([100.0, 50.0, 10.0]))

    assert found == 20


def test_where_an_address_agrees_a_city_says_nothing_more():
    people, _ = planted_people(3000, seed=9)
    prepared = prepare(people)
    found = candidates(prepared)
    compared = compare(prepared, found.low, found.high)

    weights = learn(prepared, compared, random_state=1)

    city = [each.field for each in COMPARISONS].index("city")
    at_home = weights.bits[2, city, EXACT]
    assert at_home < 1
    assert weights.bits[ALIKE, city, EXACT] > 2


def test_the_country_knows_no_company():
    levels = np.full((2, len(COMPARISONS)), EXACT, dtype=np.uint8)
    levels[:, :] = [[each.different for each in COMPARISONS], levels[1]]
    pairs = Compared(
        COMPARISONS, np.zeros(2), np.ones(2), levels, np.array([False, True])
    )

    found = contexts(pairs)

    country, given = COMPARISONS.index(COUNTRY), COMPARISONS.index(GIVEN)
    assert found[:, country].tolist() == [0, 0]
    assert found[:, given].tolist() == [0, 1]


def test_pairs_that_cant_reach_the_probability_are_left_out(learnt):
    random = np.random.default_rng(2)
    pairs = drawn(TRUE_U, 500, random)
    pairs.levels[:5] = drawn(TRUE_M, 5, random).levels
    pairs.levels[:5, : len(COMPARISONS)] = np.where(pairs.levels[:5] > 0, EXACT, 0)

    rows = worth_scoring(learnt, pairs, 0.5)

    assert rows[:5].tolist() == [0, 1, 2, 3, 4]
    assert len(rows) < 100


def test_the_same_seed_learns_the_same():
    people = prepare(planted_people(800, seed=4)[0])
    found = candidates(people)
    compared = compare(people, found.low, found.high)

    one, other = (learn(people, compared, random_state=3) for _ in range(2))

    assert np.array_equal(one.m, other.m)
    assert np.array_equal(one.u, other.u)


def test_patterns_count_every_pair_once():
    pairs = drawn(TRUE_U, 1000, np.random.default_rng(3))

    found = patterns(pairs)

    assert found.counts.sum() == 1000
    assert len(pd.DataFrame(found.levels).drop_duplicates()) == len(found.levels)
