"""Files in the columns of Febrl as people, mapped as an import would map them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.planted_people import true_pairs

# One of our fields, and the columns of a file that make it up.
COLUMNS = {
    "name": ("given_name", "surname"),
    "address": ("street_number", "address_1", "address_2"),
    "city": ("suburb",),
    "postcode": ("postcode",),
    "country": ("state",),
}


def febrl_people(*files: Path) -> tuple[pd.DataFrame, set[tuple[int, int]]]:
    """A frame for `match_people`, and the true pairs of customer_id.

    Several files are read as one. rec-7-org and rec-7-dup-0 are the same person. A
    birth date that no calendar has is missing.
    """
    table = pd.concat([_read(file) for file in files], ignore_index=True)
    born = pd.to_datetime(table["date_of_birth"], format="%Y%m%d", errors="coerce")
    people = {
        field: table[list(columns)].fillna("").agg(" ".join, axis=1).str.strip()
        for field, columns in COLUMNS.items()
    }
    frame = pd.DataFrame(people).astype("object").replace("", None)
    frame.insert(0, "customer_id", range(1, len(frame) + 1))
    frame["birth_date"] = born.dt.date
    frame["ids"] = [{"social": value} for value in table["soc_sec_id"]]
    return frame, true_pairs(table["rec_id"].str.split("-").str[1].tolist())


def febrl_sets(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The data sets of a folder: datasetN.csv, and datasetNa.csv with datasetNb.csv."""
    found: dict[str, tuple[Path, ...]] = {}
    for file in sorted(folder.glob("dataset*.csv")):
        name = file.stem.rstrip("ab")
        found[name] = (*found.get(name, ()), file)
    return found


def _read(file: Path) -> pd.DataFrame:
    table = pd.read_csv(file, dtype=str, skipinitialspace=True)
    table.columns = table.columns.str.strip()
    return table.apply(lambda values: values.str.strip())
