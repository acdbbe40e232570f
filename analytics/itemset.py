"""Frequent itemsets by intersecting bitmaps, with a limit on their number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csc_array

WORD_BITS = 64
BITMAP_BYTES_MAXIMUM = 512 * 2**20

Itemset = tuple[int, ...]


class TooManyItemsets(Exception):
    """The support asked for lets more through than can be worked on."""


def frequent_itemsets(
    baskets: csc_array, minimum_count: int, rules_maximum: int
) -> list[tuple[Itemset, int]]:
    """All sets of products that at least `minimum_count` baskets hold.

    Parameters
    ----------
    baskets : one row per basket, one column per product, 1 where it is in it
    minimum_count : >= 1
    rules_maximum : an itemset of n products can make 2**n - 2 rules; more than this
        in all are refused

    Returns
    -------
    (columns in ascending order, number of baskets), depth first. No baskets, no sets.

    Raises
    ------
    TooManyItemsets : as soon as the limit, or the memory for bitmaps, is passed

    References
    ----------
    Zaki (2000), "Scalable algorithms for association mining" (Eclat): the baskets of
    a set are the intersection of its products' baskets. Exact; the time grows with
    the number of frequent sets.
    """
    counts = np.diff(baskets.indptr)
    columns = np.flatnonzero(counts >= minimum_count)
    rows = baskets.shape[0]
    if len(columns) * rows / 8 > BITMAP_BYTES_MAXIMUM:
        raise TooManyItemsets
    bitmaps = _bitmaps(baskets, columns)
    found: list[tuple[Itemset, int]] = [
        ((int(column),), int(counts[column])) for column in columns
    ]
    rules = 0
    for itemset, count in _grow(bitmaps, columns, minimum_count):
        rules += 2 ** len(itemset) - 2
        if rules > rules_maximum:
            raise TooManyItemsets
        found.append((itemset, count))
    return found


def _bitmaps(baskets: csc_array, columns: np.ndarray) -> np.ndarray:
    words = -(-baskets.shape[0] // WORD_BITS)
    bitmaps = np.zeros((len(columns), words), dtype=np.uint64)
    for place, column in enumerate(columns):
        rows = baskets.indices[baskets.indptr[column] : baskets.indptr[column + 1]]
        bits = np.left_shift(np.uint64(1), (rows % WORD_BITS).astype(np.uint64))
        np.bitwise_or.at(bitmaps[place], rows // WORD_BITS, bits)
    return bitmaps


def _grow(
    bitmaps: np.ndarray,
    columns: np.ndarray,
    minimum_count: int,
    prefix: Itemset = (),
) -> Iterator[tuple[Itemset, int]]:
    """Sets of two and more; only one path of the tree is in memory."""
    for place in range(len(columns) - 1):
        shared = bitmaps[place + 1 :] & bitmaps[place]
        counts = np.bitwise_count(shared).sum(axis=1, dtype=np.int64)
        kept = np.flatnonzero(counts >= minimum_count)
        if not len(kept):
            continue
        grown = (*prefix, int(columns[place]))
        followers = columns[place + 1 :][kept]
        for name, count in zip(followers, counts[kept], strict=True):
            yield (*grown, int(name)), int(count)
        yield from _grow(shared[kept], followers, minimum_count, grown)
