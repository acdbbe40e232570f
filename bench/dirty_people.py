"""People with planted duplicates, English and Chinese, for the matching benchmark.

Everything is drawn from a seed. A duplicate is a person as another clerk, or the
person on another day, would have typed them; families and twins are planted too, who
share much and are not one person.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta

import pandas as pd

GIVEN = re.findall(
    "[A-Z][a-z]+",
    "JamesMaryJohnPatriciaRobertJenniferMichaelLindaDavidElizabethWilliamBarbara"
    "RichardSusanJosephJessicaThomasSarahCharlesKarenDanielLisaMatthewNancyAnthony"
    "BettyMarkSandraPaulAshleyStevenEmilyAndrewDonnaJoshuaMichelleKevinCarolBrian"
    "AmandaGeorgeMelissaEdwardDeborahRonaldStephanieTimothyRebeccaJasonLauraJeffrey"
    "HelenRyanSharonJacobCynthiaGaryKathleenNicholasAmyEricAngelaJonathanShirley"
    "StephenAnnaLarryRuth",
)
STEMS = re.findall(
    "[A-Z][a-z]+",
    "AshBlackBradBurnCarlClayColeDalEastEverFairGarGreenHampHartHollKingsLangLinMal"
    "MarMilNewNorthOakPresRayRedRockShelSouthStanThornWalWesWhitWinWoodYorkBar",
)
ENDS = (
    *("ton", "ley", "field", "ford", "ham", "worth", "wood", "man"),
    *("son", "by", "well", "more", "stead", "ridge", "land", "er"),
)
SURNAMES = re.findall(
    "[A-Z][a-z]+",
    "SmithJonesTaylorBrownWilliamsWilsonJohnsonDaviesPatelRobinsonWrightThompsonEvans"
    "WalkerWhiteRobertsGreenHallThomasClarkeJacksonWoodHarris",
)
HAN_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓韩冯曹"
HAN_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华文建国志红玉兰新晓春梅海燕"
    "雪婷浩宇轩子涵欣怡佳琪思远博雅诗瑶天翔嘉俊"
)
HAN_CITIES = (
    "北京",
    "上海",
    "广州",
    "深圳",
    "成都",
    "杭州",
    "武汉",
    "西安",
    "南京",
    "重庆",
)
HAN_STREETS = (
    "中山",
    "人民",
    "解放",
    "建设",
    "和平",
    "新华",
    "文化",
    "长江",
    "黄河",
    "朝阳",
)
HOSTS = ("mail.example", "post.example", "shop.example", "home.example")


@dataclass(frozen=True, slots=True)
class Person:
    """One record; empty words are missing."""

    name: str
    birth_date: date | None
    gender: str
    email: str
    phone: str
    address: str
    city: str
    postcode: str
    country: str


def dirty_people(
    customers: int, seed: int, duplicates_ratio: float = 0.15
) -> tuple[pd.DataFrame, set[tuple[int, int]]]:
    """A frame for `match_people` with `customers` rows, and the true pairs of ids."""
    chance = random.Random(seed)
    persons = _persons(chance, int(customers * (1 - duplicates_ratio)))
    records = list(enumerate(persons))
    while len(records) < customers:
        number = chance.randrange(len(persons))
        # Many have one copy, few have several.
        copies = min(chance.choice((1, 1, 1, 2, 3)), customers - len(records))
        records += [(number, _copy(chance, persons[number])) for _ in range(copies)]
    chance.shuffle(records)
    frame = pd.DataFrame([asdict(person) for _, person in records])
    frame = frame.astype("object").where(frame != "", None)
    frame.insert(0, "customer_id", range(1, len(frame) + 1))
    return frame, true_pairs([str(number) for number, _ in records])


def true_pairs(persons: list[str]) -> set[tuple[int, int]]:
    """Pairs of ids, counted from 1, of rows with the same person."""
    numbered = pd.DataFrame({"person": persons, "id": range(1, len(persons) + 1)})
    both = numbered.merge(numbered, on="person")
    both = both[both["id_x"] < both["id_y"]]
    return set(zip(both["id_x"].tolist(), both["id_y"].tolist(), strict=True))


# --- persons --------------------------------------------------------------------------


def _persons(chance: random.Random, wanted: int) -> list[Person]:
    persons: list[Person] = []
    while len(persons) < wanted:
        first = _han(chance) if chance.random() < 0.4 else _latin(chance)
        persons += [first, *_family(chance, first)]
    return persons[:wanted]


def _latin(chance: random.Random) -> Person:
    given, middle = chance.choice(GIVEN), chance.choice(GIVEN)
    surname = chance.choice(SURNAMES)
    if chance.random() < 0.7:
        surname = chance.choice(STEMS) + chance.choice(ENDS)
    name = (
        f"{given} {middle} {surname}" if chance.random() < 0.1 else f"{given} {surname}"
    )
    town = chance.randrange(400)
    return Person(
        name,
        _birth(chance),
        chance.choice(("male", "female")),
        f"{given}.{surname}{chance.randrange(100_000)}@{chance.choice(HOSTS)}".lower(),
        f"+44 7{chance.randrange(10**9):09d}",
        f"{chance.randrange(1, 250)} {chance.choice(STEMS)}{chance.choice(ENDS)} "
        f"{chance.choice(('Street', 'Road', 'Lane', 'Avenue', 'Close'))}",
        f"{STEMS[town % 40]}{ENDS[town // 40]}",
        f"{10_000 + town * 7 + chance.randrange(7)}",
        "GB",
    )


def _han(chance: random.Random) -> Person:
    given = "".join(chance.sample(HAN_GIVEN, chance.choice((1, 2, 2, 2))))
    city = chance.randrange(len(HAN_CITIES))
    number = chance.randrange(10**8)
    return Person(
        chance.choice(HAN_SURNAMES) + given,
        _birth(chance),
        chance.choice(("male", "female")),
        f"{number}@{chance.choice(HOSTS)}",
        f"+86 1{chance.randrange(3 * 10**9, 10**10)}",
        f"{chance.choice(HAN_STREETS)}{chance.choice('东西南北中')}路"
        f"{chance.randrange(1, 900)}号{chance.randrange(1, 30)}栋"
        f"{chance.randrange(101, 2800)}室",
        HAN_CITIES[city],
        f"{100_000 + city * 10_000 + chance.randrange(60) * 100}",
        "CN",
    )


def _birth(chance: random.Random) -> date:
    return date(1940, 1, 1) + timedelta(days=chance.randrange(24_000))


def _family(chance: random.Random, first: Person) -> list[Person]:
    """Sometimes a spouse, a child of the same name, or a twin at the same address."""
    kind = chance.random()
    if kind > 0.12:
        return []
    other = _han(chance) if first.country == "CN" else _latin(chance)
    shared = replace(
        other,
        name=_with_surname(other.name, first),
        address=first.address,
        city=first.city,
        postcode=first.postcode,
    )
    if kind < 0.003:
        return [replace(shared, birth_date=first.birth_date, email="")]
    if kind < 0.005:
        return [replace(shared, name=first.name, phone=first.phone, email="")]
    if kind < 0.06:
        return [replace(shared, phone=first.phone, email=first.email)]
    return [shared]


def _with_surname(name: str, first: Person) -> str:
    if first.country == "CN":
        return first.name[0] + name[1:]
    return f"{name.split(maxsplit=1)[0]} {first.name.split()[-1]}"


# --- copies ---------------------------------------------------------------------------


def _copy(chance: random.Random, person: Person) -> Person:
    """The person again, with one to four things typed otherwise, left out or moved."""
    for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
        person = chance.choice(_CHANGES)(chance, person)
    # One of both was written in another channel, so rarely all addresses agree.
    return replace(
        person,
        email=person.email if chance.random() < 0.5 else "",
        phone=person.phone if chance.random() < 0.6 else "",
    )


def _typed(chance: random.Random, text: str) -> str:
    if len(text) < 2:
        return text
    place = chance.randrange(len(text) - 1)
    before, here, after = text[:place], text[place], text[place + 1 :]
    letters = "0123456789" if here.isdigit() else "abcdefghijklmnopqrstuvwxyz"
    if not here.isascii():
        return before + after
    kind = chance.randrange(4)
    if kind == 0:
        return before + after
    if kind == 1:
        return before + chance.choice(letters) + here + after
    if kind == 2:
        return before + chance.choice(letters) + after
    return before + after[0] + here + after[1:]


def _name(chance: random.Random, person: Person) -> Person:
    if person.country == "CN":
        return replace(person, name=f"{person.name[0]} {person.name[1:]}")
    return replace(person, name=_typed(chance, person.name))


def _order(_: random.Random, person: Person) -> Person:
    if person.country == "CN":
        return person
    words = person.name.split()
    return replace(person, name=f"{words[-1]} {' '.join(words[:-1])}".strip())


def _initial(_: random.Random, person: Person) -> Person:
    words = person.name.split()
    if person.country == "CN" or len(words) < 2:
        return person
    return replace(person, name=f"{words[0][0]}. {words[-1]}")


def _capitals(_: random.Random, person: Person) -> Person:
    return replace(person, name=person.name.upper(), city=person.city.upper())


def _birth_typed(chance: random.Random, person: Person) -> Person:
    born = person.birth_date
    if born is None or chance.random() < 0.4:
        return replace(person, birth_date=None)
    if born.day <= 12 and chance.random() < 0.5:
        return replace(person, birth_date=born.replace(month=born.day, day=born.month))
    return replace(person, birth_date=born.replace(day=born.day % 28 + 1))


def _moved(chance: random.Random, person: Person) -> Person:
    other = _han(chance) if person.country == "CN" else _latin(chance)
    return replace(
        person, address=other.address, city=other.city, postcode=other.postcode
    )


def _address_typed(chance: random.Random, person: Person) -> Person:
    return replace(person, address=_typed(chance, person.address))


def _address_short(_: random.Random, person: Person) -> Person:
    short = person.address.replace("Street", "St").replace("Road", "Rd")
    return replace(person, address=short.replace("Avenue", "Ave"))


def _place_typed(chance: random.Random, person: Person) -> Person:
    if person.country == "CN":
        return replace(person, city=f"{person.city}市")
    return replace(person, city=_typed(chance, person.city))


def _postcode_typed(chance: random.Random, person: Person) -> Person:
    return replace(person, postcode=_typed(chance, person.postcode))


def _gap(chance: random.Random, person: Person) -> Person:
    record = asdict(person)
    empty = chance.choice(("gender", "address", "city", "postcode", "country", "phone"))
    return Person(**record | {empty: ""})


def _email_typed(chance: random.Random, person: Person) -> Person:
    return replace(person, email=_typed(chance, person.email))


def _phone_plain(_: random.Random, person: Person) -> Person:
    return replace(person, phone=person.phone.replace(" ", "").removeprefix("+"))


_CHANGES: tuple[Callable[[random.Random, Person], Person], ...] = (
    _name,
    _name,
    _order,
    _initial,
    _capitals,
    _birth_typed,
    _moved,
    _address_typed,
    _address_short,
    _place_typed,
    _postcode_typed,
    _gap,
    _email_typed,
    _phone_plain,
)
