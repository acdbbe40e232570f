from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from content import json_lines
from content.lines import LINE_MAX
from content.table import Misfit
from core.errors import DataError
from tests.content.tables import (
    PEOPLE,
    json_bytes,
    opened,
    reasons_of,
    rows_of,
    words_of,
)


@pytest.fixture
def table(tmp_path: Path):
    def make(content: bytes | str, name: str = "people.jsonl", **changes):
        content = content if isinstance(content, bytes) else content.encode()
        return opened(tmp_path / name, content, **changes)

    return make


@pytest.mark.parametrize("name", ["people.jsonl", "people.csv", "people"])
def test_knows_json_lines_by_their_content(table, name):
    assert rows_of(table(json_bytes(), name)) == [
        (line, words) for line, words in enumerate(PEOPLE, 1)
    ]


@pytest.mark.parametrize(
    ("name", "pack"), [("a.jsonl.gz", gzip.compress), ("a.json", lambda data: data)]
)
def test_reads_them_compressed_and_with_a_byte_order_mark(table, name, pack):
    content = b"\xef\xbb\xbf" + json_bytes()

    assert words_of(table(pack(content), name)) == PEOPLE


def test_reads_an_array_of_objects(table):
    people = [json.loads(line) for line in json_bytes().splitlines()]

    assert words_of(table(json.dumps(people, indent=2), "a.json")) == PEOPLE


def test_a_large_array_is_refused_with_the_way_out(table, monkeypatch):
    monkeypatch.setattr(json_lines, "ARRAY_MAX", 20)

    with pytest.raises(DataError, match="JSON Lines"):
        table('[{"id": 1, "name": "Ann"}]')


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ('"Rome"', "Rome"),
        ("null", ""),
        ("true", "true"),
        ("17850.0", "17850"),
        ("0.30", "0.3"),
        ("1e3", "1000"),
        ("1e999999999", "1e999999999"),
        ("12345678901234567890", "12345678901234567890"),
        ('["a", 2, null]', "a;2;"),
        ('[{"a": [1, 2.5]}]', '[{"a": [1, 2.5]}]'),
        ("{}", ""),
    ],
)
def test_values_become_words(table, value, word):
    assert words_of(table(f'{{"id": 1, "name": "Ann", "city": {value}}}')) == [
        ["1", "Ann", word]
    ]


def test_numbers_follow_the_decimal_sign_of_the_mapping(table):
    found = table('{"id": 1, "name": 2.5}', decimal=",")

    assert words_of(found)[0][1] == "2,5"


def test_objects_within_objects_become_names_with_dots(table):
    found = table('{"id": 1, "who": {"name": "Ann"}}', columns={"id": "who.name"})

    assert found.header == ("id", "who.name")
    assert words_of(found) == [["1", "Ann"]]


def test_the_header_has_the_keys_of_all_first_rows(table):
    found = table('{"id": 1, "name": "Ann"}\n{"name": "Bob", "id": 2, "age": 3}')

    assert found.header == ("id", "name", "age", "city")
    assert words_of(found) == [["1", "Ann", "", ""], ["2", "Bob", "3", ""]]


def test_a_column_that_need_not_be_there_may_come_late(table, monkeypatch):
    monkeypatch.setattr(json_lines, "HEADER_OBJECTS", 1)

    found = table('{"id": 1, "name": "Ann"}\n{"id": 2, "name": "Bob", "city": "Oslo"}')

    assert words_of(found)[1] == ["2", "Bob", "Oslo"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": 1, "name": NaN}', "bad_json"),
        ('{"id": 1, "name": -Infinity}', "bad_json"),
        ('{"id": 1, "id": 2}', "bad_json"),
        ('{"id": 1, "name": "An', "bad_json"),
        ("{'id': 1}", "bad_json"),
        ('{"a":' * 100_000, "bad_json"),
        ("[" * 100_000, "bad_json"),
        ("[1, 2]", "bad_json"),
        ("7", "bad_json"),
        (r'{"id": 1, "name": "\ud800"}', "broken_encoding"),
        (r'{"id": 1, "name": "\u0000"}', "nul_byte"),
        (f'{{"id": "{"x" * 200_000}"}}', "cell_too_long"),
        (f'{{"id": "{"x" * LINE_MAX}"}}', "line_too_long"),
    ],
    ids=lambda value: value[:20],
)
def test_a_line_that_is_no_row_costs_itself(table, line, reason):
    content = f'{{"id": 1, "name": "Ann"}}\n{line}\n\n{{"id": 2, "name": "Bob"}}'

    found = rows_of(table(content))

    wrong = [(n, r.reason) for n, r in found if isinstance(r, Misfit) and r.reason]
    assert wrong == [(2, reason)]
    assert found[-1] == (4, ["2", "Bob", ""])


def test_bytes_that_are_no_text_cost_their_line(table):
    content = b'{"id": 1, "name": "Ann"}\n{"id": 2, "name": "B\xf6b"}'

    assert reasons_of(table(content)) == [(2, "broken_encoding")]


def test_a_file_without_any_object_is_refused_with_its_first_mistake(table):
    with pytest.raises(DataError, match=r"(?s)no JSON object.*column 2.*a line"):
        table('{\n"id": 1\n}')


@pytest.mark.parametrize("content", ['[{"id": 1}', "[{]", '[{"id": NaN}]'])
def test_a_broken_array_is_refused(table, content):
    with pytest.raises(DataError, match="no valid JSON"):
        table(content, "a.json")
