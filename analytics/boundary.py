"""A segment's rule in words, read off a small decision tree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

LEAVES_PER_SEGMENT = 2
DEPTH = 4
# More rows change no bound that one would round to.
SAMPLE_ROWS = 50_000

# A count is a whole number, so that "more than 3" reads "4 or more".
_COUNTS = {
    "recency_days": ("last order {} ago", "day"),
    "frequency": ("{}", "order"),
    "tenure_days": ("first order {} ago", "day"),
    "ratings_count": ("{}", "rating"),
    "contacts_count": ("{}", "contact"),
}
_AMOUNTS = {
    "monetary_value": "{} an order",
    "total_spent": "{} spent in all",
    "net_spent": "{} spent after returns",
    "purchase_frequency": "{} orders in 30 days",
    "average_price": "an average price of {}",
    "purchase_value": "a purchase value of {}",
    "returns_ratio": "{} of the amount returned",
    "age": "{} years old",
    "income": "an income of {}",
    "csi": "a mean score of {}",
    "contacts_per_order": "{} contacts an order",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """`low < feature <= high`; None is open."""

    feature: str
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.feature in _COUNTS:
            words, unit = _COUNTS[self.feature]
            return words.format(_count_range(self.low, self.high, unit))
        words = _AMOUNTS.get(self.feature, f"{self.feature.replace('_', ' ')} of {{}}")
        return words.format(_amount_range(self.low, self.high))


@dataclass(frozen=True, slots=True)
class Boundary:
    """Conditions that most members of a segment meet.

    `covers_ratio` is the share of the segment that meets them, `precision_ratio` the
    share of those who meet them that belongs to the segment.
    """

    conditions: tuple[Condition, ...]
    covers_ratio: float
    precision_ratio: float

    def __str__(self) -> str:
        return "; ".join(str(condition) for condition in self.conditions)


def boundaries(
    features: pd.DataFrame, labels: pd.Series[str], random_state: int
) -> Mapping[str, Boundary]:
    """One rule per segment, where a short one exists.

    Parameters
    ----------
    features : the columns that made the segments, in their own units, none missing
    labels : the segment's key per row, same index
    random_state : seed of the sample and of ties between splits

    Returns
    -------
    Key to boundary. The tree has at most 2 leaves a segment and 4 levels; a segment's
    rule is the leaf with most of its members, and a segment that is nowhere the most
    frequent has none. Equal counts go to the first leaf. Empty input, empty mapping.

    References
    ----------
    Breiman, Friedman, Olshen and Stone (1984), CART, by scikit-learn. The rule
    describes the clusters, which are not boxes; its two ratios say how well.
    """
    if features.empty:
        return {}
    sample = features
    if len(features) > SAMPLE_ROWS:
        sample = features.sample(SAMPLE_ROWS, random_state=random_state)
    keys = labels.loc[sample.index]
    tree = DecisionTreeClassifier(
        max_leaf_nodes=max(2, LEAVES_PER_SEGMENT * keys.nunique()),
        max_depth=DEPTH,
        min_samples_leaf=max(1, len(sample) // 200),
        random_state=random_state,
    ).fit(sample.to_numpy(dtype=float), keys.to_numpy(dtype=object))
    leaves = tree.apply(sample.to_numpy(dtype=float))
    counts = pd.crosstab(leaves, keys.to_numpy(dtype=object))
    paths = _paths(tree.tree_, list(features.columns))
    table = counts.to_numpy()
    found = {}
    for column, key in enumerate(counts.columns):
        own = np.where(table.argmax(axis=1) == column, table[:, column], 0)
        row = int(own.argmax())
        if own[row] > 0:
            found[str(key)] = Boundary(
                paths[int(counts.index[row])],
                covers_ratio=float(own[row] / table[:, column].sum()),
                precision_ratio=float(own[row] / table[row].sum()),
            )
    return found


def _paths(tree: object, names: list[str]) -> dict[int, tuple[Condition, ...]]:
    left: np.ndarray = tree.children_left  # type: ignore[attr-defined]
    right: np.ndarray = tree.children_right  # type: ignore[attr-defined]
    split: np.ndarray = tree.feature  # type: ignore[attr-defined]
    threshold: np.ndarray = tree.threshold  # type: ignore[attr-defined]
    found: dict[int, tuple[Condition, ...]] = {}
    open_nodes: list[tuple[int, dict[str, Condition]]] = [(0, {})]
    while open_nodes:
        node, path = open_nodes.pop()
        if left[node] == right[node]:
            found[node] = tuple(path[name] for name in names if name in path)
            continue
        name, bound = names[split[node]], float(threshold[node])
        present = path.get(name, Condition(name, None, None))
        below = Condition(name, present.low, bound)
        above = Condition(name, bound, present.high)
        open_nodes.append((int(left[node]), path | {name: below}))
        open_nodes.append((int(right[node]), path | {name: above}))
    return found


def _count_range(low: float | None, high: float | None, unit: str) -> str:
    least = None if low is None else math.floor(low) + 1
    most = None if high is None else math.floor(high)
    plural = unit if (least if most is None else most) == 1 else f"{unit}s"
    if least is None:
        return f"at most {most} {plural}"
    if most is None:
        return f"{least} or more {plural}"
    return f"{least} {plural}" if least == most else f"{least} to {most} {plural}"


def _amount_range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {_figure(high or 0)}"
    if high is None:
        return f"more than {_figure(low)}"
    return f"{_figure(low)} to {_figure(high)}"


def _figure(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return f"{rounded:,.{max(0, digits)}f}"
