from __future__ import annotations

import pytest

from bot.artefact import Thresholds
from bot.tokens import (
    READ_CHARACTERS,
    character_features,
    detect_language,
    normalise,
    pieces,
    word_features,
)
from bot.understand import (
    WORDS_DIRECTORY,
    Understander,
    kind_of_score,
    load_model,
    pack,
    unpack,
)
from bot.words import Kind, WordLists, load_words
from core.errors import DataError


@pytest.fixture(scope="module")
def words() -> WordLists:
    return load_words(WORDS_DIRECTORY)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my order?", "en"),
        ("我的快递到哪了", "zh"),
        ("我的iPhone 17 Pro订单", "zh"),
        ("请问 DHL 什么时候送", "zh"),
        ("the 快递 has not come to my house", "en"),
        ("где мой заказ", None),
        ("注文はどこですか", None),
        ("내 주문", None),
        ("12345", None),
        ("👍", None),
        ("", None),
    ],
)
def test_the_language_is_read_from_the_letters(text: str, language: str | None) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Where   IS it? ", "where is it?"),
        ("ＡＢＣ１２３", "abc123"),  # full width
        ("re\u200bfund", "refund"),  # zero-width space
        ("refund\u202e\x00now", "refund now"),  # right-to-left mark, control
        ("it’s", "it's"),
    ],
)
def test_text_has_one_form(text: str, plain: str) -> None:
    assert normalise(text) == plain


def test_a_huge_text_is_cut() -> None:
    assert len(normalise("x" * 1_000_000)) == READ_CHARACTERS


def test_chinese_is_cut_into_words() -> None:
    assert pieces("我要退款refund") == ["我要", "退款", "refund"]


def test_neighbours_are_features() -> None:
    assert word_features("gift card") == ["gift", "card", "gift card"]


def test_long_numbers_are_all_alike() -> None:
    assert word_features("order 81726354") == word_features("order 4711")


def test_characters_are_padded_in_words_and_bare_in_chinese() -> None:
    assert {"_o", "ok_", "_ok_"} <= set(character_features("ok"))
    assert character_features("退款") == ["退", "款", "退款"]


def test_features_survive_storage() -> None:
    features = ["退款", "gift card", "_ok_"]

    assert unpack(pack(features)) == features
    assert unpack(pack([])) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hi", Kind.GREETING),
        ("Hello there!!", Kind.GREETING),
        ("您好，在吗？", Kind.GREETING),
        ("thanks a lot for your help", Kind.THANKS),
        ("好的谢谢", Kind.THANKS),
        ("bye", Kind.GOODBYE),
        ("no thanks", Kind.GOODBYE),
        ("没有了谢谢", Kind.GOODBYE),
        ("agent please", Kind.AGENT),
        ("can I talk to a human?", Kind.AGENT),
        ("I want to talk to someone about my refund", Kind.AGENT),
        ("转人工", Kind.AGENT),
        ("你好，我要转人工", Kind.AGENT),
        ("我的订单有问题，帮我转人工客服", Kind.AGENT),
        ("this is a scam, where is my parcel", Kind.UPSET),
        ("你们这是什么垃圾服务", Kind.UPSET),
        ("STOP", Kind.STOP),
        ("unsubscribe me please", Kind.STOP),
        ("退订", Kind.STOP),
        ("TD", Kind.STOP),
        ("yes", Kind.YES),
        ("解决了", Kind.YES),
        ("nope", Kind.NO),
        ("都不是", Kind.NO),
        ("help", Kind.HELP),
        ("/start abc", Kind.START),
        ("/human", Kind.AGENT),
        ("/stop@shop_bot", Kind.STOP),
        ("/privacy", Kind.PRIVACY),
        ("/settings", Kind.SETTINGS),
        ("/anything", Kind.HELP),
    ],
)
def test_fixed_words_have_their_meaning(
    words: WordLists, text: str, kind: Kind
) -> None:
    assert words.kind_of(text) is kind


@pytest.mark.parametrize(
    "text",
    [
        "hi, where is my order",
        "how do I stop the delivery",
        "怎么取消订阅",
        "我要投诉",
        "没有收到货",
        "这个包是人工皮革的吗",  # artificial leather is no person
        "有没有垃圾桶卖",  # a bin is no insult
        "can I pay the agent of the carrier in cash",
        "",
        "😀",
    ],
)
def test_a_question_is_left_to_the_model(words: WordLists, text: str) -> None:
    assert words.kind_of(text) is None


def test_a_long_letter_is_no_call_for_an_agent(words: WordLists) -> None:
    assert words.kind_of("word " * 40 + "talk to someone") is None


def test_a_phrase_under_two_headings_is_refused(tmp_path) -> None:
    text = "greeting: [hi]\nthanks:\n  - x\n  - hi\n"
    (tmp_path / "words.en.yaml").write_text(text)

    with pytest.raises(
        DataError, match=r"words\.en\.yaml:4: .*`greeting` and `thanks`"
    ):
        load_words(tmp_path)


def test_an_unknown_heading_is_refused_with_the_nearest(tmp_path) -> None:
    (tmp_path / "words.en.yaml").write_text("greating: [hi]\n")

    with pytest.raises(DataError, match="Did you mean `greeting`"):
        load_words(tmp_path)


def test_a_broken_word_list_names_its_line(tmp_path) -> None:
    (tmp_path / "words.en.yaml").write_text("greeting: [hi\n- x")

    with pytest.raises(DataError, match=r"words\.en\.yaml:2"):
        load_words(tmp_path)


@pytest.mark.parametrize(
    ("score", "kind"),
    [
        (0.8, Kind.ANSWER),
        (0.79, Kind.SUGGEST),
        (0.3, Kind.SUGGEST),
        (0.29, Kind.UNKNOWN),
    ],
)
def test_the_score_decides_what_the_bot_dares(score: float, kind: Kind) -> None:
    assert kind_of_score(score, Thresholds(answer=0.8, suggest=0.3)) is kind


def test_without_a_model_questions_are_unready_and_words_are_known() -> None:
    understander = load_model(None)

    assert understander.understand("where is my order?").kind is Kind.UNREADY
    assert understander.understand("hello").kind is Kind.GREETING
    assert understander.manifest is None


@pytest.mark.parametrize("text", ["/start", "12", "…"])
def test_what_is_in_no_language_names_none(text: str) -> None:
    assert (
        Understander(load_words(WORDS_DIRECTORY), None).understand(text).language
        is None
    )
