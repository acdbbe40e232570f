"""In CI every skip needs a reason that was agreed on; otherwise the run fails."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

ALLOWED_FILE = Path(__file__).with_name("allowed_skips.txt")


def allowed_reasons(text: str) -> tuple[str, ...]:
    """The reason prefixes of the list: one a line, `#` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def unlisted(reasons: Iterable[str], allowed: tuple[str, ...]) -> list[str]:
    """The reasons that begin with none of the allowed ones."""
    plain = (reason.removeprefix("Skipped: ") for reason in reasons)
    return [reason for reason in plain if not reason.startswith(allowed)]
