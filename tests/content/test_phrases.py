from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from content.phrases import Phrases, load_phrases
from core.errors import TemplateError
from core.settings import Bot

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.fixture(scope="module")
def phrases() -> Phrases:
    return load_phrases("Corner Shop", "help@shop.example")


def write(folder: Path, **texts: str) -> None:
    for language, text in texts.items():
        (folder / f"phrases.{language}.yaml").write_text(text, encoding="utf-8")


def load(folder: Path) -> Phrases:
    return load_phrases("Shop", "a@b.example", directory=folder)


@pytest.mark.parametrize(
    ("key", "language", "text"),
    [
        # The words that were agreed on, to the letter.
        (
            "greeting",
            "en",
            "Hi, I'm the shop's assistant (a bot). Ask me about orders, returns or "
            "products, or talk to a person at any time.",
        ),
        (
            "greeting",
            "zh",
            "您好，我是店铺的智能助手。订单、退换货、商品都可以问我，也可以随时转人工。",
        ),
        ("doubt", "en", "I'm not sure I understood. Did you mean one of these?"),
        ("doubt", "zh", "我不太确定您的意思，您想问的是不是："),
        (
            "handover",
            "en",
            "I'll bring in a colleague. You are second in line, about 4 minutes. "
            "They can see what we wrote.",
        ),
        (
            "handover",
            "zh",
            "正在为您转接人工，前面还有 1 位，大约 4 分钟。"
            "同事能看到我们的对话，您无需重复。",
        ),
        (
            "closed",
            "en",
            "Nobody is here until Mon 9:00. Leave your question and we'll answer by "
            "mail.",
        ),
        ("closed", "zh", "人工客服周一 9:00 上班。请留下问题，我们会通过邮件回复。"),
        ("survey", "en", "How satisfied are you with this conversation?"),
        ("survey", "zh", "您对本次服务满意吗？"),
        ("low_score", "en", "Thank you for telling us. What went wrong?"),
        ("low_score", "zh", "感谢您的反馈。是哪里没做好？"),
    ],
)
def test_the_bot_speaks_with_its_voice(
    phrases: Phrases, key: str, language: str, text: str
) -> None:
    shown = phrases.render(key, language, place=2, ahead=1, minutes=4, when=MONDAY)

    assert shown == text


@pytest.mark.parametrize(
    ("place", "minutes", "said"),
    [
        (8, 28, "8th in line, about 28 minutes"),
        (11, 1, "11th in line, about 1 minute."),
        (22, 84, "22nd in line"),
        (3, 8, "third in line"),
    ],
)
def test_a_place_in_line_reads_well(
    phrases: Phrases, place: int, minutes: int, said: str
) -> None:
    text = phrases.render("handover", "en", place=place, ahead=0, minutes=minutes)

    assert said in text


def test_the_shop_is_named(phrases: Phrases) -> None:
    assert "help@shop.example" in phrases.render("privacy", "zh")


def test_an_unknown_language_falls_back_to_the_first(phrases: Phrases) -> None:
    assert phrases.render("button_yes", "fr") == "Yes"
    assert phrases.render("button_yes", None) == "Yes"


def test_a_customers_name_is_text_and_no_placeholder(phrases: Phrases) -> None:
    assert "{place}" in phrases.render("agent_joined", "en", name="{place}")


def test_each_issue_of_the_settings_has_a_phrase(phrases: Phrases) -> None:
    assert {f"issue_{issue}" for issue in Bot().issues} <= phrases.keys


def test_an_issue_of_the_lead_is_shown_as_written(phrases: Phrases) -> None:
    assert phrases.issue("rude_driver", "en") == "Rude driver"
    assert phrases.issue("other", "zh") == "其他"


def test_every_phrase_renders_in_every_language(phrases: Phrases) -> None:
    values = {"place": 2, "ahead": 1, "minutes": 4, "when": MONDAY, "name": "Ann"}
    texts = [
        phrases.render(key, language, **values)
        for key in phrases.keys
        for language in phrases.languages
    ]

    assert all(text.strip() and "{" not in text for text in texts)


def test_a_phrase_that_one_language_lacks_is_named(tmp_path: Path) -> None:
    write(tmp_path, en="a: x\nb: y\n", zh="a: x\n")

    with pytest.raises(TemplateError, match=r"phrases\.zh\.yaml: the phrase `b`"):
        load(tmp_path)


def test_a_wrong_placeholder_is_named_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, en="a: x\nhandover: '{plaice}'\n", zh="a: x\nhandover: y\n")

    with pytest.raises(TemplateError) as caught:
        load(tmp_path)

    [problem] = caught.value.problems
    assert (problem.line, problem.hint) == (2, "Did you mean `place`?")


@pytest.mark.parametrize(
    "text",
    ["a: '{'\n", "a: '{name.__class__}'\n", "a: '{}'\n", "agent_joined: '{name:x}'"],
)
def test_a_placeholder_that_reaches_too_far_is_refused(
    tmp_path: Path, text: str
) -> None:
    write(tmp_path, en=text, zh=text)

    with pytest.raises(TemplateError):
        load(tmp_path)


@pytest.mark.parametrize("text", ["a: [\nb", "a: x\na: y\n"])
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    write(tmp_path, en=text, zh="a: x\n")

    with pytest.raises(TemplateError, match=r"phrases\.en\.yaml:2"):
        load(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"phrases\.en\.yaml"):
        load(tmp_path)
