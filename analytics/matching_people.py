"""Customers in the form in which they are compared: each field as codes of values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.frame import require_columns
from analytics.matching_fields import ID_PREFIX
from core.errors import DataError, Problem

ID_KINDS_MAXIMUM = 8
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_NO_WORD = re.compile(r"[\W_]+")
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "sir", "herr", "frau"})
# The surnames of two characters that are in use; all others have one.
_LONG_SURNAMES = frozenset(
    re.findall(
        "..",
        "欧阳司马上官诸葛东方皇甫尉迟公孙慕容令狐司徒司空夏侯端木轩辕长孙宇文南宫独孤"
        "百里呼延歐陽諸葛東方尉遲公孫長孫南宮獨孤軒轅",
    )
)
_STREET_WORDS = {
    "st": "street",
    "str": "street",
    "rd": "road",
    "ave": "avenue",
    "av": "avenue",
    "ln": "lane",
    "dr": "drive",
    "ct": "court",
    "pl": "place",
    "cres": "crescent",
    "sq": "square",
    "blvd": "boulevard",
    "apt": "apartment",
    "no": "",
}
_GENDERS = {
    "m": "male",
    "male": "male",
    "man": "male",
    "男": "male",
    "f": "female",
    "w": "female",
    "female": "female",
    "woman": "female",
    "女": "female",
}
_SOUNDS = str.maketrans("bfpvcgjkqsxzdtlmnr", "111122222222334556")


@dataclass(frozen=True, slots=True)
class Column:
    """One field: `codes` into the sorted `values` per person, -1 where missing."""

    codes: np.ndarray
    values: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Who has a value."""
        return self.codes >= 0

    def words(self) -> list[str]:
        """The value of each person, empty where missing."""
        # The code -1 takes the last of the list.
        values = [*self.values, ""]
        return [values[code] for code in self.codes]

    def derived(self, change: Callable[[str], str]) -> Column:
        """The column of a function of the values; an empty word is missing."""
        return column(
            self.codes, np.array([change(value) for value in self.values], object)
        )


@dataclass(frozen=True, slots=True)
class Shared:
    """Which person gave which value, where one person may have several.

    `rows` and `codes` lie parallel, ordered by row and code.
    """

    rows: np.ndarray
    codes: np.ndarray


@dataclass(frozen=True, slots=True)
class People:
    """All customers in the order of their ids.

    `columns` has names as `given`, `family` and `single` (a name of one word, which
    may be either) over one vocabulary; `birth` is yyyymmdd or -1; `shared` holds all
    e-mail addresses and phone numbers, those of claims included.
    """

    customer_ids: np.ndarray
    columns: Mapping[str, Column]
    birth: np.ndarray
    shared: Mapping[str, Shared]
    id_kinds: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.customer_ids)


def column(codes: np.ndarray, values: np.ndarray) -> Column:
    """The column of words that may be empty or repeat: `codes` into `values`."""
    distinct = np.array(sorted({value for value in values if value}), dtype=object)
    place = {value: i for i, value in enumerate(distinct)}
    moved = np.array([*(place.get(value, -1) for value in values), -1], dtype=np.int32)
    return Column(moved[codes], distinct)


def prepare(people: pd.DataFrame) -> People:
    """The customers of a frame, each field in its plainest form.

    Parameters
    ----------
    people : as `match_people` takes it

    Raises
    ------
    DataError : if customer_id is missing or names somebody twice
    """
    require_columns(people, "people", ["customer_id"])
    ordered = people.sort_values("customer_id", kind="stable").reset_index(drop=True)
    customer_ids = ordered["customer_id"].to_numpy(dtype=np.int64)
    repeated = customer_ids[1:][customer_ids[1:] == customer_ids[:-1]]
    if len(repeated):
        raise DataError(
            Problem(
                "table `people` names a customer twice",
                str(repeated[0]),
                hint="One row per customer_id is wanted.",
            )
        )
    kinds, warnings = _id_kinds(ordered)
    birth = _births(ordered)
    columns = _name_columns(ordered) | _plain_columns(ordered)
    columns["birth_date"] = _column([str(each) if each > 0 else "" for each in birth])
    for kind in kinds:
        columns[f"{ID_PREFIX}{kind}"] = _column(
            [_id(ids, kind) for ids in _ids(ordered)]
        )
    shared = {kind: _shared(ordered, kind) for kind in ("email", "phone")}
    return People(customer_ids, columns, birth, shared, tuple(kinds), tuple(warnings))


def plain(text: str) -> str:
    """Small letters without accents and signs, one blank between words."""
    return _NO_WORD.sub(" ", _folded(text)).strip()


def is_han(text: str) -> bool:
    """Whether it is written in Chinese characters."""
    return _HAN.search(text) is not None


def sound(word: str) -> str:
    """The Soundex code of a Latin word; any other word is its own."""
    if not word or not "a" <= word[0] <= "z":
        return word
    letters = word.replace(" ", "")
    digits = letters.translate(_SOUNDS)
    kept, last = [], digits[0]
    for letter, digit in zip(letters[1:], digits[1:], strict=True):
        if digit.isdigit() and digit != last:
            kept.append(digit)
        # Vowels part two equal sounds, h and w don't.
        last = last if letter in "hw" else digit
    return (letters[0] + "".join(kept) + "000")[:4]


def split_name(text: str) -> tuple[str, str, str]:
    """Given name, surname, and a single name that may be either.

    A Latin surname comes last, or first before a comma; a Chinese one comes first.
    """
    if is_han(text):
        return _split_han(unicodedata.normalize("NFKC", text))
    first, comma, second = text.partition(",")
    words = plain(f"{second} {first}" if comma else text).split()
    words = [word for word in words if word not in _TITLES] or words
    if len(words) < 2:
        return "", "", "".join(words)
    return " ".join(words[:-1]), words[-1], ""


def _split_han(text: str) -> tuple[str, str, str]:
    name = re.sub(r"[\W_]+", "", text)
    if len(name) < 2:
        return "", "", name
    length = 2 if len(name) > 2 and name[:2] in _LONG_SURNAMES else 1
    return name[length:], name[:length], ""


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold().replace("'", "")
    text = unicodedata.normalize("NFKD", text.replace("’", ""))
    return "".join(letter for letter in text if not unicodedata.combining(letter))


def _words(frame: pd.DataFrame, name: str) -> list[str]:
    if name not in frame:
        return [""] * len(frame)
    values = frame[name]
    return values.astype("object").where(values.notna(), "").astype(str).tolist()


def _column(words: list[str]) -> Column:
    codes, values = pd.factorize(np.array(words, dtype=object))
    return column(codes, np.asarray(values, dtype=object))


def _factored(frame: pd.DataFrame, name: str, change: Callable[[str], str]) -> Column:
    """A changed column; each distinct value is changed once."""
    return _column(_words(frame, name)).derived(change)


def _name_columns(frame: pd.DataFrame) -> dict[str, Column]:
    codes, names = pd.factorize(np.array(_words(frame, "name"), dtype=object))
    parts = [split_name(name) for name in names]
    distinct = sorted({part for name in parts for part in name if part})
    place = {part: i for i, part in enumerate(distinct)} | {"": -1}
    vocabulary = np.array(distinct, dtype=object)
    places = np.array(
        [[place[part] for part in name] for name in parts], dtype=np.int32
    ).reshape(-1, 3)[codes]
    columns = {
        each: Column(places[:, i], vocabulary)
        for i, each in enumerate(("given", "family", "single"))
    }
    joined = np.array(["".join(name).replace(" ", "") for name in parts], dtype=object)
    whole = column(codes, joined)
    script = whole.derived(lambda text: "han" if is_han(text) else "other")
    return columns | {"whole": whole, "script": script}


def _plain_columns(frame: pd.DataFrame) -> dict[str, Column]:
    address = _factored(frame, "address", _address)
    postcode = _factored(frame, "postcode", _postcode)
    return {
        "email": _factored(frame, "email", _email),
        "phone": _factored(frame, "phone", _phone),
        "gender": _factored(
            frame, "gender", lambda text: _GENDERS.get(plain(text), "")
        ),
        "address": address,
        "street": address.derived(_street),
        "number": address.derived(_number),
        "city": _factored(frame, "city", _city),
        "postcode": postcode,
        "area": postcode.derived(lambda text: text[:2]),
        "country": _factored(frame, "country", plain),
    }


def _email(text: str) -> str:
    return _folded(text).strip()


def _phone(text: str) -> str:
    # Nine digits name a subscriber; what stands before is country and trunk code.
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", text))
    return digits.lstrip("0")[-9:]


def _city(text: str) -> str:
    name = plain(text)
    return name.removesuffix("市") if is_han(name) else name


def _postcode(text: str) -> str:
    return plain(text).replace(" ", "")


def _address(text: str) -> str:
    words = re.sub(r"(?<=\d)(?=[^\W\d])|(?<=[^\W\d])(?=\d)", " ", plain(text)).split()
    return " ".join(filter(None, (_STREET_WORDS.get(word, word) for word in words)))


def _street(address: str) -> str:
    # Ordered words make "Gundulu Place, Curringa" and the reverse alike.
    return " ".join(sorted(word for word in address.split() if not word.isdigit()))


def _number(address: str) -> str:
    return " ".join(sorted(word for word in address.split() if word.isdigit()))


def _births(frame: pd.DataFrame) -> np.ndarray:
    if "birth_date" not in frame or frame.empty:
        return np.full(len(frame), -1, dtype=np.int32)
    texts = pd.Series(_words(frame, "birth_date")).str[:10]
    moments = pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce")
    parts = moments.dt.year * 10_000 + moments.dt.month * 100 + moments.dt.day
    return parts.fillna(-1).to_numpy(dtype=np.int32)


def _ids(frame: pd.DataFrame) -> list[Mapping[str, object]]:
    if "ids" not in frame:
        return []
    return [ids if isinstance(ids, Mapping) else {} for ids in frame["ids"]]


def _id(ids: Mapping[str, object], kind: str) -> str:
    value = ids.get(kind)
    return "" if value is None else plain(str(value)).replace(" ", "")


def _id_kinds(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    counts = pd.Series([kind for ids in _ids(frame) for kind in ids]).value_counts()
    ranked = sorted(counts.index, key=lambda kind: (-counts[kind], kind))
    kept, left = ranked[:ID_KINDS_MAXIMUM], ranked[ID_KINDS_MAXIMUM:]
    warnings = [
        f"ids of kind `{kind}` are not compared, for there are too many kinds"
        for kind in left
    ]
    return sorted(kept), warnings


def _shared(frame: pd.DataFrame, kind: str) -> Shared:
    change = _email if kind == "email" else _phone
    given = [(row, change(value)) for row, value in _addresses(frame, kind)]
    pairs = sorted({(row, value) for row, value in given if value})
    rows = np.array([row for row, _ in pairs], dtype=np.int64)
    values = np.array([value for _, value in pairs], dtype=object)
    codes = pd.factorize(values)[0].astype(np.int64)
    return Shared(rows, codes)


def _addresses(frame: pd.DataFrame, kind: str) -> Iterable[tuple[int, str]]:
    yield from enumerate(_words(frame, kind))
    for row, each in enumerate(frame.get("claims", ())):
        if isinstance(each, list | tuple):
            yield from ((row, str(value)) for name, value in each if name == kind)
