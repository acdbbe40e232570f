"""What is wrong in orders, their lines and products: set aside, turned, or flagged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from analytics.clean_rule import Rule
from analytics.frame import moment, require_columns, times
from analytics.outlier import Cutoff, distances
from core.model import Finding, OrderKind

ORDER, PRODUCT = "order", "product"
# Clocks of other places are ahead by up to 14 hours.
FUTURE_GRACE = timedelta(days=1)
REPEATED_WITHIN = timedelta(minutes=1)
Found = list[Finding]

# Codes and names of money that is nothing one buys; whole words: a postcard is bought.
_FEE_CODES = frozenset(
    {"POST", "DOT", "M", "D", "S", "B", "C2", "CRUK", "SHIP", "FEE", "ADJUST"}
)
# A carriage clock is a product, and carriage alone is none.
_FEE_WORDS = re.compile(
    r"\b(?:postage|shipping|freight|handling fee|delivery (?:fee|charge)s?"
    r"|bank charges?|surcharge|amazon ?fee|bad debt|versand(?:kosten)?|porto"
    r"|frais de port)\b|\b(?:carriage|commission|discount|adjustment)$"
    r"|^(?:manual|rounding|rabatt)$|运费|運費|邮费|郵費|快递费|手续费|手續費|折扣",
    re.IGNORECASE,
)


def clean_orders(orders: pd.DataFrame, asof: datetime) -> Found:
    """What to set aside, bring back and turn into returns among these orders.

    Parameters
    ----------
    orders : one row per order: order_id (int64), customer_id (int64 or missing), kind
        (sale, return), ordered_at (datetime64, UTC), set_aside (str or missing),
        total (float, major units), units_max (float: the largest quantity of its
        lines, missing where it has none)
    asof : aware; a day later begins the future

    Returns
    -------
    One correction per finding: order_in_future (`after` None: it does not count until
    then), order_date_come (what was set aside counts now), return_kind (a sale of
    negative quantities alone, or of a negative total, is a return).

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    columns = ["order_id", "customer_id", "kind", "ordered_at", "set_aside"]
    require_columns(orders, "orders", [*columns, "total", "units_max"])
    at = times(orders, "orders", "ordered_at")
    future = at > moment(asof) + FUTURE_GRACE
    aside = orders["set_aside"].notna()
    negative = (orders["units_max"] < 0) | (orders["total"] < 0)
    turned = (orders["kind"] == OrderKind.SALE) & negative
    shown = at.map(lambda each: each.isoformat())
    found: Found = []
    for place in orders.index[future & ~aside]:
        found.append(_order(orders, place, "ordered_at", shown, Rule.ORDER_IN_FUTURE))
    for place in orders.index[aside & ~future]:
        found.append(_order(orders, place, "ordered_at", shown, Rule.ORDER_DATE_COME))
    for place in orders.index[turned]:
        found.append(_order(orders, place, "kind", orders["kind"], Rule.RETURN_KIND))
    return found


def repeated_orders(orders: pd.DataFrame) -> Found:
    """Flags for orders that were probably taken twice.

    Parameters
    ----------
    orders : one row per sale: order_id, customer_id (int64), ordered_at (datetime64,
        UTC), lines (str: what was ordered, the same for equal lines)

    Returns
    -------
    order_repeated_flagged for each order that follows one of the same customer with
    the same lines within a minute; `after` names the one before it.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    columns = ["order_id", "customer_id", "ordered_at", "lines"]
    require_columns(orders, "orders", columns)
    frame = orders.assign(ordered_at=times(orders, "orders", "ordered_at"))
    frame = frame.sort_values(["customer_id", "lines", "ordered_at", "order_id"])
    before = frame.groupby(["customer_id", "lines"], sort=False)
    gap = frame["ordered_at"] - before["ordered_at"].shift()
    first = before["order_id"].shift()
    return [
        Finding(
            ORDER,
            int(frame["order_id"][place]),
            int(frame["customer_id"][place]),
            "id",
            str(frame["order_id"][place]),
            str(int(first[place])),
            Rule.ORDER_REPEATED,
        )
        for place in frame.index[gap <= REPEATED_WITHIN]
    ]


def outlying(seen: pd.DataFrame, cutoff: float, least: float = 0.0) -> pd.DataFrame:
    """Which values of which products are far from what is usual.

    Parameters
    ----------
    seen : one row per product and value: product (hashable), value (float; its sign
        is not looked at, and 0 says nothing), count (int, lines that have it)
    cutoff : robust standard deviations; see `analytics.outlier`
    least : smaller values are not far

    Returns
    -------
    The rows of `seen` that are; products with fewer than 20 lines are compared with
    all products.

    Raises
    ------
    DataError : if a column is missing
    """
    require_columns(seen, "values", ["product", "value", "count"])
    some = seen[(seen["value"] != 0) & seen["value"].notna()]
    values = some["value"].astype("float64").abs()
    groups, _ = pd.factorize(some["product"])
    products = pd.Series(groups, index=some.index)
    far = distances(values, some["count"], products, Cutoff(cutoff)) > cutoff
    return some[far & (values >= least)]


def clean_lines(lines: pd.DataFrame) -> Found:
    """Flags for lines of sales without a price, or with a negative one.

    Parameters
    ----------
    lines : one row per line of a product in a sale with a positive quantity and no
        positive amount: order_id, line_no (int64), customer_id (int64 or missing),
        amount (float, major units)

    Returns
    -------
    line_free_flagged and line_negative_flagged; `field` is `lines.N.amount`.

    Raises
    ------
    DataError : if a column is missing
    """
    require_columns(lines, "lines", ["order_id", "line_no", "customer_id", "amount"])
    found = []
    for each in lines.to_dict("records"):
        rule = Rule.LINE_NEGATIVE if each["amount"] < 0 else Rule.LINE_FREE
        found.append(line_flag(each, "amount", rule))
    return found


def line_flag(line: Mapping[Any, Any], field: str, rule: Rule) -> Finding:
    """The flag of one line.

    Parameters
    ----------
    line : order_id, line_no, customer_id (or missing) and `field`
    field : what is strange about it
    rule : why
    """
    shown = f"{line[field]:.12g}"
    name = f"lines.{int(line['line_no'])}.{field}"
    customer = None if pd.isna(line["customer_id"]) else int(line["customer_id"])
    return Finding(ORDER, int(line["order_id"]), customer, name, shown, shown, rule)


def clean_products(products: pd.DataFrame) -> Found:
    """Flags for products that look like fees, and for prices that are none.

    Parameters
    ----------
    products : one row per product: product_id (int64), code, name (str), price
        (float, major units, or missing)

    Returns
    -------
    product_is_fee_flagged (by the code, or a word of the name) and
    product_price_flagged (0 or less).

    Raises
    ------
    DataError : if a column is missing
    """
    require_columns(products, "products", ["product_id", "code", "name", "price"])
    found = []
    prices = products["price"].astype("float64")
    words = (products[each] for each in ("product_id", "code", "name"))
    for key, code, name, price in zip(*words, prices, strict=True):
        if str(code).upper() in _FEE_CODES or _FEE_WORDS.search(str(name).strip()):
            found.append(_product(key, "external_id", str(code), Rule.PRODUCT_IS_FEE))
        if price <= 0:
            found.append(_product(key, "price", f"{price:.12g}", Rule.PRODUCT_PRICE))
    return found


def _order(
    orders: pd.DataFrame, place: int, field: str, shown: pd.Series[str], rule: Rule
) -> Finding:
    customer = orders["customer_id"][place]
    before = str(shown[place])
    after = {
        Rule.ORDER_IN_FUTURE: None,
        Rule.ORDER_DATE_COME: before,
        Rule.RETURN_KIND: OrderKind.RETURN.value,
    }[rule]
    return Finding(
        ORDER,
        int(orders["order_id"][place]),
        None if pd.isna(customer) else int(customer),
        field,
        None if rule is Rule.ORDER_DATE_COME else before,
        after,
        rule,
    )


def _product(key: int, field: str, value: str, rule: Rule) -> Finding:
    return Finding(PRODUCT, int(key), None, field, value, value, rule)


def order_words(lines: pd.DataFrame) -> pd.Series[str]:
    """What each order holds, as one word that is the same for the same lines.

    Parameters
    ----------
    lines : one row per line: order_id (int64), product_id (int64 or missing),
        quantity, amount_minor (int64)

    Returns
    -------
    The words by order id; the order of the lines does not matter.

    Raises
    ------
    DataError : if a column is missing
    """
    columns = ["product_id", "quantity", "amount_minor"]
    require_columns(lines, "lines", ["order_id", *columns])
    words = lines[columns].astype("Int64").astype("str").agg(":".join, axis=1)
    return words.groupby(lines["order_id"]).agg(lambda each: " ".join(sorted(each)))
