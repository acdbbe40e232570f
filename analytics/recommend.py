"""What to offer to whom: the own past, what goes with it, and what sells."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from analytics.frame import empty_table, moment, times
from analytics.past import Past, past_of

# Chosen on Online Retail, March to June 2011; a weight of 0.25 to 1 changes little.
NEIGHBOURS_WEIGHT = 0.5
POPULARITY_WEIGHT = 1e-6
# Customers times products that are scored at once.
CELLS_AT_ONCE = 4_000_000
# Columns stand in order of popularity: among equal scores the better seller wins.
_TIE = 1e-12

RECOMMENDATIONS = {
    "customer_id": "int64",
    "product_id": "int64",
    "rank": "int64",
    "score": "float64",
    "method": "str",
    "reason": "str",
    "reason_product_id": "Int64",
    "reason_share": "float64",
}
QUALITY = {
    "method": "str",
    "products": "str",
    "customers": "int64",
    "recall": "float64",
    "ndcg": "float64",
    "products_shown": "int64",
}


class Method(StrEnum):
    """How products are scored."""

    OWN = "own"
    ITEM = "item"
    POPULAR = "popular"
    BLEND = "blend"


class Reason(StrEnum):
    """Why a product is offered; texts are written per language."""

    BOUGHT_BEFORE = "bought_before"
    GOES_WITH = "goes_with"
    POPULAR = "popular"


def recommend(
    purchases: pd.DataFrame,
    asof: datetime,
    n: int = 10,
    method: Method | str = Method.BLEND,
    *,
    customers: Sequence[int] | None = None,
    among: Collection[int] | None = None,
    new_only: bool = False,
) -> pd.DataFrame:
    """The best products for each customer, with the reason for each.

    Parameters
    ----------
    purchases : one row per sold product of an order: customer_id, order_id,
        product_id (int64), ordered_at (datetime64, UTC); rows with a missing id are
        left out, a product twice in an order counts once
    asof : aware; later purchases are ignored
    n : products per customer, >= 1
    method : "own" (how often the customer bought it, each purchase halved per year),
        "item" (similar products to those bought, BM25), "popular" (buyers in the
        last 30 days), or "blend" (own past + 0.5 x item, each against its best for
        the customer, filled up with popular ones)
    customers : for whom; None means everyone with a purchase. Someone without gets
        popular products from "blend" and "popular", and nothing from the others
    among : product ids that may be offered (in stock, say); None means all
    new_only : leave out what the customer bought before

    Returns
    -------
    DataFrame, one row per customer and rank: customer_id, product_id, rank (1..n),
    score (> 0, comparable within one customer), method, reason (of `Reason`),
    reason_product_id (Int64; the bought product behind "goes_with"), reason_share
    (0..1: "bought_before": share of the customer's orders with it; "goes_with":
    share of the buyers of reason_product_id who also bought this; "popular": share
    of the customers of the last 30 days who bought it, missing where nobody did).
    Customers ascending; fewer than n rows where fewer products score. Equal scores
    are ordered by popularity, then product_id. Empty input, empty table.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    ValueError : if n is below 1, or the method is unknown

    References
    ----------
    Deshpande and Karypis (2004), item-based top-N; Robertson and Zaragoza (2009),
    BM25. The past says what somebody may take again, not what a message adds.
    """
    if n < 1:
        raise ValueError("n must be at least 1")
    chosen = Method(method)
    past = past_of(purchases, asof)
    if past is None:
        return empty_table(RECOMMENDATIONS)
    wanted = past.customers if customers is None else list(customers)
    return _recommend(past, wanted, n, chosen, among=among, new_only=new_only)


def evaluate_recommendations(
    purchases: pd.DataFrame,
    split_at: datetime,
    horizon_days: int = 91,
    n: int = 10,
    methods: Sequence[Method | str] = tuple(Method),
) -> pd.DataFrame:
    """How well the methods would have met what was bought next.

    Parameters
    ----------
    purchases : as for `recommend`
    split_at : aware; all before it is known, what follows is to be met
    horizon_days : length of the part to meet
    n : products recommended
    methods : "popular" is the baseline and always among them

    Returns
    -------
    DataFrame, one row per method and kind of product ("all", or "new": not bought
    by the customer before): method, products, customers (int64; those known who
    bought something of that kind), recall (0..1: mean of hits / min(n, bought)),
    ndcg (0..1), products_shown (different ones). No customers: 0 and NaN.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone

    References
    ----------
    Jarvelin and Kekalainen (2002) for nDCG, with binary gains. One split is one
    season: differences of a point are within chance for some thousand customers.
    """
    at = times(purchases, "purchases", "ordered_at")
    until = moment(split_at) + timedelta(days=horizon_days)
    before = purchases[at < moment(split_at)]
    after = purchases[(at >= moment(split_at)) & (at < until)]
    pairs = ["customer_id", "product_id"]
    bought = after.dropna(subset=pairs)[pairs].drop_duplicates()
    bought = bought[bought["customer_id"].isin(before["customer_id"])]
    known = before.dropna(subset=pairs)[pairs].drop_duplicates()
    again = pd.MultiIndex.from_frame(bought).isin(pd.MultiIndex.from_frame(known))
    # A purchase in the very moment of the split is to be met, so it is not known.
    past = past_of(before, split_at)
    rows = [
        _quality(past, n, method, kind, truth)
        for method in dict.fromkeys([*map(Method, methods), Method.POPULAR])
        for kind, truth in (("all", bought), ("new", bought[~again]))
    ]
    return pd.DataFrame(rows).astype(QUALITY)


def _recommend(
    past: Past,
    customers: Sequence[int] | pd.Index[int],
    n: int,
    method: Method,
    *,
    among: Collection[int] | None = None,
    new_only: bool,
) -> pd.DataFrame:
    allowed = (
        np.ones(len(past.products), dtype=bool)
        if among is None
        else past.products.isin(list(among))
    )
    parts = [
        _recommend_some(past, some, method, n, allowed, new_only=new_only)
        for some in _chunks(np.unique(customers), len(past.products))
    ]
    filled = [part for part in parts if not part.empty]
    if not filled:
        return empty_table(RECOMMENDATIONS)
    return pd.concat(filled, ignore_index=True).astype(RECOMMENDATIONS)


def _chunks(customers: np.ndarray, products: int) -> Iterator[np.ndarray]:
    size = max(1, CELLS_AT_ONCE // products)
    for start in range(0, len(customers), size):
        yield customers[start : start + size]


def _recommend_some(
    past: Past,
    wanted: np.ndarray,
    method: Method,
    n: int,
    allowed: np.ndarray,
    *,
    new_only: bool,
) -> pd.DataFrame:
    rows = past.customers.get_indexer(pd.Index(wanted))
    recent = _rows(past.recent, rows)
    scores = _scores(past, recent, method)
    scores[:, ~allowed] = 0
    if new_only:
        scores[recent.nonzero()] = 0
    top, best = _top(scores, n)
    kept = best > 0
    if not kept.any():
        return empty_table(RECOMMENDATIONS)
    who, rank = np.nonzero(kept)
    product = top[kept]
    table = pd.DataFrame(
        {
            "customer_id": wanted[who],
            "product_id": past.products[product],
            "rank": rank + 1,
            "score": best[kept],
            "method": method.value,
        }
    )
    return table.assign(**_reasons(past, recent, rows, who, product, method))


def _rows(matrix: csr_array, rows: np.ndarray) -> csr_array:
    """The rows asked for; one of number -1 is empty."""
    known = np.flatnonzero(rows >= 0)
    place = csr_array(
        (np.ones(len(known)), (known, rows[known])),
        shape=(len(rows), matrix.shape[0]),
    )
    return (place @ matrix).tocsr()


def _scores(past: Past, recent: csr_array, method: Method) -> np.ndarray:
    popular = past.popularity
    if not popular.any():
        # Nobody bought lately: the order of all times, which the columns stand in.
        popular = np.linspace(1.0, 0.5, len(popular))
    if method is Method.POPULAR:
        return np.tile(popular, (recent.shape[0], 1))
    own: np.ndarray = recent.toarray()
    if method is Method.OWN:
        return own
    item: np.ndarray = (recent @ past.neighbours.similarity).toarray()
    if method is Method.ITEM:
        return item
    return (
        _against_best(own)
        + NEIGHBOURS_WEIGHT * _against_best(item)
        + POPULARITY_WEIGHT * popular
    )


def _against_best(scores: np.ndarray) -> np.ndarray:
    best = scores.max(axis=1, keepdims=True)
    return scores / np.where(best > 0, best, 1)


def _top(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    ranked = scores - _TIE * np.arange(scores.shape[1])
    n = min(n, scores.shape[1])
    top = np.argpartition(-ranked, n - 1, axis=1)[:, :n]
    order = np.argsort(-np.take_along_axis(ranked, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    return top, np.take_along_axis(scores, top, axis=1)


def _reasons(
    past: Past,
    recent: csr_array,
    rows: np.ndarray,
    who: np.ndarray,
    product: np.ndarray,
    method: Method,
) -> dict[str, np.ndarray | pd.Series[int]]:
    counts = _rows(past.counts, rows)
    times_bought = np.asarray(counts[who, product])
    orders = np.where(rows >= 0, past.orders[rows], 1)[who]
    # What each bought product adds to the score; the greatest is the reason.
    adds = recent[who].multiply(past.neighbours.similarity.T.tocsr()[product]).tocsr()
    source = np.asarray(adds.argmax(axis=1)).ravel()
    helped = adds.max(axis=1).toarray().ravel() > 0
    again = times_bought > 0
    goes = helped & ~again & (method is not Method.POPULAR)
    shared = np.asarray(past.neighbours.shared[source, product])
    sales = np.where(past.popularity[product] > 0, past.popularity[product], np.nan)
    words = [Reason.BOUGHT_BEFORE.value, Reason.GOES_WITH.value]
    behind = pd.Series(past.products[source], dtype="Int64").where(goes)
    return {
        "reason": np.select([again, goes], words, Reason.POPULAR.value),
        "reason_product_id": behind,
        "reason_share": np.select(
            [again, goes], [times_bought / orders, shared], sales
        ),
    }


def _quality(
    past: Past | None,
    n: int,
    method: Method,
    kind: str,
    truth: pd.DataFrame,
) -> dict[str, object]:
    wanted = np.unique(truth["customer_id"].astype("int64"))
    result: dict[str, object] = {
        "method": method.value,
        "products": kind,
        "customers": len(wanted),
        "recall": np.nan,
        "ndcg": np.nan,
        "products_shown": 0,
    }
    if past is None or not len(wanted):
        return result
    found = _recommend(past, wanted.tolist(), n, method, new_only=kind == "new")
    pairs = ["customer_id", "product_id"]
    met = found.merge(truth[pairs].astype("int64"), on=pairs)
    bought = truth.groupby("customer_id").size().clip(upper=n)
    gains = (1 / np.log2(met["rank"] + 1)).groupby(met["customer_id"]).sum()
    ideal = np.cumsum(1 / np.log2(np.arange(2, n + 2)))[bought - 1]
    hits = met.groupby("customer_id").size().reindex(bought.index, fill_value=0)
    return result | {
        "recall": float((hits / bought).mean()),
        "ndcg": float((gains.reindex(bought.index, fill_value=0) / ideal).mean()),
        "products_shown": found["product_id"].nunique(),
    }
