"""Filters, as marketers know them."""

from datetime import UTC, date, datetime

import pytest

from content.filters import minor_units
from content.template import compile_template
from content.variables import ALWAYS, SOMETIMES, ListOf, Record
from core.errors import TemplateError

ROOTS = Record(
    {
        "value": SOMETIMES,
        "company": Record({"currency": ALWAYS}),
        "things": ListOf(Record({"name": ALWAYS})),
    }
)


def shown(expression, value=None, language="en", **more):
    template = compile_template(
        f"{{{{ {expression} }}}}", "text", language=language, roots=ROOTS
    )
    return template.render({"value": value, "company": {"currency": "EUR"}, **more})


@pytest.mark.parametrize("value", [None, ""])
def test_default_stands_in_for_none_and_empty_text(value):
    assert shown('value | default("there")', value) == "there"


def test_default_stands_in_for_a_field_that_was_not_given():
    template = compile_template('{{ value | default("there") }}', "t", roots=ROOTS)

    assert template.render({}) == "there"


def test_default_keeps_zero():
    assert shown("value | default(5)", 0) == "0"


def test_default_at_the_end_of_a_chain_sees_a_missing_value():
    assert shown('value | date("%d %b") | default("never")') == "never"


@pytest.mark.parametrize(
    ("form", "language", "expected"),
    [
        ("%d %b", "en", "03 Jan"),
        ("%-d %B %Y", "en", "3 January 2026"),
        ("%-d %B %Y", "de", "3 Januar 2026"),
        ("%a %H:%M", "en", "Sat 09:05"),
        # Chinese puts the year first, whatever the form says.
        ("%d %b", "zh", "1月3日"),
        ("%-d %B %Y", "zh", "2026年1月3日"),
        ("%B %Y", "zh-CN", "2026年1月"),
        ("long", "zh", "2026年1月3日"),
        ("%d o'clock", "en", "03 o'clock"),
    ],
)
def test_date_speaks_the_language(form, language, expected):
    when = datetime(2026, 1, 3, 9, 5, tzinfo=UTC)

    assert shown(f'value | date("{form}")', when, language) == expected


def test_date_takes_dates_and_iso_texts():
    assert shown('value | date("%d %b")', date(2026, 1, 3)) == "03 Jan"
    assert shown('value | date("%d %b")', "2026-01-03") == "03 Jan"


def test_date_names_the_sign_that_it_does_not_know():
    with pytest.raises(TemplateError, match="%Q"):
        shown('value | date("%Q")', date(2026, 1, 3))


@pytest.mark.parametrize(
    ("minor", "currency", "language", "expected"),
    [
        (1999, "EUR", "en", "€19.99"),
        (123456, "EUR", "de", "1.234,56\N{NO-BREAK SPACE}€"),
        # Yen have no minor unit, dinars have three places.
        (500, "JPY", "en", "¥500"),
        (1500, "KWD", "en", "KWD1.500"),
        (1999, "CNY", "zh", "¥19.99"),
    ],
)
def test_money_counts_in_minor_units(minor, currency, language, expected):
    assert shown(f'value | money("{currency}")', minor, language) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [(19.99, "EUR", 1999), (500.0, "JPY", 500), (1.5, "KWD", 1500)],
)
def test_an_amount_becomes_minor_units_by_its_currency(amount, currency, minor):
    assert minor_units(amount, currency) == minor


def test_money_takes_the_shops_currency_where_none_is_named():
    assert shown("value | money", 500) == "€5.00"


@pytest.mark.parametrize(
    ("count", "expected"), [(1, "order"), (0, "orders"), (7, "orders")]
)
def test_plural_chooses_by_count(count, expected):
    assert shown('value | plural("order", "orders")', count) == expected


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("value | truncate(12)", "A long name of a thing", "A long name…"),
        ("value | truncate(4)", "白色悬挂心形烛台", "白色悬…"),
        ("value | truncate(50)", "short", "short"),
        ("value | titlecase", "WE DON'T KNOW", "We Don't Know"),
        ("value | percent", 0.256, "26%"),
        ("value | percent(1)", 0.256, "25.6%"),
        ("value | first_name", "Ana Silva", "Ana"),
        ("value | first_name", "王小明", "王小明"),
        ("value | urlencode", "a b&c", "a%20b%26c"),
        ('value | replace("a", "b")', "banana", "bbnbnb"),
        ('value | utm(campaign="x")', "https://s.example?a=1",
         "https://s.example/?a=1&utm_source=rapport&utm_campaign=x"),
        ('value | utm(campaign="x")', "https://s.example/p?utm_source=old#top",
         "https://s.example/p?utm_source=old&utm_campaign=x#top"),
    ],
)  # fmt: skip
def test_text_filters(expression, value, expected):
    assert shown(expression, value) == expected


@pytest.mark.parametrize(
    ("language", "expected"), [("en", "A, B, and C"), ("zh", "A、B和C")]
)
def test_join_and_lists_names_as_people_do(language, expected):
    things = [{"name": "A"}, {"name": "B"}, {"name": "C"}]

    text = shown('things | join_and("name")', language=language, things=things)

    assert text == expected


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "/relative"]
)
def test_link_refuses_what_a_mail_must_not_carry(url):
    with pytest.raises(TemplateError, match="a link must be"):
        shown("value | link", url)
