"""Association rules over baskets: who buys this also buys that."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd
from mlxtend.frequent_patterns import association_rules as rules_of_itemsets
from scipy.sparse import csc_array

from analytics.frame import empty_table, require_columns
from analytics.itemset import Itemset, TooManyItemsets, frequent_itemsets
from analytics.model_run import ModelRun, artefact_hash

RULES_MAXIMUM = 200_000
# Each time there is too much, the least number of baskets grows by half.
RAISE_RATIO = 1.5

RULES = {
    "antecedent": "object",
    "consequent": "object",
    "support": "float64",
    "confidence": "float64",
    "lift": "float64",
    "leverage": "float64",
    "conviction": "float64",
    "antecedent_support": "float64",
    "consequent_support": "float64",
    "count": "int64",
}

# mlxtend's name for each, and ours.
MEASURED = {
    "support": "support",
    "confidence": "confidence",
    "lift": "lift",
    "leverage": "leverage",
    "conviction": "conviction",
    "antecedent support": "antecedent_support",
    "consequent support": "consequent_support",
}


@dataclass(frozen=True, slots=True)
class RulesSpec:
    """What to look for, as the settings name it."""

    min_support: float = 0.01
    metric: Literal["lift", "confidence", "support", "leverage"] = "lift"
    min_threshold: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class RuleSet:
    """The rules of one run.

    `min_support` is what was used: more than asked for where that would have let too
    much through; `reason` then says so, or why there are no rules at all.
    """

    spec: RulesSpec
    rules: pd.DataFrame
    baskets: int
    products: int
    itemsets: int
    min_support: float
    reason: str | None = None

    def model_run(
        self, window_start: datetime | None, window_end: datetime
    ) -> ModelRun:
        """What storage keeps; a lift of 1 is what chance gives."""
        highest = float(self.rules["lift"].max()) if len(self.rules) else None
        return ModelRun(
            kind="rules",
            name="baskets",
            window_start=window_start,
            window_end=window_end,
            parameters={
                "min_support": self.spec.min_support,
                "min_support_used": self.min_support,
                "metric": self.spec.metric,
                "min_threshold": self.spec.min_threshold,
            },
            metrics={
                "baskets": self.baskets,
                "products": self.products,
                "itemsets": self.itemsets,
                **({} if highest is None else {"highest_lift": highest}),
            },
            baseline={} if highest is None else {"highest_lift": 1.0},
            rows=len(self.rules),
            artefact_hash=artefact_hash(self.rules),
            reason=self.reason,
        )


def association_rules(
    baskets: pd.DataFrame,
    spec: RulesSpec | None = None,
    rules_maximum: int = RULES_MAXIMUM,
) -> RuleSet:
    """Rules "who buys the antecedent also buys the consequent".

    Parameters
    ----------
    baskets : one row per product in a basket: order_id (any), product_id (int64);
        rows with a missing value are left out, repeated ones count once
    spec : least support (0..1, share of baskets), and the metric with its threshold
    rules_maximum : where the itemsets could make more rules than this, the least
        number of baskets is raised by half until they can't, and the reason says so

    Returns
    -------
    RuleSet; its `rules` have antecedent and consequent (tuples of product_id,
    ascending), support, confidence, lift, leverage, conviction (inf where confidence
    is 1), antecedent_support, consequent_support, count (baskets with both); ordered
    by lift, confidence, count (descending), then by products. No baskets, one product
    or nothing frequent: an empty table with these columns and a reason.

    Raises
    ------
    DataError : if a column is missing

    References
    ----------
    Agrawal, Imielinski and Swami (1993); Brin and others (1997) for lift and
    conviction; Piatetsky-Shapiro (1991) for leverage. Itemsets by
    `analytics.itemset`, rules by mlxtend; both together equal mlxtend's fpgrowth and
    association_rules. A high lift at a low count is often chance.
    """
    chosen = spec or RulesSpec()
    require_columns(baskets, "baskets", ["order_id", "product_id"])
    pairs = baskets[["order_id", "product_id"]].dropna().drop_duplicates()
    basket_codes, basket_names = pd.factorize(pairs["order_id"])
    product_codes, products = pd.factorize(
        pairs["product_id"].astype("int64"), sort=True
    )
    size = len(basket_names)
    matrix = csc_array(
        (np.ones(len(pairs), dtype=np.int8), (basket_codes, product_codes)),
        shape=(size, len(products)),
    )
    least = max(1, math.ceil(chosen.min_support * size))
    found, used = _within_limit(matrix, least, rules_maximum)
    support = chosen.min_support if used == least else used / size
    rules = _rules(found, size, products.to_numpy(), chosen)
    return RuleSet(
        chosen,
        rules,
        baskets=size,
        products=len(products),
        itemsets=len(found),
        min_support=support,
        reason=_reason(chosen, size, found, support),
    )


def _within_limit(
    matrix: csc_array, least: int, rules_maximum: int
) -> tuple[list[tuple[Itemset, int]], int]:
    while True:
        try:
            return frequent_itemsets(matrix, least, rules_maximum), least
        except TooManyItemsets:
            least = math.ceil(least * RAISE_RATIO)


def _rules(
    found: list[tuple[Itemset, int]], size: int, products: np.ndarray, spec: RulesSpec
) -> pd.DataFrame:
    if all(len(itemset) < 2 for itemset, _ in found):
        return empty_table(RULES)
    itemsets = pd.DataFrame(
        {
            "support": [count / size for _, count in found],
            "itemsets": [frozenset(itemset) for itemset, _ in found],
        }
    )
    raw = rules_of_itemsets(
        itemsets,
        metric=spec.metric,
        min_threshold=spec.min_threshold,
        return_metrics=list(MEASURED),
    )
    rules = raw[list(MEASURED)].rename(columns=MEASURED).astype("float64")
    rules["antecedent"] = _product_ids(raw["antecedents"], products)
    rules["consequent"] = _product_ids(raw["consequents"], products)
    rules["count"] = (rules["support"] * size).round()
    rules = rules[list(RULES)].astype(RULES)
    order = ["lift", "confidence", "count", "antecedent", "consequent"]
    ascending = [False, False, False, True, True]
    return rules.sort_values(order, ascending=ascending, ignore_index=True)


def _product_ids(
    itemsets: Iterable[frozenset[int]], products: np.ndarray
) -> list[tuple[int, ...]]:
    names = products.tolist()
    # Columns are in the order of the ids, so that sorted columns are sorted ids.
    return [tuple(names[column] for column in sorted(itemset)) for itemset in itemsets]


def _reason(
    spec: RulesSpec, size: int, found: list[tuple[Itemset, int]], support: float
) -> str | None:
    if size == 0:
        return "no baskets, so no rules"
    if support != spec.min_support:
        return (
            f"a support of {spec.min_support:g} lets too many combinations through; "
            f"{support:.3g} was used"
        )
    if all(len(itemset) < 2 for itemset, _ in found):
        return (
            f"no two products are together in {spec.min_support:.1%} of {size} baskets"
        )
    return None
