"""Languages: complete catalogues, and values as their readers write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from web import languages
from web.languages import CATALOGUES, Reader

WEB = Path(languages.__file__).parent
METHODS = [("**.py", "python"), ("pages/**.html", "jinja2")]
OPTIONS = {"pages/**.html": {"trimmed": "true", "silent": "false"}}
KEYWORDS = {"_": None, "N_": None, "text": None, "gettext": None, "ngettext": (1, 2)}
ENGLISH = Reader("en", ZoneInfo("Europe/Berlin"))
CHINESE = Reader("zh_CN", ZoneInfo("Europe/Berlin"))
NOON = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def texts_of_pages() -> set[str]:
    found = extract_from_dir(
        WEB, method_map=METHODS, options_map=OPTIONS, keywords=KEYWORDS
    )
    singular = (entry[2] for entry in found)
    return {text[0] if isinstance(text, tuple) else text for text in singular}


def test_chinese_catalogue_has_every_text() -> None:
    with (CATALOGUES / "zh_CN/LC_MESSAGES/messages.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_CN")
    translated = {
        message.id[0] if isinstance(message.id, tuple) else message.id
        for message in catalogue
        if message.string and not message.fuzzy
    }

    assert texts_of_pages() - translated == set()


def test_translations_name_the_same_values() -> None:
    with (CATALOGUES / "zh_CN/LC_MESSAGES/messages.po").open("rb") as file:
        catalogue = read_po(file, locale="zh_CN")

    assert [error for message in catalogue for error in message.check(catalogue)] == []


@pytest.mark.parametrize(
    ("cookie", "accepted", "expected"),
    [
        ("zh_CN", "en", "zh_CN"),  # what was chosen stands above the browser
        (None, "de, zh-TW;q=0.8, en;q=0.5", "zh_CN"),
        (None, "fr", "en"),
        ("xx", "", "en"),
    ],
)
def test_language_of_a_reader(cookie: str | None, accepted: str, expected: str) -> None:
    assert languages.choose(cookie, accepted, "en") == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "–"), (45, "45\u00a0s"), (130, "2:10\u00a0min"), (3900, "1:05\u00a0h")],
)
def test_duration_in_words(seconds: float | None, expected: str) -> None:
    assert ENGLISH.duration(seconds) == expected


def test_moment_is_the_shop_s_local_time() -> None:
    assert ENGLISH.moment_here(NOON) == "Tue 24 Nov, 10:00 (Berlin)"
    assert CHINESE.moment(NOON) == "11月24日 周二 10:00"


def test_waiting_time_in_words() -> None:
    assert ENGLISH.span(timedelta(seconds=20)) == "1 minute"
    assert CHINESE.span(timedelta(hours=2)) == "2小时"


def test_change_carries_its_sign() -> None:
    assert [ENGLISH.signed(value, 2) for value in (0.08, -2, 0)] == [
        "+0.08",
        "−2.00",
        "±0.00",
    ]
