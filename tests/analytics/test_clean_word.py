import pytest

from analytics.clean_word import country_code, country_form, gender_form, language_form


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("Germany", "Germany"),
        ("DE", "Germany"),
        ("de", "Germany"),
        ("DEU", "Germany"),
        ("Deutschland", "Germany"),
        ("英国", "United Kingdom"),
        ("EIRE", "Ireland"),
        ("U.S.A.", "United States"),
        ("Czech Republic", "Czechia"),
        ("香港", "Hong Kong"),
        ("the Netherlands", "Netherlands"),
        ("Côte d’Ivoire", "Côte d'Ivoire"),
        ("European Community", None),
        ("EU", None),
        ("Channel Islands", None),  # two territories share the name
        ("", None),
    ],
)
def test_a_country_has_one_form(word, form):
    assert country_form(word) == form
    assert form is None or country_form(form) == form


def test_a_country_has_its_code():
    assert [country_code(word) for word in ("日本", "Frankreich", "nowhere")] == [
        "JP",
        "FR",
        None,
    ]


@pytest.mark.parametrize(
    ("word", "tag"),
    [
        ("EN", "en"),
        ("en_us", "en-US"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("English", "en"),
        ("中文", "zh"),
        ("Deutsch", "de"),
        ("ger", "de"),
        ("xx", None),
        ("", None),
    ],
)
def test_a_language_is_a_tag(word, tag):
    assert language_form(word) == tag


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("M", "male"),
        ("女", "female"),
        ("Frau", "female"),
        ("divers", "other"),
        ("n/a", ""),
        ("blue", None),
    ],
)
def test_a_gender_is_one_of_three_words(word, form):
    assert gender_form(word) == form
