"""What every benchmark gives: a list of promises, each with its peer or limit.

A benchmark is a module `bench/bench_NAME.py` with a docstring whose first line says
what it measures, `add_options(parser)` and `run(options) -> list[Promise]`. Speed is
the median of at least three runs that alternate with their peer.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("RAPPORT_DATA", ROOT.parent / "shared" / "data"))


class BenchmarkStopped(Exception):
    """A benchmark can't be made; the message says why, for a person."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promised figure; the fields are the keys of a JSON line.

    `peer` is the figure of the peer in the same run, or None where `target` is a
    limit; `ratio` is better above 1. `spread` is (max - min) / median of the runs.
    """

    name: str
    value: float
    unit: str
    target: str
    peer: float | None
    ratio: float | None
    n: int
    spread: float | None
    holds: bool


def at_most(
    name: str, values: Sequence[float], unit: str, limit: float, wanted: str = ""
) -> Promise:
    """The median of `values` stays below a limit; `wanted` replaces its words."""
    value = statistics.median(values)
    return Promise(
        name=name,
        value=value,
        unit=unit,
        target=wanted or f"< {limit:g}",
        peer=None,
        ratio=limit / value if value else None,
        n=len(values),
        spread=spread(values),
        holds=value < limit,
    )


def at_least(name: str, values: Sequence[float], unit: str, limit: float) -> Promise:
    """The median of `values` reaches a limit."""
    value = statistics.median(values)
    return Promise(
        name=name,
        value=value,
        unit=unit,
        target=f">= {limit:g}",
        peer=None,
        ratio=value / limit if limit else None,
        n=len(values),
        spread=spread(values),
        holds=value >= limit,
    )


def against_peer(
    name: str,
    ours: Sequence[float],
    peers: Sequence[float],
    unit: str,
    wanted_ratio: float,
) -> Promise:
    """Rates (more is better) of runs in turn: ours reaches a share of the peer's."""
    value, peer = statistics.median(ours), statistics.median(peers)
    return Promise(
        name=name,
        value=value,
        unit=unit,
        target=f">= {wanted_ratio:g} x peer",
        peer=peer,
        ratio=value / peer,
        n=len(ours),
        spread=spread(ours),
        holds=value >= wanted_ratio * peer,
    )


def spread(values: Sequence[float]) -> float | None:
    """(max - min) / median; None of one value."""
    middle = statistics.median(values)
    return (
        None if len(values) < 2 or not middle else (max(values) - min(values)) / middle
    )


def alternate(
    rounds: int, ours: Callable[[], float], peer: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Both measured in turn, so that a slow minute of the machine hits both."""
    pairs = [(peer(), ours()) for _ in range(rounds)]
    return [our for _, our in pairs], [its for its, _ in pairs]


def data_file(*parts: str) -> Path:
    """The default input of a benchmark."""
    return DATA.joinpath(*parts)


def existing(path: Path) -> Path:
    """`path`; a benchmark without its input stops."""
    if not path.exists():
        message = f"{path} is not there; give another file, or set RAPPORT_DATA"
        raise BenchmarkStopped(message)
    return path


def show(promises: Sequence[Promise], *, as_json: bool) -> None:
    """Print the promises: a table for people, or one JSON object a line."""
    if as_json:
        for promise in promises:
            print(json.dumps(asdict(promise)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("promise", overflow="fold")
    for column in ("value", "target", "peer", "ratio", "n", "spread"):
        table.add_column(column, justify="right")
    table.add_column("holds")
    for promise in promises:
        table.add_row(*_cells(promise))
    Console(width=110).print(table)


def _cells(promise: Promise) -> list[str]:
    return [
        promise.name,
        f"{_figure(promise.value)} {promise.unit}",
        promise.target,
        "" if promise.peer is None else _figure(promise.peer),
        "" if promise.ratio is None else f"{promise.ratio:.2f}",
        str(promise.n),
        "" if promise.spread is None else f"{promise.spread:.0%}",
        "yes" if promise.holds else "no",
    ]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
