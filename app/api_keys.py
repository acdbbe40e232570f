"""`rapport api-key`: who may send records over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.errors import DataError, Problem, did_you_mean
from core.model import system
from core.records import RecordKind
from storage import api_keys

if TYPE_CHECKING:
    from app.wiring import Program

COMMAND_LINE = system("command line")
# Rates are money: they come from a file, by hand.
SENDABLE = tuple(kind for kind in RecordKind if kind is not RecordKind.RATES)


def add(program: Program, name: str, source: str, kinds: Sequence[str]) -> None:
    """Make a key, and print its secret once."""
    wanted = [_kind(kind) for kind in kinds] or list(SENDABLE)
    now = program.clock.now()
    secret = program.database.write_now(
        COMMAND_LINE, lambda c: api_keys.create(c, name, source, wanted, now)
    )
    sys.stdout.write(f"{secret}\n")
    sys.stderr.write("It is shown this once; keep it as you keep a password.\n")


def show(program: Program) -> None:
    """Every key, without its secret."""
    from app.tables import show_api_key_table

    show_api_key_table(program.database.read_now(api_keys.all_keys))


def revoke(program: Program, key_id: int) -> None:
    """Take a key back.

    Raises
    ------
    DataError : no active key has this number
    """
    if not program.database.write_now(
        COMMAND_LINE, lambda c: api_keys.revoke(c, key_id)
    ):
        hint = "See: rapport api-key list"
        raise DataError(
            Problem("no active key has this number", str(key_id), hint=hint)
        )


def _kind(word: str) -> RecordKind:
    if word not in SENDABLE:
        hint = did_you_mean(word, SENDABLE) or f"There are: {', '.join(SENDABLE)}."
        raise DataError(Problem("unknown kind of records", word, hint=hint))
    return RecordKind(word)
