import numpy as np
import pandas as pd
import pytest

from analytics.boundary import Boundary, Condition, boundaries


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Condition("frequency", 2.5, None), "3 or more orders"),
        (Condition("frequency", None, 1.5), "at most 1 order"),
        (Condition("frequency", 1.5, 2.5), "2 orders"),
        (Condition("recency_days", 21.5, 90.5), "last order 22 to 90 days ago"),
        (Condition("recency_days", None, 0.5), "last order at most 0 days ago"),
        (Condition("total_spent", 536.42, None), "more than 536 spent in all"),
        (Condition("income", 1234567.0, 2e6), "an income of 1,230,000 to 2,000,000"),
        (
            Condition("returns_ratio", None, 0.12345),
            "at most 0.123 of the amount returned",
        ),
        (Condition("shoe_size", None, 0.0), "shoe size of at most 0"),
        (Condition("shoe_size", -3.14159, None), "shoe size of more than -3.14"),
    ],
)
def test_conditions_read_as_words(condition, words):
    assert str(condition) == words


def test_a_rule_joins_its_conditions():
    rule = Boundary(
        (Condition("recency_days", 30.5, None), Condition("frequency", 2.5, None)), 1, 1
    )

    assert str(rule) == "last order 31 or more days ago; 3 or more orders"


def test_ratios_say_how_well_a_rule_describes_its_segment():
    # Ages 0 to 99; everyone below 50 is young but the ten oldest are called so, too.
    ages = pd.DataFrame({"age": np.arange(100.0)})
    labels = pd.Series(
        np.where((ages["age"] < 50) | (ages["age"] >= 90), "young", "old")
    )

    rule = boundaries(ages, labels, 42)["young"]

    assert str(rule) == "at most 49.5 years old"
    assert rule.covers_ratio == pytest.approx(50 / 60)
    assert rule.precision_ratio == 1.0


def test_a_segment_that_is_nowhere_the_most_frequent_has_no_rule():
    values = pd.DataFrame({"age": np.ones(10)})
    labels = pd.Series(["many"] * 9 + ["few"])

    assert set(boundaries(values, labels, 42)) == {"many"}


def test_no_rows_have_no_rules():
    assert boundaries(pd.DataFrame({"age": []}), pd.Series([], dtype="str"), 42) == {}
