import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlxtend.frequent_patterns import association_rules as mlxtend_rules
from mlxtend.frequent_patterns import fpgrowth

from analytics.rules import RulesSpec, association_rules
from core.errors import DataError

# Ten baskets: bread (1) in 6, butter (2) in 5, both in 4; jam (3) with both in 2.
WORKED = [[1, 2, 3], [1, 2, 3], [1, 2], [1, 2], [1], [1], [2], [4], [4], [4]]


def table(baskets):
    rows = [(order, product) for order, held in enumerate(baskets) for product in held]
    return pd.DataFrame(rows, columns=["order_id", "product_id"])


def by_mlxtend(baskets, min_support, metric="lift", threshold=1.0):
    products = sorted({product for held in baskets for product in held})
    wide = pd.DataFrame(
        [[product in held for product in products] for held in baskets],
        columns=products,
    )
    itemsets = fpgrowth(wide, min_support, use_colnames=True)
    measures = ["support", "confidence", "lift", "leverage", "conviction"]
    rules = mlxtend_rules(
        itemsets, metric=metric, min_threshold=threshold, return_metrics=measures
    )
    rules["antecedent"] = [tuple(sorted(items)) for items in rules["antecedents"]]
    rules["consequent"] = [tuple(sorted(items)) for items in rules["consequents"]]
    return rules


def same(ours, theirs):
    assert measures(ours) == measures(theirs)


def measures(rules):
    """Every rule with its measures, to the bit."""
    columns = ["support", "confidence", "lift", "leverage", "conviction"]
    keys = ["antecedent", "consequent"]
    return rules.set_index(keys)[columns].to_dict("index")


# Of 10 baskets 4 hold both, 6 the first and 5 the second: by chance 3 would hold both.
@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("support", 0.4),
        ("confidence", 2 / 3),
        ("lift", 4 / 3),
        ("leverage", 0.1),
        ("conviction", 1.5),
        ("antecedent_support", 0.6),
        ("consequent_support", 0.5),
        ("count", 4),
    ],
)
def test_bread_and_butter_worked_by_hand(figure, value):
    rules = association_rules(table(WORKED), RulesSpec(0.2)).rules

    rule = rules[(rules["antecedent"] == (1,)) & (rules["consequent"] == (2,))]
    assert rule[figure].tolist() == pytest.approx([value])


def test_rules_come_strongest_first():
    rules = association_rules(table(WORKED), RulesSpec(0.2)).rules

    assert rules["lift"].is_monotonic_decreasing
    assert set(rules.loc[:1, "antecedent"]) == {(3,), (1, 2)}


def test_a_threshold_on_another_metric_is_obeyed():
    rules = association_rules(table(WORKED), RulesSpec(0.2, "confidence", 0.75)).rules

    assert rules["confidence"].min() >= 0.75
    same(rules, by_mlxtend(WORKED, 0.2, "confidence", 0.75))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sets(st.integers(1, 5), min_size=1), min_size=2, max_size=30),
    st.sampled_from([0.1, 0.15, 0.3, 0.5]),
)
def test_any_baskets_give_the_rules_of_mlxtend(baskets, min_support):
    ours = association_rules(
        table([[*held, 8] for held in baskets]), RulesSpec(min_support)
    )

    same(ours.rules, by_mlxtend([[*held, 8] for held in baskets], min_support))


def test_groceries_give_the_rules_of_mlxtend(data_set):
    lines = data_set("groceries/groceries.csv").read_text().splitlines()
    names = sorted({name for line in lines for name in line.split(",")})
    number = {name: place for place, name in enumerate(names)}
    baskets = [[number[name] for name in line.split(",")] for line in lines]

    ours = association_rules(table(baskets))

    assert ours.itemsets == 333  # as published for a support of 1 %
    same(ours.rules, by_mlxtend(baskets, 0.01))


def test_groceries_give_the_published_number_of_rules(data_set):
    lines = data_set("groceries/groceries.csv").read_text().splitlines()
    baskets = [line.split(",") for line in lines]
    rows = table(baskets)
    rows["product_id"] = pd.factorize(rows["product_id"])[0]

    rules = association_rules(rows, RulesSpec(0.006, "confidence", 0.25)).rules

    # Lantz, Machine Learning with R: 463 with one product on the right.
    assert (rules["consequent"].map(len) == 1).sum() == 463


def test_too_many_combinations_raise_the_support_with_a_reason():
    random = np.random.default_rng(0)
    crowd = [sorted(random.choice(30, 20, replace=False)) for _ in range(50)]

    result = association_rules(table(crowd), RulesSpec(0.02), rules_maximum=5_000)

    assert result.min_support > 0.02
    assert result.reason.startswith("a support of 0.02 lets too many combinations")
    assert 0 < len(result.rules) <= 5_000


def test_one_huge_basket_does_not_fill_the_memory():
    result = association_rules(table([range(500), [1, 2], [1, 2]]), RulesSpec(0.01))

    assert result.rules["count"].min() == 3
    assert "was used" in result.reason


@pytest.mark.parametrize(
    ("baskets", "reason"),
    [
        ([], "no baskets, so no rules"),
        ([[1], [1]], "no two products are together in 50.0% of 2 baskets"),
        ([[1], [2], [3]], "no two products are together in 50.0% of 3 baskets"),
    ],
)
def test_nothing_to_find_is_a_reason(baskets, reason):
    result = association_rules(table(baskets), RulesSpec(0.5))

    assert result.reason == reason
    assert result.rules.empty
    assert "antecedent" in result.rules.columns


def test_a_product_twice_in_a_basket_counts_once():
    twice = association_rules(
        table([[*held, *held] for held in WORKED]), RulesSpec(0.2)
    )

    pd.testing.assert_frame_equal(
        twice.rules, association_rules(table(WORKED), RulesSpec(0.2)).rules
    )


def test_lines_without_a_product_are_left_out():
    lines = table(WORKED).astype({"product_id": "Int64"})
    lines.loc[len(lines)] = [99, pd.NA]

    assert association_rules(lines, RulesSpec(0.2)).baskets == 10


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="`product_id`"):
        association_rules(pd.DataFrame({"order_id": [1]}))


def test_the_model_run_compares_with_chance():
    run = association_rules(table(WORKED), RulesSpec(0.2)).model_run(
        None, pd.Timestamp("2026-06-01", tz="UTC")
    )

    assert run.baseline == {"highest_lift": 1.0}
    assert run.metrics["baskets"] == 10
