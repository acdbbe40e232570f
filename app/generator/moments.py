"""Moments as files write them, many at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.int64]


def seconds(moments: Iterable[datetime]) -> Seconds:
    """Seconds since 1970."""
    return np.array([int(at.timestamp()) for at in moments], dtype=np.int64)


def written(at: Seconds) -> list[str]:
    """`2026-06-30T18:00:00Z` for each."""
    texts = np.datetime_as_string(at.astype("datetime64[s]"), timezone="UTC")
    found: list[str] = texts.tolist()
    return found


def write(at: datetime) -> str:
    """One moment in the same form."""
    return written(seconds([at]))[0]
