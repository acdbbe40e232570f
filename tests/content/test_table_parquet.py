from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from content import parquet
from content.table import open_table
from core.errors import DataError
from tests.content.tables import (
    MAPPING,
    PEOPLE,
    opened,
    parquet_bytes,
    parquet_file,
    reasons_of,
    rows_of,
    words_of,
)


@pytest.fixture
def word(tmp_path: Path):
    """The word that one value of a type becomes."""

    def read(value: str, **changes) -> str:
        query = f"SELECT 1 AS id, 'Ann' AS name, {value} AS city"
        path = parquet_file(tmp_path / "a.parquet", query)
        return words_of(open_table(path, replace(MAPPING, **changes)))[0][2]

    return read


@pytest.mark.parametrize("name", ["people.parquet", "people [1]*.data", "it's"])
def test_knows_parquet_by_its_content_whatever_its_name(tmp_path, name):
    found = opened(tmp_path / name, parquet_bytes(tmp_path))

    assert rows_of(found) == [(line, words) for line, words in enumerate(PEOPLE, 1)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'李雷'", "李雷"),
        ("17850.0::DOUBLE", "17850"),
        ("0.1::DOUBLE + 0.2::DOUBLE", "0.3"),
        ("2.5::FLOAT", "2.5"),
        ("'nan'::DOUBLE", ""),
        ("12.30::DECIMAL(10,2)", "12.3"),
        ("9223372036854775807", "9223372036854775807"),
        ("true", "true"),
        ("DATE '2026-01-31'", "2026-01-31"),
        ("TIME '09:12:58'", "09:12:58"),
        ("TIMESTAMP '2026-01-31 09:12:58'", "2026-01-31 09:12:58"),
        ("TIMESTAMP '2026-01-31 00:00:00'", "2026-01-31"),
        ("TIMESTAMP_NS '2026-01-31 09:12:58.5'", "2026-01-31 09:12:58.5"),
        ("TIMESTAMPTZ '2026-01-31 09:12:58+02'", "2026-01-31 07:12:58+00:00"),
        ("[1, 2]", "[1,2]"),
        ("{'street': 'High St', 'no': 7}", '{"street":"High St","no":7}'),
        ("'Rome'::BLOB", "Rome"),
        ("NULL::VARCHAR", ""),
    ],
)
def test_values_become_words(word, value, expected):
    assert word(value) == expected


@pytest.mark.parametrize("value", ["2.5::DOUBLE", "2.50::DECIMAL(5,2)"])
def test_numbers_follow_the_decimal_sign_of_the_mapping(word, value):
    assert word(value, decimal=",") == "2,5"


def test_a_blob_that_is_no_text_costs_its_row(tmp_path):
    query = r"SELECT 1 AS id, '\xff\xfe'::BLOB AS name"
    path = parquet_file(tmp_path / "a.parquet", query)

    assert reasons_of(open_table(path, MAPPING)) == [(1, "broken_encoding")]


def test_an_endless_cell_costs_its_row(tmp_path):
    query = "SELECT 1 AS id, repeat('x', 200000) AS name UNION ALL SELECT 2, 'Bob'"
    path = parquet_file(tmp_path / "a.parquet", query)

    assert reasons_of(open_table(path, MAPPING)) == [(1, "cell_too_long")]


def test_a_missing_column_is_told(tmp_path):
    path = parquet_file(tmp_path / "a.parquet", "SELECT 1 AS id, 2 AS nam")

    with pytest.raises(DataError, match=r"(?s)`name` is missing.*`nam`"):
        open_table(path, MAPPING)


@pytest.mark.parametrize("keep", [4, 50, -1])
def test_half_a_file_is_refused(tmp_path, keep):
    with pytest.raises(DataError, match="Parquet file can't be read"):
        opened(tmp_path / "a.parquet", parquet_bytes(tmp_path)[:keep])


def test_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_MAX", 2)

    with pytest.raises(DataError, match="too many rows"):
        opened(tmp_path / "a.parquet", parquet_bytes(tmp_path))


def test_tells_how_far_it_is(tmp_path):
    with opened(tmp_path / "a.parquet", parquet_bytes(tmp_path)) as found:
        before = found.bytes_read
        list(found.chunks(0, 100))

        assert (before, found.bytes_read) == (0, found.size)
