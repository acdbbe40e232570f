import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.archetype import name_centres, slug, still_true


def rfm(recency, frequency, total_spent):
    return {
        "recency_days": recency,
        "frequency": frequency,
        "total_spent": total_spent,
    }


def keys(*centres, taken=()):
    return [name.key for name in name_centres(centres, taken)]


# The centres of k = 4 on a real shop's year, in standard deviations.
REAL = (
    rfm(0.7, -0.7, -0.8),
    rfm(0.1, 0.3, 0.5),
    rfm(-1.3, 1.9, 1.5),
    rfm(-1.4, -0.2, -0.2),
)


def test_the_segments_of_a_real_shop():
    assert keys(*REAL) == ["lapsed", "at-risk", "loyal", "new"]


# Long away, and more orders or money than most before.
@pytest.mark.parametrize(
    "centre",
    [rfm(0.1, 0.1, 0.1), rfm(2, 2, 2), rfm(0.5, -0.2, 0.9), rfm(0.5, 0.9, -0.2)],
)
def test_who_is_long_away_and_was_good_is_at_risk(centre):
    assert "at-risk" in keys(centre, rfm(-1, 0.5, 0.5), rfm(1, -1, -1))


@pytest.mark.parametrize(
    ("centre", "key"),
    [
        (rfm(1.0, -0.5, -0.5), "lapsed"),
        (rfm(-1.0, -0.5, -0.5), "new"),
        (rfm(0.3, -0.6, 1.2), "big-baskets"),
        (rfm(0.1, -0.2, -0.1), "occasional"),
    ],
)
def test_others_are_not_at_risk(centre, key):
    assert keys(centre) == [key]


def test_the_best_of_those_who_bought_lately_are_loyal():
    assert keys(rfm(-0.5, 0.6, 0.6), rfm(-0.4, 1.4, 1.4)) == ["regular", "loyal"]


def test_the_best_of_two_at_risk_gets_the_name_and_the_other_its_own_words():
    assert keys(rfm(0.5, 0.4, 0.4), rfm(0.4, 1.4, 1.4)) == [
        "long-away-many-orders",
        "at-risk",
    ]


def test_a_taken_key_is_not_given_again():
    assert keys(rfm(1.0, -0.5, -0.5), taken=["lapsed"]) != ["lapsed"]


def test_without_spending_the_frequency_decides():
    assert keys({"recency_days": 0.8, "frequency": 0.8}) == ["at-risk"]


def test_average_people_are_called_so():
    assert keys({"age": 0.1, "income": 0.0}) == ["average-customers"]


def test_unknown_features_get_plain_words():
    assert name_centres([{"shoe_size": 1.4}])[0].name == "High shoe size"


@given(
    st.lists(st.tuples(*[st.floats(-3, 3)] * 3), min_size=1, max_size=12),
    st.booleans(),
)
def test_keys_are_always_unique_and_fit_a_web_address(places, with_recency):
    first = "recency_days" if with_recency else "age"
    centres = [dict(zip((first, "frequency", "csi"), p, strict=True)) for p in places]

    names = keys(*centres)

    assert len(set(names)) == len(centres)
    assert all(name == slug(name) for name in names)


@given(st.lists(st.tuples(*[st.floats(-3, 3)] * 3), min_size=1, max_size=6))
def test_at_risk_exists_whenever_such_a_centre_does(places):
    named = keys(*[rfm(*place) for place in places])

    such = [
        recency > 0 and frequency > 0 and spent > 0
        for recency, frequency, spent in places
    ]
    assert ("at-risk" in named) >= any(such)


@pytest.mark.parametrize(
    ("key", "centre", "true"),
    [
        ("at-risk", rfm(-0.1, 0.5, 0.5), True),  # on the border
        ("at-risk", rfm(-0.5, 0.5, 0.5), False),
        ("loyal", rfm(-1, 1, 1), True),
        ("loyal", rfm(1, 1, 1), False),
        ("our-own-word", rfm(1, 1, 1), True),
        ("at-risk", {"age": np.float64(1)}, True),
    ],
)
def test_a_key_is_kept_while_it_is_true(key, centre, true):
    assert still_true(key, centre) is true
