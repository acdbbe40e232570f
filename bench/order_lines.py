"""Order lines in the columns of the online-retail file, as many as are wanted.

Baskets, repeated customers and seldom products are drawn as in a shop; some lines are
returns, postage and of nobody known. The same number gives the same file.
"""

from __future__ import annotations

import csv
import random
from datetime import datetime, timedelta
from pathlib import Path

HEADER = (
    *("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate"),
    *("UnitPrice", "CustomerID", "Country"),
)
COUNTRIES = ("United Kingdom", "Germany", "France", "Spain")
FIRST_DAY = datetime(2024, 1, 1, 8)  # noqa: DTZ001  a local time, as in the file
LINES_PER_ORDER = 18
PRODUCTS = 4000


def write_order_lines(path: Path, lines: int) -> None:
    """Write the file."""
    chance = random.Random(7)
    customers = max(10, lines // 120)
    prices = [chance.randint(30, 2500) / 100 for _ in range(PRODUCTS)]
    written = order = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        while written < lines:
            order += 1
            at = FIRST_DAY + timedelta(minutes=order * 11)
            back = chance.random() < 0.03
            number = f"C{500_000 + order}" if back else str(500_000 + order)
            buyer = chance.randrange(customers)
            # A quarter of the lines of the real file name nobody.
            name = "" if chance.random() < 0.2 else str(10_000 + buyer)
            size = min(
                lines - written, 1 + int(chance.expovariate(1 / LINES_PER_ORDER))
            )
            for _ in range(size):
                code = min(PRODUCTS - 1, int(chance.expovariate(1 / 600)))
                units = chance.randint(1, 24) * (-1 if back else 1)
                writer.writerow(
                    (
                        *(number, 10_000 + code, f"THING NUMBER {code}", units),
                        *(at.strftime("%Y-%m-%d %H:%M:%S"), f"{prices[code]:.2f}"),
                        *(name, COUNTRIES[buyer % len(COUNTRIES)]),
                    )
                )
            written += size
