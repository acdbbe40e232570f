"""k-means with the number of clusters chosen by silhouette and stability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

K_CANDIDATES = (3, 4, 5, 6)
SEEDS_COMPARED = 3
STABLE_RAND = 0.9
# A silhouette compares every pair of rows.
SILHOUETTE_ROWS = 5_000
# A larger sample moves the centres by less than the customers of one night do.
SAMPLE_ROWS = 50_000
STARTS = 10


@dataclass(frozen=True, slots=True, eq=False)
class KMeansFit:
    """Clusters of rows: a number per row, and the centres in the rows' own scale."""

    k: int
    labels: np.ndarray
    centres: np.ndarray
    silhouette: float
    stability: float


def fit_kmeans(
    rows: np.ndarray, candidates: Sequence[int], random_state: int
) -> KMeansFit:
    """The best k-means among some numbers of clusters.

    Parameters
    ----------
    rows : one customer each, columns scaled, none missing
    candidates : numbers of clusters to try, each at most the number of different rows
    random_state : seed of starts and samples

    Returns
    -------
    The fit with the best silhouette among those on which seeds agree (mean adjusted
    Rand index of 3 more seeds >= 0.9), or the most stable where none is. Up to 50,000
    rows it is exactly scikit-learn's KMeans with 10 starts; above, a sample is fitted
    and all rows go on from its centres.
    """
    # One thread: sums in another order would differ in their last bit.
    with threadpool_limits(limits=1):
        return _fit(rows, candidates, random_state)


def _fit(rows: np.ndarray, candidates: Sequence[int], random_state: int) -> KMeansFit:
    sample = _sample(rows, random_state)
    tried = [_fit_sample(sample, k, random_state) for k in candidates]
    best = max(
        tried,
        key=lambda fit: (
            fit.stability >= STABLE_RAND,
            fit.silhouette if fit.stability >= STABLE_RAND else fit.stability,
        ),
    )
    if len(sample) == len(rows):
        return best
    model = KMeans(best.k, init=best.centres, n_init=1, random_state=random_state).fit(
        rows
    )
    return KMeansFit(
        best.k, model.labels_, model.cluster_centers_, best.silhouette, best.stability
    )


def _sample(rows: np.ndarray, random_state: int) -> np.ndarray:
    if len(rows) <= SAMPLE_ROWS:
        return rows
    chosen = np.random.default_rng(random_state).choice(
        len(rows), SAMPLE_ROWS, replace=False
    )
    sample: np.ndarray = rows[np.sort(chosen)]
    return sample


def _fit_sample(rows: np.ndarray, k: int, random_state: int) -> KMeansFit:
    model = KMeans(k, n_init=STARTS, random_state=random_state).fit(rows)
    others = [
        KMeans(k, n_init=STARTS, random_state=random_state + other).fit(rows).labels_
        for other in range(1, SEEDS_COMPARED + 1)
    ]
    agreement = [adjusted_rand_score(model.labels_, labels) for labels in others]
    return KMeansFit(
        k,
        model.labels_,
        model.cluster_centers_,
        silhouette=_silhouette(rows, model.labels_, random_state),
        stability=float(np.mean(agreement)),
    )


def _silhouette(rows: np.ndarray, labels: np.ndarray, random_state: int) -> float:
    if len(rows) > SILHOUETTE_ROWS:
        chosen = np.random.default_rng(random_state).choice(
            len(rows), SILHOUETTE_ROWS, replace=False
        )
        rows, labels = rows[chosen], labels[chosen]
    if not 2 <= len(np.unique(labels)) < len(rows):
        return 0.0
    return float(silhouette_score(rows, labels))
