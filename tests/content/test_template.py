"""Templates: names checked before the first customer, errors with their place."""

import pytest

from content.template import check_template, compile_template
from core.errors import TemplateError

CUSTOMER = {"name": "Ana Silva", "first_name": "Ana", "city": None, "orders_count": 3}
ITEMS = [{"name": "Cup", "price": 500}, {"name": "Plate", "price": None}]
VARIABLES = {"customer": CUSTOMER, "items": ITEMS, "company": {"currency": "EUR"}}


def render(source, *, html=False, **variables):
    template = compile_template(source, "body.txt", html=html)
    return template.render({**VARIABLES, **variables})


def problems_of(source):
    with pytest.raises(TemplateError) as caught:
        compile_template(source, "win-back/body.txt")
    return caught.value.problems


def test_renders_fields_loops_and_choices():
    source = (
        "Hi {{ customer.first_name }}"
        "{% for item in items %} {{ loop.index }}:{{ item.name }}{% endfor %}"
        "{% if customer.orders_count > 2 %}!{% endif %}"
    )

    assert render(source) == "Hi Ana 1:Cup 2:Plate!"


@pytest.mark.parametrize(
    ("source", "word", "hint"),
    [
        ("a\n{{ custmer.name }}", "custmer", "`customer`"),
        ("a\n{{ customer.frist_name }}", "customer.frist_name", "`first_name`"),
        ("a\n{{ customer['frist_name'] }}", "customer.frist_name", "`first_name`"),
        ("a\n{{ customer.name | titelcase }}", "titelcase", "`titlecase`"),
        ("a\n{% for i in items %}{{ i.prize }}{% endfor %}", "i.prize", "`price`"),
        ("a\n{% if items[0].prize %}{% endif %}", "items.0.prize", "`price`"),
        ('a\n{{ items | join_and("nam") }}', "nam", "`name`"),
        ("a\n{{ customer.name is defind }}", "defind", "`defined`"),
    ],
)
def test_unknown_words_name_line_and_nearest(source, word, hint):
    (problem,) = problems_of(source)

    assert (problem.file, problem.line) == ("win-back/body.txt", 2)
    assert problem.value == word
    assert hint in problem.hint


def test_all_unknown_words_are_told_at_once():
    told = problems_of("{{ custmer.name }}\n{{ customer.name }}\n{{ itms }}")

    assert [(problem.value, problem.line) for problem in told] == [
        ("custmer", 1),
        ("itms", 3),
    ]


@pytest.mark.parametrize(
    ("source", "form"),
    [
        ('{{ customer.city | default: "there" }}', 'city | default("there") }}'),
        ("{% assign x = customer.name %}", "{% set x = customer.name %}"),
        ("{% unless customer.city %}x{% endunless %}", "{% if not condition %}"),
        ("{% if customer.city %}{% elsif x %}{% endif %}", "{% elif condition %}"),
        ("{% if customer.city contains 'B' %}{% endif %}", "'B' in customer.city"),
        ("{% for i in items %}{{ forloop.index }}{% endfor %}", "loop"),
    ],
)
def test_liquid_is_answered_with_the_form_that_works(source, form):
    told = problems_of(source)

    assert "Liquid" in told[0].expected
    assert form in told[0].hint


def test_a_colon_in_quotes_is_not_liquid():
    assert render("{{ customer.city | default('| default: x') }}") == "| default: x"


def test_a_missing_value_names_line_and_suspect():
    template = compile_template("Hello\n{{ customer.city }}", "body.txt")

    with pytest.raises(TemplateError) as caught:
        template.render(VARIABLES)

    (problem,) = caught.value.problems
    assert problem.line == 2
    assert "customer.city" in problem.hint


def test_a_root_that_was_not_given_is_an_error():
    template = compile_template("{{ campaign.title }}", "body.txt")

    with pytest.raises(TemplateError, match="campaign"):
        template.render({})


@pytest.mark.parametrize(
    "source",
    [
        "{{ customer.city | default('x') }}",
        "{% if customer.city %}{{ customer.city }}{% endif %}",
        "{% if not customer.city %}x{% else %}{{ customer.city }}{% endif %}",
        "{{ customer.city if customer.city else 'x' }}",
        "{{ customer.city or 'x' }}",
        "{% if customer.city and customer.city == 'Berlin' %}x{% endif %}",
        "{% for i in items if i.price %}{{ i.price | money }}{% endfor %}",
        "{{ customer.orders_count }}",
    ],
)
def test_guarded_and_certain_fields_are_not_bare(source):
    assert check_template(source, "t").bare == []


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("{{ customer.city }}", "customer.city"),
        ("{{ customer.city | upper }}", "customer.city"),
        ("{% if customer.name %}{{ customer.city }}{% endif %}", "customer.city"),
        ("{% for i in items %}{{ i.price | money }}{% endfor %}", "i.price"),
        ("{% if customer.days_since_last_order > 3 %}x{% endif %}",
         "customer.days_since_last_order"),
        ("{% set c = customer.city %}{{ c }}", "c"),
    ],
)  # fmt: skip
def test_optional_fields_shown_bare_are_found(source, path):
    assert [bare.path for bare in check_template(source, "t").bare] == [path]


def test_html_is_escaped_and_text_is_not():
    hostile = {**CUSTOMER, "name": "<b>{{ 1 + 1 }}"}

    assert render("{{ customer.name }}", html=True, customer=hostile) == (
        "&lt;b&gt;{{ 1 + 1 }}"
    )
    assert render("{{ customer.name }}", customer=hostile) == "<b>{{ 1 + 1 }}"


def test_joining_with_a_tilde_does_not_unescape():
    hostile = {**CUSTOMER, "name": "<b>"}

    assert (
        render("{{ customer.name ~ '!' }}", html=True, customer=hostile) == "&lt;b&gt;!"
    )


def test_an_unclosed_block_names_its_line():
    (problem,) = problems_of("a\n\n{% if customer.city %}")

    assert problem.line == 3
