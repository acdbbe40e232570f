"""What is stored of every analysis beside its results: data, settings, quality."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd


@dataclass(frozen=True, slots=True)
class ModelRun:
    """One run of one model, as storage keeps it.

    `metrics` stand beside the same figures of the `baseline`; `reason` says in words
    why there is no result, or None where there is one.
    """

    kind: str
    name: str
    window_start: datetime | None
    window_end: datetime | None
    parameters: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    rows: int = 0
    artefact_hash: str | None = None
    reason: str | None = None


def artefact_hash(results: pd.DataFrame) -> str:
    """A fingerprint of a table of results: same rows, same words.

    Parameters
    ----------
    results : any table; index, column names, values and their order count

    Returns
    -------
    SHA-256 as 64 hexadecimal digits; an empty table has one too.
    """
    text = results.to_csv(lineterminator="\n")
    return hashlib.sha256(text.encode()).hexdigest()
