"""What customers did after a run was planned, by the arm they were assigned to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from core.model import DeliveryState, OrderKind, SkipReason
from storage.ingest import arrived_orders
from storage.money import major
from storage.schema import (
    conversations,
    customers,
    deliveries,
    delivery_events,
    episodes,
    feedback,
    orders,
)

# As assigned, not as sent: a refused, broken or cancelled message does not change the
# arm.
_ASSIGNED_STATES = (
    DeliveryState.PLANNED,
    DeliveryState.CLAIMED,
    DeliveryState.SENDING,
    DeliveryState.DEFERRED,
    DeliveryState.ACCEPTED,
    DeliveryState.REJECTED,
    DeliveryState.UNCERTAIN,
    DeliveryState.EXPIRED,
    DeliveryState.CANCELLED,
)


class Arm(StrEnum):
    """On which side of the comparison a customer stands."""

    TREATED = "treated"
    HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One customer of a run in the goal window; returns are taken off.

    `revenue` is in major units.
    """

    customer_id: int
    arm: Arm
    orders_count: int
    revenue: float
    contacts_count: int
    mean_score: float | None


def of_run(
    connection: Connection, campaign_run_id: int, since: datetime, until: datetime
) -> list[Outcome]:
    """Every customer of either arm, with what they did in [since, until).

    Two who were merged are one customer: once in the arm that both were in, or once
    in each, which takes them out of the comparison.
    """
    arm = case(
        (deliveries.c.reason == SkipReason.HOLDOUT, Arm.HOLDOUT), else_=Arm.TREATED
    )
    members = (
        select(_survivor().label("customer_id"), arm.label("arm"))
        .join(customers, customers.c.id == deliveries.c.customer_id)
        .where(
            deliveries.c.campaign_run_id == campaign_run_id,
            (deliveries.c.reason == SkipReason.HOLDOUT)
            | deliveries.c.state.in_(_ASSIGNED_STATES)
            | _left_out_later(),
        )
        .distinct()
        .cte("members")
    )
    bought = _bought(members, since, until)
    contacted = _contacted(members, since, until)
    scored = _scored(members, since, until)
    rows = connection.execute(
        select(
            members.c.customer_id,
            members.c.arm,
            bought.c.orders_count,
            bought.c.revenue,
            contacted.c.contacts_count,
            scored.c.mean_score,
        )
        .outerjoin(bought, bought.c.customer_id == members.c.customer_id)
        .outerjoin(contacted, contacted.c.customer_id == members.c.customer_id)
        .outerjoin(scored, scored.c.customer_id == members.c.customer_id)
        .order_by(members.c.customer_id, members.c.arm)
    )
    return [
        Outcome(
            row.customer_id,
            Arm(row.arm),
            row.orders_count or 0,
            float(row.revenue or 0),
            row.contacts_count or 0,
            None if row.mean_score is None else float(row.mean_score),
        )
        for row in rows
    ]


def _survivor() -> ColumnElement[int]:
    return func.coalesce(customers.c.alias_of, deliveries.c.customer_id)


def _left_out_later() -> Any:
    """Whether a row was to be sent when it was planned, and no more later.

    Who writes to us between the two is in either arm alike. What a sender had in
    hand has an event; a row becomes `merged` only where it waited to be sent.
    """
    had_a_turn = delivery_events.c.delivery_id == deliveries.c.id
    left_out = deliveries.c.state.in_((DeliveryState.SKIPPED, DeliveryState.SUPPRESSED))
    return left_out & (
        (deliveries.c.reason == SkipReason.MERGED)
        | select(delivery_events.c.id).where(had_a_turn).exists()
    )


def _bought(members: Any, since: datetime, until: datetime) -> Any:
    is_sale = case((orders.c.kind == OrderKind.SALE, 1), else_=0)
    return (
        select(
            orders.c.customer_id,
            func.sum(is_sale).label("orders_count"),
            func.sum(major(orders.c.total_minor, orders.c.currency)).label("revenue"),
        )
        .where(
            orders.c.customer_id.in_(select(members.c.customer_id)),
            orders.c.ordered_at >= since,
            orders.c.ordered_at < until,
            arrived_orders(),
        )
        .group_by(orders.c.customer_id)
        .subquery()
    )


def _contacted(members: Any, since: datetime, until: datetime) -> Any:
    return (
        select(conversations.c.customer_id, func.count().label("contacts_count"))
        .join(
            episodes,
            and_(
                episodes.c.conversation_id == conversations.c.id,
                episodes.c.opened_at >= since,
                episodes.c.opened_at < until,
            ),
        )
        .where(conversations.c.customer_id.in_(select(members.c.customer_id)))
        .group_by(conversations.c.customer_id)
        .subquery()
    )


def _scored(members: Any, since: datetime, until: datetime) -> Any:
    return (
        select(feedback.c.customer_id, func.avg(feedback.c.score).label("mean_score"))
        .where(
            feedback.c.customer_id.in_(select(members.c.customer_id)),
            feedback.c.answered_at >= since,
            feedback.c.answered_at < until,
        )
        .group_by(feedback.c.customer_id)
        .subquery()
    )
