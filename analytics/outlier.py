"""Values far from the rest, by the median and its absolute deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Makes the median absolute deviation of a normal distribution its standard deviation.
NORMAL = 1.4826
# Fewer values say nothing of their spread: the group is judged by all groups together.
GROUP_MIN = 20


@dataclass(frozen=True, slots=True)
class Cutoff:
    """From how many robust standard deviations on a value is far.

    `spread_min` is the least spread that is believed, in natural logarithms: where
    nearly all values are the same, twice as much is no outlier yet.
    """

    deviations: float
    spread_min: float = 1.0


def distances(
    values: pd.Series[float],
    weights: pd.Series[int],
    groups: pd.Series[int],
    at: Cutoff,
) -> pd.Series[float]:
    """How far each value lies from its group's median, in robust deviations.

    Parameters
    ----------
    values : float, > 0; their natural logarithms are compared
    weights : int, >= 1; how often each value was seen
    groups : what is alike, such as the product; groups of fewer than 20 values are
        compared with all values
    at : whose least spread is used

    Returns
    -------
    Float, >= 0, with the index of `values`: |ln v - median| / spread, where spread is
    1.4826 times the median absolute deviation, and at least `at.spread_min`.

    References
    ----------
    Iglewicz and Hoaglin (1993), How to Detect and Handle Outliers: the modified
    z-score. Limit: a group of two kinds, such as single units and pallets, has a wide
    spread and hides what lies between.
    """
    logs = np.log(values.astype("float64"))
    # A table without rows has no types of its own.
    counted = weights.astype("int64")
    frame = pd.DataFrame({"log": logs, "n": counted, "group": groups})
    counts = frame.groupby("group")["n"].transform("sum")
    frame["group"] = frame["group"].astype("object").where(counts >= GROUP_MIN, "")
    everything = frame.assign(group="")
    centre = _medians(frame, "log")
    spread = _medians(frame.assign(off=_off(frame, centre)), "off")
    rest = _medians(everything, "log")
    rest_spread = _medians(everything.assign(off=_off(everything, rest)), "off")
    centre[""], spread[""] = rest.get("", 0.0), rest_spread.get("", 0.0)
    wide = np.maximum(frame["group"].map(spread) * NORMAL, at.spread_min)
    return (_off(frame, centre) / wide).astype("float64")


def _off(frame: pd.DataFrame, centre: dict[object, float]) -> pd.Series[float]:
    return (frame["log"] - frame["group"].map(centre).astype("float64")).abs()


def _medians(frame: pd.DataFrame, column: str) -> dict[object, float]:
    """The weighted median of each group: the least value with half below or at it."""
    ordered = frame.sort_values([column], kind="stable")
    reached = ordered.groupby("group")["n"].cumsum()
    whole = ordered.groupby("group")["n"].transform("sum")
    half = ordered[reached * 2 >= whole]
    first = half.drop_duplicates("group")
    return dict(zip(first["group"], first[column].astype("float64"), strict=True))
