"""Values in the place of those that nobody knows, where a person chose a policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from analytics.clean_rule import Rule
from analytics.frame import require_columns
from core.model import Finding

CUSTOMER = "customer"
FIELDS = ("customer_id", "value", "group", "place")


class Policy(StrEnum):
    """What stands in for a missing value."""

    CONSTANT = "constant"
    MEDIAN = "median"
    MODE = "mode"
    FORWARD = "forward"


_RULES = {
    Policy.CONSTANT: Rule.FILLED_CONSTANT,
    Policy.MEDIAN: Rule.FILLED_MEDIAN,
    Policy.MODE: Rule.FILLED_MODE,
    Policy.FORWARD: Rule.FILLED_FORWARD,
}


@dataclass(frozen=True, slots=True)
class Filling:
    """One field and its policy; `value` is that of a constant."""

    field: str
    policy: Policy
    value: str = ""


def fill(customers: pd.DataFrame, filling: Filling) -> list[Finding]:
    """Values for the customers who have none in one field.

    Parameters
    ----------
    customers : one row per customer: customer_id (int64), value (str or missing: as
        known, never as filled before), group (str or missing: what the customer has
        in the field that forms groups), place (sortable, or missing: where the
        customer stands in the chosen order)
    filling : the field, and how

    Returns
    -------
    One correction per missing value that gets one, `before` None, by id. The median is
    that of numbers, or of ISO dates (of an even count the lower of the two in the
    middle, so that it is a value that somebody has); of equally frequent modes the
    first by alphabet is taken. A group that knows nothing takes the value of all. Going
    forward, the first customers stay without one until somebody has a value. Where
    nothing is known at all, or a median is asked of other words, the list is empty.

    Raises
    ------
    DataError : if a column is missing
    """
    require_columns(customers, "customers", list(FIELDS))
    frame = customers.sort_values("customer_id", kind="stable", ignore_index=True)
    missing = frame["value"].isna() | (frame["value"] == "")
    frame["value"] = frame["value"].mask(missing)
    if filling.policy is Policy.CONSTANT:
        values = pd.Series(filling.value, index=frame.index)
    elif filling.policy is Policy.FORWARD:
        ordered = frame.sort_values(["place", "customer_id"], na_position="last")
        values = ordered["value"].ffill().reindex(frame.index)
    else:
        values = _by_group(frame, filling.policy)
    rule = _RULES[filling.policy]
    filled = missing & values.notna()
    ids = [int(key) for key in frame.loc[filled, "customer_id"]]
    return [
        Finding(CUSTOMER, key, key, filling.field, None, str(value), rule)
        for key, value in zip(ids, values[filled], strict=True)
    ]


def _by_group(frame: pd.DataFrame, policy: Policy) -> pd.Series[str]:
    known = frame[frame["value"].notna()]
    typical = _median if policy is Policy.MEDIAN else _mode
    overall = typical(known["value"])
    groups = {name: typical(values) for name, values in known.groupby("group")["value"]}
    found = frame["group"].map(groups)
    return found.astype("object").where(found.notna(), overall)


def _median(values: pd.Series[str]) -> str | None:
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.isna().all():
        numbers = pd.to_datetime(values, format="%Y-%m-%d", errors="coerce")
    ordered = values[numbers.notna()].iloc[numbers.dropna().argsort(kind="stable")]
    return None if ordered.empty else str(ordered.iloc[(len(ordered) - 1) // 2])


def _mode(values: pd.Series[str]) -> str | None:
    found = values.mode()
    return None if found.empty else str(found.iloc[0])
