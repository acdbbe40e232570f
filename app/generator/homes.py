"""Where people live and by which number they are called, as it is in their country."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.demo.records import Person

# Of all people so many live with the one before them: `FAMILY` of the same name ...
FAMILY_RATIO = 0.1
# ... and of these so many were born on one day, or are called the same.
TWINS_RATIO = 0.03
NAMESAKES_RATIO = 0.02
HAS_PHONE_RATIO = 0.88
HAS_ADDRESS_RATIO = 0.96


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_STREETS = {
    "de": _words(
        "Haupt Bahnhof Garten Schiller Goethe Linden Berg Kirch Wald Ring "
        "Mozart Beethoven Blumen Rosen Wiesen Mühlen Schul Dorf Burg Feld Park "
        "See Brunnen Kastanien Ahorn Birken Buchen Tannen Eichen Ufer"
    ),
    "en": _words(
        "High Station Church Park Victoria Albert Mill Queen King London Green "
        "Manor Springfield Alexandra Grange Windsor York Stanley Richmond "
        "George Chester Highfield Cromwell Norfolk Orchard Grove Castle Bridge "
        "Elm Cedar"
    ),
    "fr": _words(
        "République Victor-Hugo Gambetta Pasteur Voltaire Jaurès Foch Leclerc "
        "Zola Moulin Fontaine Église Gare Marché Tilleuls Lilas Roses Acacias "
        "Platanes"
    ),
    "it": _words(
        "Roma Garibaldi Mazzini Dante Verdi Cavour Manzoni Marconi Leopardi "
        "Carducci Galilei Rossini Puccini Matteotti Gramsci Battisti Trento "
        "Trieste Torino"
    ),
    "es": _words(
        "Mayor Real Cervantes Goya Velázquez Colón Alcalá Serrano Nueva Sol "
        "Luna Constitución Libertad Fuente Iglesia Estación Molino Rosales "
        "Olivos"
    ),
    "nl": _words(
        "Kerk Dorps School Molen Station Julianalaan Beatrix Wilhelmina Nassau "
        "Oranje Prins Koning Linden Beuken Eiken Rozen Tulpen Vondel Rembrandt"
    ),
    "zh": _words(
        "中山 人民 解放 建设 和平 新华 文化 长江 黄河 朝阳 胜利 光明 东风 友谊 "
        "滨江 学府 科技 花园 湖滨 青年 迎宾 凤凰 玉泉 翠竹"
    ),
}
_ENDS = {
    "de": ("straße", "weg", "allee", "platz", "gasse"),
    "en": ("Street", "Road", "Lane", "Avenue", "Close", "Gardens"),
    "fr": ("rue", "avenue", "boulevard", "place"),
    "it": ("Via", "Viale", "Corso", "Piazza"),
    "es": ("Calle", "Avenida", "Plaza", "Paseo"),
    "nl": ("straat", "laan", "weg", "plein"),
    "zh": ("东路", "西路", "南路", "北路", "中路", "街"),
}


@dataclass(frozen=True, slots=True)
class Land:
    """A country: how streets are called, and mobile numbers with `#` for a digit."""

    language: str
    phones: tuple[str, ...]


LANDS = {
    "Germany": Land("de", ("+49 151 ########", "+49 170 #######", "+49 176 ########")),
    "Austria": Land("de", ("+43 664 #######", "+43 676 #######")),
    "United Kingdom": Land("en", ("+44 7400 ######", "+44 7500 ######")),
    "Ireland": Land("en", ("+353 87 #######", "+353 86 #######")),
    "France": Land("fr", ("+33 6 1# ## ## ##", "+33 6 2# ## ## ##")),
    "Italy": Land("it", ("+39 347 #######", "+39 338 #######")),
    "Spain": Land("es", ("+34 61# ### ###", "+34 65# ### ###")),
    "Netherlands": Land("nl", ("+31 6 1#######", "+31 6 2#######")),
    "Belgium": Land("fr", ("+32 470 ######", "+32 49# ######")),
    "China": Land("zh", ("+86 138 #### ####", "+86 186 #### ####")),
    "Singapore": Land("en", ("+65 81## ####", "+65 91## ####")),
}
# By city: `#` stands for a digit, `@` for a letter, `_` for a blank.
_POSTCODE_FORMS = _words(
    "Berlin 10### Hamburg 20### München 80### Köln 50### Leipzig 041## "
    "Dresden 010## Freiburg 791## Bremen 281## Stuttgart 701## Münster 481## "
    "Frankfurt 603## Wien 1##0 Graz 80## London SW#_#@@ Manchester M#_#@@ "
    "Bristol BS#_#@@ Edinburgh EH#_#@@ Leeds LS#_#@@ York YO#_#@@ "
    "Dublin D0#_@#@# Cork T12_@#@# Paris 750## Lyon 690## Nantes 440## "
    "Milano 201## Bologna 401## Madrid 280## Valencia 460## "
    "Amsterdam 10##_@@ Utrecht 35##_@@ Gent 90## Singapore 2##### 上海 200### "
    "北京 100### 杭州 310### 苏州 215### 广州 510### 深圳 518### "
    "成都 610### 南京 210###"
)
POSTCODES = {
    city: form.replace("_", " ")
    for city, form in zip(_POSTCODE_FORMS[::2], _POSTCODE_FORMS[1::2], strict=True)
}
_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"


@dataclass(frozen=True, slots=True)
class Home:
    """Where somebody lives; empty words are not known."""

    address: str
    postcode: str
    phone: str


def draw_home(rng: np.random.Generator, city: str, country: str) -> Home:
    """A home in a city of the shipped names."""
    land = LANDS[country]
    draws = rng.random(6)
    form = land.phones[int(draws[0] * len(land.phones))]
    streets, ends = _STREETS[land.language], _ENDS[land.language]
    street = streets[int(draws[1] * len(streets))]
    end = ends[int(draws[2] * len(ends))]
    address = _address(land.language, street, end, draws[3], draws[4])
    return Home(address, _filled(rng, POSTCODES[city]), _filled(rng, form))


def make_homes(
    rng: np.random.Generator, people: Sequence[Person]
) -> tuple[list[Person], list[Home]]:
    """A home for each, some of them shared; who lives in one is called alike."""
    found: list[Person] = []
    homes: list[Home] = []
    draws = rng.random((len(people), 5))
    for person, draw in zip(people, draws, strict=True):
        home = draw_home(rng, person.city, person.country)
        if found and draw[0] < FAMILY_RATIO and _could_be_family(found[-1], person):
            first, shared = found[-1], homes[-1]
            person = _relative(person, first, float(draw[1]))  # noqa: PLW2901
            home = replace(shared, phone=home.phone)
        if draw[3] > HAS_ADDRESS_RATIO:
            home = replace(home, address="", postcode="")
        if draw[4] > HAS_PHONE_RATIO:
            home = replace(home, phone="")
        found.append(person)
        homes.append(home)
    return found, homes


def is_chinese(name: str) -> bool:
    """Whether a name is written in Chinese signs."""
    return not name.isascii() and all("\u4e00" <= sign <= "\u9fff" for sign in name)


def _could_be_family(first: Person, second: Person) -> bool:
    return is_chinese(first.name) == is_chinese(second.name)


def _relative(person: Person, first: Person, chance: float) -> Person:
    if is_chinese(first.name):
        name = first.name[0] + person.name[1:]
    else:
        given = person.name.rsplit(" ", 1)[0]
        name = f"{given} {first.name.rsplit(' ', 1)[1]}"
    born = person.birth_date
    if chance < TWINS_RATIO:
        born = first.birth_date
    elif chance < TWINS_RATIO + NAMESAKES_RATIO:
        name = first.name
    return replace(
        person, name=name, birth_date=born, city=first.city, country=first.country
    )


def _address(language: str, street: str, end: str, low: float, high: float) -> str:
    number = 1 + int(low * 180)
    if language == "zh":
        return (
            f"{street}{end}{number}号{1 + int(high * 30)}栋{101 + int(high * 2700)}室"
        )
    if language in {"de", "nl"}:
        return f"{street}{end} {number}"
    if language == "en":
        return f"{number} {street} {end}"
    if language == "fr":
        return f"{number} {end} {street}"
    return f"{end} {street}, {number}"


def _filled(rng: np.random.Generator, form: str) -> str:
    wanted = form.count("#") + form.count("@")
    draws = iter(rng.random(wanted))
    return "".join(
        str(int(next(draws) * 10))
        if sign == "#"
        else _LETTERS[int(next(draws) * len(_LETTERS))]
        if sign == "@"
        else sign
        for sign in form
    )
