"""The shipped articles answer what customers ask in words that are not in them."""

from __future__ import annotations

import pytest

from bot.train import Task, Wording, train_in_child
from bot.understand import Understander, load_model
from bot.words import Kind
from content.articles import load_knowledge

pytestmark = pytest.mark.flow

UNSEEN = [
    ("it's been ten days and the parcel still isn't here", "late-delivery"),
    ("could you give me the shipping number of my parcel", "order-tracking"),
    ("can I get the trousers in a larger size instead of these", "exchange"),
    ("the vase was in pieces when I unpacked it", "damaged-item"),
    ("I'd like to pay with my Mastercard, does that work", "payment-methods"),
    ("my bank refused the transaction", "payment-failed"),
    ("what are the postage costs for a small order", "delivery-cost"),
    ("please delete everything you know about me", "delete-my-data"),
    ("do you send parcels to Norway", "international-shipping"),
    ("the box contains a jacket but I bought a shirt", "wrong-item"),
    ("I can't remember my password", "account-login"),
    ("when do I see the money on my credit card after a return", "refund-time"),
    ("都等了十天了快递还没来", "late-delivery"),
    ("帮忙看下物流走到哪一步了", "order-tracking"),
    ("裤子小了想换大一号", "exchange"),
    ("花瓶拿到手已经碎了", "damaged-item"),
    ("可以刷万事达卡吗", "payment-methods"),
    ("付款时提示银行拒绝交易", "payment-failed"),
    ("寄个小件邮费要多少", "delivery-cost"),
    ("把我的个人资料全部删掉", "delete-my-data"),
    ("可以寄到挪威吗", "international-shipping"),
    ("我买的是衬衫，寄来的是外套", "wrong-item"),
    ("密码想不起来了", "account-login"),
    ("退回去以后钱几天能到信用卡", "refund-time"),
]
FOREIGN = [
    "which planet is the biggest",
    "can you book a table for two",
    "what is the square root of two",
    "write me a song about the sea",
    "世界上最高的山是哪座",
    "帮我订个两人的餐位",
    "二的平方根是多少",
    "写首关于大海的歌",
]


@pytest.fixture(scope="module")
def understander(tmp_path_factory: pytest.TempPathFactory) -> Understander:
    directory = tmp_path_factory.mktemp("shipped")
    wordings = [Wording(text, key) for text, key in load_knowledge().wordings()]
    train_in_child(Task(tuple(wordings)), directory)
    return load_model(directory)


def test_cross_validation_says_what_to_expect(understander: Understander) -> None:
    assert understander.manifest is not None
    metrics = understander.manifest.metrics

    assert metrics["accuracy"] > 0.8
    assert metrics["answered_ratio"] > 0.5
    assert metrics["out_of_scope_auroc"] > 0.95


def test_most_unseen_questions_lead_to_their_article(
    understander: Understander,
) -> None:
    found = [understander.understand(text) for text, _ in UNSEEN]
    right = [
        bool(u.candidates) and u.candidates[0].article == article
        for u, (_, article) in zip(found, UNSEEN, strict=True)
    ]

    assert sum(right) >= 21


def test_what_is_answered_is_nearly_always_right(understander: Understander) -> None:
    answered = [(understander.understand(text), article) for text, article in UNSEEN]
    wrong = [
        (u.article, article)
        for u, article in answered
        if u.kind is Kind.ANSWER and u.article != article
    ]

    assert len(wrong) <= 1, wrong


def test_the_shown_titles_hold_the_right_article(understander: Understander) -> None:
    lost = [
        (text, article)
        for text, article in UNSEEN
        if article not in {c.article for c in understander.understand(text).candidates}
    ]

    assert len(lost) <= 1, lost


def test_what_has_nothing_to_do_with_a_shop_is_not_answered(
    understander: Understander,
) -> None:
    answered = [t for t in FOREIGN if understander.understand(t).kind is Kind.ANSWER]

    assert answered == []
