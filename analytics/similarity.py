"""Which products are bought by the same customers, weighted by BM25."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

# Chosen on Online Retail, March to June 2011: a low B keeps best sellers in sight.
BM25_K1 = 1.2
BM25_B = 0.3
NEIGHBOURS = 50
# Products that are compared with all others at once.
ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The nearest products of each product, itself included.

    Row: a bought product; column: its neighbour. `similarity` is the product of their
    BM25 vectors, `shared` the share of the row's buyers who also bought the column.
    """

    similarity: csr_array
    shared: csr_array


def product_neighbours(counts: csr_array, neighbours: int = NEIGHBOURS) -> Neighbours:
    """The products most often bought by the same customers.

    Parameters
    ----------
    counts : one row per customer, one column per product: how often bought
    neighbours : kept per product

    Returns
    -------
    Neighbours with products x products matrices. A product is a document whose words
    are its buyers: buyers of everything say little (inverse frequency), and the
    tenth purchase adds less than the first (saturation). Needs one row of all
    products at a time, never the whole square.

    References
    ----------
    Robertson and Zaragoza (2009), "The probabilistic relevance framework: BM25 and
    beyond", used between products.
    """
    weighted = _bm25(counts.T.tocsr())
    bought = (counts > 0).astype(np.float64).T.tocsr()
    buyers = np.asarray(bought.sum(axis=1)).ravel()
    rows, columns, similar, shared = [], [], [], []
    for start in range(0, weighted.shape[0], ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        scores = (weighted[block] @ weighted.T).toarray()
        together = (bought[block] @ bought.T).toarray()
        kept = min(neighbours, scores.shape[1])
        near = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
        places = np.repeat(np.arange(start, start + len(scores)), kept)
        rows.append(places)
        columns.append(near.ravel())
        similar.append(np.take_along_axis(scores, near, axis=1).ravel())
        both = np.take_along_axis(together, near, axis=1).ravel()
        shared.append(both / buyers[places])
    cells = (np.concatenate(rows), np.concatenate(columns))
    return Neighbours(
        _square(np.concatenate(similar), cells, len(buyers)),
        _square(np.concatenate(shared), cells, len(buyers)),
    )


def _bm25(counts: csr_array) -> csr_array:
    products = counts.shape[0]
    by_customer = np.bincount(counts.indices, minlength=counts.shape[1])
    # Never below 0, where a customer bought more than half of all products.
    rarity = np.maximum(np.log(products) - np.log1p(by_customer), 0)
    if not rarity.any():
        rarity = np.ones_like(rarity)
    length = np.asarray(counts.sum(axis=1)).ravel()
    norm = 1 - BM25_B + BM25_B * length / length.mean()
    row = np.repeat(np.arange(products), np.diff(counts.indptr))
    saturated = counts.data * (BM25_K1 + 1) / (counts.data + BM25_K1 * norm[row])
    weighted = counts.copy()
    weighted.data = saturated * rarity[counts.indices]
    return weighted


def _square(
    values: np.ndarray, cells: tuple[np.ndarray, np.ndarray], size: int
) -> csr_array:
    matrix = coo_array((values, cells), shape=(size, size)).tocsr()
    matrix.eliminate_zeros()
    return matrix
