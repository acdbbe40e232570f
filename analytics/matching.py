"""Finds customers who are one person, with a probability and the reasons in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import combinations

import pandas as pd

from analytics.frame import empty_table, require_columns
from analytics.model_run import ModelRun, artefact_hash

FIELDS = (
    "name",
    "birth_date",
    "gender",
    "email",
    "phone",
    "address",
    "city",
    "postcode",
    "country",
)
PAIR_DTYPES = {
    "low_id": "int64",
    "high_id": "int64",
    "probability_ratio": "float64",
    "weight_bits": "float64",
    "decision": "object",
    "evidence": "object",
}


class MatchDecision(StrEnum):
    """What follows from a pair: one person without asking, or a question to staff."""

    MERGE = "merge"
    PROPOSE = "propose"


@dataclass(frozen=True, slots=True)
class MatchingSpec:
    """From which probability on a pair is merged, and from which it is proposed."""

    safe_ratio: float = 0.999
    propose_ratio: float = 0.5
    random_state: int = 42


@dataclass(frozen=True, slots=True)
class Evidence:
    """One comparison of a pair; `level` is its key, `words` are for a person.

    `weight_bits` is above 0 where the comparison speaks for one person: each bit
    doubles the odds.
    """

    field: str
    level: str
    words: str
    weight_bits: float


@dataclass(frozen=True, slots=True)
class LevelWeight:
    """How often a comparison has this level among matches (m) and others (u)."""

    field: str
    level: str
    m_ratio: float
    u_ratio: float
    weight_bits: float


@dataclass(frozen=True, slots=True)
class MatchModel:
    """What was learnt: the weights, the share of matches of all pairs."""

    weights: tuple[LevelWeight, ...] = ()
    prior_ratio: float = 0.0
    iterations: int = 0
    converged: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """The pairs of one run, by low_id and high_id, and the model behind them.

    `pairs` has the columns of `PAIR_DTYPES`; `evidence` holds tuples of `Evidence`,
    the heaviest first. `clusters` maps customer_id to the smallest id of its person,
    for customers of merged pairs only. Where nothing could be compared, `reason` says
    why in words.
    """

    spec: MatchingSpec
    pairs: pd.DataFrame
    clusters: Mapping[int, int] = field(default_factory=dict)
    model: MatchModel = MatchModel()
    people: int = 0
    candidates: int = 0
    warnings: tuple[str, ...] = ()
    reason: str | None = None

    def model_run(
        self, window_start: datetime | None, window_end: datetime
    ) -> ModelRun:
        """What storage keeps; the baseline are exact copies."""
        decisions = self.pairs["decision"].value_counts()
        return ModelRun(
            kind="matching",
            name="people",
            window_start=window_start,
            window_end=window_end,
            parameters={
                "safe_ratio": self.spec.safe_ratio,
                "propose_ratio": self.spec.propose_ratio,
                "random_state": self.spec.random_state,
            },
            metrics={
                "people": float(self.people),
                "merge": float(decisions.get(MatchDecision.MERGE, 0)),
                "propose": float(decisions.get(MatchDecision.PROPOSE, 0)),
            },
            rows=len(self.pairs),
            artefact_hash=artefact_hash(self.pairs),
            reason=self.reason,
        )


def match_people(
    people: pd.DataFrame,
    spec: MatchingSpec,
    certain: Iterable[tuple[int, int]] = (),
    apart: Iterable[tuple[int, int]] = (),
) -> Matching:
    """Pairs of customers who are, or may be, one person.

    Parameters
    ----------
    people : columns customer_id (int64, unique), and of `FIELDS` those that are known:
        words or None; birth_date a date or ISO words. Optional `ids`: a mapping
        of kind to value per row ({"tax": "123"}), compared kind by kind. Optional
        `claims`: a list of (kind, value) per row, kind `email` or `phone`: addresses
        that the person also gave
    spec : thresholds and seed
    certain : pairs of customer_id that are one person beyond doubt; they are not
        returned, and clusters are built on them
    apart : pairs that a person said are two; never returned, never in one cluster

    Raises
    ------
    DataError : if customer_id is missing
    """
    require_columns(people, "people", ["customer_id"])
    return Matching(spec, _pairs(people, [*certain, *apart]), people=len(people))


def _pairs(people: pd.DataFrame, settled: Iterable[tuple[int, int]]) -> pd.DataFrame:
    known_pairs = {(min(pair), max(pair)) for pair in settled}
    columns = [name for name in ("name", "birth_date") if name in people]
    known = people.dropna(subset=columns)
    if len(columns) < 2 or known.empty:
        return empty_table(PAIR_DTYPES)
    rows = [
        (*pair, 0.9, 20.0, MatchDecision.PROPOSE, _same(columns))
        for _, group in known.groupby(columns)["customer_id"]
        for pair in combinations(sorted(group.tolist()), 2)
        if pair not in known_pairs
    ]
    return pd.DataFrame(rows, columns=list(PAIR_DTYPES)).astype(PAIR_DTYPES)


def _same(columns: list[str]) -> tuple[Evidence, ...]:
    words = {"name": "names are the same", "birth_date": "birth dates are the same"}
    return tuple(Evidence(each, "exact", words[each], 10.0) for each in columns)
