from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from content.mapping import GUESSED, FileMapping
from content.mapping_file import find_mapping, read_mapping, shipped_mappings
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
        guess=frozenset(GUESSED),
    )


def test_what_a_mapping_tells_is_not_guessed(write):
    told = "encoding: gb18030\ndelimiter: tab\ndecimal: ','\ndates: '%d.%m.%Y'\n"

    mapping = read_mapping(write(ORDERS + told))

    assert mapping.guess == frozenset()
    assert mapping.encoding == "gb18030"
    assert mapping.dates == ("%d.%m.%Y",)


def test_guess_can_be_asked_for_by_its_name(write):
    told = "encoding: guess\ndecimal: guess\ndates: guess\ndelimiter: guess\n"

    assert read_mapping(write(ORDERS + told)) == read_mapping(write(ORDERS))


def test_several_columns_make_one_field(write):
    mapping = read_mapping(write(ORDERS + "  customer: [first, last?]\n"))

    assert mapping.columns_of("customer") == ("first", "last")
    assert mapping.columns_of("country") == ()
    assert mapping.optional == {"customer"}


def test_a_scale_is_read_from_the_lowest_to_the_highest(write):
    text = "kind: feedback\nscale: [0, 10]\ncolumns: {answered_at: at, score: s}\n"

    assert read_mapping(write(text)).scale == (0.0, 10.0)


def test_a_settled_mapping_keeps_the_hash_of_what_was_written(write):
    written = read_mapping(write(ORDERS))
    settled = replace(written, decimal=",", written_hash=written.content_hash)

    assert settled.content_hash == written.content_hash


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
        (ORDERS + "dates: d.m.y\n", 6, ("epoch", "d.m.y")),
        (ORDERS + "scale: 5\n", 6, ("lowest", "5")),
        (ORDERS + "scale: [1, 1]\n", 6, ("lowest", "1")),
        (ORDERS + "  customer: []\n", 6, ("a list",)),
        (ORDERS + "  customer:\n", 6, ("name of a column",)),
        (
            "kind: customers\ncolumns: {id: id}\ndefaults:\n  income_period: decade\n",
            4,
            ("year, month, week", "decade"),
        ),
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
