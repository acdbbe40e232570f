from __future__ import annotations

import gzip
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.guess import settle
from content.mapping import GUESSED, FileMapping
from core.errors import DataError
from core.records import RecordKind

MAPPING = FileMapping(
    name="mine",
    kind=RecordKind.ORDERS,
    columns={"order": "no", "ordered_at": "day", "price": "price"},
    guess=frozenset(GUESSED),
)
LINES = "no,day,price,who\n1,2024-01-31,2.50,Ann\n2,2024-02-01,3.00,Bob\n"


@pytest.fixture
def write(tmp_path: Path):
    def write(content: bytes | str, name: str = "orders.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def orders(days=("2024-01-31",), prices=("2.50",), delimiter=";", who="Ann") -> str:
    lines = [delimiter.join(("no", "day", "price", "who"))]
    for number in range(max(len(days), len(prices))):
        day, price = days[number % len(days)], prices[number % len(prices)]
        lines.append(delimiter.join((str(number), day, price, who)))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("encoding", "who", "found"),
    [
        ("utf-8", "Zoë", "utf-8-sig"),
        ("utf-8-sig", "Zoë", "utf-8-sig"),
        ("ascii", "Zoe", "utf-8-sig"),
        ("gb18030", "张伟，上海市浦东新区", "gb18030"),
        ("big5", "陳大文，台北市信義區", "big5"),
        ("cp1252", "Jürgen Müller, Straße 5 – Köln", "cp1252"),
        # A letter that cp1252 has and Latin-1 has not.
        ("cp1252", "Œuvre à 5 €", "cp1252"),
        ("cp1251", "Иван Петров", "cp1251"),
        ("utf-16", "张伟 Zoë", "utf-16"),
        ("utf-16-le", "Jürgen", "utf-16-le"),
        ("utf-16-be", "Jürgen", "utf-16-be"),
    ],
)
def test_finds_the_encoding(write, encoding, who, found):
    file = write(orders(who=who).encode(encoding))

    settled, findings = settle(MAPPING, file)

    assert settled.encoding == found
    assert findings[0].what == "encoding"


def test_one_broken_line_makes_no_other_encoding(write):
    many = orders(days=["2024-01-31"] * 60, who="Zoë").encode()

    settled, findings = settle(MAPPING, write(many + b"61;2024-01-31;1;\xff\n"))

    assert settled.encoding == "utf-8-sig"
    assert not findings[0].sure
    assert "all but 1 of 61" in findings[0].reason


def test_letters_cut_by_the_end_of_what_is_looked_at_are_no_mistake(write):
    # 256 KiB are looked at at first, and a letter of three bytes crosses their end.
    file = write(orders(days=["2024-01-31"] * 20_000, who="张伟张"))

    settled, findings = settle(MAPPING, file)

    assert settled.encoding == "utf-8-sig"
    assert findings[0].sure


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_finds_the_delimiter(write, delimiter):
    settled, _ = settle(MAPPING, write(orders(delimiter=delimiter)))

    assert settled.delimiter == delimiter


def test_the_delimiter_is_the_one_that_finds_the_mapped_columns(write):
    # By commas there are more columns, and as many in each row.
    text = "no;day;price;a,b,c,d,e\n1;2024-01-31;2.5;a,b,c,d,e\n"

    settled, _ = settle(MAPPING, write(text))

    assert settled.delimiter == ";"


@pytest.mark.parametrize(
    ("prices", "sign"),
    [
        (["1", "2"], "."),
        (["2.50"], "."),
        (["2,50"], ","),
        (["1.234,50"], ","),
        (["1,234.50"], "."),
        (["1'234.50"], "."),
        (["1 234,50"], ","),
        (["1,234,567"], "."),
        (["€ 2,50"], ","),
        (["-2,5", "(3,25)"], ","),
        # What one number leaves open is decided by another.
        (["1,234", "2.5"], "."),
        (["1,234", "2,5"], ","),
        (["1.234", "2,5"], ","),
        # Three digits behind each, and small numbers have no sign: thousands.
        (["1,234", "250"], "."),
        (["1.234", "250"], ","),
        # 1250 shows that thousands have no sign.
        (["1,234", "1250"], ","),
        (["0,125"], ","),
        (["1234,125"], ","),
    ],
)
def test_finds_the_decimal_sign(write, prices, sign):
    settled, _ = settle(MAPPING, write(orders(prices=prices)))

    assert settled.decimal == sign


def test_says_what_an_open_number_is_taken_for(write):
    _, findings = settle(MAPPING, write(orders(prices=["1,234", "2.5"])))

    (finding,) = [f for f in findings if f.what == "decimal sign"]
    assert "1,234 is 1234" in finding.reason


@pytest.mark.parametrize("prices", [["2.5", "2,5"], ["1.234", "1,234"], ["1.234"]])
def test_numbers_that_speak_for_both_signs_need_a_word_of_the_mapping(write, prices):
    with pytest.raises(DataError, match=r"decimal sign can't be told.*\n.*decimal: "):
        settle(MAPPING, write(orders(prices=prices)))


@pytest.mark.parametrize(
    ("days", "forms"),
    [
        (["2024-01-31 10:00"], ("iso",)),
        (["20240131"], ("iso",)),
        (["31/01/2024"], ("iso", "%d/%m/%Y")),
        (["01/31/2024 9:05"], ("iso", "%m/%d/%Y %H:%M")),
        (["1/31/24 9:05 PM"], ("iso", "%m/%d/%y %I:%M %p")),
        # One day above 12 decides for all.
        (["03/04/2024", "31/01/2024"], ("iso", "%d/%m/%Y")),
        (["3-4-2024", "1-31-2024"], ("iso", "%m-%d-%Y")),
        (["1.2.2024"], ("iso", "%d.%m.%Y")),
        (["2024/1/5"], ("iso", "%Y/%m/%d")),
        (["2024年1月5日"], ("iso", "%Y年%m月%d日")),
        (["2024年1月5日 10时30分"], ("iso", "%Y年%m月%d日 %H时%M分")),
        (["5 Jan 2024", "12 May 2024"], ("iso", "%d %b %Y")),
        (["January 5, 2024"], ("iso", "%B %d, %Y")),
        (["2024-01-31 10:00:00 +0100"], ("iso",)),
        (["2024/01/31 10:00:00 +0100"], ("iso", "%Y/%m/%d %H:%M:%S %z")),
        (["Tue, 24 Nov 2026 10:00:00 +0100"], ("iso", "%a, %d %b %Y %H:%M:%S %z")),
        (["1706700000"], ("epoch", "iso")),
        (["1706700000000"], ("epoch_ms", "iso")),
        (["45322.4"], ("excel", "iso")),
        # The same day twice leaves nothing open.
        (["05/05/2024"], ("iso", "%d/%m/%Y")),
        # Two forms in one column.
        (["31/01/2024", "2024-01-31"], ("iso", "%d/%m/%Y")),
    ],
)
def test_finds_the_forms_of_dates(write, days, forms):
    settled, _ = settle(MAPPING, write(orders(days=days)))

    assert settled.dates == forms


def test_one_column_decides_about_the_order_of_day_and_month_in_another(write):
    mapping = replace(
        MAPPING,
        kind=RecordKind.CUSTOMERS,
        columns={"id": "no", "created_at": "day", "birth_date": "born"},
    )
    text = "no;day;born\n1;01/02/2024;31/12/1980\n"

    assert settle(mapping, write(text))[0].dates == ("iso", "%d/%m/%Y")


@pytest.mark.parametrize(
    "days", [["01/02/2024", "03/04/2024"], ["31/01/2024", "01/31/2024"]]
)
def test_unclear_dates_are_refused_with_the_two_lines_that_mend_it(write, days):
    with pytest.raises(DataError) as raised:
        settle(MAPPING, write(orders(days=days)))

    (problem,) = raised.value.problems
    assert 'dates: [iso, "%d/%m/%Y"]` (day first)' in problem.hint
    assert 'dates: [iso, "%m/%d/%Y"]` (month first)' in problem.hint


def test_a_column_without_any_date_is_refused(write):
    with pytest.raises(DataError, match=r"no dates that are known in `day`.*soon"):
        settle(MAPPING, write(orders(days=["soon"])))


def test_a_date_of_several_columns_is_looked_at_as_one(write):
    mapping = replace(MAPPING, columns=MAPPING.columns | {"ordered_at": ("day", "who")})

    settled, _ = settle(mapping, write(orders(days=["31.1.2024"], who="10:30")))

    assert settled.dates == ("iso", "%d.%m.%Y %H:%M")


def test_the_middle_and_the_end_of_a_large_file_count(write):
    days = ["01/02/2024"] * 60_000 + ["31/01/2024"]

    settled, _ = settle(MAPPING, write(orders(days=days)))

    assert settled.dates == ("iso", "%d/%m/%Y")


def test_a_compressed_file_is_looked_at_as_well(write):
    file = write(gzip.compress(orders(who="张伟").encode("gb18030")), "orders.csv.gz")

    assert settle(MAPPING, file)[0].encoding == "gb18030"


def test_words_for_nothing_are_not_looked_at(write):
    mapping = replace(MAPPING, missing=("", "?"))

    settled, _ = settle(mapping, write(orders(days=["?", "31/01/2024"])))

    assert settled.dates == ("iso", "%d/%m/%Y")


def test_what_the_mapping_says_is_not_found_out(write):
    told = replace(MAPPING, dates=("%m/%d/%Y",), guess=frozenset({"encoding"}))

    settled, findings = settle(told, write(orders(days=["01/02/2024"])))

    assert settled.dates == ("%m/%d/%Y",)
    assert [finding.what for finding in findings] == ["encoding", "separator"]


def test_a_settled_mapping_is_left_alone(write):
    settled, _ = settle(MAPPING, write(LINES))

    assert settle(settled, Path("nowhere.csv")) == (settled, ())
    assert settled.content_hash == MAPPING.content_hash


def test_titles_may_stand_above_the_header(write):
    settled, _ = settle(MAPPING, write(f"Report of January\n\n{LINES}"))

    assert settled.delimiter == ","
    assert settled.dates == ("iso",)


def test_json_lines_tell_their_dates(write):
    rows = '{"no": 1, "day": "31/01/2024", "price": 2.5}\n'

    settled, findings = settle(MAPPING, write(rows, "orders.jsonl"))

    assert settled.dates == ("iso", "%d/%m/%Y")
    assert all(finding.what != "encoding" for finding in findings)


TABLES = st.lists(
    st.lists(
        st.one_of(
            st.text(max_size=12),
            st.sampled_from(
                ["1,5", "1.234", "31/12/2024", "2024年1月5日", "1706700000"]
            ),
        ),
        min_size=3,
        max_size=4,
    ),
    max_size=6,
)


@given(
    rows=TABLES,
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-16", "cp1252", "big5"]),
    broken=st.binary(max_size=6),
)
def test_whatever_stands_in_a_file_it_is_settled_or_refused_in_words(
    tmp_path_factory, rows, encoding, broken
):
    text = "no,day,price,who\n" + "\n".join(",".join(row) for row in rows)
    file = tmp_path_factory.mktemp("guess") / "any.csv"
    file.write_bytes(text.encode(encoding, errors="ignore") + broken)

    with suppress(DataError):
        assert settle(MAPPING, file)[0].guess == frozenset()
