"""Who gets a campaign, by which channel and when, or why not. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from content.condition import Condition, FieldKind, evaluate
from core.model import Channel, SkipReason
from storage.audience import Candidate

_BUCKETS = 1_000_000

# What a `where:` condition may ask of a customer.
FIELDS = {
    **dict.fromkeys(
        (
            "recency_days",
            "frequency",
            "monetary_value",
            "total_spent",
            "net_spent",
            "tenure_days",
            "purchase_frequency",
            "average_price",
            "purchase_value",
            "returns_ratio",
            "discount_ratio",
            "csi",
            "ratings_count",
            "contacts_count",
            "contacts_per_order",
            "events_count",
            "last_event_days",
            "figures_age_days",
            "age",
            "income",
        ),
        FieldKind.NUMBER,
    ),
    **dict.fromkeys(("short_history", "figures_supplied"), FieldKind.BOOLEAN),
    **dict.fromkeys(
        (
            *("language", "gender", "address", "postcode", "city", "country"),
            *("phone", "segment"),
        ),
        FieldKind.TEXT,
    ),
    "birth_date": FieldKind.DATE,
    "attributes.*": FieldKind.OPEN,
    "preferences.*": FieldKind.OPEN,
}


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A stretch of local time in which nothing is sent; it may span midnight."""

    start: time
    end: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, words: str, zone: str) -> QuietHours:
        """From `21:00-08:00`; equal ends mean that no hour is quiet."""
        start, end = (time.fromisoformat(part.strip()) for part in words.split("-"))
        return cls(start, end, ZoneInfo(zone))

    def next_allowed(self, now: datetime) -> datetime | None:
        """When quiet ends, if it is quiet now; else None."""
        local = now.astimezone(self.zone)
        clock = local.time()
        spans_midnight = self.start > self.end
        quiet = (
            clock >= self.start or clock < self.end
            if spans_midnight
            else self.start <= clock < self.end
        )
        if not quiet:
            return None
        end = local.replace(
            hour=self.end.hour, minute=self.end.minute, second=0, microsecond=0
        )
        if spans_midnight and clock >= self.start:
            end += timedelta(days=1)
        return end.astimezone(now.tzinfo)


@dataclass(frozen=True, slots=True)
class Limits:
    """All that a campaign and the settings ask of a decision."""

    campaign_key: str
    channels: tuple[Channel, ...]
    is_promotion: bool
    holdout_ratio: float
    cap_messages: int
    hold_low_score: timedelta
    cap_of_campaign: int | None = None
    quiet_hours: QuietHours | None = None
    where: Condition | None = None
    holdout_key: bytes = b""


@dataclass(frozen=True, slots=True)
class Send:
    """Write to the customer on `channel`, not before `due_at`."""

    channel: Channel
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """The customer gets nothing; `channel` is the one that it would have been."""

    channel: Channel
    reason: SkipReason


def decide(
    candidates: Iterable[Candidate], limits: Limits, now: datetime
) -> list[Send | Skip]:
    """One decision per candidate, in their order.

    Each depends on its candidate alone, so the size of a chunk changes nothing.
    Reasons are tried in the order in which a person would want to hear them: what
    the customer wants, where they can be reached, then our own limits.
    """
    return [_decide_one(candidate, limits, now) for candidate in candidates]


def in_holdout(
    holdout_key: bytes, campaign_key: str, customer_id: int, ratio: float
) -> bool:
    """Whether a customer is left out to measure the effect.

    Sticky: the same customer is in or out of the same campaign for ever, whatever
    the order of evaluation, as long as the ratio does not shrink.
    """
    subject = f"{campaign_key}|{customer_id}".encode()
    digest = hmac.new(holdout_key, subject, hashlib.sha256).digest()
    return int.from_bytes(digest[:8]) % _BUCKETS < ratio * _BUCKETS


def _decide_one(candidate: Candidate, limits: Limits, now: datetime) -> Send | Skip:
    channel, refusal = _pick_channel(candidate, limits)
    reason = (
        _outside(candidate, limits, now) or refusal or _held(candidate, limits, now)
    )
    if reason is not None:
        return Skip(channel, reason)
    due_at = None
    if limits.is_promotion and limits.quiet_hours is not None:
        due_at = limits.quiet_hours.next_allowed(now)
    return Send(channel, due_at)


def _outside(candidate: Candidate, limits: Limits, now: datetime) -> SkipReason | None:
    if limits.where is None:
        return None
    # Unknown is not a match: nobody gets a message because a field is empty.
    if evaluate(limits.where, facts(candidate), now) is True:
        return None
    return SkipReason.OUTSIDE_SEGMENT


def facts(candidate: Candidate) -> dict[str, object]:
    """The values of `FIELDS` for one customer."""
    own = (
        *("language", "gender", "birth_date", "address", "postcode", "city"),
        *("country", "phone", "segment", "attributes", "preferences"),
    )
    return candidate.features | {name: getattr(candidate, name) for name in own}


def _pick_channel(
    candidate: Candidate, limits: Limits
) -> tuple[Channel, SkipReason | None]:
    """The first channel that works; else the first one's refusal, best reason first."""
    refusals: list[tuple[Channel, SkipReason]] = []
    for channel in limits.channels:
        refusal = _refusal(candidate, channel, limits)
        if refusal is None:
            return channel, None
        refusals.append((channel, refusal))
    # A channel that exists but may not be used says more than one that is missing.
    known = [each for each in refusals if each[1] is not SkipReason.NO_ADDRESS]
    return (known or refusals)[0]


def _refusal(
    candidate: Candidate, channel: Channel, limits: Limits
) -> SkipReason | None:
    address = candidate.addresses.get(channel)
    if address is None:
        return SkipReason.NO_ADDRESS
    if address.suppressed:
        return SkipReason.SUPPRESSED
    if limits.is_promotion and channel not in candidate.consented:
        return SkipReason.NO_CONSENT
    if address.unreachable_reason is not None:
        return SkipReason.UNREACHABLE
    return None


def _held(candidate: Candidate, limits: Limits, now: datetime) -> SkipReason | None:
    """Our own limits; a service message knows none of them."""
    if not limits.is_promotion:
        return None
    if candidate.has_open_conversation:
        return SkipReason.OPEN_CONVERSATION
    low = candidate.last_low_score_at
    if low is not None and now - low < limits.hold_low_score:
        return SkipReason.LOW_SCORE
    own_cap = limits.cap_of_campaign
    own_full = own_cap is not None and candidate.messages_of_campaign >= own_cap
    if own_full or candidate.messages_in_cap_window >= limits.cap_messages:
        return SkipReason.CAPPED
    # Last, so that the held out are like those who are written to: with complaints
    # and full caps among them alone, the comparison would measure those.
    if in_holdout(
        limits.holdout_key,
        limits.campaign_key,
        candidate.customer_id,
        limits.holdout_ratio,
    ):
        return SkipReason.HOLDOUT
    return None
