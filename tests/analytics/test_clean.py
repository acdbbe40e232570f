from datetime import UTC, datetime

import pandas as pd
import pytest

from analytics.clean import clean_customers, clean_name
from core.errors import DataError

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def people(**columns):
    size = max(len(values) for values in columns.values())
    plain = {
        "customer_id": range(1, size + 1),
        "name": ["Ann Smith"] * size,
        "birth_date": pd.to_datetime(["1980-05-04"] * size),
        "income": [30_000.0] * size,
        "created_at": pd.to_datetime(["2025-01-01"] * size, utc=True),
    }
    return pd.DataFrame(plain | columns)


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("  Ann   Smith ", "Ann Smith"),
        ("ANN SMITH", "Ann Smith"),
        ("ludwig van beethoven", "Ludwig van Beethoven"),
        ("JEAN-LUC O'NEIL", "Jean-Luc O'Neil"),
        ("Anna McDonald", "Anna McDonald"),  # mixed case is somebody's decision
        ("JJ ABRAMS", "JJ Abrams"),
        ("王小明", "王小明"),
        ("Jose\u0301", "Jos\u00e9"),
        ("   ", ""),
    ],
)
def test_names_get_blanks_and_capitals_in_order(typed, cleaned):
    assert clean_name(typed) == cleaned


def test_a_changed_name_is_a_row_with_before_and_after():
    fixes, frame = clean_customers(people(name=["ANN  SMITH", "Bob Lee"]), NOW)

    assert fixes.to_dict("records") == [
        {
            "customer_id": 1,
            "field": "name",
            "before": "ANN  SMITH",
            "after": "Ann Smith",
            "rule": "name_form",
        }
    ]
    assert frame["name"].tolist() == ["Ann Smith", "Bob Lee"]


def test_a_blank_name_becomes_missing():
    fixes, frame = clean_customers(people(name=["  "]), NOW)

    assert frame["name"].isna().all()
    assert fixes["after"].isna().all()


@pytest.mark.parametrize(
    ("born", "kept"),
    [
        ("1893-01-01", False),
        ("1916-06-01", True),  # 110 to the day
        ("1916-05-31", False),
        ("2016-06-01", True),  # 10 to the day
        ("2020-01-01", False),
        ("2031-01-01", False),
    ],
)
def test_an_impossible_birth_date_is_taken_out(born, kept):
    fixes, frame = clean_customers(people(birth_date=pd.to_datetime([born])), NOW)

    assert frame["birth_date"].notna().tolist() == [kept]
    assert fixes["rule"].tolist() == ["birth_date_impossible"] * (not kept)
    assert fixes["before"].tolist() == [born] * (not kept)


@pytest.mark.parametrize(
    ("income", "rules"),
    [
        (-1.0, ["income_negative"]),
        (0.0, []),
        (666_666.0, ["income_placeholder"]),
        (66_666.0, []),
        (1_600_000.0, ["income_absurd"]),  # the median is 30,000
        (1_400_000.0, []),
    ],
)
def test_an_income_that_cannot_be_is_taken_out(income, rules):
    fixes, frame = clean_customers(people(income=[income] + [30_000.0] * 25), NOW)

    assert fixes["rule"].tolist() == rules
    assert frame["income"].isna().sum() == len(rules)


def test_with_few_incomes_no_one_is_called_absurd():
    fixes, _ = clean_customers(people(income=[9e7, 30_000.0, 31_000.0]), NOW)

    assert fixes.empty


@pytest.mark.parametrize("at", ["2026-06-02", "1970-01-01", "1899-12-31"])
def test_a_record_from_the_future_or_before_computers_loses_its_date(at):
    fixes, frame = clean_customers(
        people(created_at=pd.to_datetime([at], utc=True)), NOW
    )

    assert frame["created_at"].isna().all()
    assert fixes["rule"].tolist() == ["date_impossible"]


def test_missing_values_stay_missing_without_a_fix():
    blank = people(name=[None], birth_date=[pd.NaT], income=[None])

    fixes, frame = clean_customers(blank, NOW)

    assert fixes.empty
    assert frame[["name", "birth_date", "income"]].isna().all(axis=None)


def test_cleaning_twice_changes_nothing_more():
    dirty = people(name=["ANN", " bob "], income=[-4.0, 999_999.0])

    _, once = clean_customers(dirty, NOW)
    fixes, twice = clean_customers(once, NOW)

    assert fixes.empty
    pd.testing.assert_frame_equal(once, twice)


def test_other_columns_pass_and_the_input_is_untouched():
    dirty = people(name=["ANN"], email=["ANN@EXAMPLE.ORG"])

    _, frame = clean_customers(dirty, NOW)

    assert frame["email"].tolist() == ["ANN@EXAMPLE.ORG"]
    assert dirty["name"].tolist() == ["ANN"]


def test_no_customers_give_two_empty_tables():
    fixes, frame = clean_customers(people(name=["Ann"]).iloc[:0], NOW)

    assert fixes.empty
    assert frame.empty
    assert fixes.columns.tolist() == ["customer_id", "field", "before", "after", "rule"]


def test_a_missing_column_is_named_with_the_nearest_one():
    with pytest.raises(DataError, match=r"`birth_date`\n  Did you mean `birthdate`"):
        clean_customers(
            people(name=["A"]).rename(columns={"birth_date": "birthdate"}), NOW
        )
