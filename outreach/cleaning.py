"""The cleaning as a step: what is wrong is corrected or flagged, with an account.

A pass judges what changed since the last one, part by part, in small writes; stopped in
the middle, the next one judges the same again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from core.clock import Clock
from core.log import get_logger
from core.model import FLAG, Finding, system
from core.settings import Clean, MissingValues, Settings
from storage import cleaning, cleaning_orders, quality
from storage.cleaning import CleanPass
from storage.cleaning_orders import Scope
from storage.database import Connection, Database

if TYPE_CHECKING:
    import pandas as pd

    from analytics.clean import Limits

log = get_logger("clean")
CLEANER = system("cleaner")
# While the program serves, no write may hold the database for longer than 50 ms.
WRITE_SECONDS = 0.02
FINDINGS_FIRST, FINDINGS_MIN, FINDINGS_MAX = 100, 20, 1000
CUSTOMERS_AT_ONCE = 10_000
# A write that was open when the last pass read may have carried an earlier moment.
OVERLAP = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What one pass did: changed values and flags, by rule, and how much it judged."""

    changes_by_rule: dict[str, int] = field(default_factory=dict)
    flags_by_rule: dict[str, int] = field(default_factory=dict)
    customers: int = 0
    orders: int = 0


async def clean_data(
    database: Database,
    clock: Clock,
    settings: Settings,
    *,
    everything: bool = False,
    dry_run: bool = False,
) -> Cleaned:
    """Correct, set aside and flag what came since the last pass, or everything.

    A dry run stores nothing: it counts what would be found now.
    """
    return await _Cleaning(database, clock, settings, dry_run).run(everything)


class _Cleaning:
    """One pass."""

    def __init__(
        self, database: Database, clock: Clock, settings: Settings, dry_run: bool
    ) -> None:
        self._database = database
        self._clock = clock
        self._now = clock.now()
        self._at_once = FINDINGS_FIRST
        self._settings: Clean = settings.clean
        self._currency = settings.shop.currency
        self._dry_run = dry_run
        self._counts: Counter[str] = Counter()

    async def run(self, everything: bool) -> Cleaned:
        read = self._database.read
        last = None if everything else await read(cleaning.last_pass)
        since = None if last is None else last.at - OVERLAP
        newest = await read(cleaning.last_order_id)
        scope = Scope(0 if last is None else last.last_order_id, since)
        ids = await read(partial(cleaning.customers_to_judge, since=since))
        await self._clean_customers(ids, since)
        for path, policy in self._settings.missing.items():
            await self._fill(path, policy)
        orders = await read(partial(cleaning_orders.count, scope=scope))
        # The catalogue is looked at even where no order came: it changes by itself.
        await self._store(await read(partial(self._orders, scope=scope)))
        if not self._dry_run:
            await self._finish(newest, since)
        log.info("cleaned", customers=len(ids), orders=orders, **self._counts)
        changes = {k: n for k, n in self._counts.items() if not k.endswith(FLAG)}
        flags = {k: n for k, n in self._counts.items() if k.endswith(FLAG)}
        return Cleaned(changes, flags, len(ids), orders)

    async def _clean_customers(self, ids: list[int], since: datetime | None) -> None:
        read = self._database.read
        if not ids:
            return
        incomes = await read(_incomes)
        for start in range(0, len(ids), CUSTOMERS_AT_ONCE):
            part = ids[start : start + CUSTOMERS_AT_ONCE]
            await self._store(
                await read(partial(self._customers, ids=part, incomes=incomes))
            )
            # Numbers are judged by the countries as they are now.
            await self._store(await read(partial(self._contacts, ids=part)))
        await self._store(await read(partial(_repeated, since=since)))

    def _customers(
        self, connection: Connection, ids: Sequence[int], incomes: pd.Series[float]
    ) -> list[Finding]:
        from analytics.clean import clean_customers

        rows = cleaning.customer_rows(connection, ids)
        frame = _frame(rows, cleaning.CUSTOMERS)
        return clean_customers(frame, self._now, self._limits(), incomes)

    def _contacts(self, connection: Connection, ids: Sequence[int]) -> list[Finding]:
        from analytics.clean_contact import clean_contacts

        rows = cleaning.identity_rows(connection, ids)
        frame = _frame(rows, cleaning.IDENTITIES)
        return clean_contacts(frame, self._settings.default_country)

    def _limits(self) -> Limits:
        from analytics.clean import Limits

        mine = self._settings
        return Limits(
            mine.age_min_years,
            mine.age_max_years,
            mine.income_max,
            self._cutoff,
            mine.honorifics == "set_aside",
        )

    @property
    def _cutoff(self) -> float | None:
        mine = self._settings
        return None if mine.outlier_method == "none" else mine.outlier_cutoff

    async def _fill(self, path: str, policy: MissingValues) -> None:
        if policy.policy != "keep":
            work = partial(_filled, path=path, policy=policy)
            await self._store(await self._database.read(work))

    def _orders(self, connection: Connection, scope: Scope) -> list[Finding]:
        from analytics.clean_order import clean_lines, clean_products

        lines = cleaning_orders.unpaid_lines(connection, scope)
        found = [
            *_doubtful_orders(connection, scope, self._now),
            *_repeated_orders(connection, scope),
            *clean_lines(_frame(lines, cleaning_orders.LINES)),
            *clean_products(
                _frame(
                    cleaning_orders.product_rows(connection), cleaning_orders.PRODUCTS
                )
            ),
            *_unknown_currencies(connection, scope, self._currency),
        ]
        cutoff = self._cutoff
        if cutoff is not None:
            least = self._settings.outlier_units_min
            found += _far_quantities(connection, scope, cutoff, least)
            found += _far_prices(connection, scope, cutoff)
        return found

    async def _store(self, found: Sequence[Finding]) -> None:
        start = 0
        while start < len(found):
            part = found[start : start + self._at_once]
            start += len(part)
            made = part if self._dry_run else await self._write(part)
            self._counts.update(str(each.rule) for each in made)

    async def _write(self, part: Sequence[Finding]) -> Sequence[Finding]:
        begun = self._clock.boot_seconds()
        work = partial(cleaning.apply, findings=part, now=self._now)
        made = await self._database.write(CLEANER, work)
        seconds = self._clock.boot_seconds() - begun
        if seconds > 0:
            wanted = int(len(part) * min(2.0, WRITE_SECONDS / seconds))
            self._at_once = max(FINDINGS_MIN, min(FINDINGS_MAX, wanted))
        return made

    async def _finish(self, newest_order: int, since: datetime | None) -> None:
        work = partial(
            quality.measure, now=self._now, filled=tuple(self._settings.missing)
        )
        scores = await self._database.read(work)
        done = CleanPass(self._now, newest_order, self._counts)

        def store(connection: Connection) -> None:
            cleaning.record_pass(connection, done, since)
            quality.record(connection, scores, self._now)

        await self._database.write(CLEANER, store)


# --- what is found, from rows to findings ---------------------------------------------


def _frame(rows: Sequence[Any], columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    # Of plain tuples pandas makes columns five times faster than of rows.
    return pd.DataFrame(list(map(tuple, rows)), columns=list(columns))


def _incomes(connection: Connection) -> pd.Series[float]:
    import pandas as pd

    return pd.Series(cleaning.incomes(connection), dtype="float64")


def _repeated(connection: Connection, since: datetime | None) -> list[Finding]:
    from analytics.clean import repeated_customers

    return repeated_customers(cleaning.repeated_customers(connection, since))


def _filled(connection: Connection, path: str, policy: MissingValues) -> list[Finding]:
    from analytics.clean_missing import FIELDS, Filling, Policy, fill

    rows = cleaning.field_values(connection, path, policy.by, policy.order)
    filling = Filling(path, Policy(policy.policy), policy.value)
    return fill(_frame(list(rows), FIELDS), filling)


def _doubtful_orders(
    connection: Connection, scope: Scope, now: datetime
) -> list[Finding]:
    from analytics.clean_order import FUTURE_GRACE, clean_orders

    rows = cleaning_orders.doubtful_orders(connection, scope, now + FUTURE_GRACE)
    return clean_orders(_frame(rows, cleaning_orders.ORDERS), now)


def _repeated_orders(connection: Connection, scope: Scope) -> list[Finding]:
    from analytics.clean_order import order_words, repeated_orders

    rows = cleaning_orders.repeated_orders(connection, scope)
    if not rows:
        return []
    orders = _frame(rows, ("order_id", "customer_id", "ordered_at"))
    columns = "order_id", "product_id", "quantity", "amount_minor"
    ids = [row.id for row in rows]
    lines = _frame(cleaning_orders.lines_of(connection, ids), columns)
    words = order_words(lines)
    return repeated_orders(orders.assign(lines=orders["order_id"].map(words)))


def _unknown_currencies(
    connection: Connection, scope: Scope, home: str
) -> Iterator[Finding]:
    from analytics.clean_rule import Rule

    missing = cleaning_orders.currencies_without_rate(connection, scope, home)
    for source_id, code in missing:
        yield Finding(
            "source", source_id, None, "currency", code, code, Rule.CURRENCY_NO_RATE
        )


def _far_quantities(
    connection: Connection, scope: Scope, cutoff: float, least: int
) -> Iterator[Finding]:
    from analytics.clean_order import line_flag, outlying
    from analytics.clean_rule import Rule

    seen = _frame(
        cleaning_orders.seen_quantities(connection, scope), cleaning_orders.VALUES
    )
    far = _values_by_product(outlying(seen, cutoff, least))
    for row in cleaning_orders.lines_of_products(connection, scope, far):
        if row.quantity in far[row.product_id]:
            yield line_flag(row._mapping, "quantity", Rule.QUANTITY_OUTLIER)


def _far_prices(
    connection: Connection, scope: Scope, cutoff: float
) -> Iterator[Finding]:
    from analytics.clean_order import line_flag, outlying
    from analytics.clean_rule import Rule

    seen = _frame(
        cleaning_orders.seen_prices(connection, scope), cleaning_orders.VALUES
    )
    far = _values_by_product(outlying(seen, cutoff))
    products = {product for product, _ in far}
    for row in cleaning_orders.lines_of_products(connection, scope, products):
        prices = far.get((row.product_id, row.currency), set())
        if row.quantity and row.amount_minor / row.quantity in prices:
            line = dict(row._mapping) | {"price": row.amount / row.quantity}
            yield line_flag(line, "price", Rule.PRICE_OUTLIER)


def _values_by_product(far: pd.DataFrame) -> Mapping[Any, set[float]]:
    return {product: set(values) for product, values in far.groupby("product")["value"]}
