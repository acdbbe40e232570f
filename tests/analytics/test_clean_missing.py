import pandas as pd
import pytest

from analytics.clean_missing import Filling, Policy, fill


def customers(values, groups=None, places=None):
    size = len(values)
    return pd.DataFrame(
        {
            "customer_id": range(1, size + 1),
            "value": pd.Series(values, dtype="object"),
            "group": pd.Series(groups or [None] * size, dtype="object"),
            "place": places or list(range(size)),
        }
    )


def filled(policy, frame, value=""):
    findings = fill(frame, Filling("city", policy, value))
    return {each.record_id: each.after for each in findings}


@pytest.mark.parametrize(
    ("policy", "known", "after"),
    [
        (Policy.MEDIAN, ["3", "1", "9"], "3"),
        (Policy.MEDIAN, ["3", "1", "9", "5"], "3"),  # of two, the lower
        (Policy.MEDIAN, ["1980-01-01", "1990-01-01", "1970-01-01"], "1980-01-01"),
        (Policy.MODE, ["b", "a", "b"], "b"),
        (Policy.MODE, ["b", "a"], "a"),  # equally frequent: by alphabet
    ],
)
def test_a_typical_value_stands_in(policy, known, after):
    assert filled(policy, customers([*known, None])) == {len(known) + 1: after}


def test_a_constant_stands_in():
    assert filled(Policy.CONSTANT, customers(["a", None, ""]), "b") == {2: "b", 3: "b"}


def test_a_group_has_its_own_typical_value():
    frame = customers(["a", "b", "b", None, None], ["x", "y", "y", "x", "y"])

    assert filled(Policy.MODE, frame) == {4: "a", 5: "b"}


def test_a_group_that_knows_nothing_takes_that_of_all():
    frame = customers(["a", "a", None, None], ["x", "x", "y", None])

    assert filled(Policy.MODE, frame) == {3: "a", 4: "a"}


def test_going_forward_repeats_the_last_known_value():
    frame = customers([None, "a", None, "b"], places=[1, 2, 4, 3])

    assert filled(Policy.FORWARD, frame) == {3: "b"}


def test_a_median_of_words_is_none():
    assert filled(Policy.MEDIAN, customers(["red", "blue", None])) == {}


def test_where_nothing_is_known_nothing_stands_in():
    assert filled(Policy.MODE, customers([None, None])) == {}


def test_what_was_filled_says_how():
    [finding] = fill(customers(["a", None]), Filling("city", Policy.MODE))

    assert (finding.field, finding.before) == ("city", None)
    assert finding.rule == "filled_mode"
