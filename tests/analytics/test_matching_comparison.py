"""Single comparisons in words, names in both scripts, and which pairs meet at all."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from analytics.matching_blocking import BLOCK_MAXIMUM, candidates
from analytics.matching_comparison import compare, equal_values, value_counts
from analytics.matching_fields import MISSING
from analytics.matching_people import plain, prepare, sound, split_name


def people(**columns):
    frame = pd.DataFrame({key: list(values) for key, values in columns.items()})
    return prepare(frame.assign(customer_id=range(1, len(frame) + 1)))


def level(field, one, other, **columns):
    """The key of the level at which two people's field compares, None where missing."""
    column = {"given_name": "name", "family_name": "name"}.get(field, field)
    both = people(**{column: [one, other]}, **columns)
    compared = compare(both, np.array([0]), np.array([1]))
    place = [each.field for each in compared.comparisons].index(field)
    number = int(compared.levels[0, place])
    if number == MISSING:
        return None
    return compared.comparisons[place].levels[number - 1].key


# --- names ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "given", "family", "single"),
    [
        ("Ann Baker", "ann", "baker", ""),
        ("Mr. John Paul  O'Neill", "john paul", "oneill", ""),
        ("BAKER, Ann", "ann", "baker", ""),
        ("José Núñez", "jose", "nunez", ""),
        ("Madonna", "", "", "madonna"),
        ("王小明", "小明", "王", ""),
        ("王 小 明", "小明", "王", ""),
        ("欧阳娜娜", "娜娜", "欧阳", ""),
        # 欧阳 is a surname; with one character more there is a given name.
        ("欧阳", "阳", "欧", ""),
        ("王", "", "", "王"),
        ("", "", "", ""),
        ("...", "", "", ""),
    ],
)
def test_a_name_is_split(text, given, family, single):
    assert split_name(text) == (given, family, single)


@pytest.mark.parametrize(
    ("name", "code"),
    # Knuth, The Art of Computer Programming 3, section 6.
    [
        ("euler", "e460"),
        ("gauss", "g200"),
        ("hilbert", "h416"),
        ("knuth", "k530"),
        ("lloyd", "l300"),
        ("lukasiewicz", "l222"),
        ("ashcraft", "a261"),
        ("王", "王"),
        ("", ""),
    ],
)
def test_names_are_coded_by_sound(name, code):
    assert sound(name) == code


@pytest.mark.parametrize(
    ("text", "expected"),
    [("  Ångström-Straße ", "angstrom strasse"), ("Ｗａｎｇ", "wang"), ("a'b", "ab")],
)
def test_words_are_made_plain(text, expected):
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("one", "other", "given", "family"),
    [
        ("Ann Baker", "ANN BAKER", "exact", "exact"),
        ("Marian Baker", "Marion Baker", "spelling", "exact"),
        ("Ann Baker", "Ann Bakre", "exact", "spelling"),
        ("Katherine Baker", "Katrina Baker", "similar", "exact"),
        ("A. Baker", "Ann Baker", "similar", "exact"),
        ("Ann Baker", "Eve Baker", "different", "exact"),
        ("Ann Baker", "Baker Ann", "swapped", None),
        ("Ann Baker", "Bakker A.", "swapped", None),
        ("Anne Marie Baker", "Annemarie Baker", "spelling", "exact"),
        ("Ann Bak er", "Ann Baker", "spelling", "spelling"),
        # One name stands where it fits better.
        ("Ann", "Ann Baker", "exact", None),
        ("Baker", "Ann Baker", None, "exact"),
        ("Baker", "Baker", None, "exact"),
        # Short names that differ by a letter are other names.
        ("Li Na", "Lu Na", "different", "exact"),
        ("王小明", "王小明", "exact", "exact"),
        ("王小明", "王小红", "different", "exact"),
        ("王小明", "汪小明", "exact", "different"),
        # Another script can't be compared.
        ("王小明", "Wang Xiaoming", None, None),
        (None, "Ann Baker", None, None),
    ],
)
def test_names_compare_part_by_part(one, other, given, family):
    assert level("given_name", one, other) == given
    assert level("family_name", one, other) == family


# --- other fields ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "one", "other", "key"),
    [
        ("birth_date", date(1980, 3, 4), date(1980, 3, 4), "exact"),
        ("birth_date", "1980-03-04", date(1980, 3, 4), "exact"),
        ("birth_date", date(1980, 3, 4), date(1980, 4, 3), "swapped"),
        ("birth_date", date(1980, 3, 4), date(1980, 3, 14), "digit"),
        ("birth_date", date(1980, 3, 12), date(1980, 3, 21), "digit"),
        ("birth_date", date(1980, 3, 4), date(1980, 3, 27), "part"),
        ("birth_date", date(1980, 3, 4), date(1991, 3, 4), "part"),
        ("birth_date", date(1980, 3, 4), date(1991, 12, 28), "different"),
        ("birth_date", date(1980, 3, 4), "1980-02-31", None),
        ("gender", "F", "female", "exact"),
        ("gender", "男", "male", "exact"),
        ("gender", "male", "female", "different"),
        ("gender", "unknown", "female", None),
        ("email", "Ann@Mail.example", "ann@mail.example", "exact"),
        ("email", "ann.baker@mail.example", "ann.bakr@mail.example", "spelling"),
        ("email", "ann@mail.example", "paul@post.example", "different"),
        ("phone", "+44 7700 900123", "07700900123", "exact"),
        ("phone", "+44 7700 900123", "07700 900132", "digit"),
        ("phone", "+44 7700 900123", "07711 222333", "different"),
        ("address", "12 Mill Rd.", "12, Mill Road", "exact"),
        ("address", "12 Mill Road", "12 Mil Road", "nearly"),
        ("address", "12 Mill Road, Oakton", "12 Mill Road", "nearly"),
        ("address", "12 Mill Road", "14 Mill Road", "street"),
        ("address", "12 Mill Road", "7 Station Square", "different"),
        ("address", "中山路12号3栋401室", "中山路12号3栋402室", "street"),
        ("city", "北京", "北京市", "exact"),
        ("city", "Oakton", "Oakten", "spelling"),
        ("city", "Oakton", "Oaktonville", "similar"),
        ("city", "Oakton", "Leeds", "different"),
        ("postcode", "SW1A 1AA", "sw1a1aa", "exact"),
        ("postcode", "10234", "10243", "digit"),
        ("postcode", "10234", "10987", "area"),
        ("postcode", "10234", "99517", "different"),
        ("country", "gb", "GB", "exact"),
        ("country", "GB", "CN", "different"),
        ("country", None, "CN", None),
    ],
)
def test_a_field_compares_in_levels(field, one, other, key):
    assert level(field, one, other) == key


@pytest.mark.parametrize(
    ("one", "other", "key"),
    [
        ({"tax": "A-1 23"}, {"tax": "a123"}, "exact"),
        ({"tax": 123456}, {"tax": "123465"}, "digit"),
        ({"tax": "123456"}, {"tax": "999999"}, "different"),
        ({"tax": "123456"}, {"other": "123456"}, None),
        ({"tax": "123456"}, None, None),
    ],
)
def test_ids_compare_kind_by_kind(one, other, key):
    both = people(ids=[one, other])
    compared = compare(both, np.array([0]), np.array([1]))
    place = [each.field for each in compared.comparisons].index("id:tax")

    keys = [None, *(each.key for each in compared.comparisons[place].levels)]
    assert keys[compared.levels[0, place]] == key


def test_equal_values_are_counted_with_the_claimed_ones():
    both = people(
        email=["a@x.example", "b@x.example", "c@x.example"],
        claims=[[("email", "C@x.example")], None, [("phone", "1")]],
    )
    compared = compare(both, np.array([0, 1]), np.array([2, 2]))
    place = [each.field for each in compared.comparisons].index("email")

    values = equal_values(both, compared)[:, place]

    assert values[1] == -1
    assert value_counts(both, "email")[values[0]] == 2


# --- blocking -------------------------------------------------------------------------


def met(**columns):
    """Whether the first two people become a pair."""
    found = candidates(people(**columns))
    return (0, 1) in set(zip(found.low.tolist(), found.high.tolist(), strict=True))


@pytest.mark.parametrize(
    "columns",
    [
        {"email": ["a@x.example", "A@x.example"]},
        {"email": ["ann.baker@x.example", "ann.baker@y.example"]},
        {"phone": ["+44 7700 900123", "07700900123"]},
        {"ids": [{"tax": "7"}, {"tax": "7"}]},
        {"birth_date": ["1980-03-04", "1980-04-03"]},
        {"name": ["Ann Meyer", "Anne Maier"]},
        {"name": ["Ann Meyer", "Meyer Ann"]},
        {"name": ["王小明", "王 小明"]},
        {"address": ["12 Mill Rd", "12 Mill Road"]},
    ],
    ids=str,
)
def test_who_shares_a_key_becomes_a_pair(columns):
    assert met(**columns)


def test_who_shares_nothing_becomes_no_pair():
    assert not met(name=["Ann Baker", "Paul Jones"], city=["Oakton", "Leeds"])


def test_a_block_that_is_too_large_is_divided_and_told():
    # 400 people of one birth date in 100 families.
    letters = "bcdfghjklmnpqrstvwxz"
    names = [
        f"{a}o{b}a {c}e{c}er"
        for a in letters[:10]
        for b in letters[:10]
        for c in letters[:4]
    ]
    found = candidates(
        people(name=[*names, names[7]], birth_date=["1980-01-01"] * (len(names) + 1))
    )

    assert found.divided["birth date"] == len(names) + 1
    assert len(found) < len(names) * BLOCK_MAXIMUM
    pairs = set(zip(found.low.tolist(), found.high.tolist(), strict=True))
    assert (7, len(names)) in pairs


def test_pairs_are_distinct_and_ordered():
    found = candidates(people(name=["Ann Baker"] * 5, city=["Oakton"] * 5))

    pairs = list(zip(found.low.tolist(), found.high.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    assert all(one < other for one, other in pairs)
    assert len(pairs) == 10
