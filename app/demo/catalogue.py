"""What the shop sells: 120 products in 8 categories, and what goes with what."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from app.demo.records import Product

SHOP_NAME = "Linden & Tee"
SHOP_URL = "https://shop.example"
TROUBLE = "Glass teapot Aster, 1.2 l"
TROUBLE_TEA = "Darjeeling First Flush, 100 g"
PER_CATEGORY = 15

# One product a line: name | price in euros.
_CATEGORIES = {
    "Tea": """
        Darjeeling First Flush, 100 g | 12.90
        Assam Second Flush, 100 g | 9.90
        Earl Grey Classic, 100 g | 7.90
        Sencha Uji, 100 g | 11.50
        Jasmine Pearls, 80 g | 13.90
        Longjing Spring Harvest, 75 g | 18.90
        Tieguanyin Oolong, 100 g | 15.50
        Lapsang Souchong, 100 g | 9.50
        Ripe Pu-erh Cake, 200 g | 24.90
        Rooibos Vanilla, 150 g | 6.90
        Chamomile Blossoms, 60 g | 5.90
        Peppermint Leaf, 60 g | 4.90
        Ginger Lemon Infusion, 100 g | 6.50
        Matcha Ceremony Grade, 30 g | 27.90
        Advent Calendar Tea, 24 bags | 22.90""",
    "Teaware": """
        Glass teapot Aster, 1.2 l | 34.90
        Cast-iron teapot Tetsu, 0.9 l | 59.90
        Porcelain teapot Linden, 1.0 l | 44.90
        Gaiwan celadon, 150 ml | 19.90
        Double-wall cups Aster, set of 2 | 18.90
        Porcelain cups Linden, set of 4 | 29.90
        Yunomi cup ash glaze | 14.90
        Tea strainer stainless | 7.90
        Tea filter paper, 100 pcs | 4.50
        Teapot warmer oak | 16.90
        Tea caddy cherry bark | 32.90
        Matcha whisk bamboo | 15.90
        Matcha bowl Shino | 28.90
        Temperature kettle 1.7 l | 69.90
        Travel tea flask 450 ml | 24.90""",
    "Coffee": """
        Coffee grinder Mola, hand | 49.90
        Espresso beans Torino, 500 g | 11.90
        Filter roast Yirgacheffe, 250 g | 9.90
        Decaf beans Sidamo, 250 g | 10.50
        House blend Linden, 1 kg | 19.90
        Hand dripper V2 porcelain | 21.90
        Paper filters V2, 100 pcs | 5.50
        French press 0.8 l | 29.90
        Moka pot 6 cups | 32.90
        Milk frother steel | 24.90
        Espresso cups, set of 4 | 22.90
        Coffee scale with timer | 39.90
        Storage jar airtight, 1 l | 14.90
        Cold brew bottle 1 l | 26.90
        Cleaning tablets, 30 pcs | 8.90""",
    "Kitchen": """
        Chef's knife 20 cm | 79.90
        Paring knife 9 cm | 24.90
        Whetstone 1000/6000 | 34.90
        Cutting board walnut | 49.90
        Cutting board bamboo, small | 14.90
        Enamel saucepan 16 cm | 39.90
        Cast-iron pan 26 cm | 64.90
        Wok carbon steel 32 cm | 44.90
        Wooden spoons, set of 3 | 12.90
        Mixing bowls, set of 3 | 29.90
        Measuring cups steel | 15.90
        Rolling pin beech | 13.90
        Salad spinner | 27.90
        Pepper mill acacia | 26.90
        Dumpling steamer bamboo | 19.90""",
    "Table": """
        Dinner plate Linden, 27 cm | 16.90
        Breakfast plate Linden, 20 cm | 12.90
        Soup bowl Linden | 13.90
        Rice bowl blue wave | 9.90
        Chopsticks maple, 5 pairs | 11.90
        Cutlery set 24 pieces | 89.90
        Water glasses, set of 6 | 24.90
        Wine glasses, set of 4 | 34.90
        Linen napkins, set of 4 | 22.90
        Linen tablecloth 140 x 220 | 59.90
        Bread basket willow | 18.90
        Butter dish porcelain | 21.90
        Serving tray oak | 36.90
        Cake stand glass | 38.90
        Coasters cork, set of 6 | 8.90""",
    "Home": """
        Wool throw grey | 69.90
        Cushion cover linen, 45 cm | 19.90
        Cushion filling feather | 14.90
        Table lamp Birk | 54.90
        Wall clock beech | 42.90
        Picture frame oak, A4 | 17.90
        Storage basket seagrass | 29.90
        Doormat coir | 24.90
        Bath towel organic, 70 x 140 | 26.90
        Hand towel organic, 50 x 100 | 13.90
        Soap dish stone | 12.90
        Olive soap, 200 g | 6.90
        Laundry bag cotton | 15.90
        Vase stoneware, 24 cm | 32.90
        Desk organiser cedar | 28.90""",
    "Candles and scent": """
        Beeswax candle, 18 cm | 9.90
        Scented candle Fig | 24.90
        Scented candle Cedar | 24.90
        Tealights soy, 24 pcs | 10.90
        Tealight holder brass | 12.90
        Candle holder iron | 16.90
        Wick trimmer | 11.90
        Room diffuser Linden Blossom | 32.90
        Diffuser refill, 200 ml | 19.90
        Incense sandalwood, 40 sticks | 8.90
        Incense holder ceramic | 13.90
        Matches in a jar | 7.90
        Lantern steel, 30 cm | 39.90
        Wax melts, 6 pcs | 9.50
        Christmas candle Fir | 22.90""",
    "Garden": """
        Plant pot terracotta, 18 cm | 12.90
        Plant pot glazed, 24 cm | 29.90
        Saucer terracotta, 18 cm | 5.90
        Potting soil, 10 l | 7.90
        Herb seeds, 6 kinds | 9.90
        Tomato seeds, 4 kinds | 8.90
        Watering can zinc, 3 l | 27.90
        Hand trowel ash | 16.90
        Secateurs forged | 38.90
        Garden gloves leather | 19.90
        Twine jute, 100 m | 6.90
        Bird feeder larch | 34.90
        Bird seed, 2 kg | 8.50
        Balcony lights, 10 m | 26.90
        Grow box for windowsills | 31.90""",
}

# Who takes the first takes the second as well, so often.
_TOGETHER = (
    (TROUBLE, TROUBLE_TEA, 0.42),
    (TROUBLE, "Double-wall cups Aster, set of 2", 0.34),
    (TROUBLE, "Teapot warmer oak", 0.18),
    ("Porcelain teapot Linden, 1.0 l", "Porcelain cups Linden, set of 4", 0.38),
    ("Cast-iron teapot Tetsu, 0.9 l", "Sencha Uji, 100 g", 0.3),
    ("Gaiwan celadon, 150 ml", "Tieguanyin Oolong, 100 g", 0.4),
    ("Matcha Ceremony Grade, 30 g", "Matcha whisk bamboo", 0.4),
    ("Matcha whisk bamboo", "Matcha bowl Shino", 0.35),
    (TROUBLE_TEA, "Tea filter paper, 100 pcs", 0.16),
    ("Coffee grinder Mola, hand", "Filter roast Yirgacheffe, 250 g", 0.45),
    ("Hand dripper V2 porcelain", "Paper filters V2, 100 pcs", 0.6),
    ("Filter roast Yirgacheffe, 250 g", "Paper filters V2, 100 pcs", 0.3),
    ("Espresso beans Torino, 500 g", "Cleaning tablets, 30 pcs", 0.14),
    ("Moka pot 6 cups", "Espresso beans Torino, 500 g", 0.45),
    ("Chef's knife 20 cm", "Whetstone 1000/6000", 0.34),
    ("Chef's knife 20 cm", "Cutting board walnut", 0.26),
    ("Wok carbon steel 32 cm", "Dumpling steamer bamboo", 0.3),
    ("Rice bowl blue wave", "Chopsticks maple, 5 pairs", 0.48),
    ("Dinner plate Linden, 27 cm", "Soup bowl Linden", 0.4),
    ("Cushion cover linen, 45 cm", "Cushion filling feather", 0.5),
    ("Tealights soy, 24 pcs", "Tealight holder brass", 0.26),
    ("Room diffuser Linden Blossom", "Diffuser refill, 200 ml", 0.35),
    ("Incense sandalwood, 40 sticks", "Incense holder ceramic", 0.3),
    ("Plant pot terracotta, 18 cm", "Saucer terracotta, 18 cm", 0.55),
    ("Plant pot terracotta, 18 cm", "Potting soil, 10 l", 0.34),
    ("Bird feeder larch", "Bird seed, 2 kg", 0.6),
)

# What sells more than its neighbours, as a factor.
POPULAR = {
    TROUBLE: 4.2,
    TROUBLE_TEA: 1.3,
    "Earl Grey Classic, 100 g": 1.8,
    "Espresso beans Torino, 500 g": 2.2,
    "Coffee grinder Mola, hand": 1.6,
    "Rice bowl blue wave": 1.5,
    "Advent Calendar Tea, 24 bags": 1.2,
    "Chef's knife 20 cm": 1.4,
    "Hand dripper V2 porcelain": 1.4,
    "Cushion cover linen, 45 cm": 1.3,
    "Plant pot terracotta, 18 cm": 1.5,
}

# A factor for each quarter of the year, from January.
SEASONS = {
    "Tea": (1.3, 0.8, 0.7, 1.5),
    "Teaware": (1.1, 0.8, 0.8, 1.4),
    "Garden": (0.9, 2.6, 1.3, 0.4),
    "Candles and scent": (0.9, 0.6, 0.7, 2.0),
}


@cache
def products() -> tuple[Product, ...]:
    """Everything that is sold, in the order of the catalogue."""
    found = []
    for shelf, (category, lines) in enumerate(_CATEGORIES.items(), start=1):
        for number, line in enumerate(lines.strip().splitlines(), start=1):
            name, price = (part.strip() for part in line.split("|"))
            url = f"{SHOP_URL}/p/{slug(name)}"
            cents = round(float(price) * 100)
            code = f"P{shelf}{number:02d}"
            found.append(Product(code, name, category, cents, url))
    return tuple(found)


@cache
def place_of(name: str) -> int:
    """Where a product stands in the catalogue."""
    return next(i for i, product in enumerate(products()) if product.name == name)


@cache
def companions() -> dict[int, tuple[tuple[int, float], ...]]:
    """For a product those that are often taken with it, each with how often."""
    found: dict[int, tuple[tuple[int, float], ...]] = {}
    for first, second, ratio in _TOGETHER:
        place = place_of(first)
        found[place] = (*found.get(place, ()), (place_of(second), ratio))
    return found


def slug(name: str) -> str:
    """A name as part of an address."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
