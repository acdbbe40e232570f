"""The span of time that a number is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from analytics.frame import moment
from core.errors import DataError, Problem


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time: `start` belongs to it, `end` does not."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if moment(self.start) >= moment(self.end):
            raise DataError(
                Problem("a window ends after it starts", f"{self.start}..{self.end}")
            )

    @property
    def before(self) -> Window:
        """The window of the same length that ends where this one starts."""
        return Window(self.start - (self.end - self.start), self.start)

    def holds(self, moments: pd.Series[pd.Timestamp]) -> pd.Series[bool]:
        """Which moments lie in it; an unknown one does not."""
        return (moments >= moment(self.start)) & (moments < moment(self.end))
