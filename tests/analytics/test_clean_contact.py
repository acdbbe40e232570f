import pandas as pd
import pytest

from analytics.clean_contact import clean_contacts, e164, meant_domain


def contact(kind, typed, country=None, value=None, reason=None):
    return pd.DataFrame(
        {
            "identity_id": [7],
            "customer_id": [3],
            "kind": [kind],
            "value": [typed if value is None else value],
            "typed": [typed],
            "unreachable_reason": [reason],
            "country": [country],
        }
    )


def found(*args, default="", **kwargs):
    findings = clean_contacts(contact(*args, **kwargs), default)
    return [(each.field, each.after, each.rule) for each in findings]


# Numbers for drama and of public offices, from the numbering plans of the countries.
@pytest.mark.parametrize(
    ("typed", "country", "form"),
    [
        ("030 901820", "Germany", "+4930901820"),
        ("0049 30 901820", "Germany", "+4930901820"),
        ("0049 30 901820", None, "+4930901820"),
        ("+49 (0)30 901820", "France", "+4930901820"),
        ("138 0013 8000", "中国", "+8613800138000"),
        ("020 7946 0018", "GB", "+442079460018"),
    ],
)
def test_a_phone_number_gets_its_international_form(typed, country, form):
    assert found("phone", typed, country) == [("phone", form, "phone_form")]


def test_a_number_in_its_form_is_left_alone():
    assert found("phone", "+49 30 901820", "Germany", value="+4930901820") == []


def test_the_default_country_stands_in_where_none_is_known():
    assert found("phone", "030 901820", default="de") == [
        ("phone", "+4930901820", "phone_form")
    ]


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ("ask my wife", "phone_not_a_number"),
        ("+44 20", "phone_too_short"),
        ("+49 30 901820000000000", "phone_too_long"),
        ("+1 111 555 0100", "phone_not_assigned"),
    ],
)
def test_what_is_no_number_is_set_aside_with_its_reason(typed, rule):
    assert found("phone", typed, "Germany") == [("phone", None, rule)]


def test_what_was_set_aside_is_not_told_again():
    assert found("phone", "+44 20", "DE", reason="phone_too_short") == []


def test_without_any_country_a_number_is_only_flagged():
    assert found("phone", "030 901820") == [
        ("phone", "030 901820", "phone_country_flagged")
    ]


def test_a_number_that_cannot_be_dialled_has_no_form():
    assert [e164("030 901820", "DE"), e164("12", "DE"), e164("x", None)] == [
        "+4930901820",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("domain", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gmail.co", "gmail.com"),
        ("hotmial.com", "hotmail.com"),
        ("gmail.com", None),
        ("ymail.com", None),  # a provider of its own
        ("mail.com", None),
        ("example.com", None),
    ],
)
def test_a_mistyped_provider_is_noticed(domain, meant):
    assert meant_domain(domain) == meant


def test_a_mistyped_domain_is_flagged_with_what_was_meant():
    assert found("email", "ann@gmial.com") == [
        ("email", "ann@gmail.com", "email_domain_flagged")
    ]


@pytest.mark.parametrize(
    "address", ["ann@", "@example.com", "ann@@example.com", "a b@example.com", "ann"]
)
def test_what_is_no_address_is_set_aside(address):
    assert found("email", address) == [("email", None, "email_invalid")]


@pytest.mark.parametrize("address", ["ann@example.com", "o'neil@example.com"])
def test_a_right_address_is_left_alone(address):
    assert found("email", address) == []


def test_other_identities_are_passed_over():
    assert found("telegram", "not a number") == []
