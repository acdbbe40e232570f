"""Which customers are one person: right on Febrl and planted duplicates, and how fast.

Pairs are judged at the default thresholds. "Found" are merged and proposed pairs
together, as the match threshold of other programs has it; "merged" are those that
nobody is asked about. Splink gets the same people in an environment of its own, which
is made at need; where that fails, a row says so.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analytics.matching import match_people
from analytics.matching_people import prepare
from bench.contract import (
    ROOT,
    BenchmarkStopped,
    Promise,
    against_peer,
    at_least,
    at_most,
    data_file,
    existing,
)
from bench.febrl import febrl_people, febrl_sets
from bench.peers import PeersMissing, peer_python
from bench.planted_people import planted_people
from bench.quality import DEFAULT, Pairs, f1, quality

FOUND_F1, PLANTED_F1, MERGED_PRECISION = 0.99, 0.97, 0.999
FULL_CUSTOMERS, FULL_SECONDS, PEAK_MB = 200_000, 180.0, 1536.0
# What starting costs, however few customers there are.
LEAST_SECONDS = 20.0
PEER_QUALITY, PEER_SPEED = 0.99, 0.1
SEED = 7


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--febrl",
        type=Path,
        default=data_file("febrl"),
        help="a folder of datasetN.csv, or datasetNa.csv and datasetNb.csv",
    )
    parser.add_argument("--file", type=Path, help="one file of these columns instead")
    parser.add_argument("--link", type=Path, help="read together with --file")
    parser.add_argument(
        "--customers", type=int, default=20_000, help="to generate; 0 for none"
    )
    parser.add_argument(
        "--full", action="store_true", help=f"generate {FULL_CUSTOMERS:,}"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of generated customers")
    parser.add_argument(
        "--splink",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure Splink beside it",
    )


def run(options: argparse.Namespace) -> list[Promise]:
    peer, found = _peer(options.splink)
    for name, files in _sets(options).items():
        found += _judge(name, *febrl_people(*files), peer, FOUND_F1)
    customers = FULL_CUSTOMERS if options.full else options.customers
    if customers:
        found += _generated(customers, options.rounds, peer)
    return found


def _sets(options: argparse.Namespace) -> dict[str, tuple[Path, ...]]:
    if options.file:
        files = (options.file, options.link) if options.link else (options.file,)
        return {options.file.stem: tuple(existing(file) for file in files)}
    sets = febrl_sets(existing(options.febrl))
    if not sets:
        message = f"{options.febrl} holds no datasetN.csv"
        raise BenchmarkStopped(message)
    return sets


def _judge(
    name: str, people: pd.DataFrame, truth: Pairs, peer: _Splink | None, wanted: float
) -> list[Promise]:
    begun = time.perf_counter()
    pairs = match_people(people, DEFAULT).pairs
    seconds = time.perf_counter() - begun
    found = quality(pairs, truth)
    promises = _quality_promises(name, [found], wanted)
    if peer is not None:
        promises += _beside(name, people, truth, peer, found["f1"], [seconds])
    return promises


def _quality_promises(
    name: str, rounds: list[dict[str, float]], wanted: float
) -> list[Promise]:
    def of(key: str) -> list[float]:
        return [each[key] for each in rounds]

    return [
        at_least(f"{name}: F1 of found pairs", of("f1"), "", wanted),
        at_least(
            f"{name}: precision of merged pairs",
            of("merge_precision"),
            "",
            MERGED_PRECISION,
        ),
        at_least(f"{name}: F1 of merged pairs alone, told only", of("merge_f1"), "", 0),
    ]


def _generated(customers: int, rounds: int, peer: _Splink | None) -> list[Promise]:
    told = [_child(customers) for _ in range(rounds)]
    seconds = [each["seconds"] for each in told]
    name = f"{customers:,} generated"
    limit = max(FULL_SECONDS * customers / FULL_CUSTOMERS, LEAST_SECONDS)
    promises = [
        *_quality_promises(name, told, PLANTED_F1),
        at_most(f"{name}: time", seconds, "s", limit),
        at_most(f"{name}: peak memory", [e["peak_mb"] for e in told], "MB", PEAK_MB),
    ]
    if peer is not None:
        people, truth = planted_people(customers, SEED)
        promises += _beside(name, people, truth, peer, told[0]["f1"], seconds)
    return promises


def _child(customers: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.own_matching", str(customers), str(SEED)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


# --- Splink ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Splink:
    """Splink in its own environment."""

    python: Path

    def pairs(self, people: pd.DataFrame) -> tuple[set[tuple[int, int]], float]:
        """What it finds from its threshold of 0.5 on, and the seconds it took."""
        with tempfile.TemporaryDirectory() as folder:
            table, found = Path(folder) / "people.csv", Path(folder) / "pairs.csv"
            _plain(people).to_csv(table, index=False)
            script = str(ROOT / "bench" / "splink_peer.py")
            command = [str(self.python), script, str(table), str(found)]
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, cwd=folder
            )
            if done.returncode:
                message = f"Splink ended: {done.stderr.strip().splitlines()[-1]}"
                raise BenchmarkStopped(message)
            with found.open(newline="") as file:
                ids = {(int(one), int(other)) for one, other, _ in csv.reader(file)}
        pairs = {(min(pair), max(pair)) for pair in ids}
        return pairs, float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def _peer(wanted: bool) -> tuple[_Splink | None, list[Promise]]:
    if not wanted:
        return None, []
    try:
        return _Splink(peer_python()), []
    except PeersMissing as reason:
        name = f"Splink is left out: {reason}"
        row = Promise(name, 0.0, "", "told only", None, None, 0, None, holds=True)
        return None, [row]


def _beside(
    name: str,
    people: pd.DataFrame,
    truth: Pairs,
    peer: _Splink,
    own_f1: float,
    own_seconds: list[float],
) -> list[Promise]:
    found, seconds = peer.pairs(people)
    rates = [len(people) / each for each in own_seconds]
    return [
        against_peer(
            f"{name}: F1 beside Splink", [own_f1], [f1(found, truth)], "", PEER_QUALITY
        ),
        against_peer(
            f"{name}: speed beside Splink",
            rates,
            [len(people) / seconds],
            "customers/s",
            PEER_SPEED,
        ),
    ]


def _plain(people: pd.DataFrame) -> pd.DataFrame:
    """The people with names split and every field plain, as matching has them."""
    prepared = prepare(people)
    names = {f"id:{kind}": f"id_{kind}" for kind in prepared.id_kinds}
    wanted = (
        *("given", "family", "gender", "email", "phone"),
        *("address", "city", "postcode", "country"),
        *names,
    )
    table = {"customer_id": prepared.customer_ids}
    for name in wanted:
        table[names.get(name, name)] = prepared.columns[name].words()
    table["birth_date"] = pd.to_datetime(
        pd.Series(prepared.birth).where(prepared.birth > 0), format="%Y%m%d"
    ).dt.strftime("%Y-%m-%d")
    single = prepared.columns["single"].words()
    table["family"] = [a or b for a, b in zip(table["family"], single, strict=True)]
    return pd.DataFrame(table)
