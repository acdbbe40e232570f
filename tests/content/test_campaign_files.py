"""Campaign folders, and the campaigns that ship."""

from pathlib import Path

import pytest

from content.files import (
    CampaignSource,
    list_campaigns,
    read_campaign,
    write_campaign,
)
from content.lint import lint
from content.mail import compile_version
from core.errors import CampaignError
from core.settings import ROOT

TEMPLATES = ROOT / "templates"
SHIPPED = ["new-product", "thank-you", "win-back"]
LINKS = {
    "unsubscribe": "https://shop.example/u/1",
    "preferences": "https://shop.example/p/1",
    "view": "https://shop.example/v/1",
}
COMPANY = {
    "name": "Harbour & Pine",
    "url": "https://shop.example",
    "support_email": "hello@shop.example",
    "postal_address": "1 Example Street",
    "currency": "EUR",
}
FULL_CUSTOMER = {
    "name": "Ana <b>Silva</b>",
    "first_name": "Ana",
    "language": "en",
    "orders_count": 14,
    "total_spent": 123456,
    "last_order_on": "2026-03-12",
    "customer_since": "2023-04-02",
}
BARE_CUSTOMER = {"language": "zh", "orders_count": 1, "total_spent": 0}
FULL_ITEM = {
    "name": "Cup & saucer",
    "price": 1275,
    "currency": "EUR",
    "url": "https://shop.example/cup",
    "image": "https://shop.example/cup.png",
    "reason": "You bought it twice.",
}
BARE_ITEM = {"name": "Plate", "currency": "EUR"}


@pytest.fixture
def templates(tmp_path):
    folder = tmp_path / "campaigns" / "hello"
    folder.mkdir(parents=True)
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout" / "email.html").write_text("<!-- body -->", encoding="utf-8")
    (folder / "campaign.yaml").write_text("campaign: hello", encoding="utf-8")
    (folder / "body.zh.txt").write_bytes("\ufeff您好\r\n".encode())
    return tmp_path


def test_reads_a_folder_with_its_layout(templates):
    source = read_campaign(templates, "hello")

    assert source.files == {
        "campaign.yaml": "campaign: hello",
        "body.zh.txt": "您好\n",
        "layout/email.html": "<!-- body -->",
    }
    assert source.languages == ("zh",)


def test_the_hash_follows_content_alone():
    one = CampaignSource("a", {"x": "1", "y": "2"})
    same = CampaignSource("a", {"y": "2", "x": "1"})
    other = CampaignSource("a", {"x": "1", "y": "3"})

    assert one.content_hash == same.content_hash
    assert one.content_hash != other.content_hash


def test_a_campaign_written_and_read_is_the_same(templates):
    source = read_campaign(templates, "hello")
    changed = CampaignSource("hello", {**source.to_dict(), "chat.txt": "Hi\n"})

    write_campaign(templates, changed)

    assert read_campaign(templates, "hello") == changed


def test_writing_removes_what_the_version_does_not_have(templates):
    write_campaign(templates, CampaignSource("hello", {"campaign.yaml": "x"}))

    folder = templates / "campaigns" / "hello"
    assert [path.name for path in folder.iterdir()] == ["campaign.yaml"]


def test_an_unknown_campaign_names_the_nearest(templates):
    with pytest.raises(CampaignError, match="Did you mean `hello`"):
        read_campaign(templates, "helo")


@pytest.mark.parametrize(
    ("name", "hint"), [("bdy.html", "body.html"), ("body.zh.htm", "body.html")]
)
def test_a_misnamed_file_names_the_nearest(templates, name, hint):
    (templates / "campaigns" / "hello" / name).write_text("x", encoding="utf-8")

    with pytest.raises(CampaignError) as caught:
        read_campaign(templates, "hello")

    assert caught.value.problems[0].value == name
    assert hint in caught.value.problems[0].hint


@pytest.mark.parametrize("name", ["../../evil.txt", "x/body.txt", "campaign.zh.yaml"])
def test_a_version_can_not_write_outside_its_folder(templates, name):
    source = CampaignSource("hello", {"campaign.yaml": "x", name: "y"})

    with pytest.raises(CampaignError):
        write_campaign(templates, source)


def test_three_campaigns_ship():
    assert list_campaigns(TEMPLATES) == SHIPPED


@pytest.mark.parametrize("key", SHIPPED)
def test_a_shipped_campaign_has_no_finding(key):
    assert lint(read_campaign(TEMPLATES, key)) == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("customer", [FULL_CUSTOMER, BARE_CUSTOMER])
@pytest.mark.parametrize("key", SHIPPED)
def test_a_shipped_campaign_renders_for_everybody(key, customer, language):
    version = compile_version(read_campaign(TEMPLATES, key))

    mail = version.render(
        {
            "customer": customer,
            "items": [FULL_ITEM, BARE_ITEM],
            "campaign": {"key": key, "title": "T", "topic": "offers"},
            "company": COMPANY,
            "links": LINKS,
        },
        language,
    )

    assert mail.language == language
    assert 0 < len(mail.subject) <= 60
    assert LINKS["unsubscribe"] in mail.html
    assert LINKS["unsubscribe"] in mail.text
    assert "Harbour &amp; Pine" in mail.html
    assert "<b>" not in mail.html
    assert "/stop" in mail.chat


def test_shipped_files_hold_no_outside_picture_or_script():
    layouts = (TEMPLATES / "layout").glob("*.html")
    texts = [path.read_text(encoding="utf-8") for path in layouts]

    assert len(texts) == 3
    assert not any("<script" in text or "<img" in text for text in texts)


def test_sources_survive_json(templates):
    source = read_campaign(templates, "hello")

    assert CampaignSource("hello", source.to_dict()) == source
    assert Path(templates, "campaigns", "hello").is_dir()
