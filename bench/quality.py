"""How good pairs are, against the true ones; at the default thresholds."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import pandas as pd

from analytics.matching import MatchingSpec
from core.settings import Matching

Pairs = AbstractSet[tuple[int, int]]
# The shipped thresholds, whatever the settings of this machine.
DEFAULT = MatchingSpec(Matching().safe_ratio, Matching().propose_ratio)


def quality(pairs: pd.DataFrame, truth: Pairs) -> dict[str, float]:
    """F1 of all pairs, and F1 and precision of the merged ones."""
    everything = id_pairs(pairs)
    merged = id_pairs(pairs[pairs["decision"] == "merge"])
    return {
        "f1": f1(everything, truth),
        "merge_f1": f1(merged, truth),
        "merge_precision": precision(merged, truth),
        "pairs": float(len(truth)),
    }


def id_pairs(pairs: pd.DataFrame) -> set[tuple[int, int]]:
    """The pairs of ids of a table."""
    return set(zip(pairs["low_id"].tolist(), pairs["high_id"].tolist(), strict=True))


def f1(found: Pairs, truth: Pairs) -> float:
    """The harmonic mean of precision and recall."""
    return 2 * len(found & truth) / max(len(found) + len(truth), 1)


def precision(found: Pairs, truth: Pairs) -> float:
    """The share that is right; 1 where nothing was found."""
    return len(found & truth) / len(found) if found else 1.0
