"""Countries, languages and genders: many words, one form of each."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from babel import Locale
from babel.core import get_global

# Names of countries and languages are understood in these.
_LOCALES = (
    *("en", "zh", "zh_Hant", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da"),
    *("fi", "cs", "tr", "ru", "ja", "ko"),
)
# Shorter than Unicode's names, and what people write.
_COUNTRY_NAMES = {"HK": "Hong Kong", "MO": "Macao", "MM": "Myanmar", "CG": "Congo"}
_COUNTRY_WORDS = {
    "GB": ("uk", "u k", "great britain", "britain", "england", "scotland", "wales"),
    "US": ("u s a", "u s", "america", "united states of america"),
    "IE": ("eire", "republic of ireland"),
    "NL": ("holland", "the netherlands"),
    "CZ": ("czech republic",),
    "ZA": ("rsa",),
    "KR": ("korea", "republic of korea"),
    "RU": ("russian federation",),
    "TR": ("turkey",),
    "CI": ("ivory coast",),
    "CN": ("pr china", "p r china", "mainland china", "中国大陆", "中國大陸"),
    "HK": ("香港",),
    "MO": ("澳门", "澳門", "macau"),
    "TW": ("臺灣",),
    "AE": ("uae", "u a e"),
    "VN": ("viet nam",),
}
# Not countries, though Unicode lists them among the territories.
_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"})

_GENDERS = {
    "male": ("male", "m", "man", "男", "男性", "männlich", "herr", "mann", "homme"),
    "female": ("female", "f", "woman", "w", "女", "女性", "weiblich", "frau", "femme"),
    "other": (
        "other",
        "d",
        "divers",
        "diverse",
        "x",
        "non-binary",
        "nonbinary",
        "其他",
    ),
}
_GENDER_OF = {word: form for form, words in _GENDERS.items() for word in words}
_NOT_SAID = frozenset(
    {"unknown", "u", "n/a", "na", "none", "null", "-", "?", "not specified"}
    | {"prefer not to say", "未知", "保密", "unbekannt", "keine angabe"}
)
# Files repeat their words, but not all of them: so many are kept.
WORDS_KEPT = 50_000
_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")


@lru_cache(WORDS_KEPT)
def country_code(word: str) -> str | None:
    """The ISO code of a country.

    Parameters
    ----------
    word : its name in one of the usual languages, or a code of two or three letters

    Returns
    -------
    Two capital letters, or None where nobody knows the word.
    """
    key = _key(word)
    return _code_words().get(key) or _foreign_country(key)


@lru_cache(WORDS_KEPT)
def country_form(word: str) -> str | None:
    """The English name of a country, the one form that is stored.

    Parameters
    ----------
    word : as for `country_code`

    Returns
    -------
    Unicode's English name, without additions; None where nobody knows the word.
    """
    code = country_code(word)
    return None if code is None else _country_name(code)


@lru_cache(WORDS_KEPT)
def language_form(word: str) -> str | None:
    """The tag of a language: `en`, `zh`, `en-GB`, `zh-Hans-CN`.

    Parameters
    ----------
    word : a tag in any case, with `-` or `_`, or the language's name in English,
        Chinese, or itself

    Returns
    -------
    The tag, or None where nobody knows the word.
    """
    text = word.strip()
    if _TAG.fullmatch(text):
        first, *rest = re.split("[-_]", text)
        code = _language_code(first.lower())
        if code is not None:
            return "-".join([code, *map(_subtag, rest)])
    return _language_words().get(_key(text))


@lru_cache(WORDS_KEPT)
def gender_form(word: str) -> str | None:
    """`male`, `female` or `other`.

    Parameters
    ----------
    word : in English, Chinese or German

    Returns
    -------
    One of the three, "" for a word that says nothing (`n/a`), None for an unknown one.
    """
    key = word.strip().casefold()
    if key in _NOT_SAID or not key:
        return ""
    return _GENDER_OF.get(key)


def _key(word: str) -> str:
    text = unicodedata.normalize("NFKC", word).casefold().replace("&", " and ")
    return re.sub(r"[\W_]+", " ", text).strip()


def _country_name(code: str) -> str:
    name = _COUNTRY_NAMES.get(code) or Locale("en").territories[code]
    return name.replace("’", "'")


@cache
def _code_words() -> dict[str, str]:
    """English names and codes: what nearly all files hold."""
    found = {}
    names = _countries("en")
    for alias, codes in get_global("territory_aliases").items():
        if len(alias) == 3 and alias.isalpha() and len(codes) == 1:
            found[alias.casefold()] = codes[0]
    for code, name in names.items():
        found[_key(name)] = code
        found[_key(_country_name(code))] = code
    for code, words in _COUNTRY_WORDS.items():
        found |= dict.fromkeys(words, code)
    return found | {code.casefold(): code for code in names}


def _countries(locale: str) -> dict[str, str]:
    return {
        code: name
        for code, name in Locale.parse(locale).territories.items()
        if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRIES
    }


def _foreign_country(key: str) -> str | None:
    return _foreign_words().get(key)


@cache
def _foreign_words() -> dict[str, str]:
    """Names in the other languages; of two meanings, that of the first counts."""
    found: dict[str, str] = {}
    for locale in _LOCALES[1:]:
        for code, name in _countries(locale).items():
            found.setdefault(_key(name), code)
    return found


@lru_cache(WORDS_KEPT)
def _language_code(word: str) -> str | None:
    alias = get_global("language_aliases").get(word, word)
    code = str(alias).split("_")[0]
    return code if code in Locale("en").languages else None


def _subtag(word: str) -> str:
    if len(word) == 4 and word.isalpha():
        return word.title()
    return word.upper() if len(word) == 2 else word.lower()


@cache
def _language_words() -> dict[str, str]:
    found: dict[str, str] = {}
    for locale in _LOCALES:
        parsed = Locale.parse(locale)
        own = parsed.languages.get(parsed.language)
        if own:
            found.setdefault(_key(own), parsed.language)
    for locale in ("en", "zh"):
        for code, name in Locale(locale).languages.items():
            if len(code) <= 3:
                found.setdefault(_key(name), code)
    return found
