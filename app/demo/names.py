"""Names, places and spellings that fit each other, per origin of a customer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where customers come from, and how they are called there.

    A name is (as written, as in an address); `weight` is the share of customers.
    """

    weight: float
    language: str
    women: tuple[tuple[str, str], ...]
    men: tuple[tuple[str, str], ...]
    families: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, str], ...]
    family_first: bool = False


def _plain(words: str) -> tuple[tuple[str, str], ...]:
    """Latin names: the address spells what ASCII lacks."""
    table = str.maketrans(
        {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ñ": "n"}
        | {"í": "i", "ó": "o", "á": "a", "ç": "c", "ë": "e", "ø": "o", "å": "a"}
    )
    return tuple((word, word.lower().translate(table)) for word in words.split())


def _pairs(words: str) -> tuple[tuple[str, str], ...]:
    """Chinese names, each followed by its spelling."""
    parts = words.split()
    return tuple(zip(parts[::2], parts[1::2], strict=True))


def _places(country: str, cities: str) -> tuple[tuple[str, str], ...]:
    return tuple((city.strip(), country) for city in cities.split(","))


GERMAN = Origin(
    weight=0.32,
    language="de",
    women=_plain(
        "Anna Lena Marie Sophie Julia Katharina Sabine Petra Claudia Monika Birgit "
        "Franziska Johanna Greta Ida Emma Hannah Jana Nele Frieda"
    ),
    men=_plain(
        "Lukas Jonas Felix Paul Maximilian Thomas Andreas Stefan Matthias Jürgen "
        "Florian Tobias Moritz Emil Oskar Karl Jörg Björn Henrik Till"
    ),
    families=_plain(
        "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann "
        "Koch Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun "
        "Krüger Hofmann Hartmann Lange Krause Lehmann Köhler Maier Walter König"
    ),
    places=(
        *_places("Germany", "Berlin,Hamburg,München,Köln,Leipzig,Dresden,Freiburg"),
        *_places("Germany", "Bremen,Stuttgart,Münster"),
        *_places("Austria", "Wien,Graz"),
    ),
)
ENGLISH = Origin(
    weight=0.24,
    language="en",
    women=_plain(
        "Emily Olivia Charlotte Grace Sarah Rachel Laura Hannah Alice Rebecca Fiona "
        "Megan Lucy Eleanor Harriet Niamh Aoife Claire Nancy Ruth"
    ),
    men=_plain(
        "James Oliver Thomas William Harry George Daniel Samuel Benjamin Edward "
        "Patrick Sean Callum Ewan Matthew Adam Robert Peter Simon Liam"
    ),
    families=_plain(
        "Smith Jones Taylor Brown Wilson Evans Walker Wright Green Hall Clarke Baker "
        "Turner Cooper Ward Murphy Kelly Byrne Campbell Stewart Fraser Hughes Price "
        "Bennett Foster Marsh Holloway Ashworth Whitaker Pembroke"
    ),
    places=(
        *_places("United Kingdom", "London,Manchester,Bristol,Edinburgh,Leeds,York"),
        *_places("Ireland", "Dublin,Cork"),
    ),
)
ROMANCE = Origin(
    weight=0.14,
    language="en",
    women=_plain(
        "Camille Chloé Inès Giulia Chiara Lucía Carmen Sofía Beatriz Noémie Elena "
        "Marta Anouk Sanne Femke"
    ),
    men=_plain(
        "Hugo Étienne Luca Matteo Javier Álvaro Diego Tiago Louis Julien Marco Pablo "
        "Daan Bram Sven"
    ),
    families=_plain(
        "Martin Bernard Dubois Laurent Moreau Rossi Bianchi Romano García Fernández "
        "López Silva Santos Visser Bakker Lefèvre Ferrari Navarro Peeters Janssen"
    ),
    places=(
        *_places("France", "Paris,Lyon,Nantes"),
        *_places("Italy", "Milano,Bologna"),
        *_places("Spain", "Madrid,Valencia"),
        *_places("Netherlands", "Amsterdam,Utrecht"),
        *_places("Belgium", "Gent"),
    ),
)
CHINESE = Origin(
    weight=0.30,
    language="zh",
    women=_pairs(
        "芳 fang 静 jing 丽 li 敏 min 雪 xue 婷 ting 雨欣 yuxin 梦洁 mengjie "
        "思琪 siqi 晓燕 xiaoyan 诗涵 shihan 佳怡 jiayi 美玲 meiling 慧 hui "
        "欣妍 xinyan 若曦 ruoxi 海燕 haiyan 玉兰 yulan"
    ),
    men=_pairs(
        "伟 wei 强 qiang 磊 lei 军 jun 杰 jie 浩然 haoran 子轩 zixuan 志强 zhiqiang "
        "建国 jianguo 文博 wenbo 宇航 yuhang 俊杰 junjie 明 ming 涛 tao 鹏 peng "
        "家豪 jiahao 晨 chen 国栋 guodong"
    ),
    families=_pairs(
        "王 wang 李 li 张 zhang 刘 liu 陈 chen 杨 yang 黄 huang 赵 zhao 吴 wu 周 zhou "
        "徐 xu 孙 sun 马 ma 朱 zhu 胡 hu 林 lin 郭 guo 何 he 高 gao 罗 luo 郑 zheng "
        "梁 liang 谢 xie 宋 song 唐 tang 许 xu 韩 han 冯 feng 邓 deng 曹 cao"
    ),
    places=(
        *_places("China", "上海,北京,杭州,苏州,广州,深圳,成都,南京"),
        *_places("Germany", "Berlin,Hamburg,Frankfurt"),
        *_places("United Kingdom", "London"),
        *_places("Singapore", "Singapore"),
    ),
    family_first=True,
)
ORIGINS = (GERMAN, ENGLISH, ROMANCE, CHINESE)
