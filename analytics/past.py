"""Who bought what how often and when, as the recommendations need it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from analytics.frame import moment, require_columns, times
from analytics.similarity import Neighbours, product_neighbours

HALF_LIFE_DAYS = 365
POPULAR_DAYS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """All purchases as matrices: customers by products, best sellers first.

    `counts` holds the orders with the product, `recent` the same with each halved per
    year of age; `orders` the number of orders per customer; `popularity` the share of
    the buyers of the last 30 days who bought the product.
    """

    customers: pd.Index[int]
    products: pd.Index[int]
    counts: csr_array
    recent: csr_array
    orders: np.ndarray
    popularity: np.ndarray
    neighbours: Neighbours


def past_of(purchases: pd.DataFrame, asof: datetime) -> Past | None:
    """All purchases up to a moment, as matrices.

    Parameters
    ----------
    purchases : one row per sold product of an order: customer_id, order_id,
        product_id (int64), ordered_at (datetime64, UTC); rows with a missing id are
        left out, a product twice in an order counts once
    asof : aware; later purchases are ignored

    Returns
    -------
    Past, or None where no purchase is left.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    columns = ["customer_id", "order_id", "product_id", "ordered_at"]
    require_columns(purchases, "purchases", columns)
    at = times(purchases, "purchases", "ordered_at")
    known = purchases[columns].assign(ordered_at=at)[at <= moment(asof)].dropna()
    known = known.drop_duplicates(["customer_id", "order_id", "product_id"])
    if known.empty:
        return None
    known = known.astype({"customer_id": "int64", "product_id": "int64"})
    customers = pd.Index(np.unique(known["customer_id"]))
    sold = known["product_id"].value_counts().rename_axis("product_id").reset_index()
    sold = sold.sort_values(["count", "product_id"], ascending=[False, True])
    products = pd.Index(sold["product_id"])
    rows = customers.get_indexer(known["customer_id"])
    cells = (rows, products.get_indexer(known["product_id"]))
    shape = (len(customers), len(products))
    age_days = (moment(asof) - known["ordered_at"]).dt.total_seconds() / 86_400
    halved = np.power(0.5, age_days.to_numpy() / HALF_LIFE_DAYS)
    orders = known[["customer_id", "order_id"]].drop_duplicates()
    counts = csr_array((np.ones(len(known)), cells), shape=shape)
    return Past(
        customers,
        products,
        counts=counts,
        recent=csr_array((halved, cells), shape=shape),
        orders=np.bincount(customers.get_indexer(orders["customer_id"])),
        popularity=_popularity(known[age_days <= POPULAR_DAYS], products),
        neighbours=product_neighbours(counts),
    )


def _popularity(lately: pd.DataFrame, products: pd.Index[int]) -> np.ndarray:
    pairs = lately[["customer_id", "product_id"]].drop_duplicates()
    buyers = pairs["product_id"].value_counts().reindex(products, fill_value=0)
    everyone = max(1, pairs["customer_id"].nunique())
    return (buyers / everyone).to_numpy(dtype="float64")
