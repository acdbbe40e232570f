"""One form for the errors that a person sees: what is wrong, where, how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake with its place. `line` and `column` count from 1."""

    expected: str
    value: str | None = None
    file: str | Path | None = None
    line: int | None = None
    column: int | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = ":".join(
            str(part)
            for part in (self.file, self.line, self.column)
            if part is not None
        )
        text = f"{place}: {self.expected}" if place else self.expected
        if self.value is not None:
            text += f" (found: {self.value})"
        if self.hint:
            text += f"\n  {self.hint}"
        return text


class RapportError(Exception):
    """Base of all errors that carry problems for a person to mend."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class SettingsError(RapportError):
    """A setting is unknown, missing or of the wrong form."""


class DataError(RapportError):
    """A file or frame does not hold what was announced."""


class TemplateError(RapportError):
    """A template can't be read, or uses what does not exist."""


class CampaignError(RapportError):
    """A campaign's definition can't be used."""


class SchemaOutdated(RapportError):
    """The database was made by another version of the program."""


class StaleBase(RapportError):
    """Somebody made a newer version of what was to be changed."""


class LeaseLost(RapportError):
    """Another process holds what this one was about to use."""


class DeliveryError(Exception):
    """A channel refused a message.

    `reason` is one word for the ledger (`mailbox_unknown`, `blocked` ...); a
    `permanent` one is never tried again; `uncertain` says that the far side may
    have accepted the message.
    """

    def __init__(
        self, reason: str, *, permanent: bool, uncertain: bool = False
    ) -> None:
        self.reason = reason
        self.permanent = permanent
        self.uncertain = uncertain
        super().__init__(reason)


# Reasons after which an address is switched off until its owner writes again.
UNREACHABLE = frozenset({"blocked", "deactivated", "chat_not_found", "kicked"})


class RateLimited(DeliveryError):
    """The far side asked for a pause before the next message."""

    def __init__(self, retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__("rate_limited", permanent=False)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be, or None."""
    originals = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(word.casefold(), originals, n=1, cutoff=0.6)
    return originals[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the nearest known word, or None."""
    match = nearest(word, known)
    return f"Did you mean `{match}`?" if match else None
