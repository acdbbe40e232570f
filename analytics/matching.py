"""Finds customers who are one person, with a probability and the reasons in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import combinations

import numpy as np
import pandas as pd

from analytics.frame import empty_table
from analytics.matching_blocking import Candidates, candidates
from analytics.matching_comparison import (
    Compared,
    compare,
    comparisons_of,
    equal_values,
)
from analytics.matching_decision import Clusters, Pair, safety
from analytics.matching_fields import EXACT
from analytics.matching_model import MatchModel
from analytics.matching_people import People, prepare
from analytics.matching_scores import pair_bits, usual_bits, worth_scoring
from analytics.matching_weights import Weights, learn
from analytics.matching_words import evidence, through
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
# A person of more records than this is rather a shared address; staff should look.
CLUSTER_MAXIMUM = 50
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


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """The pairs of one run, by low_id and high_id, and the model behind them.

    `people` were compared in `candidates` pairs, of which `copies` agree in all that
    is known of both.

    `pairs` has the columns of `PAIR_DTYPES`; `evidence` holds tuples of `Evidence`,
    the heaviest first. `clusters` maps customer_id to the smallest id of its person,
    for persons of more than one. `changed` are those whose pairs alone were looked at,
    None where everybody was. Where nothing could be compared, `reason` says
    why in words.
    """

    spec: MatchingSpec
    pairs: pd.DataFrame
    clusters: Mapping[int, int] = field(default_factory=dict)
    model: MatchModel = field(default_factory=MatchModel)
    people: int = 0
    candidates: int = 0
    copies: int = 0
    warnings: tuple[str, ...] = ()
    reason: str | None = None
    changed: frozenset[int] | None = None

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
                **self.model.parameters(),
                "changed": None if self.changed is None else len(self.changed),
                "warnings": list(self.warnings),
            },
            metrics={
                "pairs": float(len(self.pairs)),
                "merge": float(decisions.get(MatchDecision.MERGE, 0)),
                "propose": float(decisions.get(MatchDecision.PROPOSE, 0)),
                "candidates": float(self.candidates),
            },
            baseline={"pairs": float(self.copies)},
            rows=self.people,
            artefact_hash=artefact_hash(self.pairs.drop(columns="evidence")),
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
        words or None; birth_date a date or ISO words. Optional `ids`: a mapping of
        kind to value per row ({"tax": "123"}), compared kind by kind. Optional
        `claims`: a list of (kind, value) per row, kind `email` or `phone`: addresses
        that the person also gave
    spec : thresholds and seed
    certain : pairs of customer_id that are one person beyond doubt; they are not
        returned, and persons are built upon them
    apart : pairs that somebody said are two; never returned, never in one cluster

    Returns
    -------
    Matching. `merge`: the probability reaches `safe_ratio`, something personal agrees
    beside the name, nothing contradicts, and no member of the one cluster contradicts
    any of the other; pairs that follow from two others are returned too. `propose`:
    the probability reaches `propose_ratio`. The order of the rows and columns does not
    change the result. Missing values weigh nothing. Fewer than two customers, or no
    known field: no pairs and a reason.

    Raises
    ------
    DataError : if customer_id is missing, or names a customer twice

    References
    ----------
    Fellegi and Sunter (1969), A Theory for Record Linkage. Winkler (1988, 2000), EM
    and frequencies. The probability is as good as the independence of the comparisons:
    it orders pairs well, but should not be read to the last digit.
    """
    table = prepare(people)
    found = candidates(table)
    compared = compare(table, found.low, found.high)
    if not len(found):
        none = empty_table(PAIR_DTYPES)
        return Matching(spec, none, people=len(table), reason=_why_not(table))
    weights = learn(table, compared, spec.random_state)
    settled = _Settled.of(certain, apart)
    return _matching(table, spec, weights, found, compared, settled)


def match_changed(
    people: pd.DataFrame,
    spec: MatchingSpec,
    model: MatchModel,
    changed: Iterable[int],
    certain: Iterable[tuple[int, int]] = (),
    apart: Iterable[tuple[int, int]] = (),
) -> Matching:
    """The pairs of those who changed since a model was learnt of all.

    Parameters
    ----------
    people, spec, certain, apart : as of `match_people`; everybody is given, for a
        changed customer may be anybody's double
    model : what was learnt
    changed : their ids

    Returns
    -------
    Matching, of pairs with a changed customer, and those that follow from them. With
    the same model it finds of those pairs what a look at everybody finds. A model of
    other comparisons, as where ids of a new kind have come, is not used: then
    everybody is compared, and `changed` of the result is None.

    Raises
    ------
    DataError : as of `match_people`
    """
    table = prepare(people)
    weights = model.weights_of(comparisons_of(table))
    if weights is None:
        return match_people(people, spec, certain, apart)
    those = frozenset(changed)
    touched = np.isin(table.customer_ids, np.array(sorted(those), dtype=np.int64))
    found = candidates(table, touched)
    compared = compare(table, found.low, found.high)
    settled = _Settled.of(certain, apart)
    matching = _matching(table, spec, weights, found, compared, settled)
    return replace(matching, changed=those)


def _matching(
    table: People,
    spec: MatchingSpec,
    weights: Weights,
    found: Candidates,
    compared: Compared,
    settled: _Settled,
) -> Matching:
    copies = int((compared.levels <= EXACT).all(axis=1).sum())
    compared = compared.part(worth_scoring(weights, compared, spec.propose_ratio))
    kept = _score(table, weights, compared, spec.propose_ratio)
    edges = _edges(table, kept, spec.safe_ratio)
    chained = _score(table, weights, _chained(table, kept, edges, settled), 0.0)
    clusters = _clusters(table, edges, settled, (kept, chained))
    rows = _rows(table, weights, kept, clusters, settled, edges)
    rows += _rows(table, weights, chained, clusters, settled, edges)
    return Matching(
        spec,
        _pairs(rows, spec.propose_ratio),
        clusters.heads(),
        MatchModel.of(weights),
        len(table),
        len(found),
        copies,
        (*table.warnings, *_warnings(found, weights)),
    )


@dataclass(frozen=True, slots=True)
class _Settled:
    """Pairs that need no comparing, the smaller id first."""

    certain: frozenset[Pair]
    apart: frozenset[Pair]

    @classmethod
    def of(cls, certain: Iterable[Pair], apart: Iterable[Pair]) -> _Settled:
        return cls(*(frozenset(map(_ordered, pairs)) for pairs in (certain, apart)))


@dataclass(frozen=True, slots=True)
class _Scored:
    """Compared pairs with weight per field, probability, and whether one may merge."""

    compared: Compared
    bits: np.ndarray
    probability: np.ndarray
    supported: np.ndarray
    contradicted: np.ndarray

    def __len__(self) -> int:
        return len(self.compared)


def _ordered(pair: Pair) -> Pair:
    return min(pair), max(pair)


def _why_not(people: People) -> str | None:
    if len(people) < 2:
        return f"{len(people)} customers: two are needed for a pair"
    if not any(column.known.any() for column in people.columns.values()):
        return "nothing is known of any customer that could be compared"
    return None


def _score(
    people: People, weights: Weights, compared: Compared, least_ratio: float
) -> _Scored:
    """The pairs of at least this probability."""
    values = equal_values(people, compared)
    bits = pair_bits(people, weights, compared, values)
    probability = weights.probability(bits.sum(axis=1), compared.levels)
    kept = np.flatnonzero(probability >= least_ratio)
    compared = compared.part(kept)
    safe = safety(people, compared, values[kept])
    return _Scored(
        compared, bits[kept], probability[kept], safe.supported, safe.contradicted
    )


def _ids(people: People, scored: _Scored) -> list[Pair]:
    low = people.customer_ids[scored.compared.low].tolist()
    high = people.customer_ids[scored.compared.high].tolist()
    return list(zip(low, high, strict=True))


def _edges(people: People, scored: _Scored, safe_ratio: float) -> list[Pair]:
    """The pairs that are safe by themselves, the surest first."""
    safe = (scored.probability >= safe_ratio) & scored.supported
    rows = np.flatnonzero(safe & ~scored.contradicted)
    bits = scored.bits[rows].sum(axis=1).round(3)
    pairs = _ids(people, scored)
    ranked = sorted(zip((-bits).tolist(), rows.tolist(), strict=True))
    return [pairs[row] for _, row in ranked]


def _chained(
    people: People, kept: _Scored, edges: list[Pair], settled: _Settled
) -> Compared:
    """Pairs that would be one person by way of others, and are not scored yet."""
    whole = Clusters(settled.certain, ())
    for pair in edges:
        whole.join(*pair)
    scored = set(_ids(people, kept))
    place = {each: i for i, each in enumerate(people.customer_ids.tolist())}
    found = [
        (place[one], place[other])
        for members in whole.sets()
        if len(members) <= CLUSTER_MAXIMUM
        for one, other in combinations(sorted(members & place.keys()), 2)
        if (one, other) not in scored
    ]
    sides = np.array(found, dtype=np.int64).reshape(-1, 2)
    return compare(people, sides[:, 0], sides[:, 1])


def _clusters(
    people: People,
    edges: list[Pair],
    settled: _Settled,
    scored: Iterable[_Scored],
) -> Clusters:
    clusters = Clusters(settled.certain, settled.apart)
    for each in scored:
        pairs = _ids(people, each)
        for row in np.flatnonzero(each.contradicted).tolist():
            clusters.part(*pairs[row])
    for one, other in edges:
        if len(clusters.members(one) | clusters.members(other)) <= CLUSTER_MAXIMUM:
            clusters.join(one, other)
    return clusters


def _rows(
    people: People,
    weights: Weights,
    scored: _Scored,
    clusters: Clusters,
    settled: _Settled,
    edges: list[Pair],
) -> list[tuple[object, ...]]:
    known = Clusters(settled.certain, ())
    safe = set(edges)
    pairs = _ids(people, scored)
    words = evidence(
        people, scored.compared, scored.bits, usual_bits(weights, scored.compared)
    )
    found: list[tuple[object, ...]] = []
    for row, pair in enumerate(pairs):
        if pair in settled.apart or known.together(*pair):
            continue
        merged = clusters.together(*pair)
        because = words[row]
        if merged and pair not in safe:
            third = min(clusters.members(pair[0]) - set(pair))
            because = (through(third), *because)
        decision = MatchDecision.MERGE if merged else MatchDecision.PROPOSE
        bits = round(float(scored.bits[row].sum()), 1)
        likely = float(scored.probability[row])
        found.append((*pair, likely, bits, decision, because))
    return found


def _pairs(rows: list[tuple[object, ...]], least: float) -> pd.DataFrame:
    if not rows:
        return empty_table(PAIR_DTYPES)
    pairs = pd.DataFrame(rows, columns=list(PAIR_DTYPES)).astype(PAIR_DTYPES)
    kept = (pairs["decision"] == MatchDecision.MERGE) | (
        pairs["probability_ratio"] >= least
    )
    ordered = pairs[kept].sort_values(["low_id", "high_id"], kind="stable")
    return ordered.reset_index(drop=True)


def _warnings(found: Candidates, weights: Weights) -> Iterable[str]:
    for name, people in found.divided.items():
        yield (
            f"{people} customers share their key by {name} with too many others; "
            "they were compared with those nearest by name, birth date and place"
        )
    if not weights.converged:
        yield (
            f"the weights still moved after {weights.iterations} rounds; "
            "look at the proposals with care"
        )
