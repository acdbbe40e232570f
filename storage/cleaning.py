"""What cleaning reads and how its findings are stored, each with a row that says so.

A finding is applied only where the value is still the one that was judged, and never
over what staff or the customer has set. Flags are rows too, noted once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from core.model import Finding
from storage import cleaning_contacts, cleaning_orders, corrections, provenance
from storage.bulk import lookup
from storage.corrections import shown
from storage.customer_fields import column_values, value_at
from storage.money import major
from storage.provenance import Origin
from storage.schema import corrections as account
from storage.schema import customers, identities, model_runs, orders

CLEAN, DATA = "clean", "data"
CUSTOMERS = (
    *("customer_id", "name", "language", "gender", "birth_date", "country"),
    *("income", "income_minor", "created_at"),
)
IDENTITIES = (
    *("identity_id", "customer_id", "kind", "value", "typed", "unreachable_reason"),
    "country",
)
# What makes two customers the same one, where at least two of it are known.
_SAME = ("name", "birth_date", "address", "city", "postcode", "country")
FILLED = "filled"

Row = Any


@dataclass(frozen=True, slots=True)
class CleanPass:
    """One finished cleaning; what came after it is judged by the next."""

    at: datetime
    last_order_id: int
    counts: Mapping[str, int] = field(default_factory=dict)


# --- what is judged -------------------------------------------------------------------


def last_pass(connection: Connection) -> CleanPass | None:
    """The newest finished cleaning."""
    row = connection.execute(
        select(model_runs)
        .where(
            model_runs.c.kind == CLEAN,
            model_runs.c.name == DATA,
            model_runs.c.complete.is_(True),
        )
        .order_by(model_runs.c.id.desc())
        .limit(1)
    ).first()
    if row is None or row.window_end is None:
        return None
    return CleanPass(row.window_end, row.parameters["last_order_id"], row.metrics)


def record_pass(
    connection: Connection, done: CleanPass, since: datetime | None
) -> None:
    """Note a finished cleaning; its `counts` are findings by rule."""
    connection.execute(
        insert(model_runs).values(
            kind=CLEAN,
            name=DATA,
            complete=True,
            window_start=since,
            window_end=done.at,
            parameters={"last_order_id": done.last_order_id},
            metrics=dict(done.counts),
            rows=sum(done.counts.values()),
            created_at=done.at,
        )
    )


def customers_to_judge(connection: Connection, since: datetime | None) -> list[int]:
    """Ids of customers who changed, or got an address, since then; else of all."""
    query = _living(select(customers.c.id))
    if since is not None:
        given = select(identities.c.customer_id).where(identities.c.created_at >= since)
        query = query.where(
            or_(customers.c.updated_at >= since, customers.c.id.in_(given))
        )
    return list(connection.scalars(query.order_by(customers.c.id)))


def customer_rows(connection: Connection, ids: Sequence[int]) -> list[Row]:
    """`CUSTOMERS` of these."""
    table = customers.c
    columns = (
        *(table.id, table.name, table.language, table.gender, table.birth_date),
        *(table.country, major(table.income_minor, table.income_currency)),
        *(table.income_minor, table.created_at),
    )
    return list(lookup(connection, customers.c.id, ids, columns))


def identity_rows(connection: Connection, ids: Sequence[int]) -> list[Row]:
    """`IDENTITIES` of these customers: addresses of mail and phone."""
    table = identities.c
    columns = (
        *(table.id, table.customer_id, table.kind, table.value, table.typed),
        *(table.unreachable_reason, customers.c.country),
    )
    found = lookup(
        connection,
        table.customer_id,
        ids,
        columns,
        table.customer_id == customers.c.id,
        table.kind.in_(["email", "phone"]),
    )
    return list(found)


def incomes(connection: Connection) -> list[float]:
    """All known incomes, in major units."""
    table = customers.c
    query = _living(select(major(table.income_minor, table.income_currency)))
    return [
        float(each)
        for each in connection.scalars(query.where(table.income_minor.is_not(None)))
    ]


def repeated_customers(
    connection: Connection, since: datetime | None
) -> list[tuple[int, ...]]:
    """Ids of customers with the same data, a group each, where one changed since."""
    columns = [customers.c[name] for name in _SAME]
    query = (
        _living(select(*columns))
        .where(
            customers.c.name.is_not(None),
            or_(customers.c.birth_date.is_not(None), customers.c.address.is_not(None)),
        )
        .group_by(*columns)
        .having(func.count() > 1)
    )
    if since is not None:
        query = query.having(func.max(customers.c.updated_at) >= since)
    groups: dict[tuple[Any, ...], list[int]] = {
        tuple(row): [] for row in connection.execute(query)
    }
    # By name, some hundred at a time: no index holds the rest.
    members = lookup(
        connection,
        customers.c.name,
        {key[0] for key in groups},
        (customers.c.id, *columns),
        *_is_living(),
    )
    for key, *same in members:
        if tuple(same) in groups:
            groups[tuple(same)].append(key)
    return sorted(tuple(sorted(each)) for each in groups.values())


def field_values(
    connection: Connection, path: str, by: str, order: str
) -> Iterator[tuple[int, str | None, str | None, str | None]]:
    """Customer, what is known of a field, the group, and the place in an order.

    What cleaning filled in before is not known. A value that staff took out stays
    away: such customers are left out.
    """
    names = {each.partition(".")[0] for each in (path, by, order) if each}
    columns = [customers.c[name] for name in sorted(names - {"id"})]
    query = _living(select(customers.c.id, customers.c.provenance, *columns))
    for row in connection.execute(query.execution_options(yield_per=5000)):
        entry = row.provenance.get(path, {})
        value = _word(row, path)
        if value is None and entry.get("priority", 0) >= provenance.CUSTOMER:
            continue
        known = None if FILLED in entry else value
        if value is not None and known is None:
            # It was filled before, and stays so until a real value comes.
            continue
        yield row.id, known, _word(row, by), _word(row, order)


def _word(row: Row, path: str) -> str | None:
    if not path:
        return None
    value = value_at(row, path)
    # Places are compared as words: ids need as many digits as the largest.
    return f"{value:020}" if path == "id" else shown(value)


def _living(query: Any) -> Any:
    return query.where(*_is_living())


def _is_living() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return customers.c.alias_of.is_(None), customers.c.erased_at.is_(None)


# --- what is stored -------------------------------------------------------------------


def apply(
    connection: Connection, findings: Sequence[Finding], now: datetime
) -> list[Finding]:
    """Store findings and their account; those that came too late are left out.

    Returns those that changed something, and the flags that are new.
    """
    changes: defaultdict[str, list[Finding]] = defaultdict(list)
    for each in findings:
        if not each.is_flag:
            changes[each.kind].append(each)
    flags = _new_flags(connection, [each for each in findings if each.is_flag])
    made = [
        *_apply_to_customers(connection, changes["customer"], now),
        *cleaning_contacts.apply(connection, changes["identity"], now),
        *cleaning_orders.apply(connection, changes["order"]),
        *flags,
    ]
    corrections.record(connection, [_row(each) for each in made], now)
    return made


def _row(found: Finding) -> corrections.Correction:
    return corrections.Correction(
        found.record_id,
        found.field,
        found.before,
        found.after,
        found.rule,
        found.kind,
        found.customer_id,
    )


def _apply_to_customers(
    connection: Connection, findings: Sequence[Finding], now: datetime
) -> list[Finding]:
    if not findings:
        return []
    believed = provenance.believed(connection)
    wanted: defaultdict[int, list[Finding]] = defaultdict(list)
    for each in findings:
        wanted[each.record_id].append(each)
    rows = connection.execute(
        select(customers).where(customers.c.id.in_(list(wanted))).with_for_update()
    )
    made: list[Finding] = []
    alike: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        ours = [each for each in wanted[row.id] if _still(row, each)]
        if ours:
            columns = _columns(row, ours, believed, now)
            given = {f"new_{name}": value for name, value in columns.items()}
            alike[tuple(columns)].append(given | {"key": row.id, "now": now})
            made += ours
    for names, given_rows in alike.items():
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
        connection.execute(
            update(customers)
            .where(customers.c.id == bindparam("key"))
            .values(**values, updated_at=bindparam("now")),
            given_rows,
        )
    return made


def _still(row: Row, found: Finding) -> bool:
    """Whether the value is what was judged, and nobody's own decision."""
    if shown(value_at(row, found.field)) != found.before:
        return False
    entry = row.provenance.get(found.field)
    return entry is None or entry["priority"] < provenance.CUSTOMER


def _columns(
    row: Row, findings: Sequence[Finding], believed: provenance.Believed, now: datetime
) -> dict[str, Any]:
    """What to store in one customer; beside each value stands what it was made of."""
    values = {each.field: _value(each) for each in findings}
    entries = dict(row.provenance)
    for each in findings:
        known = entries.get(each.field, {})
        if each.rule.startswith(FILLED):
            made_up = Origin(CLEAN, provenance.NOBODY, now).entry()
            entries[each.field] = made_up | {FILLED: each.rule}
            continue
        priority = believed.of(row.provenance, each.field, row.source_id)
        given = known.get("given", each.before)
        entries[each.field] = Origin(CLEAN, priority, now).entry(given)
    return column_values(row, values) | {"provenance": entries}


def _value(found: Finding) -> Any:
    if found.after is None:
        return None
    is_day = found.field == "birth_date"
    return date.fromisoformat(found.after) if is_day else found.after


def _new_flags(connection: Connection, flags: Sequence[Finding]) -> list[Finding]:
    """Those that have not been noted of the same value before."""
    ids = {each.record_id for each in flags}
    rules = sorted({each.rule for each in flags})
    columns = [
        account.c[name] for name in ("kind", "record_id", "field", "before", "rule")
    ]
    noted = {
        tuple(row)
        for row in lookup(
            connection,
            account.c.record_id,
            ids,
            columns,
            account.c.rule.in_(rules),
            # Without the kinds the index on kind and record would be of no use.
            account.c.kind.in_(sorted({each.kind for each in flags})),
        )
    }
    fresh = {
        (each.kind, each.record_id, each.field, each.before, each.rule): each
        for each in flags
    }
    return [each for key, each in fresh.items() if key not in noted]


def counts_by_rule(
    connection: Connection, since: datetime | None = None
) -> dict[str, int]:
    """How many corrections and flags each rule has made so far, or since then."""
    query = select(account.c.rule, func.count().label("made")).group_by(account.c.rule)
    if since is not None:
        query = query.where(account.c.at >= since)
    return {row.rule: row.made for row in connection.execute(query)}


def last_order_id(connection: Connection) -> int:
    """The newest order; later ones are judged by the next pass."""
    return connection.scalar(select(func.max(orders.c.id))) or 0
