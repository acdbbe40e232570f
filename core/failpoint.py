"""Named places where a test may end the process, as a power cut would.

`RAPPORT_FAILPOINT=after_data:37` kills it the 37th time that `after_data` is hit.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "RAPPORT_FAILPOINT"
_hits: dict[str, int] = {}


def hit(name: str) -> None:
    """Do nothing, unless this is the moment that the environment asks for."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    point, _, number = wanted.partition(":")
    if point != name:
        return
    _hits[name] = _hits.get(name, 0) + 1
    if _hits[name] >= int(number or 1):
        os.kill(os.getpid(), signal.SIGKILL)
