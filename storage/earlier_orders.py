"""Orders of earlier imports that a file names again: the same, longer, or another.

An order that the file tells as it stands stays as it is. Another one is replaced, and
what it was goes to the import's journal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sqlalchemy import Connection, bindparam, case, delete, func, update

from core.model import OrderKind
from core.records import OrderRecord
from storage.bulk import lookup
from storage.import_journal import NamedIds, changed, named, named_ids
from storage.ingest import Import
from storage.schema import order_lines, orders
from storage.totals import mark_stale

# Product, quantity, amount in minor units.
Line: TypeAlias = tuple[int | None, int, int]


@dataclass(frozen=True, slots=True)
class Told:
    """What the file says of an order that is there; its names are our ids.

    Where it names nobody whom we know, whose it is stays as it stands.
    """

    order_id: int
    record: OrderRecord
    customer_id: int | None
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class _Stored:
    """An order as it stands."""

    head: dict[str, Any]
    lines: list[Line]

    def is_told(self, told: Told) -> bool:
        """Whether the file says the same; what it leaves out is no difference."""
        record, head = told.record, self.head
        return (
            self.lines == list(told.lines)
            and told.customer_id in {None, head["customer_id"]}
            and head["kind"] == record.kind
            and head["ordered_at"] == record.ordered_at
            and head["currency"] == record.currency
            and head["discount_minor"] == record.discount_minor
            and record.coupon in {None, head["coupon"]}
            and record.status in {None, head["status"]}
        )


@dataclass(frozen=True, slots=True)
class Met:
    """What came of it: how many lines each order keeps, by id, where it changes.

    `ids` are all orders of earlier imports that this import has named so far.
    """

    kept_lines: dict[int, int]
    ids: NamedIds


def meet(
    connection: Connection,
    row: Import,
    told: Sequence[Told],
    met: NamedIds | None,
    *,
    adds: bool = False,
) -> Met:
    """Make orders ready for what the file says of them; new lines are the caller's.

    Parameters
    ----------
    connection : a writing one
    row : the import
    told : orders of earlier imports, each once
    met : those that this import has named before; None where that is not known
    adds : the file has further lines for orders, not other ones

    Returns
    -------
    The orders that take the lines of the file, behind those they keep.
    """
    if met is None:
        met = named_ids(connection, [row.id], orders)
    stored = _stored(connection, [each.order_id for each in told])
    # One that was named in an earlier batch gets more lines, wherever they stand.
    changing = [
        each
        for each in told
        if adds or each.order_id in met or not stored[each.order_id].is_told(each)
    ]
    before = {each.order_id: stored[each.order_id] for each in changing}
    changed(
        connection,
        row,
        orders,
        [each.head | {"lines": each.lines} for each in before.values()],
    )
    longer = [each for each in changing if adds or each.order_id in met]
    anew = [each for each in changing if not adds and each.order_id not in met]
    lengthen(connection, [(each.order_id, each.record) for each in longer])
    _take_over(connection, row, longer)
    _replace(connection, row, [_with_owner(e, before[e.order_id]) for e in anew])
    owners = {each.head["customer_id"] for each in before.values()}
    owners |= {each.customer_id for each in changing}
    mark_stale(connection, owners - {None})
    fresh = [each.order_id for each in told if each.order_id not in met]
    named(connection, row, orders, fresh)
    kept = dict.fromkeys(before, 0)
    kept |= {each.order_id: len(before[each.order_id].lines) for each in longer}
    return Met(kept, met.plus(fresh))


def _with_owner(told: Told, stored: _Stored) -> Told:
    if told.customer_id is not None:
        return told
    return replace(told, customer_id=stored.head["customer_id"])


def lengthen(
    connection: Connection, records: Sequence[tuple[int, OrderRecord]]
) -> None:
    """More lines of orders: what they add to the sum."""
    if records:
        more = [
            {
                "key": key,
                "lines": sum(amount for _, _, amount in record.lines),
                "discount": record.discount_minor,
            }
            for key, record in records
        ]
        connection.execute(_MORE, more)


def total(record: OrderRecord) -> int:
    """What was paid, or paid back: the lines without the discount on them."""
    whole = sum([amount for _, _, amount in record.lines])
    discount = record.discount_minor
    if not discount:
        return whole
    return whole + discount if whole < 0 else whole - discount


def _stored(connection: Connection, ids: Sequence[int]) -> dict[int, _Stored]:
    lines: defaultdict[int, list[Line]] = defaultdict(list)
    columns = [order_lines.c[name] for name in _LINE]
    for order_id, _, *line in sorted(
        map(tuple, lookup(connection, order_lines.c.order_id, ids, columns)),
        key=_by_number,
    ):
        lines[order_id].append(tuple(line))
    return {
        each.id: _Stored(dict(each._mapping), lines[each.id])
        for each in lookup(connection, orders.c.id, ids, list(orders.c))
    }


def _by_number(line: tuple[Any, ...]) -> tuple[int, int]:
    return line[0], line[1]


def _take_over(connection: Connection, row: Import, longer: Iterable[Told]) -> None:
    keys = [{"key": each.order_id, "import": row.id} for each in longer]
    if keys:
        connection.execute(_OURS, keys)


def _replace(connection: Connection, row: Import, anew: Iterable[Told]) -> None:
    heads = [
        {
            "key": each.order_id,
            "customer": each.customer_id,
            "sort": each.record.kind.value,
            "at": each.record.ordered_at,
            "total": total(each.record),
            "discount": each.record.discount_minor,
            "coupon": each.record.coupon,
            "status": each.record.status,
            "code": each.record.currency,
            "import": row.id,
        }
        for each in anew
    ]
    if heads:
        connection.execute(_CLEAR, heads)
        connection.execute(_ANEW, heads)


_LINE = ("order_id", "line_no", "product_id", "quantity", "amount_minor")
# A discount may stand in any row of an order; told twice it is one.
_NEW_DISCOUNT = case((orders.c.discount_minor == 0, bindparam("discount")), else_=0)
_MORE = (
    update(orders)
    .where(orders.c.id == bindparam("key"))
    .values(
        total_minor=orders.c.total_minor
        + bindparam("lines")
        + case(
            (orders.c.kind == OrderKind.RETURN, _NEW_DISCOUNT), else_=-_NEW_DISCOUNT
        ),
        discount_minor=orders.c.discount_minor + _NEW_DISCOUNT,
    )
)
_OURS = (
    update(orders)
    .where(orders.c.id == bindparam("key"))
    .values(import_id=bindparam("import"))
)
_CLEAR = delete(order_lines).where(order_lines.c.order_id == bindparam("key"))
_ANEW = (
    update(orders)
    .where(orders.c.id == bindparam("key"))
    .values(
        customer_id=bindparam("customer"),
        kind=bindparam("sort"),
        ordered_at=bindparam("at"),
        total_minor=bindparam("total"),
        discount_minor=bindparam("discount"),
        # A file without these columns leaves what is known.
        coupon=func.coalesce(bindparam("coupon"), orders.c.coupon),
        status=func.coalesce(bindparam("status"), orders.c.status),
        currency=bindparam("code"),
        # A corrected order is judged anew.
        set_aside=None,
        import_id=bindparam("import"),
    )
)
