"""Every foreign key to a customer, and what merge, export and erase do with it.

`CHILDREN` are rows that belong to a customer by way of another row.
"""

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
    """One column that points at a customer.

    `per` says of which rows a customer has one or one set alone: in a merge those of
    the survivor stand, and the alias keeps its own.
    """

    table: Table
    column: str
    merge: OnMerge
    erase: OnErase
    export: bool
    per: tuple[str, ...] = ()

    @property
    def key(self) -> Column[int]:
        return self.table.c[self.column]

    @property
    def name(self) -> Column[int]:
        """What a row is called among the customer's own: its id, where it has one."""
        return self.table.c["id"] if "id" in self.table.c else self.table.c[self.per[0]]


def _key(
    table: Table,
    merge: OnMerge,
    erase: OnErase,
    *,
    export: bool = True,
    column: str = "customer_id",
    per: tuple[str, ...] = (),
) -> CustomerKey:
    return CustomerKey(table, column, merge, erase, export, per)


CUSTOMER_KEYS = (
    _key(
        schema.customers,
        OnMerge.MOVE,
        OnErase.ANONYMISE,
        export=False,
        column="alias_of",
    ),
    _key(schema.identities, OnMerge.MOVE, OnErase.DELETE),
    _key(
        schema.identity_claims,
        OnMerge.KEEP_SURVIVORS,
        OnErase.DELETE,
        per=("kind", "value"),
    ),
    _key(
        schema.supplied_figures,
        OnMerge.KEEP_SURVIVORS,
        OnErase.DELETE,
        per=("source_id",),
    ),
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
    # One person gets a campaign once: a row of the same run stands for both.
    _key(
        schema.deliveries,
        OnMerge.KEEP_SURVIVORS,
        OnErase.ANONYMISE,
        per=("campaign_run_id",),
    ),
    *(
        _key(table, OnMerge.KEEP_SURVIVORS, OnErase.DELETE, per=("model_run_id",))
        for table in (
            schema.customer_features,
            schema.memberships,
            schema.recommendations,
        )
    ),
)


@dataclass(frozen=True, slots=True)
class Child:
    """Rows that follow a row of `parent`, which belongs to a customer."""

    table: Table
    column: str
    parent: Table
    export: bool = True


CHILDREN = (
    Child(schema.order_lines, "order_id", schema.orders),
    Child(schema.episodes, "conversation_id", schema.conversations),
    Child(schema.messages, "conversation_id", schema.conversations),
    Child(
        schema.conversation_events,
        "conversation_id",
        schema.conversations,
        export=False,
    ),
    Child(schema.handling_intervals, "episode_id", schema.episodes, export=False),
    Child(schema.utterances, "message_id", schema.messages, export=False),
    Child(schema.delivery_events, "delivery_id", schema.deliveries),
)
