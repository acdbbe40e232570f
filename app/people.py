"""`rapport customer`: find a person, tell them what is stored, forget them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from app.serve import say
from core.errors import DataError, Problem
from core.model import system
from storage import erasure, person

if TYPE_CHECKING:
    from app.wiring import Program

COMMAND_LINE = system("command line")


def find(program: Program, words: str) -> int:
    """Print the numbers of those whose name or address holds the words; 1 for none."""
    found = program.database.read_now(lambda c: person.find(c, words))
    for number, name in found:
        sys.stdout.write(f"{number}\t{name}\n")
    if not found:
        say("Nobody's name or address holds that.")
    return int(not found)


def export(program: Program, customer_id: int, folder: Path, language: str) -> None:
    """Write everything about a person into a folder, for programs and for reading."""
    from content.person_page import person_page
    from content.profile import TEMPLATES

    now = program.clock.now()
    told = program.database.read_now(lambda c: person.collect(c, customer_id, now))
    shop = program.settings.shop
    page = person_page(told, TEMPLATES / "layout", language, shop.name, shop.timezone)
    text = json.dumps(told, ensure_ascii=False, indent=2)
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, content in (("json", text), ("html", page)):
        file = folder / f"{customer_id}.{suffix}"
        with private_file(file) as stream:
            stream.write(content)
        sys.stdout.write(f"{file}\n")


@contextmanager
def private_file(
    path: Path, encoding: str = "utf-8", newline: str | None = None
) -> Iterator[TextIO]:
    """A new text file that nobody else on this machine can read, even for a moment."""
    # One that is there may have other rights, or be open elsewhere.
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding=encoding, newline=newline) as stream:
        yield stream


def erase(program: Program, customer_id: int, *, sure: bool) -> None:
    """Forget a person; asks, unless told that it is meant.

    Raises
    ------
    DataError : there is no such customer, or nobody is there to be asked
    """
    now = program.clock.now()
    told = program.database.read_now(lambda c: person.collect(c, customer_id, now))
    if not sure:
        _ask(told)
    done = program.database.write_now(
        COMMAND_LINE, lambda c: erasure.erase(c, customer_id, now)
    )
    rows = ", ".join(f"{name} {count}" for name, count in done.rows.items())
    say(f"Customer {done.customer_id} is forgotten ({rows}).")
    say("Backups made before hold them still; after a restore, erase again.")


def _ask(told: person.Person) -> None:
    name = told["customer"].get("name") or "without a name"
    orders = len(told.get("orders", ()))
    say(f"{name}: {orders} orders. What is erased can't be brought back.")
    if not sys.stdin.isatty():
        hint = "Say that you mean it: --yes"
        raise DataError(Problem("nobody is here to be asked", hint=hint))
    sys.stderr.write("Type the word erase to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() != "erase":
        raise DataError(Problem("not erased"))
