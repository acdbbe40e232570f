"""Whom the demo's earlier runs wrote to, decided by the program's own policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from app.demo.records import Mailing, Shop
from core.model import Channel, ConsentState, DeliveryState, IdentityKind, OrderKind
from outreach.compose import skipped_state
from outreach.policy import Limits, Send, decide
from storage.audience import LOW_SCORE_MAX, Address, Candidate
from storage.offers import Item

BOUNCED = "mailbox_unknown"
BOUNCED_ANSWER = "550 5.1.1 No such user here"
ACCEPTED_ANSWER = "250 2.0.0 Ok: queued"
ITEMS = 3
SECONDS_EACH = 0.4


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one customer of a run."""

    customer: int
    channel: Channel
    state: DeliveryState
    reason: str | None
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier runs leave for a later one."""

    accepted: tuple[tuple[int, datetime], ...] = ()
    bounced: frozenset[int] = frozenset()


def decide_mailing(
    shop: Shop,
    mailing: Mailing,
    limits: Limits,
    cap_within: timedelta,
    ids: Sequence[int],
    before: Before,
) -> list[Decided]:
    """One row per customer of the audience, in their order; `ids` are the rows' ids."""
    people = _candidates(shop, mailing, cap_within, ids, before)
    decisions = decide(people, limits, mailing.at)
    found, at = [], mailing.at + timedelta(seconds=20)
    for place, decision in zip(mailing.audience, decisions, strict=True):
        if not isinstance(decision, Send):
            state, reason = skipped_state(decision.reason), decision.reason.value
            row = Decided(place, decision.channel, state, reason, mailing.at)
        elif place in mailing.bounced and decision.channel is Channel.EMAIL:
            state = DeliveryState.REJECTED
            row = Decided(place, decision.channel, state, BOUNCED, at)
        else:
            row = Decided(place, decision.channel, DeliveryState.ACCEPTED, None, at)
        at += timedelta(seconds=SECONDS_EACH)
        found.append(row)
    return found


def after(before: Before, decided: Sequence[Decided]) -> Before:
    """What the next run must know."""
    accepted = [
        (row.customer, row.ended_at)
        for row in decided
        if row.state is DeliveryState.ACCEPTED
    ]
    bounced = {row.customer for row in decided if row.reason == BOUNCED}
    return Before((*before.accepted, *accepted), before.bounced | bounced)


def bought_before(
    shop: Shop, mailing: Mailing, product_ids: Sequence[int]
) -> dict[int, list[dict[str, Any]]]:
    """What each customer of the audience bought most, as a delivery keeps it."""
    counts: dict[int, Counter[int]] = {place: Counter() for place in mailing.audience}
    for order in shop.orders:
        known = order.customer in counts and order.kind is OrderKind.SALE
        if known and order.ordered_at < mailing.at:
            counts[order.customer].update(line.product for line in order.lines)
    return {
        place: [
            _item(shop, product, product_ids) for product, _ in most.most_common(ITEMS)
        ]
        for place, most in counts.items()
    }


def _item(shop: Shop, place: int, product_ids: Sequence[int]) -> dict[str, Any]:
    product = shop.products[place]
    item = Item(
        product_ids[place],
        product.name,
        product.url,
        product.price_minor,
        "EUR",
        "bought_before",
    )
    return asdict(item)


def _candidates(
    shop: Shop,
    mailing: Mailing,
    cap_within: timedelta,
    ids: Sequence[int],
    before: Before,
) -> list[Candidate]:
    at = mailing.at
    consented = _consented(shop, at)
    low = _low_scores(shop, at)
    speaking = _speaking(shop, at)
    refused = {row.address for row in shop.suppressions if row.at < at}
    recent = Counter(place for place, when in before.accepted if at - when < cap_within)
    found = []
    for place in mailing.audience:
        person = shop.people[place]
        found.append(
            Candidate(
                customer_id=ids[place],
                name=person.name,
                language=person.language,
                city=person.city,
                country=person.country,
                segment=mailing.segment,
                segment_name=None,
                features={},
                attributes={},
                addresses=_addresses(shop, place, refused, before.bounced),
                consented=frozenset(consented.get(place, ())),
                messages_of_campaign=recent[place],
                has_open_conversation=place in speaking,
                last_low_score_at=low.get(place),
            )
        )
    return found


def _addresses(
    shop: Shop, place: int, refused: set[str], bounced: frozenset[int]
) -> dict[Channel, Address]:
    found = {}
    for identity in shop.people[place].identities:
        gone = identity.kind is IdentityKind.EMAIL and place in bounced
        found[Channel(identity.kind.value)] = Address(
            identity.value,
            identity.unreachable_reason,
            suppressed=gone or identity.value in refused,
        )
    return found


def _consented(shop: Shop, at: datetime) -> dict[int, set[Channel]]:
    granted: dict[int, set[Channel]] = {}
    for row in shop.consents:
        if row.at > at or row.topic != "offers":
            continue
        channels = granted.setdefault(row.customer, set())
        if row.state is ConsentState.GRANTED:
            channels.add(row.channel)
        else:
            channels.discard(row.channel)
    return granted


def _low_scores(shop: Shop, at: datetime) -> Mapping[int, datetime]:
    return {
        row.customer: row.answered_at
        for row in shop.service.surveys
        if row.score is not None
        and row.score <= LOW_SCORE_MAX
        and row.answered_at is not None
        and row.answered_at < at
    }


def _speaking(shop: Shop, at: datetime) -> set[int]:
    talks = shop.service.talks
    return {
        talks[row.talk].customer
        for row in shop.service.episodes
        if row.opened_at <= at and (row.closed_at is None or row.closed_at > at)
    }
