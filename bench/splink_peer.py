"""Splink over the same people: `PYTHON bench/splink_peer.py PEOPLE.csv PAIRS.csv`.

It runs in the peers' environment and so imports nothing of ours. The columns come
split and plain, as one prepares them for Splink; a column is compared where it has
values. Comparisons and blocking are those of its documentation for people.
"""

from __future__ import annotations

import csv
import json
import logging
import sys
import time
import warnings
from pathlib import Path

import duckdb
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

SEED = 42
PROPOSE_RATIO = 0.5
COMPARISONS = {
    "given": lambda: cl.NameComparison("given").configure(
        term_frequency_adjustments=True
    ),
    "family": lambda: cl.NameComparison("family").configure(
        term_frequency_adjustments=True
    ),
    "birth_date": lambda: cl.DateOfBirthComparison("birth_date", input_is_string=True),
    "gender": lambda: cl.ExactMatch("gender"),
    "email": lambda: cl.EmailComparison("email"),
    "phone": lambda: cl.DamerauLevenshteinAtThresholds("phone", 1),
    "address": lambda: cl.JaroWinklerAtThresholds("address", [0.9, 0.7]),
    "city": lambda: cl.JaroWinklerAtThresholds("city", [0.9, 0.7]).configure(
        term_frequency_adjustments=True
    ),
    "postcode": lambda: cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
    "country": lambda: cl.ExactMatch("country"),
}
BLOCKING = (
    ("birth_date",),
    ("email",),
    ("phone",),
    ("address",),
    ("given", "family"),
    ("given", "postcode"),
    ("family", "postcode"),
    ("given", "city"),
    ("family", "city"),
)
TRAINING = (("birth_date",), ("given", "family"), ("address",))


def main(people: Path, pairs: Path) -> None:
    """Write pairs with probabilities, and print the seconds as JSON."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    connection = duckdb.connect()
    connection.execute(
        "create table people as select * from "
        "read_csv(?, all_varchar=true, header=true, nullstr='')",
        [str(people)],
    ).fetchall()
    begun = time.perf_counter()
    rows = _predict(connection)
    seconds = time.perf_counter() - begun
    with pairs.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    print(json.dumps({"seconds": seconds, "pairs": len(rows)}))


def _predict(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
    known = _known(connection)
    linker = Linker(
        DuckDBAPI(connection).register("people"), _settings(known), log_level="ERROR"
    )
    # Who shares an id or address is one person nearly always; half of all do.
    exact = [name for name in known if name.startswith("id_")] + ["email", "phone"]
    rules = [block_on(name) for name in exact if name in known]
    rules.append(block_on("given", "family", "birth_date"))
    rules = rules if "birth_date" in known else rules[:-1]
    train = linker.training
    train.estimate_probability_two_random_records_match(rules, recall=0.7)
    train.estimate_u_using_random_sampling(max_pairs=1e6, seed=SEED)
    for columns in TRAINING:
        if set(columns) <= set(known):
            train.estimate_parameters_using_expectation_maximisation(block_on(*columns))
    found = linker.inference.predict(threshold_match_probability=PROPOSE_RATIO)
    return connection.execute(
        f"select customer_id_l, customer_id_r, match_probability "
        f"from {found.physical_name}"
    ).fetchall()


def _known(connection: duckdb.DuckDBPyConnection) -> list[str]:
    columns = connection.table("people").columns
    counts = ", ".join(f'count("{name}")' for name in columns)
    (row,) = connection.execute(f"select {counts} from people").fetchall()
    return [name for name, count in zip(columns, row, strict=True) if count]


def _settings(known: list[str]) -> SettingsCreator:
    ids = [name for name in known if name.startswith("id_")]
    comparisons = [make() for name, make in COMPARISONS.items() if name in known]
    comparisons += [cl.DamerauLevenshteinAtThresholds(name, 1) for name in ids]
    blocking = [*((name,) for name in ids), *BLOCKING]
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="customer_id",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[
            block_on(*columns) for columns in blocking if set(columns) <= set(known)
        ],
        retain_matching_columns=False,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
