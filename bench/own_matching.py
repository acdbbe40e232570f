"""Matching of generated people: `python -m bench.own_matching CUSTOMERS SEED`."""

from __future__ import annotations

import json
import resource
import sys
import time

from analytics.matching import match_people
from bench.planted_people import planted_people
from bench.quality import DEFAULT, quality


def main(customers: int, seed: int) -> None:
    """Print seconds, peak memory and quality as JSON."""
    people, truth = planted_people(customers, seed)
    begun = time.perf_counter()
    matching = match_people(people, DEFAULT)
    seconds = time.perf_counter() - begun
    # The peak holds the table of people and what the operating system gives Python.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = quality(matching.pairs, truth)
    print(json.dumps({"seconds": seconds, "peak_mb": peak, **found}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
