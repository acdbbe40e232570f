"""Products, orders and events of a block, as rows of their files."""

from __future__ import annotations

import numpy as np

from app.demo.profile import Profile
from app.demo.records import Order
from app.generator.block import Block
from app.generator.moments import seconds, written
from app.generator.sheet import Row, Sheet
from core.model import OrderKind

PRODUCTS = ("id", "name", "category", "price", "currency", "url", "active")
ORDERS = (
    *("order_id", "ordered_at", "customer_id", "country", "product_id"),
    *("product_name", "quantity", "price", "currency", "discount", "coupon", "status"),
)
EVENTS = ("id", "customer_id", "event", "at", "product_id", "value", "currency")
EVENT_DETAIL = "device"
CURRENCY = "EUR"
# Of orders so many have a coupon, and of the others so many a discount.
COUPON_RATIO = 0.08
DISCOUNT_RATIO = 0.03
COUPONS = ("SPRING10", "THANKS10", "FRIEND10")
WELCOME, COMEBACK = "WELCOME10", "COMEBACK10"
OFF_RATIO = 0.1
# Of lines so many are looked at, and so many put into a basket, before they are bought.
VIEW_RATIO = 0.45
CART_RATIO = 0.35
# So often in two years a customer looks and does not buy.
LOOKS = 3.0
DEVICES = ("phone", "phone", "desktop", "tablet")


def product_sheet(profile: Profile) -> Sheet:
    """A row for each product."""
    sheet = Sheet("products.csv", PRODUCTS)
    sheet.rows = [
        [
            *(one.code, one.name, one.category),
            *(_money(one.price_minor), CURRENCY, one.url, "yes"),
        ]
        for one in profile.catalogue.products
    ]
    return sheet


def order_sheet(block: Block, rng: np.random.Generator) -> Sheet:
    """A row for each line; what is said of the whole order stands in its first."""
    sheet = Sheet("orders.csv", ORDERS)
    goods = [
        (one.code, one.name, _money(one.price_minor))
        for one in block.profile.catalogue.products
    ]
    buyers = [(person.code, person.country) for person in block.people]
    times = written(seconds(order.ordered_at for order in block.orders))
    draws = rng.random((len(block.orders), 2)).tolist()
    seen: set[int] = set()
    for order, at, draw in zip(block.orders, times, draws, strict=True):
        discount, coupon = _reduction(order, draw, order.customer not in seen)
        seen.add(order.customer)
        status = "returned" if order.kind is OrderKind.RETURN else "completed"
        head = [order.code, at, *buyers[order.customer]]
        for number, line in enumerate(order.lines):
            code, name, price = goods[line.product]
            row = [*head, code, name, str(line.quantity), price, CURRENCY]
            row += [discount, coupon, status] if number == 0 else ["", "", status]
            sheet.rows.append(row)
    return sheet


def event_sheet(block: Block, rng: np.random.Generator) -> Sheet:
    """Looking and putting into baskets, before orders and without one."""
    sheet = Sheet("events.csv", (*EVENTS, EVENT_DETAIL))
    sales = [order for order in block.orders if order.kind is OrderKind.SALE]
    many = [len(order.lines) for order in sales]
    bought = np.repeat(seconds(order.ordered_at for order in sales), many)
    buyer = np.repeat([order.customer for order in sales], many).astype(np.int64)
    product = np.array(
        [line.product for order in sales for line in order.lines], dtype=np.int64
    )
    viewed = rng.random(len(product)) < VIEW_RATIO
    carted = rng.random(len(product)) < CART_RATIO
    minutes = rng.integers(60, 3600, size=len(product))
    looks = _looks(rng, block)
    at = np.concatenate(
        [
            bought[viewed] - minutes[viewed] - 60,
            bought[carted] - minutes[carted] // 4 - 30,
            looks[0],
        ]
    )
    customers = np.concatenate([buyer[viewed], buyer[carted], looks[1]])
    products = np.concatenate([product[viewed], product[carted], looks[2]])
    kinds = ["product_viewed"] * int(viewed.sum())
    kinds += ["added_to_cart"] * int(carted.sum()) + ["product_viewed"] * len(looks[0])
    order = np.lexsort((products, customers, at))
    sheet.rows = _events(block, rng, order, at, customers, products, kinds)
    return sheet


def _looks(
    rng: np.random.Generator, block: Block
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments, customers and products of looking without buying."""
    counts = rng.poisson(LOOKS, size=len(block.people))
    customers = np.repeat(np.arange(len(block.people)), counts)
    since = seconds(person.created_at for person in block.people)[customers]
    until = int(block.crowd.asof.timestamp())
    # Lately people look more often than long ago.
    share = rng.beta(2.0, 1.2, size=len(customers))
    at = since + ((until - since) * share).astype(np.int64)
    popular = block.profile.catalogue.popular
    products = rng.choice(len(popular), size=len(customers), p=popular / popular.sum())
    return at, customers, products


def _events(
    block: Block,
    rng: np.random.Generator,
    order: np.ndarray,
    at: np.ndarray,
    customers: np.ndarray,
    products: np.ndarray,
    kinds: list[str],
) -> list[Row]:
    goods = [
        (one.code, _money(one.price_minor)) for one in block.profile.catalogue.products
    ]
    codes = [person.code for person in block.people]
    times = written(at[order])
    devices = rng.integers(0, len(DEVICES), size=len(codes)).tolist()
    found = []
    for number, (place, time) in enumerate(zip(order.tolist(), times, strict=True)):
        customer = int(customers[place])
        code, price = goods[int(products[place])]
        kind = kinds[place]
        value = (price, CURRENCY) if kind == "added_to_cart" else ("", "")
        name = f"E{block.crowd.number}-{number}"
        device = DEVICES[devices[customer]]
        found.append([name, codes[customer], kind, time, code, *value, device])
    return found


def _reduction(order: Order, draw: list[float], is_first: bool) -> tuple[str, str]:
    """What is taken off the whole order, and the coupon that says so."""
    if order.kind is OrderKind.RETURN:
        return "", ""
    off = _money(round(order.total_minor * OFF_RATIO))
    if order.after_mail:
        return off, COMEBACK
    if draw[0] < COUPON_RATIO:
        coupon = WELCOME if is_first else COUPONS[int(draw[1] * len(COUPONS))]
        return off, coupon
    if draw[0] < COUPON_RATIO + DISCOUNT_RATIO:
        return _money(round(order.total_minor * OFF_RATIO / 2)), ""
    return "", ""


def _money(minor: int) -> str:
    return f"{minor / 100:.2f}"
