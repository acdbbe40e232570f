"""Mails: layout and body joined, CSS inlined around Jinja, rendered per customer."""

import re

import pytest

from content.files import CampaignSource
from content.inline import Part, protect
from content.mail import compile_version, compose
from content.template import compile_template
from content.variables import HTML_ROOTS
from core.errors import CampaignError, TemplateError

LAYOUT = """<!doctype html><html><head><title>{{ subject }}</title><style>
td { color: red } .big { font-size: 20px }
@media (prefers-color-scheme: dark) { td { color: white !important } }
</style></head>
<body>
<!-- body -->
<p>{{ company.name }}</p></body></html>"""
DEFINITION = "campaign: hello\ntitle: H\ntopic: news\nchannel: [email, telegram]\n"
FILES = {
    "campaign.yaml": DEFINITION,
    "subject.txt": "Hello\n{{ customer.name }}\n",
    "preheader.txt": "A word\n",
    "body.html": "<table><tr><td>{{ customer.name }}</td></tr></table>",
    "body.txt": "Text for {{ customer.name }}\n",
    "chat.txt": "Chat for {{ customer.name }}\n",
    "subject.zh.txt": "您好",
    "body.zh.html": "<p>您好</p>",
    "body.zh.txt": "您好",
    "chat.zh.txt": "您好",
    "layout/email.html": LAYOUT,
}
VARIABLES = {
    "customer": {"name": "Ana & Bea"},
    "company": {"name": "Shop"},
    "items": [
        {"name": "Cup", "url": "https://shop.example/1?a=1&b=2"},
        {"name": "Plate", "url": "https://shop.example/2"},
    ],
}


def composed(body, file="hello/body.html"):
    page = compose(Part(LAYOUT, "layout/email.html"), Part(body, file))
    return page, compile_template(
        page.source, file, html=True, roots=HTML_ROOTS, places=page.places
    )


def rendered(body, file="hello/body.html", **variables):
    template = composed(body, file)[1]
    return template.render({**VARIABLES, "subject": "S", **variables})


def test_a_loop_round_table_rows_survives_inlining():
    body = (
        "<table>\n{% for item in items %}\n<tr><td>{{ item.name }}</td></tr>\n"
        "{% endfor %}\n</table>"
    )

    page = rendered(body)

    rows = re.findall(r"<tr>.*?</tr>", page)
    assert rows == [
        '<tr><td style="color: red;">Cup</td></tr>',
        '<tr><td style="color: red;">Plate</td></tr>',
    ]
    assert page.index("<table>") < page.index("<tr>")
    assert page.rindex("</tr>") < page.index("</table>")
    assert "tbody" not in page


def test_dark_mode_rules_stay_in_a_style_element():
    page = rendered("<table><tr><td>x</td></tr></table>")

    assert "@media (prefers-color-scheme: dark)" in page


def test_choices_in_attribute_values_survive():
    body = '<p title="{% if customer.name %}yes{% else %}no{% endif %}">x</p>'

    assert 'title="yes"' in rendered(body)


def test_values_in_attributes_are_escaped_and_entities_kept():
    body = '<p title="{{ customer.name }}">&nbsp;&copy;</p><p class="big">中文</p>'

    page = rendered(body)

    assert 'title="Ana &amp; Bea"' in page
    assert '<p class="big" style="font-size: 20px;">中文</p>' in page


def test_comments_and_raw_blocks_are_kept_as_jinja_means_them():
    assert "<p>a  b {{ x }}</p>" in rendered(
        "<p>a {# not for readers #} b {% raw %}{{ x }}{% endraw %}</p>"
    )


def test_links_are_checked_when_they_are_rendered():
    body = '{% for i in items %}<a href="{{ i.url }}">x</a>{% endfor %}'

    assert 'href="https://shop.example/1?a=1&amp;b=2"' in rendered(body)
    with pytest.raises(TemplateError, match="a link must be"):
        rendered(body, items=[{"url": "javascript:alert(1)"}])


def test_an_expression_between_rows_is_refused_with_its_line():
    body = "<table>\n{{ customer.name }}\n<tr><td>x</td></tr></table>"

    with pytest.raises(TemplateError) as caught:
        composed(body)

    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("hello/body.html", 2)
    assert problem.value == "{{ customer.name }}"


def test_a_tag_among_attributes_is_refused_with_its_line():
    with pytest.raises(TemplateError) as caught:
        composed("<p>\n<b {% if customer.name %}class='x'{% endif %}>y</b></p>")

    assert caught.value.problems[0].line == 2


def test_stand_ins_never_meet_the_authors_words():
    assert "rapporttagb0x" in rendered("<p>rapporttagb0x {{ customer.name }}</p>")


def test_a_layout_without_a_place_for_the_body_is_refused():
    with pytest.raises(TemplateError, match="body"):
        compose(Part("<p>x</p>", "layout/email.html"), Part("y", "body.html"))


def test_an_error_while_rendering_names_the_line_of_the_body():
    body = "<p>x</p>\n\n<p>{{ customer.city }}</p>"

    with pytest.raises(TemplateError) as caught:
        rendered(body)

    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("hello/body.html", 3)


def test_an_error_in_the_layout_names_the_layout():
    template = composed("<p>x</p>")[1]

    with pytest.raises(TemplateError) as caught:
        template.render({"subject": "S", "company": {}})

    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("layout/email.html", 7)


@pytest.mark.parametrize(
    "html",
    [
        "<a href=\"x{{ y }}\" title='{{ y }}'>{{ y }}</a>",
        "<a href={{ y }}>x</a>",
        "<title>{{ y }}</title><style>a{}{{ y }}</style>",
        "<!-- {{ y }} --><p>{{ y }}</p>",
        "<!--[if mso]>{{ y }}<![endif]-->",
    ],
)
def test_expressions_travel_as_words(html):
    hidden = protect(Part(html, "x.html"), "word")

    assert "{{" not in hidden.html
    assert [tag.word for tag in hidden.tags] == re.findall(r"word\d+x", hidden.html)


def test_mjml_is_a_body_like_any_other():
    body = """<mjml><mj-head><mj-style>.m { color: red }</mj-style></mj-head><mj-body>
      {% for item in items %}
      <mj-section><mj-column>
        <mj-text>{{ item.name }}</mj-text>
        <mj-button href="{{ item.url }}">Go</mj-button>
      </mj-column></mj-section>
      {% endfor %}
    </mj-body></mjml>"""

    page = rendered(body, "hello/body.mjml")

    assert page.count(">Cup<") == 1
    assert page.count(">Plate<") == 1
    assert 'href="https://shop.example/2"' in page
    assert "mj-text" not in page


def test_mjml_includes_nothing():
    body = '<mjml><mj-body><mj-include path="/etc/passwd" /></mj-body></mjml>'

    with pytest.raises(TemplateError, match="MJML"):
        composed(body, "hello/body.mjml")


def test_renders_every_part_in_the_customers_language():
    version = compile_version(CampaignSource("hello", FILES), ["en", "zh"])

    english = version.render(VARIABLES, "en")
    chinese = version.render(VARIABLES, "zh-CN")

    assert english.subject == "Hello Ana & Bea"
    assert (english.text, english.chat) == (
        "Text for Ana & Bea\n",
        "Chat for Ana & Bea",
    )
    assert "<title>Hello Ana &amp; Bea</title>" in english.html
    assert (chinese.subject, chinese.language) == ("您好", "zh")


@pytest.mark.parametrize("language", [None, "", "fr"])
def test_other_languages_fall_back_to_the_shops_first(language):
    version = compile_version(CampaignSource("hello", FILES), ["zh", "en"])

    assert version.render(VARIABLES, language).language == "zh"


def test_a_line_break_in_a_name_does_not_reach_the_subject():
    version = compile_version(CampaignSource("hello", FILES))
    customer = {"name": "Ana\r\nBcc: x@y.example"}

    mail = version.render({**VARIABLES, "customer": customer})

    assert mail.subject == "Hello Ana Bcc: x@y.example"


def test_a_version_without_its_own_layout_takes_the_given_one():
    files = {name: text for name, text in FILES.items() if "/" not in name}
    layout = {"layout/email.html": LAYOUT.replace("<p>", "<p>New ")}

    version = compile_version(CampaignSource("hello", files), layout=layout)

    assert "New Shop" in version.render(VARIABLES).html


@pytest.mark.parametrize("name", ["body.txt", "subject.txt", "chat.txt", "body.zh.txt"])
def test_a_missing_part_is_named(name):
    files = {key: text for key, text in FILES.items() if key != name}

    with pytest.raises(TemplateError) as caught:
        compile_version(CampaignSource("hello", files))

    assert [problem.file for problem in caught.value.problems] == [f"hello/{name}"]


def test_mistakes_of_all_files_come_at_once():
    files = {**FILES, "body.html": "<p>\n{{ custmer }}", "chat.zh.txt": "{{ itms }}"}

    with pytest.raises(TemplateError) as caught:
        compile_version(CampaignSource("hello", files))

    assert [(p.file, p.line, p.value) for p in caught.value.problems] == [
        ("hello/body.html", 2, "custmer"),
        ("hello/chat.zh.txt", 1, "itms"),
    ]


def test_the_key_must_be_the_folders_name():
    with pytest.raises(CampaignError, match="folder's name"):
        compile_version(CampaignSource("other", FILES))
