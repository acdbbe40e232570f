"""Stored amounts in the units that people count in."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from babel.core import get_global
from sqlalchemy import case


def major(minor: Any, currency: Any) -> Any:
    """An amount in major units, by the places that its currency has."""
    fractions = dict(get_global("currency_fractions"))
    usual = fractions.pop("DEFAULT")[0]
    codes: defaultdict[int, list[str]] = defaultdict(list)
    for code, (places, *_) in fractions.items():
        if places != usual:
            codes[places].append(code)
    return case(
        *((currency.in_(those), minor / 10.0**p) for p, those in codes.items()),
        else_=minor / 10.0**usual,
    )
