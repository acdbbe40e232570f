"""`rapport import --guess`: a first mapping of a file, with the reasons beside it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from rich.console import Console

from app.import_view import show_findings
from app.importing import EXIT_OK, STDIN
from content.guess import look
from content.headers import header_words
from content.mapping import GUESSED, FileMapping
from content.mapping_file import read_mapping
from content.profile import TEMPLATES
from content.suggest import Suggestion, profiles_of, suggestions
from content.suggestion_file import Looked, fitting_shipped, mapping_text
from core.errors import DataError, Problem, did_you_mean
from core.records import RecordKind

# Another kind is named if it fits nearly as well.
NEARLY_AS_WELL = 0.75


def guess_command(file: str, kind: str | None, target: Path | None) -> int:
    """Write a mapping to standard output or to `target`, and say what to do next.

    Raises
    ------
    DataError : the file can't be read, or fits to no kind; or there is `target`
    """
    if file == STDIN:
        hint = "Write it to a file first: a mapping is tried on the same rows again."
        raise DataError(Problem("a file is needed to guess from", "-", hint=hint))
    if target is not None and target.exists():
        hint = "Remove it, or name another one."
        raise DataError(Problem("the mapping is there already", str(target), hint=hint))
    path = Path(file)
    wanted = None if kind is None else _kind(kind)
    looked = _look(path)
    show_findings(path.name, looked.findings)
    shipped = fitting_shipped(TEMPLATES, looked.sample.header)
    if shipped is not None and wanted in {None, read_mapping(shipped).kind}:
        return _offer(shipped, path, target)
    words = header_words(TEMPLATES)
    found = suggestions(
        looked.sample,
        dict(looked.profiles),
        words,
        path.name,
        RecordKind if wanted is None else [wanted],
    )
    best, also = found[0], _also(found)
    if best.lacking or (wanted is None and not best.is_likely):
        raise DataError(_no_kind(looked, best, wanted))
    _write(mapping_text(looked, best, words, also), target)
    _say_next(path, target)
    return EXIT_OK


def _kind(word: str) -> RecordKind:
    kinds = [kind.value for kind in RecordKind]
    if word not in kinds:
        hint = did_you_mean(word, kinds) or f"There are: {', '.join(kinds)}."
        raise DataError(Problem("unknown kind", word, hint=hint))
    return RecordKind(word)


def _look(path: Path) -> Looked:
    plain = FileMapping("guessed", RecordKind.CUSTOMERS, guess=frozenset(GUESSED))
    mapping, sample, findings = look(plain, path, path.name)
    if not sample.rows:
        shown = ", ".join(sample.header) or None
        raise DataError(Problem("no rows below the header", shown, file=path.name))
    profiles = profiles_of(sample, header_words(TEMPLATES))
    return Looked(path.name, mapping, sample, profiles, tuple(findings))


def _also(found: list[Suggestion]) -> Suggestion | None:
    """Another kind that the file may well hold."""
    if len(found) > 1 and found[1].is_likely:
        best, second = found[:2]
        return second if second.score >= best.score * NEARLY_AS_WELL else None
    return None


def _no_kind(looked: Looked, best: Suggestion, wanted: RecordKind | None) -> Problem:
    lacking = "; ".join(best.lacking)
    there = f"The file has: {', '.join(looked.sample.header)}."
    if wanted is None:
        needed = f"; {best.kind}, the nearest, need {lacking}" if lacking else ""
        expected = f"the columns fit to no kind of record{needed}"
        hint = f"{there} Say the kind with --kind, or write a mapping by hand."
    else:
        expected = f"{wanted} need a column for {lacking}"
        hint = f"{there} Name it in a mapping of your own."
    return Problem(expected, file=looked.file, line=1, hint=hint)


def _offer(shipped: Path, path: Path, target: Path | None) -> int:
    """A shipped mapping fits: it knows more of such files than a guess."""
    if target is not None:
        _write(shipped.read_text(encoding="utf-8"), target)
        _say_next(path, target)
        return EXIT_OK
    console = Console(stderr=True)
    console.print(f"{path.name} has the columns of a shipped mapping, which follows.")
    _write(shipped.read_text(encoding="utf-8"), None)
    console.print(f"Next: {_command(path, shipped.stem)}", soft_wrap=True)
    return EXIT_OK


def _write(text: str, target: Path | None) -> None:
    if target is None:
        sys.stdout.write(text)
        return
    with target.open("x", encoding="utf-8") as file:
        file.write(text)


def _say_next(path: Path, target: Path | None) -> None:
    console = Console(stderr=True)
    if target is None:
        name = f"{path.name.partition('.')[0] or 'mapping'}.yaml"
        again = f"rapport import {shlex.quote(str(path))} --guess --to {name}"
        console.print(f"Keep it with: {again}", soft_wrap=True)
        return
    console.print(
        f"Look at {target}, then: {_command(path, str(target))}", soft_wrap=True
    )


def _command(path: Path, mapping: str) -> str:
    return f"rapport import {shlex.quote(str(path))} --mapping {shlex.quote(mapping)}"
