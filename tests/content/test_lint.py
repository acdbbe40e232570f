"""What lint says about a campaign."""

import pytest

from content.condition import FieldKind
from content.files import CampaignSource
from content.lint import Severity, lint, unknown_names

DEFINITION = "campaign: hello\ntitle: H\ntopic: news\nchannel: [email, telegram]\n"
GOOD = {
    "campaign.yaml": DEFINITION,
    "subject.txt": "Hello",
    "preheader.txt": "A word",
    "body.html": "<p>Words</p>",
    "body.txt": "Text. {{ links.unsubscribe }}",
    "chat.txt": "Chat. /stop",
    "layout/email.html": "<!-- body --><a href='{{ links.unsubscribe }}'>Stop</a>",
}


def findings(**changes):
    changed = {name.replace("__", "."): text for name, text in changes.items()}
    files = {k: v for k, v in {**GOOD, **changed}.items() if v is not None}
    return lint(CampaignSource("hello", files))


FIELDS = {"attributes.*": FieldKind.OPEN, "city": FieldKind.TEXT}
KNOWN = {"attributes": {"loyalty_points", "plan"}, "preferences": set()}


def unknown(**changes):
    changed = {name.replace("__", "."): text for name, text in changes.items()}
    source = CampaignSource("hello", {**GOOD, **changed})
    return [str(each) for each in unknown_names(source, FIELDS, KNOWN)]


def test_an_attribute_that_nobody_has_is_told_with_the_nearest():
    chat = '{{ customer.attributes.loyality_points | default("0") }} /stop'

    (finding,) = unknown(chat__txt=chat)

    assert finding.startswith("hello/chat.txt: warning: no customer has")
    assert "Did you mean `loyalty_points`?" in finding


def test_a_condition_may_name_attributes_that_nobody_has_yet():
    where = "where: attributes.'shoe size' > 40 and attributes.plan = 'gold'\n"

    assert unknown(campaign__yaml=DEFINITION + where) == [
        "hello/campaign.yaml: warning: no customer has `attributes.shoe size` yet"
    ]


def test_attributes_that_somebody_has_are_no_finding():
    body = '{{ customer.attributes.plan | default("") }} {{ links.unsubscribe }}'

    assert unknown(body__txt=body) == []


def test_a_condition_is_checked_where_its_fields_are_known():
    definition = DEFINITION + "where: cty = 'Bonn'\n"
    source = CampaignSource("hello", {**GOOD, "campaign.yaml": definition})

    (finding,) = lint(source, FIELDS)

    assert finding.line == 5
    assert "Did you mean `city`?" in finding.message


def test_an_attribute_may_be_empty_and_wants_a_default():
    (finding,) = findings(chat__txt="{{ customer.attributes.plan }} /stop")

    assert finding.severity is Severity.WARNING
    assert "`customer.attributes.plan` is empty for some" in finding.message


def test_a_good_campaign_has_no_finding():
    assert findings() == []


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"body__txt": "{{ links.unsubscribe }}\n{{ custmer }}"},
         ("hello/body.txt", 2), "Did you mean `customer`?"),
        ({"body__txt": None}, ("hello/body.txt", None), "needs this file"),
        ({"body__txt": "no way out"}, ("hello/body.txt", None), "links.unsubscribe"),
        ({"chat__txt": "x" * 4097}, ("hello/chat.txt", None), "at most 4096"),
        ({"subject__txt": " \n"}, ("hello/subject.txt", 1), "empty"),
        ({"body__html": "<p>\n{% if customer.name %}</p>"},
         ("hello/body.html", 2), "endif"),
        ({"campaign__yaml": DEFINITION + "segmnt: x\n"},
         ("hello/campaign.yaml", 5), "`segment`"),
    ],
)  # fmt: skip
def test_errors_stop_a_launch(changes, place, message):
    found = findings(**changes)[0]

    assert found.severity is Severity.ERROR
    assert (found.file, found.line) == place
    assert message in found.message


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"subject__txt": "x" * 61}, ("hello/subject.txt", 1), "over 60"),
        ({"preheader__txt": None}, ("hello/preheader.txt", None), "preheader"),
        ({"chat__txt": "{{ customer.city }}"}, ("hello/chat.txt", 1), "default"),
        ({"body__html": "<p>\n<img src='https://x.example/a.png'></p>" + "word " * 20},
         ("hello/body.html", 2), "alt text"),
        ({"body__html": "<p>\n<a href='http://x.example'>x</a></p>"},
         ("hello/body.html", 2), "not https"),
        ({"body__html": "<p>\n<b>x</p>"}, ("hello/body.html", 2), "<b> is not closed"),
        ({"body__html": "<p>x</p>\n</b>"}, ("hello/body.html", 2), "closes nothing"),
        ({"body__html": "<img alt='x' src='https://x.example/a.png'>"},
         ("hello/body.html", 1), "pictures alone"),
        ({"body__html": f"<p>{'word ' * 22000}</p>"},
         ("hello/body.html", None), "102 KB"),
    ],
)  # fmt: skip
def test_warnings_are_for_a_person_to_weigh(changes, place, message):
    (found,) = findings(**changes)

    assert found.severity is Severity.WARNING
    assert (found.file, found.line) == place
    assert message in found.message


def test_the_unsubscribe_link_may_stand_in_the_layout():
    layout = {"layout/email.html": "<!-- body -->"}

    found = lint(CampaignSource("hello", {**GOOD, **layout}))

    assert [finding.file for finding in found] == ["hello/body.html"]


def test_a_service_mail_needs_no_way_out():
    service = DEFINITION + "kind: service\n"

    assert findings(campaign__yaml=service, body__txt="Your order is on its way") == []


def test_errors_come_before_warnings():
    found = findings(subject__txt="x" * 61, body__txt="no way out")

    assert [finding.severity for finding in found] == [Severity.ERROR, Severity.WARNING]


def test_a_finding_reads_as_one_line():
    (found,) = findings(subject__txt="x" * 61)

    assert str(found) == (
        "hello/subject.txt:1: warning: a subject over 60 characters is cut"
    )
