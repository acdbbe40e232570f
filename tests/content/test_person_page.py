"""A person reads what is stored about them, in words, on a page that stands alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from content.person_page import person_page
from core.settings import ROOT

LAYOUT = ROOT / "templates" / "layout"
AT = "2026-01-31T23:05:00.123456+00:00"
ORDER = {
    "id": 7,
    "customer_id": 1,
    "external_id": "LT-7",
    "kind": "sale",
    "ordered_at": AT,
    "total_minor": 123456,
    "discount_minor": 0,
    "currency": "EUR",
    "order_lines": [
        {"order_id": 7, "quantity": 2, "amount_minor": 990, "product": "Green <tea>"}
    ],
}
TALK = {
    "id": 3,
    "channel": "webchat",
    "messages": [
        {"id": 1, "sender": "customer", "text": "Where is it?\nNow", "created_at": AT},
        {"id": 2, "sender": "bot", "text": "On its way.", "created_at": AT},
    ],
}
PERSON: dict[str, Any] = {
    "exported_at": AT,
    "customer": {
        "id": 1,
        "name": "Ann O'Neil",
        "language": "en",
        "birth_date": "1990-05-06",
        "income_minor": 4200000,
        "income_currency": "JPY",
        "attributes": {"shoe size": "38"},
        "provenance": {"city": {"by": "staff:1"}},
        "erased_at": None,
    },
    "orders": [ORDER],
    "conversations": [TALK],
    "memberships": [{"model_run_id": 1, "segment_id": 2, "segment": "Loyal"}],
}


def page(language: str = "en", **parts: Any) -> str:
    return person_page(PERSON | parts, LAYOUT, language, "Tea & Co", "Europe/Berlin")


def test_who_they_are_is_told_in_words() -> None:
    text = page()

    assert "Ann O&#39;Neil" in text
    assert "6 May 1990" in text
    assert "shoe size: 38" in text
    assert "English" in text


def test_amounts_stand_with_their_currency() -> None:
    text = page()

    assert "€1,234.56" in text
    assert "€9.90" in text
    assert "¥4,200,000" in text


def test_times_are_those_of_the_shop() -> None:
    assert "1 Feb 2026, 00:05" in page()
    assert "Europe/Berlin" in page()


@pytest.mark.parametrize(
    "words",
    ["LT-7", "Green &lt;tea&gt;", "Where is it?\nNow", "On its way.", "Loyal", "38"],
)
def test_what_happened_is_told(words: str) -> None:
    assert words in page()


@pytest.mark.parametrize("technical", ["staff:1", "provenance", "customer_id", "None"])
def test_what_only_the_program_needs_is_left_to_the_file(technical: str) -> None:
    assert technical not in page()


def test_a_reader_of_chinese_finds_headings_and_words_of_the_language() -> None:
    text = page("zh")

    assert '<html lang="zh">' in text
    assert "我们保存的关于您的信息" in text
    assert "购买" in text
    assert "2026年2月1日 00:05" in text


def test_another_language_gets_english() -> None:
    assert '<html lang="en">' in page("tlh")


def test_nothing_is_fetched_and_nothing_runs() -> None:
    text = page(customer={"id": 1, "name": "<script>alert(1)</script>"})

    assert "<script" not in text
    assert re.findall(r"(?:src|href)=\"(?!#)", text) == []
    assert "default-src 'none'" in text


def test_text_that_looks_like_a_date_is_left_alone() -> None:
    mine = {"id": 1, "comment": "2026-13-99T99:99:99 was bad"}

    assert "2026-13-99T99:99:99 was bad" in page(feedback=[mine])


def test_every_heading_and_word_has_its_chinese() -> None:
    words = YAML(typ="safe").load((LAYOUT / "person.yaml").read_text(encoding="utf-8"))

    assert words["zh"].keys() == words["en"].keys()
    assert words["zh"]["tables"].keys() == words["en"]["tables"].keys()
    assert words["zh"]["fields"].keys() >= words["en"]["fields"].keys()
    assert words["zh"]["values"].keys() >= words["en"]["values"].keys()
