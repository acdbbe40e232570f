from datetime import UTC, date, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.clean import (
    COLUMNS,
    HONORIFIC,
    Limits,
    clean_customers,
    repeated_customers,
)
from core.errors import DataError

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def people(**columns):
    """Customers with nothing wrong, except for `columns`."""
    size = max(len(values) for values in columns.values())
    plain = {
        "customer_id": range(1, size + 1),
        "name": ["Ann Smith"] * size,
        "language": ["en"] * size,
        "gender": ["female"] * size,
        "birth_date": [date(1980, 5, 4)] * size,
        "country": ["Germany"] * size,
        "income": [30_000.0] * size,
        "created_at": pd.to_datetime(["2025-01-01"] * size, utc=True),
    }
    frame = pd.DataFrame(plain | columns)
    return frame.assign(income_minor=frame["income"].astype("float64") * 100)


def found(limits=None, **columns):
    """Each finding as (field, before, after, rule)."""
    return [
        (each.field, each.before, each.after, each.rule)
        for each in clean_customers(people(**columns), NOW, limits)
    ]


def applied(frame, findings):
    """The frame as it stands once the findings are stored."""
    frame = frame.set_index("customer_id")
    frame = frame.astype(dict.fromkeys(("name", "language", "gender", "country"), "O"))
    for each in findings:
        if not each.is_flag and each.field in frame:
            frame.loc[each.record_id, each.field] = each.after
    frame.loc[frame["income_minor"].isna(), "income"] = None
    return frame.reset_index()


def test_a_changed_name_has_its_before_and_after():
    [fix] = clean_customers(people(name=["Bob Lee", "ANN  SMITH"]), NOW)

    assert (fix.kind, fix.record_id, fix.customer_id) == ("customer", 2, 2)
    assert (fix.before, fix.after, fix.rule) == (
        "ANN  SMITH",
        "Ann Smith",
        "name_form",
    )


def test_a_blank_name_becomes_missing():
    assert found(name=["  "]) == [("name", "  ", None, "name_form")]


def test_an_honorific_is_kept_unless_a_person_wants_it_apart():
    apart = Limits(honorifics_aside=True)

    assert found(name=["Dr. Ann Lee"]) == []
    assert found(apart, name=["Dr. Ann Lee"]) == [
        (HONORIFIC, None, "Dr.", "honorific_set_aside"),
        ("name", "Dr. Ann Lee", "Ann Lee", "name_form"),
    ]


@pytest.mark.parametrize(
    ("column", "word", "after", "rule"),
    [
        ("name", "Lee, Ann", "Ann Lee", "name_order_flagged"),
        ("name", "小明 王", "王小明", "name_order_flagged"),
        ("name", "Test", "Test", "name_doubtful_flagged"),
        ("country", "中国", "China", "country_form"),
        ("country", "Atlantis", "Atlantis", "country_unknown_flagged"),
        ("language", "en_us", "en-US", "language_form"),
        ("language", "xx", "xx", "language_unknown_flagged"),
        ("gender", "女", "female", "gender_form"),
        ("gender", "n/a", None, "gender_unknown"),
        ("gender", "blue", "blue", "gender_word_flagged"),
    ],
)
def test_words_get_one_form_or_are_told(column, word, after, rule):
    assert found(**{column: [word]}) == [(column, word, after, rule)]


@pytest.mark.parametrize(
    "born",
    [
        "2017-01-02",  # nine years old
        "1899-01-02",  # 127 years old
        "2030-01-02",  # in the future
    ],
)
def test_an_impossible_age_is_taken_out(born):
    findings = found(birth_date=[date.fromisoformat(born)])

    assert findings == [("birth_date", born, None, "birth_date_impossible")]


def test_the_limits_of_age_can_be_set():
    born = [date(2020, 1, 2)]

    assert found(Limits(age_min_years=5), birth_date=born) == []


@pytest.mark.parametrize(
    ("income", "rule"),
    [
        (-1.0, "income_negative"),
        (666_666.0, "income_placeholder"),
        (111_111.0, "income_placeholder"),
    ],
)
def test_an_income_that_nobody_has_is_taken_out(income, rule):
    shown = f"{income * 100:.0f}"

    assert found(income=[income]) == [("income_minor", shown, None, rule)]


def test_an_income_over_the_limit_is_taken_out():
    assert found(Limits(income_max=90_000), income=[90_001.0]) == [
        ("income_minor", "9000100", None, "income_over_limit")
    ]


def test_an_outlier_is_flagged_and_stays():
    incomes = [20_000.0 + 500 * step for step in range(40)] + [9e6]

    assert found(income=incomes) == [
        ("income_minor", "900000000", "900000000", "income_outlier_flagged")
    ]


def test_without_a_cutoff_nothing_is_an_outlier():
    incomes = [20_000.0 + 500 * step for step in range(40)] + [9e6]

    assert found(Limits(cutoff=None), income=incomes) == []


def test_few_incomes_have_no_outliers():
    assert found(income=[9e7, 30_000.0, 31_000.0]) == []


def test_some_customers_are_judged_by_the_incomes_of_all():
    everybody = pd.Series([30_000.0 + step for step in range(50)])

    [fix] = clean_customers(people(income=[9e7]), NOW, None, everybody)

    assert fix.rule == "income_outlier_flagged"


@pytest.mark.parametrize("at", ["1969-01-01", "2027-01-01"])
def test_an_impossible_record_date_is_flagged(at):
    findings = found(created_at=pd.to_datetime([at], utc=True))

    assert [rule for *_, rule in findings] == ["created_impossible_flagged"]


def test_unknown_values_are_no_mistakes():
    blank = {name: [None] for name in COLUMNS if name != "customer_id"}
    blank["created_at"] = pd.to_datetime([None], utc=True)

    assert found(**blank) == []


def test_no_customers_have_no_findings():
    assert clean_customers(people(name=["Ann"]).iloc[:0], NOW) == []


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="needs a column `income`"):
        clean_customers(people(name=["Ann"]).drop(columns="income"), NOW)


def test_of_customers_with_the_same_data_all_but_the_first_are_flagged():
    findings = repeated_customers([(3, 5, 9)])

    assert [(each.record_id, each.after) for each in findings] == [(5, "3"), (9, "3")]


words = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.sampled_from(["Dr. Ann Lee", "小明 王", "中国", "UK", "EN_us", "f", "n/a"]),
)


@given(
    st.lists(st.tuples(words, words, words, words), min_size=1, max_size=6),
    st.booleans(),
)
def test_cleaning_what_was_cleaned_changes_nothing(rows, aside):
    names, countries, languages, genders = map(list, zip(*rows, strict=True))
    dirty = people(name=names, country=countries, language=languages, gender=genders)
    limits = Limits(honorifics_aside=aside)

    clean = applied(dirty, clean_customers(dirty, NOW, limits))
    again = clean_customers(clean, NOW, limits)

    assert [each for each in again if not each.is_flag] == []
