"""What a matching learnt, in a form that can be kept and used again another night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from analytics.matching_fields import Comparison
from analytics.matching_weights import ALIKE, Weights, empty_ratios


@dataclass(frozen=True, slots=True)
class LevelWeight:
    """How often a comparison has this level among matches (m) and others (u).

    `u_ratio` and `weight_bits` are those of two people of one country and script;
    `u_ratios` are those of each company, as `matching_weights.contexts` numbers them.
    """

    field: str
    level: str
    m_ratio: float
    u_ratio: float
    weight_bits: float
    u_ratios: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MatchModel:
    """What was learnt: the weights, the share of matches of all pairs.

    `trust` tells by field which share of the likely pairs that differ in it is
    believed.
    """

    weights: tuple[LevelWeight, ...] = ()
    prior_ratio: float = 0.0
    iterations: int = 0
    converged: bool = True
    trust: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, weights: Weights) -> MatchModel:
        """The model of these weights."""
        bits = weights.bits
        found = tuple(
            LevelWeight(
                each.field,
                level.key,
                float(weights.m[i, place]),
                float(weights.u[ALIKE, i, place]),
                float(bits[ALIKE, i, place]),
                tuple(weights.u[:, i, place].tolist()),
            )
            for i, each in enumerate(weights.comparisons)
            for place, level in enumerate(each.levels, start=1)
        )
        trust = zip(weights.comparisons, weights.trust.tolist(), strict=True)
        return cls(
            found,
            weights.prior_ratio,
            weights.iterations,
            weights.converged,
            {each.field: share for each, share in trust},
        )

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> MatchModel | None:
        """The model that `parameters` told, or None where they tell none."""
        try:
            weights = tuple(
                LevelWeight(**each | {"u_ratios": tuple(each["u_ratios"])})
                for each in parameters["weights"]
            )
            return cls(
                weights,
                parameters["prior_ratio"],
                parameters["iterations"],
                parameters["converged"],
                parameters["trust"],
            )
        except (KeyError, TypeError):
            # A version of the program before this one kept less.
            return None

    def parameters(self) -> dict[str, Any]:
        """As JSON has it; `read` understands it."""
        return asdict(self)

    def weights_of(self, comparisons: Sequence[Comparison]) -> Weights | None:
        """The weights for these comparisons, or None where others were learnt."""
        levels = [
            (each.field, level.key) for each in comparisons for level in each.levels
        ]
        known = {(each.field, each.level): each for each in self.weights}
        if set(levels) != known.keys():
            return None
        m, u = empty_ratios(len(comparisons))
        for i, each in enumerate(comparisons):
            for place, level in enumerate(each.levels, start=1):
                found = known[each.field, level.key]
                m[i, place] = found.m_ratio
                u[:, i, place] = found.u_ratios
        trust = np.array([self.trust[each.field] for each in comparisons])
        return Weights(
            tuple(comparisons),
            m,
            u,
            self.prior_ratio,
            self.iterations,
            self.converged,
            trust,
        )
