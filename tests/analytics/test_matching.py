"""Matching as a whole: who is one person, who is not, and in which words."""

import json
from datetime import date, timedelta
from random import Random

import numpy as np
import pandas as pd
import pytest

from analytics.matching import Matching, MatchingSpec, match_changed, match_people
from analytics.matching_model import MatchModel
from bench.planted_people import planted_people
from core.errors import DataError
from core.settings import Settings

SPEC = MatchingSpec()
ANN = {
    "name": "Ann Baker",
    "birth_date": date(1980, 3, 14),
    "gender": "female",
    "email": "ann.baker@mail.example",
    "phone": "+44 7700 900123",
    "address": "12 Mill Lane",
    "city": "Oakford",
    "postcode": "10234",
    "country": "GB",
}
WANG = {
    "name": "王小明",
    "birth_date": date(1990, 5, 6),
    "email": "wang@mail.example",
    "phone": "+86 13812345678",
    "address": "中山路12号3栋401室",
    "city": "北京",
    "postcode": "100080",
    "country": "CN",
}
GIVEN = ("Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jim")
SURNAMES = ("Ash", "Bell", "Cole", "Dunn", "East", "Ford", "Gray", "Hill", "Kay")
CITIES = ("Oakford", "Ashton", "Milby", "Rayham")
NOBODY = dict.fromkeys(ANN)


@pytest.fixture(scope="module")
def town() -> pd.DataFrame:
    """Customers of whom none is there twice, with ids from 1000 on."""
    frame, pairs = planted_people(150, seed=5, dirty_ratio=0.0)
    assert not pairs
    return frame.assign(customer_id=frame["customer_id"] + 1000)


def among(town: pd.DataFrame, *people: dict, **options: object) -> Matching:
    """The people as customers 1, 2, 3 ... of a town."""
    known = pd.DataFrame(people).assign(customer_id=range(1, len(people) + 1))
    return match_people(pd.concat([known, town]), SPEC, **options)


def decided(matching: Matching) -> dict[tuple[int, int], str]:
    """The decisions about customers 1, 2, 3 ..., by pair."""
    pairs = matching.pairs[matching.pairs["high_id"] < 1000]
    ids = zip(pairs["low_id"], pairs["high_id"], strict=True)
    return dict(zip(ids, pairs["decision"], strict=True))


# --- who is one person ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "changes"),
    [
        pytest.param(ANN, {}, id="copy"),
        pytest.param(ANN, {"name": "BAKER, Ann"}, id="surname-first"),
        pytest.param(ANN, {"name": "Baker Ann"}, id="swapped"),
        pytest.param(ANN, {"email": None, "address": None}, id="by-phone"),
        pytest.param(ANN, {"phone": None, "address": None}, id="by-email"),
        pytest.param(ANN, {"phone": None, "email": None}, id="born-there"),
        pytest.param(ANN, {"birth_date": date(1980, 3, 15)}, id="digit"),
        pytest.param(ANN, {"address": "12 Mill Ln.", "postcode": "10243"}, id="typed"),
        pytest.param(WANG, {"name": "王 小 明", "email": None}, id="blanks"),
        pytest.param(WANG, {"city": "北京市", "phone": "13812345678"}, id="chinese"),
    ],
)
def test_the_same_person_is_merged(town, known, changes):
    assert decided(among(town, known, known | changes)) == {(1, 2): "merge"}


@pytest.mark.parametrize(
    "changes",
    [
        # Twins: all the same but the given name.
        pytest.param({"name": "Eve Baker"}, id="twins"),
        # The names of twins may be alike.
        pytest.param({"name": "Anne Baker"}, id="twins-alike"),
        # A husband with the common e-mail address and phone number.
        pytest.param(
            {"name": "Paul Baker", "birth_date": date(1977, 9, 1), "gender": "male"},
            id="spouse",
        ),
        # A daughter named after her mother.
        pytest.param({"birth_date": date(2005, 11, 30)}, id="daughter"),
        pytest.param({"gender": "male"}, id="gender"),
        pytest.param({"name": "Ann Cooper"}, id="other-surname"),
    ],
)
def test_two_people_of_one_home_are_not_merged(town, changes):
    assert "merge" not in decided(among(town, ANN, ANN | changes)).values()


def test_a_family_member_of_another_age_is_not_even_proposed(town):
    son = {"name": "Tom Baker", "birth_date": date(2004, 8, 21), "gender": "male"}
    home = ANN | {"phone": None, "email": None}

    assert decided(among(town, home, home | son)) == {}


@pytest.mark.parametrize("name", ["Ann Baker", "Zebulon Quackenbush", "诸葛亮", "Cher"])
def test_a_name_alone_never_merges(town, name):
    person = NOBODY | {"name": name}

    assert "merge" not in decided(among(town, person, person)).values()


def test_a_rare_name_in_one_town_never_merges(town):
    person = NOBODY | {
        "name": "Zebulon Quackenbush",
        "gender": "male",
        "city": "Oakford",
        "postcode": "10234",
        "country": "GB",
    }

    assert "merge" not in decided(among(town, person, person)).values()


def test_brothers_with_one_character_in_common_are_not_merged(town):
    assert "merge" not in decided(among(town, WANG, WANG | {"name": "王小红"})).values()


def test_an_id_forgives_a_wrong_birth_date(town):
    person = ANN | {"ids": {"tax": "A-123 456"}}
    again = person | {"birth_date": date(1999, 1, 1), "ids": {"tax": "a123456"}}

    assert decided(among(town, person, again)) == {(1, 2): "merge"}


def test_another_id_forbids_a_merge(town):
    matching = among(
        town, ANN | {"ids": {"tax": "123456"}}, ANN | {"ids": {"tax": "987010"}}
    )

    assert decided(matching) == {(1, 2): "propose"}


def test_a_typing_error_in_an_id_merges_who_has_the_same_name_and_birth_date(town):
    person = ANN | {"email": None, "phone": None, "address": None}
    one, other = ({"ids": {"tax": each}} for each in ("123456", "123466"))

    assert decided(among(town, person | one, person | other)) == {(1, 2): "merge"}


def test_twins_with_neighbouring_numbers_are_not_merged(town):
    first = ANN | {"ids": {"tax": "123456"}}
    second = ANN | {"name": "Anne Baker", "ids": {"tax": "123457"}}

    assert "merge" not in decided(among(town, first, second)).values()


def test_an_id_with_the_birth_date_and_the_place_forgives_another_name(town):
    person = ANN | {"email": None, "phone": None, "ids": {"tax": "123456"}}
    again = person | {"name": "Nora Cooper", "address": None}

    assert decided(among(town, person, again)) == {(1, 2): "merge"}


def test_a_number_that_an_office_gives_merges_nobody(town):
    office = [
        NOBODY | {"name": f"Ann {letter}aker", "phone": "+44 7700 900000"}
        for letter in "BCDFGHJKLMNPR"
    ]
    matching = among(town, *office, NOBODY | {"name": "Ann Baker", **office[0]})

    assert "merge" not in decided(matching).values()


def test_an_address_that_a_file_claims_counts_as_given(town):
    claimed = ANN | {
        "email": "ann@other.example",
        "phone": None,
        "address": None,
        "claims": [("email", "Ann.Baker@mail.example")],
    }

    assert decided(among(town, ANN, claimed)) == {(1, 2): "merge"}


# --- persons of several customers -----------------------------------------------------


def test_who_follows_from_two_others_is_returned_too(town):
    # 1 and 3 have but a name in common; 2 has the mail of one, the phone of the other.
    mail = NOBODY | {"name": "Ann Baker", "email": ANN["email"], "country": "GB"}
    phone = NOBODY | {"name": "Ann Baker", "phone": ANN["phone"], "country": "GB"}
    matching = among(town, mail, ANN, phone)

    assert decided(matching) == dict.fromkeys([(1, 2), (1, 3), (2, 3)], "merge")
    chained = matching.pairs.set_index(["low_id", "high_id"]).loc[(1, 3), "evidence"]
    assert chained[0].words == "both are the same person as customer 2"
    assert {1: 1, 2: 1, 3: 1}.items() <= matching.clusters.items()


def test_a_chain_never_joins_two_who_contradict_each_other(town):
    # The tax number of 2 is not known, so both others fit.
    first, second = (ANN | {"ids": {"tax": each}} for each in ("123456", "987010"))
    matching = among(town, first, ANN, second)

    assert list(decided(matching).values()).count("merge") == 1
    assert matching.clusters.get(1) != matching.clusters.get(3)


def test_certain_pairs_are_not_returned_and_carry_on(town):
    mail = NOBODY | {"name": "Ann Baker", "email": ANN["email"]}
    matching = among(town, mail, ANN, WANG, certain=[(3, 2)])

    assert decided(matching)[1, 2] == "merge"
    assert (2, 3) not in decided(matching)
    assert matching.clusters[3] == 1


def test_who_was_said_to_be_apart_stays_apart(town):
    matching = among(town, ANN, ANN, ANN, apart=[(3, 1)])

    assert (1, 3) not in decided(matching)
    assert matching.clusters.get(1, 1) != matching.clusters.get(3, 3)


# --- words and thresholds -------------------------------------------------------------


def test_the_evidence_is_in_words_the_heaviest_first(town):
    typed = {
        "name": "Ann Bakker",
        "birth_date": date(1980, 3, 15),
        "postcode": "10243",
        "address": "14 Mill Lane",
        "gender": None,
    }
    (evidence,) = among(town, ANN, ANN | typed).pairs.query("high_id == 2")["evidence"]

    words = {each.field: each.words for each in evidence}
    assert words == {
        "given_name": "given names are the same",
        "family_name": "surnames differ by one letter",
        "birth_date": "birth dates differ by one digit",
        "email": "e-mail addresses are the same",
        "phone": "phone numbers are the same",
        "address": "addresses have the same street and another number",
        "city": "cities are the same",
        "postcode": "postcodes have two digits swapped",
        "country": "countries are the same",
    }
    weights = [abs(each.weight_bits) for each in evidence]
    assert weights == sorted(weights, reverse=True)


def test_a_common_surname_counts_less_than_a_rare_one(town):
    person = ANN | {"email": None, "phone": None}
    people = [person | {"name": f"Ann {each}"} for each in ("Smith", "Quackenbush")]
    smiths = [NOBODY | {"name": f"{each} Smith"} for each in ("Al", "Bo", "Cy", "Di")]
    moved = [each | {"address": "7 Long Road"} for each in people]
    matching = among(town, *people, *moved, *smiths)

    pairs = matching.pairs.set_index(["low_id", "high_id"])["evidence"]
    smith, rare = (
        next(each for each in pairs[ids] if each.field == "family_name")
        for ids in ((1, 3), (2, 4))
    )
    assert 0 < smith.weight_bits < rare.weight_bits


def test_the_probability_decides_by_the_thresholds_of_the_settings(town):
    settings = Settings().matching
    spec = MatchingSpec(settings.safe_ratio, settings.propose_ratio)
    people = planted_people(1000, seed=3)[0]

    pairs = match_people(people, spec).pairs
    merged, proposed = (
        pairs.loc[pairs["decision"] == each, "probability_ratio"]
        for each in ("merge", "propose")
    )

    assert (spec.safe_ratio, spec.propose_ratio) == (
        SPEC.safe_ratio,
        SPEC.propose_ratio,
    )
    assert proposed.min() >= settings.propose_ratio
    assert merged.median() >= settings.safe_ratio
    assert len(merged) > 50
    assert len(proposed) > 20


def test_a_higher_threshold_proposes_fewer(town):
    people = planted_people(1000, seed=3)[0]

    pairs = [
        match_people(people, MatchingSpec(propose_ratio=ratio)).pairs
        for ratio in (0.2, 0.95)
    ]

    assert len(pairs[0]) > len(pairs[1])


# --- the whole ------------------------------------------------------------------------


def test_planted_duplicates_are_found():
    people, truth = planted_people(3000, seed=11)

    pairs = match_people(people, SPEC).pairs

    found = set(zip(pairs["low_id"], pairs["high_id"], strict=True))
    merged = pairs[pairs["decision"] == "merge"]
    sure = set(zip(merged["low_id"], merged["high_id"], strict=True))
    assert 2 * len(found & truth) / (len(found) + len(truth)) >= 0.97
    assert len(sure & truth) >= 0.999 * len(sure)
    assert len(sure) >= 0.5 * len(truth)


@pytest.mark.parametrize("seed", [7, 8])
def test_where_nobody_is_there_twice_hardly_anybody_is_proposed(seed):
    people, _ = planted_people(4000, seed, dirty_ratio=0.0)

    pairs = match_people(people, SPEC).pairs

    assert "merge" not in set(pairs["decision"])
    assert len(pairs) <= 0.001 * len(people)


def namesakes(count: int) -> pd.DataFrame:
    """Different people of few names, whose e-mail addresses are made of their names."""
    chance = Random(4)
    drawn = [
        (chance.choice(GIVEN), chance.choice(SURNAMES), chance.choice("123456789"))
        for _ in range(count)
    ]
    born = [date(1950, 1, 1) + timedelta(chance.randrange(20_000)) for _ in drawn]
    return pd.DataFrame(
        {
            "customer_id": range(1, count + 1),
            "name": [f"{given} {surname}" for given, surname, _ in drawn],
            "birth_date": [each if chance.random() < 0.85 else None for each in born],
            "gender": [("male", "female")[len(given) % 2] for given, _, _ in drawn],
            "email": [f"{a}.{b}{c}@mail.example".lower() for a, b, c in drawn],
            "city": [chance.choice(CITIES) for _ in drawn],
            "country": "GB",
        }
    )


def test_namesakes_are_not_taken_for_one_person():
    pairs = match_people(namesakes(1500), SPEC).pairs

    assert "merge" not in set(pairs["decision"])
    assert len(pairs) <= 15


def test_one_person_is_found_among_namesakes():
    people = namesakes(1500)
    again = people.head(1).assign(customer_id=9000, email=None)

    pairs = match_people(pd.concat([people, again]), SPEC).pairs

    assert (1, 9000) in set(zip(pairs["low_id"], pairs["high_id"], strict=True))


def test_the_order_of_rows_and_columns_does_not_matter():
    people, _ = planted_people(600, seed=2)
    mixed = people.sample(frac=1, random_state=4)[people.columns[::-1]]

    one, other = (match_people(each, SPEC) for each in (people, mixed))

    pd.testing.assert_frame_equal(one.pairs, other.pairs)
    assert one.model == other.model


@pytest.mark.parametrize(
    "people",
    [
        pytest.param(pd.DataFrame({"customer_id": []}), id="nobody"),
        pytest.param(pd.DataFrame([ANN | {"customer_id": 1}]), id="one"),
        pytest.param(
            pd.DataFrame([NOBODY | {"customer_id": i} for i in range(9)]), id="unknown"
        ),
    ],
)
def test_nothing_to_compare_gives_no_pairs_and_a_reason(people):
    matching = match_people(people, SPEC)

    assert matching.pairs.empty
    assert matching.pairs["low_id"].dtype == np.int64
    assert matching.reason
    assert matching.model_run(None, pd.Timestamp("2026-01-01", tz="UTC")).reason


def test_two_customers_are_enough():
    people = pd.DataFrame([ANN, ANN]).assign(customer_id=[7, 4])

    pairs = match_people(people, SPEC).pairs

    assert pairs[["low_id", "high_id", "decision"]].to_numpy().tolist() == [
        [4, 7, "merge"]
    ]


def test_two_strangers_are_no_pair():
    other = WANG | {"gender": "male"}
    people = pd.DataFrame([ANN, other]).assign(customer_id=[1, 2])

    assert match_people(people, SPEC).pairs.empty


def test_a_customer_given_twice_is_refused():
    people = pd.DataFrame([ANN, ANN]).assign(customer_id=[3, 3])

    with pytest.raises(DataError, match="customer twice"):
        match_people(people, SPEC)


def test_a_model_run_says_what_was_learnt_beside_plain_copies():
    people, _ = planted_people(600, seed=2)
    matching = match_people(people, SPEC)

    run = matching.model_run(None, pd.Timestamp("2026-01-01", tz="UTC"))

    assert run.kind == "matching"
    assert run.metrics["pairs"] == len(matching.pairs) > run.baseline["pairs"]
    assert run.metrics["merge"] + run.metrics["propose"] == len(matching.pairs)
    assert run.parameters["safe_ratio"] == SPEC.safe_ratio
    assert {each["field"] for each in run.parameters["weights"]} >= {"email", "city"}


# --- those who changed ----------------------------------------------------------------


@pytest.fixture(scope="module")
def grown() -> tuple[pd.DataFrame, set[int]]:
    """Customers with ids, and a tenth of them who are new or changed."""
    people, _ = planted_people(2500, seed=12)
    return people, set(people["customer_id"].sample(250, random_state=1).tolist())


def touching(pairs: pd.DataFrame, ids: set[int]) -> pd.DataFrame:
    """The pairs of these that speak for themselves.

    Others follow from pairs of the unchanged, who have been merged nights ago.
    """
    kept = pairs["low_id"].isin(ids) | pairs["high_id"].isin(ids)
    return (
        pairs[kept & (pairs["probability_ratio"] >= SPEC.propose_ratio)]
        .drop(columns=["decision", "evidence"])
        .reset_index(drop=True)
    )


def test_the_changed_are_found_as_among_everybody(grown):
    people, changed = grown
    whole = match_people(people, SPEC)

    part = match_changed(people, SPEC, whole.model, changed)

    assert part.changed == changed
    assert len(part.pairs) < 0.5 * len(whole.pairs)
    pd.testing.assert_frame_equal(
        touching(part.pairs, changed), touching(whole.pairs, changed)
    )


def test_a_kept_model_is_the_same_when_it_is_read(grown):
    people, changed = grown
    learnt = match_people(people, SPEC).model

    model = MatchModel.read(json.loads(json.dumps(learnt.parameters())))

    assert model == learnt
    one, other = (
        match_changed(people, SPEC, each, changed) for each in (learnt, model)
    )
    pd.testing.assert_frame_equal(one.pairs, other.pairs)


def test_a_new_kind_of_id_lets_everybody_be_compared(grown):
    people, changed = grown
    model = match_people(people, SPEC).model
    numbered = people.assign(ids=[{"tax": str(each)} for each in people["customer_id"]])

    assert match_changed(numbered, SPEC, model, changed).changed is None


def test_where_nobody_changed_there_are_no_pairs(grown):
    people, _ = grown
    model = match_people(people, SPEC).model

    found = match_changed(people, SPEC, model, ())

    assert found.pairs.empty
    assert found.reason is None


@pytest.mark.parametrize(
    "parameters",
    [{}, {"weights": [{"field": "city"}]}, {"weights": None, "prior_ratio": 0.1}],
)
def test_parameters_of_another_version_are_no_model(parameters):
    assert MatchModel.read(parameters) is None
