"""Undo of rows that an import made: what goes, what goes along, and what must stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    or_,
    select,
    true,
    update,
)

from core.model import ConsentState
from storage.bulk import LOOKUP_VALUES, lookup
from storage.import_journal import NamedIds
from storage.provenance import is_corrected
from storage.registry import CUSTOMER_KEYS
from storage.schema import (
    consents,
    conversation_events,
    conversations,
    corrections,
    customer_features,
    customer_totals,
    customers,
    deliveries,
    episodes,
    events,
    feedback,
    handling_intervals,
    identities,
    identity_claims,
    import_changes,
    inbox,
    match_candidates,
    memberships,
    merges,
    messages,
    metadata,
    order_lines,
    orders,
    products,
    recommendations,
    staff,
    stale_totals,
    supplied_figures,
)
from storage.totals import mark_stale

# What is about a customer and nobody else's work: computed, or told by files alone.
_GOES_ALONG = frozenset(
    {identity_claims, supplied_figures, corrections, import_changes}
    | {match_candidates, customer_totals, stale_totals}
    | {customer_features, memberships, recommendations, identities, consents}
)
# Of these, the import that is named made the row, whoever changed it since.
_BY_FIELD = frozenset({customers, products})
# Of these, rows of other imports, and of no import, keep a customer.
_OF_AN_IMPORT = frozenset({identities, consents})
_WORDS = {
    identities: "known_elsewhere",
    consents: "consent_since",
    orders: "ordered",
    events: "active",
    feedback: "rated",
    conversations: "in_conversation",
    inbox: "in_conversation",
    deliveries: "in_a_campaign",
    customers: "merged",
    merges: "merged",
}


# Why rows stay, by id.
Reasons: TypeAlias = dict[int, str]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of some rows that an import made."""

    gone: list[int] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Undoing:
    """The import whose rows go, with all that were undone before.

    Of one table, `named` are the records that other imports, which stand, name too;
    `older` those that were there before this one.
    """

    import_id: int
    gone_imports: tuple[int, ...]
    named: NamedIds = NamedIds()  # noqa: RUF009  it never changes
    older: NamedIds = NamedIds()  # noqa: RUF009

    def holds(self, table: Table) -> ColumnElement[bool]:
        """Whether a row of the table is somebody else's than undone imports'."""
        if table not in _OF_AN_IMPORT:
            return true()
        return or_(
            table.c.import_id.is_(None), table.c.import_id.not_in(self.gone_imports)
        )


FindReasons: TypeAlias = Callable[[Connection, Undoing, Sequence[int]], Reasons]


def remove_made(
    connection: Connection, undoing: Undoing, table: Table, ids: Sequence[int]
) -> Made:
    """Take rows away unless others have built on them.

    Parameters
    ----------
    connection : a writing one
    undoing : what is undone
    table : of the rows
    ids : rows that the import made, or an undone one

    Returns
    -------
    Which went, and why others of this import stay.
    """
    theirs = _there_before(connection, undoing, table, ids)
    ids = [key for key in ids if key not in theirs]
    reasons = _reasons(connection, undoing, table, ids)
    going = [key for key in ids if key not in reasons]
    ours = _made_by(connection, undoing, table, reasons)
    remove(connection, table, going)
    return Made(going, Counter(reasons[key] for key in ours))


def remove(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    """Delete rows with all that belongs to them."""
    for start in range(0, len(ids), LOOKUP_VALUES):
        _REMOVERS.get(table, _remove_rows)(
            connection, table, ids[start : start + LOOKUP_VALUES]
        )


def _there_before(
    connection: Connection, undoing: Undoing, table: Table, ids: Sequence[int]
) -> set[int]:
    """Rows that the import only changed, and that could not be put back.

    Where the journal no longer tells how they were, they are nobody's from now on.
    """
    if "import_id" not in table.c:
        return set()
    rows = lookup(
        connection,
        import_changes.c.row_id,
        ids,
        [import_changes.c.row_id],
        import_changes.c.import_id == undoing.import_id,
        import_changes.c.table_name == table.name,
    )
    told = {key for (key,) in rows}
    if table in _BY_FIELD:
        return set()
    lost = [key for key in ids if key in undoing.older and key not in told]
    mine = table.c.import_id == undoing.import_id
    lost = [key for (key,) in lookup(connection, table.c.id, lost, [table.c.id], mine)]
    for start in range(0, len(lost), LOOKUP_VALUES):
        part = lost[start : start + LOOKUP_VALUES]
        connection.execute(
            update(table).where(table.c.id.in_(part)).values(import_id=None)
        )
    return told | set(lost)


def _made_by(
    connection: Connection, undoing: Undoing, table: Table, ids: Iterable[int]
) -> list[int]:
    """Those that this very import made."""
    if "import_id" not in table.c:
        return list(ids)
    mine = table.c.import_id == undoing.import_id
    return [key for (key,) in lookup(connection, table.c.id, ids, [table.c.id], mine)]


def _reasons(
    connection: Connection, undoing: Undoing, table: Table, ids: Sequence[int]
) -> Reasons:
    """Why rows stay, by id; those that go are missing."""
    found = {key: "in_another_import" for key in ids if key in undoing.named}
    rest = [key for key in ids if key not in found]
    reasons = _REASONS.get(table)
    return found if reasons is None else found | reasons(connection, undoing, rest)


# --- customers ------------------------------------------------------------------------


def _customer_reasons(
    connection: Connection, undoing: Undoing, ids: Sequence[int]
) -> Reasons:
    found: Reasons = {}
    for key in CUSTOMER_KEYS:
        if key.table in _GOES_ALONG and key.table not in _OF_AN_IMPORT:
            continue
        word = _WORDS.get(key.table, "in_use")
        condition = undoing.holds(key.table)
        for (customer_id,) in lookup(connection, key.key, ids, [key.key], condition):
            found.setdefault(customer_id, word)
    columns = customers.c.id, customers.c.alias_of, customers.c.provenance
    # Whoever is about to write of these customers waits, and meets none.
    for each in lookup(connection, customers.c.id, ids, columns, lock=True):
        if each.alias_of is not None:
            found.setdefault(each.id, "merged")
        elif is_corrected(each.provenance):
            found.setdefault(each.id, "edited")
    return found


def _remove_customers(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    # What other imports changed, of orders for example, can still be undone.
    connection.execute(
        update(import_changes)
        .where(
            import_changes.c.customer_id.in_(ids),
            import_changes.c.table_name != table.name,
        )
        .values(customer_id=None)
    )
    for key in CUSTOMER_KEYS:
        if key.table in _GOES_ALONG:
            connection.execute(delete(key.table).where(key.key.in_(ids)))
    connection.execute(delete(table).where(table.c.id.in_(ids)))


# --- consents and addresses -----------------------------------------------------------


def _withdrawn(connection: Connection, _: Undoing, ids: Sequence[int]) -> Reasons:
    """Nobody who asked not to be written to is written to because a file is undone."""
    rows = lookup(
        connection,
        consents.c.id,
        ids,
        [consents.c.id],
        consents.c.state == ConsentState.WITHDRAWN,
    )
    return {key: "withdrawal_stays" for (key,) in rows}


def _proven(connection: Connection, _: Undoing, ids: Sequence[int]) -> Reasons:
    rows = lookup(
        connection,
        identities.c.id,
        ids,
        [identities.c.id],
        identities.c.verified_at.is_not(None),
    )
    return {key: "address_verified" for (key,) in rows}


# --- what is sold ---------------------------------------------------------------------


def _remove_orders(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    owners = connection.scalars(
        select(table.c.customer_id).where(
            table.c.id.in_(ids), table.c.customer_id.is_not(None)
        )
    )
    mark_stale(connection, owners.all())
    connection.execute(delete(order_lines).where(order_lines.c.order_id.in_(ids)))
    connection.execute(delete(table).where(table.c.id.in_(ids)))


def _referenced(table: Table) -> FindReasons:
    """Those that a row anywhere points at stay; what was computed does not count."""
    columns = [
        key.parent
        for other in metadata.sorted_tables
        for key in other.foreign_keys
        if key.column is table.c.id and other is not recommendations
    ]

    def found(connection: Connection, _: Undoing, ids: Sequence[int]) -> Reasons:
        rows = [lookup(connection, column, ids, [column]) for column in columns]
        return {key: "in_use" for each in rows for (key,) in each}

    return found


def _remove_products(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    for column in recommendations.c.product_id, recommendations.c.reason_product_id:
        connection.execute(delete(recommendations).where(column.in_(ids)))
    connection.execute(delete(table).where(table.c.id.in_(ids)))


# --- service --------------------------------------------------------------------------


def _continued(connection: Connection, _: Undoing, ids: Sequence[int]) -> Reasons:
    """Imported episodes that got a message or a rating of another origin since."""
    rated = lookup(connection, feedback.c.episode_id, ids, [feedback.c.episode_id])
    talked = lookup(connection, messages.c.episode_id, ids, [messages.c.episode_id])
    return {key: "rated" for (key,) in (*rated, *talked)}


def _remove_episodes(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    """With the conversation that an imported episode has of its own."""
    talks = connection.scalars(
        select(table.c.conversation_id).where(table.c.id.in_(ids))
    ).all()
    for child in feedback, handling_intervals, conversation_events:
        connection.execute(delete(child).where(child.c.episode_id.in_(ids)))
    connection.execute(delete(table).where(table.c.id.in_(ids)))
    alone = and_(
        ~exists().where(episodes.c.conversation_id == conversations.c.id),
        ~exists().where(messages.c.conversation_id == conversations.c.id),
    )
    empty = connection.scalars(
        select(conversations.c.id).where(conversations.c.id.in_(talks), alone)
    ).all()
    connection.execute(
        delete(conversation_events).where(
            conversation_events.c.conversation_id.in_(empty)
        )
    )
    connection.execute(delete(conversations).where(conversations.c.id.in_(empty)))


def _remove_rows(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    connection.execute(delete(table).where(table.c.id.in_(ids)))


_REASONS: dict[Table, FindReasons] = {
    customers: _customer_reasons,
    products: _referenced(products),
    staff: _referenced(staff),
    episodes: _continued,
    consents: _withdrawn,
    identities: _proven,
}
_REMOVERS: dict[Table, Callable[[Connection, Table, Sequence[int]], None]] = {
    customers: _remove_customers,
    orders: _remove_orders,
    products: _remove_products,
    episodes: _remove_episodes,
}
