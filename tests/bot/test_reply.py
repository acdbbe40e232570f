from __future__ import annotations

import pytest

from bot.reply import render_reply
from bot.states import Choice, Reply
from content.articles import Knowledge, load_knowledge
from content.phrases import Phrases, load_phrases
from core.model import Button

COMPANY = {"name": "Shop", "support_email": "a@b.example", "url": "https://b.example"}


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load_knowledge()


@pytest.fixture(scope="module")
def phrases() -> Phrases:
    return load_phrases("Shop", "a@b.example")


def test_an_answer_stands_before_the_question_whether_it_helped(
    knowledge: Knowledge, phrases: Phrases
) -> None:
    reply = Reply("did_this_help", article="delete-my-data")

    text, _ = render_reply(reply, phrases, knowledge.articles, "en", COMPANY)

    assert "write to a@b.example from the address" in text
    assert text.endswith("\n\nDid this help?")


def test_buttons_speak_the_customers_language(
    knowledge: Knowledge, phrases: Phrases
) -> None:
    choices = (
        Choice("yes", phrase="button_yes"),
        Choice("article:invoice", article="invoice"),
        Choice("issue:other", issue="other"),
    )

    _, buttons = render_reply(
        Reply("doubt", choices=choices), phrases, knowledge.articles, "zh", COMPANY
    )

    assert buttons == (
        Button("解决了", "yes"),
        Button("怎么开发票？", "article:invoice"),
        Button("其他", "issue:other"),
    )
