"""Damaged files of every format come to an end: an error for a person, or rejects.

Small valid files are changed at random, with a seed; whatever comes of it must be
told as a `DataError` or as rejected rows, never as another exception.
"""

from __future__ import annotations

import gzip
import io
import random
import re
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from content.guess import settle
from content.mapping import GUESSED, FileMapping
from content.orders import OrderReader
from content.people import customer_reader
from content.rows import FileDefaults
from content.table import Table, open_table
from core.errors import DataError
from core.records import RecordKind
from tests.content.tables import csv_bytes, json_bytes, parquet_bytes, sheet_bytes

FILES = 90
# Opening one costs more than damaging it.
PARQUET_FILES = 30
SHEET = "xl/worksheets/sheet1.xml"
DEFAULTS = FileDefaults("EUR", "Europe/Berlin", date(2026, 1, 31))
CUSTOMERS = FileMapping(
    name="people",
    kind=RecordKind.CUSTOMERS,
    columns={"id": "id", "name": ("name", "city"), "birth_date": "name"},
    optional=frozenset({"name", "birth_date"}),
    attributes="rest",
    guess=frozenset(GUESSED),
)
ORDERS = FileMapping(
    name="orders",
    kind=RecordKind.ORDERS,
    columns={"order": "id", "ordered_at": "name", "price": "city"},
    guess=frozenset(GUESSED),
)
ROWS = [[str(number), "2026-01-31", "12.50"] for number in range(40)]

Mutation = Callable[[random.Random, bytes], bytes]


def flip(chance: random.Random, data: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        found[chance.randrange(len(found))] = chance.randrange(256)
    return bytes(found)


def cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def double(chance: random.Random, data: bytes) -> bytes:
    start, end = sorted(chance.randrange(len(data)) for _ in range(2))
    return data[:end] + data[start:]


def leave_out(chance: random.Random, data: bytes) -> bytes:
    start, end = sorted(chance.randrange(len(data)) for _ in range(2))
    return data[:start] + data[end:]


def zeros(chance: random.Random, data: bytes) -> bytes:
    place, count = chance.randrange(len(data)), chance.choice((1, 2, 64, 5000))
    return data[:place] + b"\0" * count + data[place:]


def signs(chance: random.Random, data: bytes) -> bytes:
    old, new = chance.sample([b",", b'"', b"\n", b"\r", b";", b"\t", b"{", b":"], 2)
    return data.replace(old, new, chance.randint(1, 9))


def longer(chance: random.Random, data: bytes) -> bytes:
    place = chance.randrange(len(data))
    word = chance.choice((b"9", b"x", b'"', b"[", b"-", b"e9", b"\xff"))
    return data[:place] + word * chance.choice((40, 3000, 300_000)) + data[place:]


def inside_zip(mutate: Mutation) -> Mutation:
    """Change one part of a workbook, not its packing."""

    def change(chance: random.Random, data: bytes) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            parts = {info.filename: old.read(info) for info in old.infolist()}
        name = chance.choice([SHEET, SHEET, *sorted(parts)])
        parts[name] = mutate(chance, parts[name])
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
            for name, content in parts.items():
                new.writestr(name, content)
        return file.getvalue()

    return change


def inside_gzip(mutate: Mutation) -> Mutation:
    return lambda chance, data: gzip.compress(mutate(chance, gzip.decompress(data)))


MUTATIONS = (flip, cut, double, leave_out, zeros, signs, longer)
PACKED = tuple(map(inside_gzip, MUTATIONS))
PARTS = tuple(map(inside_zip, MUTATIONS))

FORMATS = {
    "csv": (lambda _: csv_bytes(ROWS), MUTATIONS, FILES),
    "utf-16": (lambda _: csv_bytes(ROWS).decode().encode("utf-16"), MUTATIONS, FILES),
    "gzip": (lambda _: gzip.compress(csv_bytes(ROWS)), MUTATIONS + PACKED, FILES),
    "json": (lambda _: json_bytes(ROWS), MUTATIONS, FILES),
    "array": (
        lambda _: b"[%s]" % json_bytes(ROWS).strip().replace(b"\n", b","),
        MUTATIONS,
        FILES,
    ),
    "xlsx": (lambda _: sheet_bytes(ROWS), MUTATIONS + PARTS, FILES),
    "parquet": (lambda folder: parquet_bytes(folder, ROWS), MUTATIONS, PARQUET_FILES),
}


def read_all(table: Table, mapping: FileMapping) -> int:
    """How many rows came, by the reader of their kind; each is told once."""
    with table:
        if mapping.kind is RecordKind.ORDERS:
            batches = list(OrderReader(table, mapping, DEFAULTS).batches())
        else:
            batches = list(customer_reader(table, mapping, DEFAULTS).batches())
    return sum(batch.rows for batch in batches)


def outcome_of(path: Path, mapping: FileMapping) -> str:
    try:
        settled, _ = settle(mapping, path, path.name)
        return f"{read_all(open_table(path, settled), settled)} rows"
    except DataError as error:
        told = str(error).encode().decode()
    return "refused" if told.startswith(path.name) else told


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("mapping", [CUSTOMERS, ORDERS], ids=lambda found: found.name)
def test_damage_is_told_and_never_crashes(tmp_path, name, mapping):
    make, mutations, count = FORMATS[name]
    valid = make(tmp_path)
    path = tmp_path / f"file.{name}"
    path.write_bytes(valid)
    chance = random.Random(f"{name} {mapping.name}")
    outcomes = {outcome_of(path, mapping)}

    for _ in range(count):
        path.write_bytes(chance.choice(mutations)(chance, valid))
        outcomes.add(outcome_of(path, mapping))

    assert all(re.fullmatch(r"refused|\d+ rows", outcome) for outcome in outcomes)
    # Of the valid file, and of others.
    assert outcomes > {f"{len(ROWS)} rows"}
