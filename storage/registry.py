"""Every foreign key to a customer, and what merge, export and erase do with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Column, Table

from storage import schema


class OnMerge(StrEnum):
    """What happens to rows of the customer who becomes an alias."""

    MOVE = "move"
    # Moved where the survivor has none of the same kind; else left with the alias.
    KEEP_SURVIVORS = "keep_survivors"
    # A record about this customer number, whoever it is one with.
    STAY = "stay"
    # Computed from rows that moved.
    RECOUNT = "recount"


class OnErase(StrEnum):
    """What happens to rows of a customer who asks to be forgotten."""

    DELETE = "delete"
    ANONYMISE = "anonymise"


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """One column that points at a customer."""

    table: Table
    column: str
    merge: OnMerge
    erase: OnErase
    export: bool

    @property
    def key(self) -> Column[int]:
        return self.table.c[self.column]


def _key(
    table: Table,
    merge: OnMerge,
    erase: OnErase,
    *,
    export: bool = True,
    column: str = "customer_id",
) -> CustomerKey:
    return CustomerKey(table, column, merge, erase, export)


CUSTOMER_KEYS = (
    _key(
        schema.customers,
        OnMerge.MOVE,
        OnErase.ANONYMISE,
        export=False,
        column="alias_of",
    ),
    _key(schema.identities, OnMerge.MOVE, OnErase.DELETE),
    _key(schema.identity_claims, OnMerge.KEEP_SURVIVORS, OnErase.DELETE),
    _key(schema.supplied_figures, OnMerge.KEEP_SURVIVORS, OnErase.DELETE),
    _key(schema.consents, OnMerge.MOVE, OnErase.ANONYMISE),
    _key(schema.corrections, OnMerge.STAY, OnErase.DELETE),
    _key(schema.import_changes, OnMerge.STAY, OnErase.DELETE, export=False),
    _key(
        schema.match_candidates,
        OnMerge.STAY,
        OnErase.DELETE,
        export=False,
        column="low_id",
    ),
    _key(
        schema.match_candidates,
        OnMerge.STAY,
        OnErase.DELETE,
        export=False,
        column="high_id",
    ),
    _key(schema.merges, OnMerge.STAY, OnErase.ANONYMISE, column="survivor_id"),
    _key(schema.merges, OnMerge.STAY, OnErase.ANONYMISE, column="merged_id"),
    _key(schema.orders, OnMerge.MOVE, OnErase.ANONYMISE),
    _key(schema.events, OnMerge.MOVE, OnErase.ANONYMISE),
    _key(schema.customer_totals, OnMerge.RECOUNT, OnErase.ANONYMISE, export=False),
    _key(schema.stale_totals, OnMerge.RECOUNT, OnErase.DELETE, export=False),
    _key(schema.inbox, OnMerge.MOVE, OnErase.DELETE),
    _key(schema.conversations, OnMerge.MOVE, OnErase.ANONYMISE),
    _key(schema.feedback, OnMerge.MOVE, OnErase.ANONYMISE),
    # The survivor may have a row of the same run: a merge keeps that one.
    _key(schema.deliveries, OnMerge.KEEP_SURVIVORS, OnErase.ANONYMISE),
    _key(schema.customer_features, OnMerge.KEEP_SURVIVORS, OnErase.DELETE),
    _key(schema.memberships, OnMerge.KEEP_SURVIVORS, OnErase.DELETE),
    _key(schema.recommendations, OnMerge.KEEP_SURVIVORS, OnErase.DELETE),
)
