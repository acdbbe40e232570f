"""Old ways out of template sandboxes, and bombs: each is refused."""

import jinja2
import pytest

from content.sandbox import OUTPUT_CHARACTERS_MAX
from content.template import compile_template
from core.errors import TemplateError

VARIABLES = {
    "customer": {"name": "Ana", "first_name": "Ana", "orders_count": 3},
    "items": [{"name": "Cup", "price": 500}] * 100,
    "company": {"currency": "EUR"},
    "now": "2026-01-03",
}

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ customer.__class__ }}",
    "{{ customer['__class__'] }}",
    "{{ customer.name['__class__'] }}",
    "{{ customer['na' ~ 'me'] }}",
    "{{ customer.items() }}",
    "{{ customer.update({'x': 1}) }}",
    "{{ customer | attr('__class__') }}",
    "{{ [customer] | map(attribute='__class__') | list }}",
    "{{ items | map(attribute='name') | join }}",
    "{{ items | groupby('name') }}",
    "{{ '{0.__class__}'.format(customer) }}",
    "{{ '{x.__class__}'.format_map({'x': customer}) }}",
    "{{ ('{0.__class__}' | string).format(1) }}",
    "{{ '%s' | format(customer) }}",
    "{{ {'class': 'x'} | xmlattr }}",
    "{{ customer.name.encode() }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ loop }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ lipsum.__globals__['os'] }}",
    "{{ joiner.__init__ }}",
    "{{ namespace(x=1) }}",
    "{{ dict(x=1) }}",
    "{{ range.__self__ }}",
    "{{ request.application }}",
    "{{ config }}",
    "{{ _turn_budget }}",
    "{{ items | _counted }}",
    "{{ customer.name | safe }}",
    "{% for x in items %}{{ loop.__class__ }}{% endfor %}",
    "{% for x in items %}{{ loop._iterator }}{% endfor %}",
    "{% for x in items %}{{ loop.changed(1) }}{% endfor %}",
    "{% for x in items recursive %}{{ loop(items) }}{% endfor %}",
    "{% for a, b in items %}{% endfor %}",
    "{% for c in customer.name %}{{ c }}{% endfor %}",
    "{% for k in customer %}{{ k }}{% endfor %}",
    "{% set ns.x = 1 %}",
    "{% set x, y = 1, 2 %}",
    "{% set x %}text{% endset %}",
    "{% with x = 1 %}{% endwith %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% block x %}{% endblock %}",
    "{% macro x() %}{% endmacro %}",
    "{% call x() %}{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
    "{% autoescape false %}{% endautoescape %}",
    "{{ range(*items) }}",
    "{{ customer.name.upper }}",
    "{{ customer.name.upper(**customer) }}",
    "{{ customer }}",
    "{{ items }}",
]

DOUBLING = "{% set a = 'aaaaaaaaaaaaaaaa' %}" + "{% set a = a OP a %}" * 40 + "{{ a }}"
BOMBS = [
    "{{ 'a' * 50000000 }}",
    "{{ [1] * 50000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 10000000000 * 10000000000 * 10000000000 }}",
    "{{ 'a'.center(50000000) }}",
    "{{ 'a'.ljust(50000000) }}",
    "{{ 'a' | center(50000000) }}",
    "{{ '1'.zfill(50000000) }}",
    "{{ '%100000000d' % 1 }}",
    "{{ '%100000000d' | format(1) }}",
    "{{ 'a' | indent(50000000) }}",
    "{{ 'aaaa' | replace('', 'aaaaaaaa') }}",
    "{{ 0.5 | round(1000000000) }}",
    "{{ now | date('" + "%B" * 1000 + "') }}",
    "{% for x in range(10**9) %}{% endfor %}",
    "{% for x in range(1000000000) %}{% endfor %}",
    "{% for x in range(1000) %}{% for y in range(1000) %}{% endfor %}{% endfor %}",
    "{% for x in range(999) %}" + "{{ '" + "a" * 1000 + "' }}" + "{% endfor %}",
    DOUBLING.replace("OP", "~"),
    DOUBLING.replace("OP", "+"),
    "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a == a }}",
    "{{ items | join('" + "a" * 1000 + "', 'name') }}",
    "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
    "{{ " + "-" * 5000 + "1 }}",
    "{{ " + "9" * 5000 + " }}",
    "{% for x in items %}" * 30 + "{% endfor %}" * 30,
    "{% if 1 %}" * 500 + "{% endif %}" * 500,
    "{{ 1 / 0 }}",
    "a" * (OUTPUT_CHARACTERS_MAX + 1),
]


def test_the_library_is_past_its_known_escapes():
    version = tuple(int(part) for part in jinja2.__version__.split("."))

    assert version >= (3, 1, 6)


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("source", ESCAPES)
def test_escapes_are_refused(source, html):
    with pytest.raises(TemplateError):
        compile_template(source, "t", html=html).render(VARIABLES)


@pytest.mark.parametrize("source", BOMBS, ids=lambda source: source[:40])
def test_bombs_are_refused(source):
    with pytest.raises(TemplateError):
        compile_template(source, "t").render(VARIABLES)


def test_data_that_looks_like_a_template_is_only_text():
    customer = {"name": "{{ 7 * 7 }}{% raw %}"}

    text = compile_template("{{ customer.name }}", "t").render({"customer": customer})

    assert text == "{{ 7 * 7 }}{% raw %}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ customer.name.upper() }}", "ANA"),
        ("{{ 'yes' if customer.name.startswith('A') else 'no' }}", "yes"),
        ("{% for n in range(3) %}{{ n }}{% endfor %}", "012"),
        (
            "{% for n in items[:2] %}{{ loop.cycle('odd', 'even') }} {% endfor %}",
            "odd even ",
        ),
        ("{{ customer.orders_count * 2 + 1 }}", "7"),
        ("{{ items | length }}", "100"),
        ("{{ (items | first).name }}", "Cup"),
        ("{{ 'x' if customer.name in ['Ana', 'Bea'] else 'y' }}", "x"),
    ],
)
def test_harmless_habits_work(source, expected):
    assert compile_template(source, "t").render(VARIABLES) == expected
