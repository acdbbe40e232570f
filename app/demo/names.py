"""Names, places and spellings that fit each other, per origin of a customer."""

from __future__ import annotations

from dataclasses import dataclass, replace


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


# --- many people ----------------------------------------------------------------------

# A frequent name is so much more frequent than a rare one.
FREQUENT = 12
MORE_WOMEN = {
    "de": _plain(
        "Barbara Renate Ursula Karin Heike Andrea Susanne Martina Stefanie Christina "
        "Melanie Nadine Laura Lisa Clara Charlotte Mathilda Paula Leonie Mia Amelie "
        "Luise Helene Elisabeth Margarete Kerstin Silke Ingrid Gisela Angelika"
    ),
    "en": _plain(
        "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Karen Lisa "
        "Margaret Sandra Ashley Kimberly Donna Michelle Carol Amanda Melissa Deborah "
        "Stephanie Sharon Cynthia Kathleen Amy Shirley Angela Helen Anna Nicole"
    ),
}
MORE_MEN = {
    "de": _plain(
        "Michael Christian Alexander Daniel Markus Peter Wolfgang Klaus Uwe Bernd "
        "Jan Sebastian Philipp David Simon Niklas Leon Finn Noah Elias Anton Jakob "
        "Friedrich Heinrich Georg Rainer Dieter Holger Sven Torsten"
    ),
    "en": _plain(
        "John Michael David Richard Joseph Charles Christopher Anthony Mark Paul "
        "Steven Andrew Kenneth Joshua Kevin Brian Ronald Timothy Jason Jeffrey Ryan "
        "Jacob Gary Nicholas Eric Jonathan Stephen Larry Justin Scott"
    ),
}
_PARTS = {
    "de": (
        "Stein Berg Wald Feld Linden Eichen Birken Rosen Sonnen Gross Klein Neu Alt "
        "Ober Nieder Hart Kalt Winter Sommer Herz Gold Silber Eisen Holz Wasser Kirch "
        "Burg Mühl Hoch Schön Weiss Grün Rot Lang Kurz Breit Frei Stolz Ehren Vogel",
        "mann berg bauer meier hauser feld stein bach hofer mayer wald brunner inger "
        "graf wirth acker tal rieder huber stetter",
    ),
    "en": (
        "Ash Black Brad Burn Carl Clay Cole Dal East Ever Fair Gar Green Hamp Hart "
        "Holl Kings Lang Lin Mal Mar Mil New North Oak Pres Ray Red Rock Shel South "
        "Stan Thorn Wal Wes Whit Win Wood York Bar",
        "ton ley field ford ham worth wood man son by well more stead ridge land er",
    ),
    "fr": (
        "Mont Val Bel Cast Ros Ferr Bern Gar Mar Mor Lam Del Ren Bar Cor Pal Sal Tor "
        "Ver Vil Bon Cam Dur Fab Gal Laf Mass Nav Per Riv",
        "ard ier elli ini eau ez oni aro ello ucci ado eira ain ette illon ano",
    ),
}
# One character each, with its spelling; a given name has one or two of them.
_HAN_WOMEN = _pairs(
    "芳 fang 娜 na 敏 min 静 jing 丽 li 艳 yan 娟 juan 秀 xiu 霞 xia 桂 gui 英 ying "
    "玉 yu 兰 lan 晓 xiao 春 chun 梅 mei 燕 yan 雪 xue 婷 ting 欣 xin 怡 yi 佳 jia "
    "琪 qi 雅 ya 诗 shi 瑶 yao 月 yue 云 yun 慧 hui 倩 qian 琳 lin 莹 ying 晴 qing "
    "萱 xuan"
)
_HAN_MEN = _pairs(
    "伟 wei 强 qiang 磊 lei 军 jun 洋 yang 勇 yong 杰 jie 涛 tao 明 ming 超 chao "
    "平 ping 刚 gang 建 jian 国 guo 志 zhi 文 wen 新 xin 海 hai 浩 hao 宇 yu 轩 xuan "
    "子 zi 思 si 远 yuan 博 bo 天 tian 翔 xiang 嘉 jia 俊 jun 晨 chen 宏 hong 峰 feng "
    "鑫 xin"
)
_HAN_FAMILIES = _pairs(
    "彭 peng 曾 zeng 肖 xiao 田 tian 董 dong 袁 yuan 潘 pan 于 yu 蒋 jiang 蔡 cai "
    "余 yu 杜 du 叶 ye 程 cheng 苏 su 魏 wei 吕 lv 丁 ding 任 ren 沈 shen 姚 yao "
    "卢 lu 姜 jiang 崔 cui 钟 zhong 谭 tan 陆 lu 汪 wang 范 fan 金 jin"
)


def _widened(origin: Origin, parts: str) -> Origin:
    """The frequent names often, and rare ones that are put together of parts."""
    more = "en" if parts == "fr" else parts
    heads, ends = (part.split() for part in _PARTS[parts])
    rare = _plain(" ".join(head + end for head in heads for end in ends))
    return replace(
        origin,
        women=origin.women * 2 + MORE_WOMEN[more],
        men=origin.men * 2 + MORE_MEN[more],
        families=origin.families * FREQUENT + rare,
    )


def _widened_chinese(origin: Origin) -> Origin:
    return replace(
        origin,
        women=origin.women * FREQUENT + _two_of(_HAN_WOMEN),
        men=origin.men * FREQUENT + _two_of(_HAN_MEN),
        families=origin.families * 3 + _HAN_FAMILIES,
    )


def _two_of(signs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    pairs = ((one, two) for one in signs for two in signs if one != two)
    return tuple((one[0] + two[0], one[1] + two[1]) for one, two in pairs)


# Names enough for a million people.
WIDE_ORIGINS = (
    _widened(GERMAN, "de"),
    _widened(ENGLISH, "en"),
    _widened(ROMANCE, "fr"),
    _widened_chinese(CHINESE),
)
