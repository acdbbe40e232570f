"""Text into features: one code for training and serving, so that they agree."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

# A question that needs more is read by a person anyway; a bound keeps one message
# from holding up all others.
READ_CHARACTERS = 500

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
PIECE = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+(?:'[^\W_{HAN}]+)*")
HAN_RUN = re.compile(rf"[{HAN}]+")
HAN_CHARACTER = re.compile(rf"[{HAN}]")
KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
LATIN_WORD = re.compile(r"[a-z\u00df-\u024f]+(?:'[a-z]+)?")
DIGITS = re.compile(r"\d{3,}")
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}


def normalise(text: str) -> str:
    """`text` in one width and case, without what can't be seen, of bounded length."""
    plain = unicodedata.normalize("NFKC", text[: 4 * READ_CHARACTERS]).casefold()
    visible = "".join(
        " " if unicodedata.category(character) in INVISIBLE else character
        for character in plain.replace("\u2019", "'").replace("\u200b", "")
    )
    return " ".join(visible.split())[:READ_CHARACTERS]


def detect_language(text: str) -> str | None:
    """`zh` or `en` (any Latin script); None where the text doesn't say."""
    plain = normalise(text)
    if KANA_OR_HANGUL.search(plain):
        return None
    han_count = len(HAN_CHARACTER.findall(plain))
    latin_count = len(LATIN_WORD.findall(plain))
    # A Chinese word has about two characters: 我的iPhone订单 is Chinese.
    if han_count and han_count >= latin_count:
        return "zh"
    return "en" if latin_count else None


def pieces(text: str) -> list[str]:
    """Words of `text`: Latin ones as written, Chinese runs cut by rjieba."""
    import rjieba

    found: list[str] = []
    for piece in PIECE.findall(_masked(text)):
        if HAN_RUN.fullmatch(piece):
            found.extend(rjieba.cut(piece))
        else:
            found.append(piece)
    return found


def word_features(text: str) -> list[str]:
    """Words and pairs of neighbours."""
    words = pieces(text)
    pairs = pairwise(words)
    return words + [f"{first} {second}" for first, second in pairs]


def character_features(text: str) -> list[str]:
    """Character n-grams: 2-5 in padded Latin words, 1-3 in Chinese runs."""
    return [
        gram
        for piece in PIECE.findall(_masked(text))
        for gram in (
            _grams(piece, 1, 3)
            if HAN_RUN.fullmatch(piece)
            else _grams(f"_{piece}_", 2, 5)
        )
    ]


def _masked(text: str) -> str:
    # Order and parcel numbers are all alike; their digits would only be noise.
    return DIGITS.sub("000", normalise(text))


def _grams(piece: str, shortest: int, longest: int) -> Iterator[str]:
    for size in range(shortest, longest + 1):
        for start in range(len(piece) - size + 1):
            yield piece[start : start + size]
