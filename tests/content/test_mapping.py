from __future__ import annotations

from pathlib import Path

import pytest

from content.mapping import (
    FileMapping,
    find_mapping,
    read_mapping,
    shipped_mappings,
)
from core.errors import DataError
from core.records import RecordKind
from core.settings import ROOT

TEMPLATES = ROOT / "templates"
ORDERS = """\
kind: orders
columns:
  order: invoice
  ordered_at: day
  price: price
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", shipped_mappings(TEMPLATES))
def test_every_shipped_mapping_can_be_read(name):
    assert find_mapping(name, TEMPLATES).name == name


def test_reads_columns_and_their_defaults(write):
    mapping = read_mapping(write(ORDERS))

    assert mapping == FileMapping(
        name="mine",
        kind=RecordKind.ORDERS,
        missing=("",),
        columns={"order": "invoice", "ordered_at": "day", "price": "price"},
    )


def test_a_question_mark_makes_a_column_optional(write):
    mapping = read_mapping(write(ORDERS + "  country: land?\n"))

    assert mapping.columns["country"] == "land"
    assert mapping.optional == {"country"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        # A key of ours, misspelled.
        (ORDERS + "sorce: x\n", 6, ("`sorce`", "`source`")),
        # A field of ours, misspelled.
        (ORDERS + "  quantty: q\n", 6, ("`columns.quantty`", "`quantity`")),
        # A rule, misspelled.
        (ORDERS + "rules:\n  return_prefx: C\n", 7, ("return_prefx", "return_prefix")),
        # A field of another kind of file.
        (ORDERS + "defaults:\n  email: x\n", 7, ("`defaults.email`",)),
        ("kind: order\n", 1, ("order", "`orders`")),
        ("kind: orders\ncolumns:\n  order: a\n  price: b\n", 2, ("`ordered_at`",)),
        (ORDERS + "timezone: Europe/Lodon\n", 6, ("time zone", "Europe/Lodon")),
        (ORDERS + "encoding: utf-9\n", 6, ("encoding", "utf-9")),
        (ORDERS + "delimiter: comm\n", 6, ("comma, semicolon", "comm")),
        (ORDERS + "rules:\n  quantity_limit: many\n", 7, ("above 0", "many")),
        (ORDERS + "columns: [\n", 7, ("not valid YAML",)),
    ],
)
def test_a_mistake_is_named_with_its_line(write, text, line, said):
    with pytest.raises(DataError) as raised:
        read_mapping(write(text))

    (problem,) = raised.value.problems
    assert problem.line == line
    assert all(word in str(problem) for word in said)


def test_all_mistakes_are_named_at_once(write):
    with pytest.raises(DataError) as raised:
        read_mapping(write(ORDERS + "sorce: x\ndecimal: ;\n"))

    assert [problem.line for problem in raised.value.problems] == [6, 7]


def test_an_unknown_name_gets_the_nearest_shipped_one():
    with pytest.raises(DataError, match="Did you mean `online-retail`"):
        find_mapping("online-retial", TEMPLATES)


def test_a_path_is_read_as_a_mapping_of_ones_own(write):
    assert find_mapping(str(write(ORDERS)), TEMPLATES).name == "mine"


def test_the_hash_knows_what_a_mapping_means_not_where_it_stands(write, tmp_path):
    first = read_mapping(write(ORDERS))
    other = tmp_path / "other.yaml"
    other.write_text(f"# a comment\n{ORDERS}")

    assert read_mapping(other).content_hash == first.content_hash
    assert read_mapping(write(ORDERS + "decimal: ','\n")).content_hash != (
        first.content_hash
    )
