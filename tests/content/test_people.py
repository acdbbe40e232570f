from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from content.mapping import FileMapping
from content.mapping_file import find_mapping
from content.people import customer_reader, opt_out_reader, product_reader
from content.rows import FileDefaults
from content.table import open_table
from core.model import Channel, ConsentState
from core.records import (
    ConsentRecord,
    OptOutRecord,
    ProductRecord,
    RecordKind,
    SuppliedFigures,
)
from core.settings import ROOT

TEMPLATES = ROOT / "templates"
DEFAULTS = FileDefaults("EUR", "Europe/Berlin", date(2026, 3, 1))


@pytest.fixture
def read(tmp_path: Path):
    def read(mapping: str, text: str, make=customer_reader, rows: int = 100):
        path = tmp_path / "people.csv"
        path.write_text(text, encoding="utf-8")
        found = find_mapping(mapping, TEMPLATES)
        with open_table(path, found) as table:
            reader = make(table, found, DEFAULTS)
            reader.batch_lines = rows
            return list(reader.batches())

    return read


def opt_outs(table, mapping, _):
    return opt_out_reader(table, mapping)


def test_a_customers_row_becomes_a_record(read):
    (batch,) = read(
        "customers",
        "id,name,email,birth_date,income,created_at,consent_email,topic,size\n"
        "7,Ann Lee,Ann@example.com,1980-05-01,42000.50,2020-01-01 12:00,yes,news,M\n",
    )

    (ann,) = batch.records
    assert (ann.external_id, ann.name, ann.email) == ("7", "Ann Lee", "Ann@example.com")
    assert ann.birth_date == date(1980, 5, 1)
    assert (ann.income_minor, ann.income_currency) == (4_200_050, "EUR")
    assert ann.created_at == datetime(2020, 1, 1, 11, tzinfo=UTC)
    assert ann.attributes == {"size": "M"}
    granted = ConsentRecord(Channel.EMAIL, "news", ConsentState.GRANTED)
    assert ann.consents == (granted,)
    assert ann.line == 2


def test_an_empty_cell_says_nothing(read):
    (batch,) = read("customers", "id,name,consent_email,size\n7,,,\n")

    (ann,) = batch.records
    assert (ann.name, ann.consents, ann.attributes) == (None, (), {})


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("yes", ConsentState.GRANTED),
        ("TRUE", ConsentState.GRANTED),
        ("1", ConsentState.GRANTED),
        ("no", ConsentState.WITHDRAWN),
        ("0", ConsentState.WITHDRAWN),
    ],
)
def test_consents_without_a_topic_are_about_everything(read, answer, state):
    (batch,) = read("customers", f"id,consent_telegram\n7,{answer}\n")

    consent = ConsentRecord(Channel.TELEGRAM, "*", state)
    assert batch.records[0].consents == (consent,)


@pytest.mark.parametrize(
    ("header", "row", "reason"),
    [
        ("id,name", ",Ann", "no_id"),
        ("id,name", f"{'7' * 65},Ann", "id_too_long"),
        ("id,birth_date", "x,1980-13-01", "bad_date"),
        ("id,income", "x,much", "bad_number"),
        ("id,created_at", "x,soon", "bad_date"),
        ("id,consent_email", "x,perhaps", "bad_yes_no"),
        ("id,language", "x,the tongue of angels", "language_too_long"),
    ],
)
def test_a_word_that_cannot_be_rejects_its_row(read, header, row, reason):
    (batch,) = read("customers", f"{header}\n{row}\ny,\n")

    assert [(reject.line, reject.reason) for reject in batch.rejects] == [(2, reason)]
    assert [record.external_id for record in batch.records] == ["y"]


def test_batches_end_after_so_many_rows(read):
    batches = read("customers", "id\n1\n2\n\n3\n", rows=2)

    assert [[r.external_id for r in batch.records] for batch in batches] == [
        ["1", "2"],
        ["3"],
    ]
    assert [batch.position for batch in batches] == [3, 5]


def test_a_birth_year_stands_for_its_middle(read):
    header = "ID;Year_Birth;Income;Dt_Customer;Education\n"

    (batch,) = read(
        "customer-personality", f"{header}1;1957;58138;2012-09-04;Graduation\n"
    )

    assert batch.records[0].birth_date == date(1957, 7, 1)
    assert batch.records[0].attributes == {"Education": "Graduation"}


def test_products_come_with_price_and_state(read):
    (batch,) = read(
        "products",
        "id,name,price,currency,active\nP1,Lamp,9.50,,no\nP2,Cup,250,JPY,\n",
        product_reader,
    )

    assert batch.records == [
        ProductRecord("P1", "Lamp", 950, "EUR", active=False),
        ProductRecord("P2", "Cup", 250, "JPY"),
    ]


def test_opt_outs_name_an_address_or_a_customer(read):
    (batch,) = read(
        "opt-outs", "email,id,reason\na@b.example,,\n,7,asked\n,,\n", opt_outs
    )

    assert batch.records == [
        OptOutRecord(2, None, "a@b.example", "opt_out"),
        OptOutRecord(3, "7", None, "asked"),
    ]
    assert [reject.reason for reject in batch.rejects] == ["no_email_or_id"]


# --- fields that files name in many ways ----------------------------------------------


@pytest.fixture
def customer(tmp_path: Path):
    """The one customer of a file whose columns are named as our fields are."""

    def read_one(header: str, row: str):
        path = tmp_path / "one.csv"
        path.write_text(f"id;{header}\n7;{row}\n", encoding="utf-8")
        fields = ["id", *header.split(";")]
        mapping = FileMapping(
            "shop",
            RecordKind.CUSTOMERS,
            delimiter=";",
            columns={field: field for field in fields},
        )
        with open_table(path, mapping) as table:
            (batch,) = customer_reader(table, mapping, DEFAULTS).batches()
        return batch.records[0] if batch.records else batch.rejects[0]

    return read_one


@pytest.mark.parametrize(
    ("given", "family", "name"),
    [
        ("Ann", "Lee", "Ann Lee"),
        ("小明", "王", "王小明"),
        ("Ann", "", "Ann"),
        ("", "王", "王"),
        # A Latin given name keeps its blank beside a Chinese family name.
        ("Jack", "王", "Jack 王"),
    ],
)
def test_a_name_is_composed(customer, given, family, name):
    assert customer("given_name;family_name", f"{given};{family}").name == name


def test_a_whole_name_stands_above_its_parts(customer):
    assert customer("name;given_name", "Dr Ann Lee;Ann").name == "Dr Ann Lee"


@pytest.mark.parametrize(
    ("field", "value", "birth_date"),
    [
        # Today is 1 March 2026: who is 30 and born in July was born in 1995.
        ("age", "30", date(1995, 7, 1)),
        ("birth_year", "1990", date(1990, 7, 1)),
    ],
)
def test_a_birth_date_from_less_than_a_date_is_approximate(
    customer, field, value, birth_date
):
    ann = customer(field, value)

    assert (ann.birth_date, ann.approximate) == (birth_date, {"birth_date"})


def test_a_birth_date_is_exact(customer):
    ann = customer("birth_date;age", "1980-05-01;30")

    assert (ann.birth_date, ann.approximate) == (date(1980, 5, 1), frozenset())


@pytest.mark.parametrize(
    ("period", "income_minor"),
    [
        ("", 300_000),
        ("year", 300_000),
        ("Monthly", 3_600_000),
        ("月", 3_600_000),
        ("week", 15_600_000),
        ("每周", 15_600_000),
    ],
)
def test_an_income_is_that_of_a_year(customer, period, income_minor):
    ann = customer("income;income_period;currency", f"3000;{period};CNY")

    assert (ann.income_minor, ann.income_currency) == (income_minor, "CNY")


@pytest.mark.parametrize(
    ("cell", "preferences"),
    [
        ("tea|books", {"tea": "yes", "books": "yes"}),
        ("size=M | colour = blue", {"size": "M", "colour": "blue"}),
        ("茶；咖啡", {"茶": "yes", "咖啡": "yes"}),
        ('["tea"]', {"tea": "yes"}),
        ('{"size": "M", "news": true}', {"size": "M", "news": "true"}),
        ("", {}),
    ],
)
def test_preferences_are_names_with_values(customer, cell, preferences):
    quoted = '"' + cell.replace('"', '""') + '"'

    assert customer("preferences", quoted).preferences == preferences


@pytest.mark.parametrize(
    ("word", "gender"),
    [("F", "female"), ("男", "male"), ("diverse", "diverse")],
)
def test_genders_are_one_word(customer, word, gender):
    assert customer("gender", word).gender == gender


def test_supplied_figures_are_as_of_their_day(customer):
    header = "purchase_count;purchase_days;average_purchase_price;figures_at"

    ann = customer(header, "12;400;19.50;2026-02-01")

    as_of = datetime(2026, 1, 31, 23, tzinfo=UTC)
    assert ann.figures == SuppliedFigures(12, 400, 1950, "EUR", as_of)


def test_supplied_figures_without_a_day_are_of_the_import(customer):
    figures = customer("purchase_count;postcode", "12;0100 AB").figures

    assert figures == SuppliedFigures(12, as_of=datetime(2026, 2, 28, 23, tzinfo=UTC))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("age", "old", "bad_count"),
        ("age", "200", "bad_age"),
        ("purchase_count", "-3", "bad_count"),
        ("income", "12e3", "bad_number"),
        ("birth_year", "57", "bad_date"),
        ("postcode", "a very long postcode", "postcode_too_long"),
        ("preferences", "{tea", "bad_preferences"),
        ("figures_at", "soon", "bad_date"),
    ],
)
def test_a_reject_names_its_column(customer, field, value, reason):
    # The purchases stand beside, because a day of no figures is not looked at.
    reject = customer(f"{field};purchase_days", f"{value};3")

    assert (reject.reason, reject.value, reject.column) == (reason, value, field)


def test_an_unknown_period_is_rejected(customer):
    reject = customer("income;income_period", "3000;fortnight")

    assert (reject.reason, reject.column) == ("bad_period", "income_period")
