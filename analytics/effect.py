"""What a campaign changed: the difference from those held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from analytics.frame import require_columns
from analytics.interval import Interval, mean_difference, share_difference
from core.errors import DataError, Problem

# Below these an interval is more a property of its formula than of the customers.
CUSTOMERS_MINIMUM = 30
EVENTS_MINIMUM = 5


class Arm(StrEnum):
    """What chance assigned a customer to when the run was planned."""

    TREATED = "treated"
    HOLDOUT = "holdout"


class Scale(StrEnum):
    """How an outcome is counted."""

    SHARE = "share"
    MEAN = "mean"


class Verdict(StrEnum):
    """What may be said of a difference."""

    MORE = "more"
    LESS = "less"
    NO_DIFFERENCE = "no_difference"
    NOT_ENOUGH_DATA = "not_enough_data"


@dataclass(frozen=True, slots=True)
class Difference:
    """Treated less held out, per customer, on one outcome.

    `verdict` is NOT_ENOUGH_DATA, with the reason in words, where the numbers are too
    small to say; the figures are there all the same, without an interval.
    """

    outcome: str
    scale: Scale
    treated_n: int
    holdout_n: int
    treated: float | None
    holdout: float | None
    difference: float | None
    interval: Interval | None
    verdict: Verdict
    reason: str | None = None

    @property
    def total(self) -> float | None:
        """What the campaign added over all treated customers."""
        return None if self.difference is None else self.difference * self.treated_n


@dataclass(frozen=True, slots=True)
class Effect:
    """The differences of one run on each outcome; `excluded` were in both arms."""

    differences: tuple[Difference, ...]
    excluded: int = 0


def effect(
    members: pd.DataFrame,
    shares: Sequence[str] = ("converted",),
    means: Sequence[str] = ("orders", "revenue"),
) -> Effect:
    """The difference between treated and held-out customers, as assigned.

    Parameters
    ----------
    members : everyone assigned when the run was planned, whether or not anything was
        sent: customer_id, arm (of `Arm`), and a column per outcome over the goal
        window (bool for a share, number for a mean; returns subtracted, money in
        major units; missing where the outcome can't be known, such as the CSI of
        somebody who was not asked)
    shares : columns to compare as shares (Newcombe interval)
    means : columns to compare as means per customer (Welch interval)

    Returns
    -------
    Effect, shares first. A customer in both arms (after a merge) leaves the analysis
    and is counted; a customer twice in one arm counts once (the first row). Missing
    outcomes are left out of that outcome. NOT_ENOUGH_DATA: fewer than 30 known
    customers in an arm, for a share fewer than 5 with or 5 without the outcome in
    both arms together, for a mean nothing that varies. NO_DIFFERENCE: the interval
    holds 0, which does not show that there is none.

    Raises
    ------
    DataError : if a column is missing, or an arm is unknown

    References
    ----------
    Intention to treat: comparing those who were reached with those held out would
    compare reachable with all. One interval in twenty misses the truth; several
    outcomes are several chances to be wrong.
    """
    require_columns(members, "members", ["customer_id", "arm", *shares, *means])
    unknown = members.loc[~members["arm"].isin([arm.value for arm in Arm]), "arm"]
    if len(unknown):
        raise DataError(Problem("an arm is treated or holdout", str(unknown.iloc[0])))
    arms = members.groupby("customer_id")["arm"].nunique()
    both = arms.index[arms > 1]
    kept = members[~members["customer_id"].isin(both)].drop_duplicates("customer_id")
    differences = [_difference(kept, name, Scale.SHARE) for name in shares]
    differences += [_difference(kept, name, Scale.MEAN) for name in means]
    return Effect(tuple(differences), excluded=len(both))


def _difference(members: pd.DataFrame, outcome: str, scale: Scale) -> Difference:
    known = members[members[outcome].notna()]
    values = known[outcome].astype("float64").to_numpy()
    in_treated = known["arm"].eq(Arm.TREATED.value).to_numpy()
    return _compare(outcome, scale, values[in_treated], values[~in_treated])


def _compare(
    outcome: str, scale: Scale, treated: np.ndarray, holdout: np.ndarray
) -> Difference:
    own, other = (
        float(group.mean()) if len(group) else None for group in (treated, holdout)
    )
    reason = _too_little(treated, holdout, scale)
    interval = None if reason else _interval(treated, holdout, scale)
    return Difference(
        outcome,
        scale,
        len(treated),
        len(holdout),
        treated=own,
        holdout=other,
        difference=None if own is None or other is None else own - other,
        interval=interval,
        verdict=_verdict(interval),
        reason=reason,
    )


def _too_little(treated: np.ndarray, holdout: np.ndarray, scale: Scale) -> str | None:
    for group, name in ((treated, "treated"), (holdout, "held out")):
        if len(group) < CUSTOMERS_MINIMUM:
            return f"{len(group)} customers {name}: at least {CUSTOMERS_MINIMUM} needed"
    if scale is Scale.MEAN:
        alike = np.ptp(treated) == 0 and np.ptp(holdout) == 0
        return "all values are alike in each group" if alike else None
    events = int(treated.sum() + holdout.sum())
    rarer = min(events, len(treated) + len(holdout) - events)
    if rarer < EVENTS_MINIMUM:
        word = "with" if rarer == events else "without"
        return f"{rarer} customers {word} it: at least {EVENTS_MINIMUM} needed"
    return None


def _interval(
    treated: np.ndarray, holdout: np.ndarray, scale: Scale
) -> Interval | None:
    if scale is Scale.MEAN:
        return mean_difference(treated, holdout)
    return share_difference(
        int(treated.sum()), len(treated), int(holdout.sum()), len(holdout)
    )


def _verdict(interval: Interval | None) -> Verdict:
    if interval is None:
        return Verdict.NOT_ENOUGH_DATA
    if not interval.excludes(0):
        return Verdict.NO_DIFFERENCE
    return Verdict.MORE if interval.low > 0 else Verdict.LESS
