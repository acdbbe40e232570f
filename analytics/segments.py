"""Divides customers into named segments by k-means, with stable keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.preprocessing import StandardScaler

from analytics.archetype import Name, name_centres, still_true
from analytics.boundary import Boundary, boundaries
from analytics.frame import require_columns
from analytics.kmeans import K_CANDIDATES, STABLE_RAND, KMeansFit, fit_kmeans
from analytics.model_run import ModelRun, artefact_hash

SMALL_RATIO = 0.01
# Two centres within half a standard deviation per feature are the same segment.
SAME_DEVIATIONS = 0.5


@dataclass(frozen=True, slots=True)
class SegmentationSpec:
    """One named way to divide customers, as the settings name it."""

    name: str = "behaviour"
    columns: tuple[str, ...] = ("recency_days", "frequency", "total_spent")
    k: int | Literal["auto"] = "auto"
    log_transform: bool = True
    random_state: int = 42
    customers_minimum: int = 50


@dataclass(frozen=True, slots=True)
class KnownSegment:
    """A segment of an earlier run; `centre` is in the features' own units."""

    key: str
    name: str
    centre: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Segment:
    """One group of customers.

    `centre` is in the features' own units (with logs the mean of the logs, taken
    back); `profile` holds n, mean and sum of every feature of its members.
    """

    key: str
    name: str
    size: int
    centre: Mapping[str, float]
    rule: Boundary | None
    profile: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The segments of one run, largest first, and who is in which.

    `labels` holds keys and `clusters` the bare numbers of k-means, both by
    customer_id; `silhouette` (-1..1) and `stability` (adjusted Rand index between
    seeds, 1 is identical) are measured on a sample. Where there is no result,
    `reason` says why in words and there are no segments.
    """

    spec: SegmentationSpec
    labels: pd.Series[str]
    clusters: pd.Series[int]
    segments: tuple[Segment, ...] = ()
    k: int = 0
    silhouette: float | None = None
    stability: float | None = None
    left_out: int = 0
    warnings: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def centres(self) -> pd.DataFrame:
        """One row per segment key, one column per feature of the spec, own units."""
        return pd.DataFrame(
            [segment.centre for segment in self.segments],
            index=pd.Index([segment.key for segment in self.segments], name="segment"),
            columns=list(self.spec.columns),
        )

    @property
    def profile(self) -> pd.DataFrame:
        """One row per segment and feature: n (not missing), mean, sum."""
        rows = [
            {"segment": segment.key, "feature": feature, **figures}
            for segment in self.segments
            for feature, figures in segment.profile.items()
        ]
        return pd.DataFrame(rows, columns=["segment", "feature", "n", "mean", "sum"])

    def model_run(
        self, window_start: datetime | None, window_end: datetime
    ) -> ModelRun:
        """What storage keeps; the baseline is one segment, 0 by definition."""
        metrics = {"silhouette": self.silhouette, "stability": self.stability}
        return ModelRun(
            kind="segments",
            name=self.spec.name,
            window_start=window_start,
            window_end=window_end,
            parameters={
                "columns": list(self.spec.columns),
                "k": self.spec.k,
                "k_used": self.k,
                "log_transform": self.spec.log_transform,
                "random_state": self.spec.random_state,
                "left_out": self.left_out,
                "warnings": list(self.warnings),
            },
            metrics={
                name: value for name, value in metrics.items() if value is not None
            },
            baseline={"silhouette": 0.0} if self.segments else {},
            rows=len(self.labels),
            artefact_hash=artefact_hash(self.labels.to_frame()),
            reason=self.reason,
        )


@dataclass(frozen=True, slots=True)
class _Scaled:
    """The rows in standard deviations, and the way back."""

    rows: np.ndarray
    scaler: StandardScaler
    columns: tuple[str, ...]
    log_transform: bool

    def forth(self, centre: Mapping[str, float]) -> np.ndarray:
        values = np.array([[centre[column] for column in self.columns]])
        moved: np.ndarray = self.scaler.transform(_log(values, self.log_transform))
        return moved[0]

    def back(self, centre: np.ndarray) -> dict[str, float]:
        values = self.scaler.inverse_transform(centre.reshape(1, -1))[0]
        if self.log_transform:
            values = np.sign(values) * np.expm1(np.abs(values))
        return dict(zip(self.columns, values.tolist(), strict=True))


def kmeans_segmentation(
    features: pd.DataFrame,
    spec: SegmentationSpec,
    previous: Sequence[KnownSegment] = (),
) -> Segmentation:
    """Named segments of the customers in `features`.

    Parameters
    ----------
    features : indexed by customer_id (int64, unique), one row per customer, columns as
        `analytics.features.customer_features` returns them; all numeric ones enter the
        profiles, those of `spec.columns` make the segments
    spec : the columns, k (a number, or "auto" for 3 to 6), log_transform (sign(x)
        log(1 + |x|) before scaling), random_state, customers_minimum
    previous : the segments of the last run; a centre within half a standard deviation
        per feature keeps key and name while they are true

    Returns
    -------
    Segmentation. A row with a missing value in a column of the spec is left out and
    counted. "auto" takes the k with the best silhouette among those on which seeds
    agree (adjusted Rand >= 0.9), or the most stable where none is. A k by hand is
    warned about, never refused. Too few customers, constant columns, fewer different
    rows than k, or no rows at all: no segments and a reason. The same input gives the
    same result to the bit.

    Raises
    ------
    DataError : if a column of the spec is missing
    ValueError : if the spec names no columns, or a k below 2

    References
    ----------
    MacQueen (1967); k-means++ by Arthur and Vassilvitskii (2007), 10 starts, by
    scikit-learn. Rousseeuw (1987), silhouettes. Hubert and Arabie (1985), adjusted
    Rand index. k-means finds round groups of similar size, whether or not the
    customers fall into groups at all: a low silhouette says that they don't.
    """
    if not spec.columns or (spec.k != "auto" and spec.k < 2):
        raise ValueError("a segmentation needs columns, and a k of at least 2")
    require_columns(features, "features", spec.columns)
    whole = features[list(spec.columns)].astype("float64")
    known = whole.replace([np.inf, -np.inf], np.nan).dropna()
    left_out = len(whole) - len(known)
    different = len(known.drop_duplicates())
    reason = _why_not(len(known), different, spec, left_out)
    if reason is not None:
        return _nothing(spec, left_out, reason)
    scaled = _scale(known, spec)
    wanted = K_CANDIDATES if spec.k == "auto" else (spec.k,)
    candidates = [k for k in wanted if k <= different]
    fit = fit_kmeans(scaled.rows, candidates, spec.random_state)
    names = _names(fit, scaled, previous)
    return _describe(features, known, spec, fit, scaled, names)


def _why_not(
    known: int, different: int, spec: SegmentationSpec, left_out: int
) -> str | None:
    if known < spec.customers_minimum:
        missing = f" ({left_out} more lack a value)" if left_out else ""
        return f"{known} customers{missing}: no segments below {spec.customers_minimum}"
    least = min(K_CANDIDATES) if spec.k == "auto" else spec.k
    if different < least:
        return f"{different} different customers can't make {least} segments"
    return None


def _nothing(spec: SegmentationSpec, left_out: int, reason: str) -> Segmentation:
    index = pd.Index([], dtype="int64", name="customer_id")
    return Segmentation(
        spec,
        labels=pd.Series(index=index, dtype="str", name="segment"),
        clusters=pd.Series(index=index, dtype="int64", name="cluster"),
        left_out=left_out,
        reason=reason,
    )


def _log(values: np.ndarray, wanted: bool) -> np.ndarray:
    return np.sign(values) * np.log1p(np.abs(values)) if wanted else values


def _scale(known: pd.DataFrame, spec: SegmentationSpec) -> _Scaled:
    values = _log(known.to_numpy(), spec.log_transform)
    scaler = StandardScaler().fit(values)
    return _Scaled(scaler.transform(values), scaler, spec.columns, spec.log_transform)


def _names(
    fit: KMeansFit, scaled: _Scaled, previous: Sequence[KnownSegment]
) -> list[Name]:
    places = [
        dict(zip(scaled.columns, centre.tolist(), strict=True))
        for centre in fit.centres
    ]
    kept = {
        cluster: Name(segment.key, segment.name)
        for cluster, segment in _matches(fit, scaled, previous)
        if still_true(segment.key, places[cluster])
    }
    new = [cluster for cluster in range(fit.k) if cluster not in kept]
    named = name_centres(
        [places[cluster] for cluster in new], [name.key for name in kept.values()]
    )
    found = kept | dict(zip(new, named, strict=True))
    return [found[cluster] for cluster in range(fit.k)]


def _matches(
    fit: KMeansFit, scaled: _Scaled, previous: Sequence[KnownSegment]
) -> list[tuple[int, KnownSegment]]:
    comparable = [
        segment for segment in previous if set(segment.centre) == set(scaled.columns)
    ]
    if not comparable:
        return []
    before = np.array([scaled.forth(segment.centre) for segment in comparable])
    distance = np.sqrt(
        ((fit.centres[:, None, :] - before[None, :, :]) ** 2).mean(axis=2)
    )
    rows, columns = linear_sum_assignment(distance)
    return [
        (int(row), comparable[column])
        for row, column in zip(rows, columns, strict=True)
        if distance[row, column] <= SAME_DEVIATIONS
    ]


def _describe(
    features: pd.DataFrame,
    known: pd.DataFrame,
    spec: SegmentationSpec,
    fit: KMeansFit,
    scaled: _Scaled,
    names: list[Name],
) -> Segmentation:
    clusters = pd.Series(fit.labels, index=known.index, dtype="int64", name="cluster")
    labels = clusters.map({i: name.key for i, name in enumerate(names)}).astype("str")
    labels.name = "segment"
    rules = boundaries(known, labels, spec.random_state)
    members = features.loc[known.index].select_dtypes(["number", "bool"])
    profiles = _profiles(members.astype("float64"), labels)
    segments = [
        Segment(
            name.key,
            name.name,
            size=int((fit.labels == cluster).sum()),
            centre=scaled.back(fit.centres[cluster]),
            rule=rules.get(name.key),
            profile=profiles[name.key],
        )
        for cluster, name in enumerate(names)
    ]
    left_out = len(features) - len(known)
    return Segmentation(
        spec,
        labels,
        clusters,
        tuple(sorted(segments, key=lambda segment: (-segment.size, segment.key))),
        fit.k,
        fit.silhouette,
        fit.stability,
        left_out,
        tuple(_warnings(known, spec, fit, segments, left_out)),
    )


def _profiles(
    members: pd.DataFrame, labels: pd.Series[str]
) -> dict[str, dict[str, dict[str, float]]]:
    grouped = members.groupby(labels)
    figures = {"n": grouped.count(), "mean": grouped.mean(), "sum": grouped.sum()}
    return {
        str(key): {
            str(feature): {
                word: float(table.loc[key].to_numpy()[place])
                for word, table in figures.items()
            }
            for place, feature in enumerate(members.columns)
        }
        for key in figures["n"].index
    }


def _warnings(
    known: pd.DataFrame,
    spec: SegmentationSpec,
    fit: KMeansFit,
    segments: Sequence[Segment],
    left_out: int,
) -> list[str]:
    found = [
        f"`{column}` is the same for everyone and divides nobody"
        for column in spec.columns
        if known[column].min() == known[column].max()
    ]
    if fit.stability < STABLE_RAND:
        found.append(
            f"k = {fit.k} is unstable: seeds agree by {fit.stability:.2f} only "
            f"(adjusted Rand index; {STABLE_RAND} or more is wanted)"
        )
    found += [
        f"`{segment.key}` holds {segment.size} of {len(known)} customers only"
        for segment in segments
        if segment.size < SMALL_RATIO * len(known)
    ]
    if left_out > len(known):
        found.append(f"{left_out} customers lack a value and are in no segment")
    return found
