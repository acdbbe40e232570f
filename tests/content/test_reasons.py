"""Why a product is offered, in words of the customer's language."""

from __future__ import annotations

from pathlib import Path

import pytest

from content.reasons import Reasons, read_reasons
from core.errors import TemplateError
from core.settings import ROOT

SHIPPED = read_reasons(ROOT / "templates", ("en", "zh"))


@pytest.mark.parametrize(
    ("reason", "language", "words"),
    [
        ("bought_before", "en", "You have bought this before."),
        ("goes_with", "en", "41% of the people who bought Tea took this too."),
        ("goes_with", "zh", "买过「Tea」的顾客中有 41% 也买了这款。"),
        ("popular", "fr", "One of our most bought at the moment."),
    ],
)
def test_says_why(reason: str, language: str, words: str) -> None:
    assert SHIPPED.text(reason, language, "Tea", 0.41) == words


def test_a_product_with_braces_in_its_name_is_kept_as_it_is() -> None:
    words = SHIPPED.text("goes_with", "en", "{0} {share}", 0.41)

    assert words == "41% of the people who bought {0} {share} took this too."


def test_an_unknown_reason_names_the_nearest() -> None:
    with pytest.raises(TemplateError, match="Did you mean `popular`"):
        SHIPPED.text("populer", "en")


def write(folder: Path, text: str) -> Path:
    (folder / "reasons.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("en: {popular: P}\n", "missing in a language of the shop"),
        ("en: {popular: P}\nzh: {new: N}\n", "`zh` and the first language differ"),
        ("en: {popular: P}\nzh: {popular: P, new: N}\n", "(found: new)"),
        ("en: {popular: '{prodct}'}\nzh: {popular: P}\n", "prodct"),
        ("en: {popular: '{'}\nzh: {popular: P}\n", "popular"),
        ("en: {popular: [1]}\nzh: {popular: P}\n", "popular"),
        ("en: [popular\n", "YAML"),
        ("", "missing in a language of the shop"),
    ],
)
def test_a_mistake_in_the_file_is_told(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(TemplateError) as told:
        read_reasons(write(tmp_path, text), ("en", "zh"))

    assert expected in str(told.value)
    assert "reasons.yaml" in str(told.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"can.t be read"):
        read_reasons(tmp_path, ("en",))


def test_the_first_language_stands_in_for_others() -> None:
    reasons = Reasons({"zh": {"popular": "热销"}}, ("zh",))

    assert reasons.text("popular", "en") == "热销"
