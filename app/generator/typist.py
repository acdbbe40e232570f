"""What people do to their own data when they type it once more.

Each change takes the row of a person as a dictionary and returns what it did, or None
where there was nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np

from app.generator.homes import LANDS, POSTCODES, draw_home, is_chinese

Cells = dict[str, str]
Change = Callable[[np.random.Generator, Cells], str | None]


def _pairs(words: str) -> dict[str, str]:
    parts = words.split()
    return dict(zip(parts[::2], parts[1::2], strict=True))


NICKNAMES = _pairs(
    "Thomas Tom William Bill Robert Bob James Jim Elizabeth Liz Margaret Maggie "
    "Patricia Pat Michael Mike Jennifer Jenny Christopher Chris Katharina Kathi "
    "Maximilian Max Matthias Matze Andreas Andi Stefan Steff Johanna Hanna Franziska "
    "Franzi Benjamin Ben Daniel Dan Samuel Sam Edward Ed Patrick Pat Matthew Matt "
    "Rebecca Becky Eleanor Ellie Nicholas Nick Joseph Joe Richard Rick Alexander Alex "
    "Sebastian Basti Susan Sue Deborah Debbie Kathleen Kathy Stephanie Steffi Andrew "
    "Andy Anthony Tony Joshua Josh Ronald Ron Friedrich Fritz Elisabeth Lisbeth "
    "Charlotte Lotte"
)
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("0"), ord("9") + 1)}
_SHORT = {"straße": "str.", "Street": "St", "Road": "Rd", "Avenue": "Ave"}
_SHORT |= {"avenue": "av.", "boulevard": "bd", "Lane": "Ln", "platz": "pl."}
_GAPS = ("gender", "address", "city", "postcode", "country", "birth_date")
# The keys beside a key.
_NEAR = _pairs(
    "a sq b vn c xv d sf e wr f dg g fh h gj i uo j hk k jl l k m n n bm o ip p o q wa "
    "r et s ad t ry u yi v cb w qe x zc y tu z x"
)


def mistyped(rng: np.random.Generator, text: str) -> str:
    """The text with one letter left out, doubled, swapped or hit beside."""
    if len(text) < 3:
        return text
    # The first letter is what people look at.
    place = int(rng.integers(1, len(text) - 1))
    before, here, after = text[:place], text[place], text[place + 1 :]
    if not here.isascii():
        return before + after
    kind = int(rng.integers(4))
    if kind == 0:
        return before + after
    if kind == 1:
        return before + here + here + after
    if kind == 2:
        return before + after[0] + here + after[1:]
    return before + _beside(rng, here) + after


def name_typo(rng: np.random.Generator, cells: Cells) -> str | None:
    if is_chinese(cells["name"]):
        return name_blank(rng, cells)
    cells["name"] = mistyped(rng, cells["name"])
    return "name_typo"


def name_blank(_: np.random.Generator, cells: Cells) -> str | None:
    """`王小明` as `王 小明`."""
    name = cells["name"]
    if not is_chinese(name):
        return None
    cells["name"] = f"{name[0]} {name[1:]}"
    return "name_blank"


def name_swapped(_: np.random.Generator, cells: Cells) -> str | None:
    name = cells["name"]
    if is_chinese(name) or " " not in name:
        return None
    cells["name"] = " ".join(reversed(name.rsplit(" ", 1)))
    return "name_swapped"


def nickname(_: np.random.Generator, cells: Cells) -> str | None:
    given, family = _parted(cells["name"])
    if given not in NICKNAMES:
        return None
    cells["name"] = f"{NICKNAMES[given]} {family}"
    return "nickname"


def initial(_: np.random.Generator, cells: Cells) -> str | None:
    given, family = _parted(cells["name"])
    if is_chinese(cells["name"]) or not family:
        return None
    cells["name"] = f"{given[0]}. {family}"
    return "initial"


def capitals(_: np.random.Generator, cells: Cells) -> str | None:
    cells["name"], cells["city"] = cells["name"].upper(), cells["city"].upper()
    return "capitals"


def day_month_swapped(_: np.random.Generator, cells: Cells) -> str | None:
    born = _birth(cells)
    if born is None or born.day > 12 or born.day == born.month:
        return None
    cells["birth_date"] = born.replace(month=born.day, day=born.month).isoformat()
    return "day_month_swapped"


def birth_typo(_: np.random.Generator, cells: Cells) -> str | None:
    born = _birth(cells)
    if born is None:
        return None
    cells["birth_date"] = born.replace(day=born.day % 28 + 1).isoformat()
    return "birth_typo"


def moved(rng: np.random.Generator, cells: Cells) -> str | None:
    known = cells["city"] in POSTCODES and cells["country"] in LANDS
    if not cells["address"] or not known:
        return None
    home = draw_home(rng, cells["city"], cells["country"])
    cells["address"], cells["postcode"] = home.address, home.postcode
    return "moved"


def address_typo(rng: np.random.Generator, cells: Cells) -> str | None:
    cells["address"] = mistyped(rng, cells["address"])
    return "address_typo"


def address_short(_: np.random.Generator, cells: Cells) -> str | None:
    for long, short in _SHORT.items():
        cells["address"] = cells["address"].replace(long, short)
    return "address_short"


def city_typo(rng: np.random.Generator, cells: Cells) -> str | None:
    city = cells["city"]
    cells["city"] = f"{city}市" if is_chinese(city) else mistyped(rng, city)
    return "city_typo"


def postcode_typo(rng: np.random.Generator, cells: Cells) -> str | None:
    cells["postcode"] = mistyped(rng, cells["postcode"])
    return "postcode_typo"


def email_typo(rng: np.random.Generator, cells: Cells) -> str | None:
    local, at, host = cells["email"].partition("@")
    cells["email"] = mistyped(rng, local) + at + host
    return "email_typo"


def phone_form(rng: np.random.Generator, cells: Cells) -> str | None:
    """The number without blanks, and sometimes with 00 in place of the plus."""
    plus = "+" if rng.random() < 0.5 else "00"
    phone = cells["phone"].replace(" ", "")
    cells["phone"] = phone.replace("+", plus, 1)
    return "phone_form"


def full_width(_: np.random.Generator, cells: Cells) -> str | None:
    """Digits as a Chinese keyboard has them."""
    for name in ("phone", "postcode", "address"):
        cells[name] = cells[name].translate(_FULL_WIDTH)
    return "full_width"


def gap(rng: np.random.Generator, cells: Cells) -> str | None:
    cells[_GAPS[int(rng.integers(len(_GAPS)))]] = ""
    return "missing"


# The more often something stands here, the more often people do it.
CHANGES: tuple[Change, ...] = (
    *(name_typo, name_typo, name_blank, name_swapped, nickname, initial, capitals),
    *(day_month_swapped, birth_typo, moved, address_typo, address_short, city_typo),
    *(postcode_typo, email_typo, phone_form, full_width, gap, gap),
)


def _beside(rng: np.random.Generator, letter: str) -> str:
    if letter.isdigit():
        return str((int(letter) + 1 + int(rng.integers(8))) % 10)
    near = _NEAR.get(letter.lower(), letter)
    found = near[int(rng.integers(len(near)))]
    return found.upper() if letter.isupper() else found


def _parted(name: str) -> tuple[str, str]:
    given, _, family = name.partition(" ")
    return given, family


def _birth(cells: Cells) -> date | None:
    text = cells["birth_date"]
    return date.fromisoformat(text) if text else None
