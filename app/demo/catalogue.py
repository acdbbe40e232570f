"""What a shop sells, what goes with what, and what sells when."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.demo.records import Product

QUARTERS = 4
# How much more of the product with trouble sells since its new delivery.
NEW_DELIVERY_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Products, and by their places what is known of them.

    `companions`: what is often taken with a product, each with how often. `popular`:
    a factor for each. `several`: whether people take more than one. `seasons`: a
    factor for each, by quarter and by whether the new delivery of `trouble` has come.
    """

    products: tuple[Product, ...]
    companions: Mapping[int, tuple[tuple[int, float], ...]]
    popular: NDArray[np.float64]
    several: tuple[bool, ...]
    seasons: Mapping[tuple[int, bool], NDArray[np.float64]]
    trouble: int

    def place_of(self, name: str) -> int:
        """Where a product stands in the catalogue."""
        return _place(self.products, name)


def make_catalogue(tree: Mapping[str, Any]) -> Catalogue:
    """The catalogue that a profile describes."""
    goods = tuple(_products(tree["goods"], tree["company"]["url"]))
    trouble = _place(goods, tree["trouble"]["product"])
    popular = tree["popular"]
    several = tree["several"]
    return Catalogue(
        goods,
        _companions(goods, tree["together"]),
        np.array([float(popular.get(one.name, 1.0)) for one in goods]),
        tuple(
            one.price_minor < round(several["below"] * 100)
            and one.category in several.get("in", tree["goods"])
            for one in goods
        ),
        {
            (quarter, delivered): _season(goods, tree["seasons"], quarter, place)
            for quarter in range(QUARTERS)
            for delivered, place in ((False, None), (True, trouble))
        },
        trouble,
    )


def slug(name: str) -> str:
    """A name as part of an address."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _products(goods: Mapping[str, Mapping[str, float]], url: str) -> list[Product]:
    found = []
    for shelf, (category, prices) in enumerate(goods.items(), start=1):
        for number, (name, price) in enumerate(prices.items(), start=1):
            code = f"P{shelf}{number:02d}"
            page = f"{url}/p/{slug(name)}"
            found.append(Product(code, name, category, round(price * 100), page))
    return found


def _place(goods: Sequence[Product], name: str) -> int:
    return next(i for i, product in enumerate(goods) if product.name == name)


def _companions(
    goods: Sequence[Product], together: Sequence[tuple[str, str, float]]
) -> dict[int, tuple[tuple[int, float], ...]]:
    found: dict[int, tuple[tuple[int, float], ...]] = {}
    for first, second, ratio in together:
        place = _place(goods, first)
        found[place] = (*found.get(place, ()), (_place(goods, second), ratio))
    return found


def _season(
    goods: Sequence[Product],
    seasons: Mapping[str, Sequence[float]],
    quarter: int,
    delivered: int | None,
) -> NDArray[np.float64]:
    every = (1.0,) * QUARTERS
    factors = np.array([seasons.get(one.category, every)[quarter] for one in goods])
    if delivered is not None:
        factors[delivered] *= NEW_DELIVERY_FACTOR
    return factors
