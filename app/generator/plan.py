"""What is wanted of the generator, and how it is cut into blocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

# A block is a whole small company of its own, and the unit of memory and of work.
BLOCK_CUSTOMERS = 2000
UNTIL = datetime(2026, 6, 30, 18, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """Data of so many customers up to the moment `asof`.

    `dirty_ratio` is the share of rows with something wrong, and of people who are
    there more than once.
    """

    customers: int
    seed: int
    profile: str = "shop"
    dirty_ratio: float = 0.0
    asof: datetime = UNTIL
    block_customers: int = BLOCK_CUSTOMERS

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.customers // self.block_customers)

    def size(self, block: int) -> int:
        """How many customers a block has; the last may have fewer."""
        return min(self.block_customers, self.customers - self.before(block))

    def before(self, block: int) -> int:
        """How many customers stand before those of a block."""
        return block * self.block_customers

    def rng(self, block: int, part: int) -> np.random.Generator:
        """Chance of its own for each part, so that blocks can be made in any order."""
        return np.random.default_rng([self.seed, block, part])
