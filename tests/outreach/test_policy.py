"""Who gets what, or why not: every reason, their order, the hold-out, quiet hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from content.where import parse
from core.model import Channel, SkipReason
from outreach.policy import (
    FIELDS,
    Limits,
    QuietHours,
    Send,
    Skip,
    decide,
    facts,
    in_holdout,
)
from storage.audience import Address, Candidate

NOW = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)
KEY = b"k" * 32
HERE = Address("ann@example.com", None, suppressed=False)
CHAT = Address("77", None, suppressed=False)
ANN = Candidate(
    customer_id=1,
    name="Ann",
    language="en",
    city="Berlin",
    country="DE",
    segment="at-risk",
    segment_name="At risk",
    features={"recency_days": 40.0, "frequency": 3},
    attributes={},
    addresses={Channel.EMAIL: HERE},
    consented=frozenset({Channel.EMAIL}),
)
LIMITS = Limits(
    campaign_key="hello",
    channels=(Channel.EMAIL,),
    is_promotion=True,
    holdout_ratio=0.0,
    cap_messages=2,
    hold_low_score=timedelta(days=14),
    holdout_key=KEY,
)
EVERYBODY_OUT = replace(LIMITS, holdout_ratio=1.0)


def decision(candidate: Candidate, limits: Limits = LIMITS, now: datetime = NOW):
    [found] = decide([candidate], limits, now)
    return found


def address(reason: str | None = None, suppressed: bool = False):
    return {Channel.EMAIL: Address("ann@example.com", reason, suppressed)}


def test_sends_to_whom_nothing_speaks_against() -> None:
    assert decision(ANN) == Send(Channel.EMAIL)


@pytest.mark.parametrize(
    ("candidate", "limits", "reason"),
    [
        (replace(ANN, addresses={}), LIMITS, SkipReason.NO_ADDRESS),
        (
            replace(ANN, addresses=address(suppressed=True)),
            LIMITS,
            SkipReason.SUPPRESSED,
        ),
        (replace(ANN, consented=frozenset()), LIMITS, SkipReason.NO_CONSENT),
        (
            replace(ANN, consented=frozenset({Channel.TELEGRAM})),
            LIMITS,
            SkipReason.NO_CONSENT,
        ),
        (replace(ANN, addresses=address("bounced")), LIMITS, SkipReason.UNREACHABLE),
        (ANN, EVERYBODY_OUT, SkipReason.HOLDOUT),
        (
            replace(ANN, has_open_conversation=True),
            LIMITS,
            SkipReason.OPEN_CONVERSATION,
        ),
        (
            replace(ANN, last_low_score_at=NOW - timedelta(days=13)),
            LIMITS,
            SkipReason.LOW_SCORE,
        ),
        (replace(ANN, messages_in_cap_window=2), LIMITS, SkipReason.CAPPED),
        (
            replace(ANN, messages_of_campaign=1),
            replace(LIMITS, cap_of_campaign=1),
            SkipReason.CAPPED,
        ),
        (
            ANN,
            replace(LIMITS, where=parse("recency_days > 60", FIELDS)),
            SkipReason.OUTSIDE_SEGMENT,
        ),
    ],
)
def test_skips_with_the_reason(
    candidate: Candidate, limits: Limits, reason: SkipReason
) -> None:
    assert decision(candidate, limits) == Skip(Channel.EMAIL, reason)


@pytest.mark.parametrize(
    "candidate",
    [
        replace(ANN, messages_in_cap_window=1),  # one below the cap
        replace(ANN, last_low_score_at=NOW - timedelta(days=14)),  # just over
        replace(ANN, messages_of_campaign=9),  # this campaign has no cap of its own
    ],
)
def test_sends_at_the_edge_of_a_limit(candidate: Candidate) -> None:
    assert decision(candidate) == Send(Channel.EMAIL)


# Each candidate has all later reasons as well; the first one is told.
EVERYTHING = replace(
    ANN,
    addresses=address("bounced", suppressed=True),
    consented=frozenset(),
    has_open_conversation=True,
    last_low_score_at=NOW,
    messages_in_cap_window=9,
)


@pytest.mark.parametrize(
    ("candidate", "limits", "reason"),
    [
        (
            EVERYTHING,
            replace(EVERYBODY_OUT, where=parse("frequency = 9", FIELDS)),
            SkipReason.OUTSIDE_SEGMENT,
        ),
        (EVERYTHING, EVERYBODY_OUT, SkipReason.SUPPRESSED),
        (
            replace(EVERYTHING, addresses=address("bounced")),
            EVERYBODY_OUT,
            SkipReason.NO_CONSENT,
        ),
        (
            replace(EVERYTHING, addresses=address("bounced"), consented=ANN.consented),
            EVERYBODY_OUT,
            SkipReason.UNREACHABLE,
        ),
        (
            replace(EVERYTHING, addresses=address(), consented=ANN.consented),
            EVERYBODY_OUT,
            SkipReason.OPEN_CONVERSATION,
        ),
        (
            replace(
                EVERYTHING,
                addresses=address(),
                consented=ANN.consented,
                has_open_conversation=False,
            ),
            EVERYBODY_OUT,
            SkipReason.LOW_SCORE,
        ),
        # Held out is only who would have got the message.
        (replace(ANN, messages_in_cap_window=9), EVERYBODY_OUT, SkipReason.CAPPED),
    ],
)
def test_tells_the_reason_that_comes_first(
    candidate: Candidate, limits: Limits, reason: SkipReason
) -> None:
    assert decision(candidate, limits) == Skip(Channel.EMAIL, reason)


def test_a_service_message_knows_no_limits_of_ours() -> None:
    service = replace(EVERYBODY_OUT, is_promotion=False, quiet_hours=NIGHT)
    busy = replace(
        ANN,
        consented=frozenset(),
        has_open_conversation=True,
        messages_in_cap_window=9,
    )

    assert decision(busy, service, at(22)) == Send(Channel.EMAIL)


def test_a_service_message_still_obeys_a_suppression() -> None:
    service = replace(LIMITS, is_promotion=False)
    gone = replace(ANN, addresses=address(suppressed=True))

    assert decision(gone, service) == Skip(Channel.EMAIL, SkipReason.SUPPRESSED)


# --- channels -------------------------------------------------------------------------

BOTH = replace(LIMITS, channels=(Channel.EMAIL, Channel.TELEGRAM))


def test_takes_the_first_channel_that_works() -> None:
    reached = replace(
        ANN,
        addresses={Channel.EMAIL: HERE, Channel.TELEGRAM: CHAT},
        consented=frozenset({Channel.TELEGRAM}),
    )

    assert decision(reached, BOTH) == Send(Channel.TELEGRAM)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        # A channel that may not be used says more than one that is missing.
        ({Channel.TELEGRAM: CHAT}, Skip(Channel.TELEGRAM, SkipReason.NO_CONSENT)),
        # Of two that may not be used, the campaign's first.
        (
            {
                Channel.EMAIL: Address("ann@example.com", None, True),
                Channel.TELEGRAM: CHAT,
            },
            Skip(Channel.EMAIL, SkipReason.SUPPRESSED),
        ),
        ({}, Skip(Channel.EMAIL, SkipReason.NO_ADDRESS)),
    ],
)
def test_tells_the_refusal_that_says_most(
    addresses: Mapping[Channel, Address], expected: Skip
) -> None:
    unreached = replace(ANN, addresses=dict(addresses), consented=frozenset())

    assert decision(unreached, BOTH) == expected


# --- where ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sends"),
    [
        ("recency_days between 30 and 60", True),
        ("recency_days > 60", False),
        ("city in ('Berlin', 'Bonn') and segment = 'at-risk'", True),
        ("not (language = 'en')", False),
        # Unknown is not a match, nor is its opposite.
        ("csi < 3", False),
        ("not (csi < 3)", False),
        ("csi < 3 or frequency = 3", True),
        ("csi is null", True),
    ],
)
def test_obeys_the_condition_of_a_campaign(words: str, sends: bool) -> None:
    limits = replace(LIMITS, where=parse(words, FIELDS))

    assert isinstance(decision(ANN, limits), Send) is sends


def test_a_condition_reads_what_is_known_of_the_customer() -> None:
    found = facts(ANN)

    assert (found["recency_days"], found["frequency"]) == (40.0, 3)
    assert (found["city"], found["segment"]) == ("Berlin", "at-risk")


@pytest.mark.parametrize(
    ("words", "sends"),
    [
        ("gender = 'female' and postcode = '10115'", True),
        ("address = 'Main St 1' and phone is not null", True),
        ("birth_date < '1990-01-01'", True),
        ("days_since(birth_date) < 3650", False),
        ("preferences.newsletter = 'weekly'", True),
        ("attributes.points >= 100 and attributes.plan = 'gold'", True),
        ("attributes.points >= 1000", False),
        ("attributes.nothing = 1", False),
    ],
)
def test_what_a_file_told_of_a_customer_can_be_asked(words: str, sends: bool) -> None:
    told = replace(
        ANN,
        gender="female",
        birth_date=date(1985, 6, 1),
        address="Main St 1",
        postcode="10115",
        phone="+49 30 1",
        preferences={"newsletter": "weekly"},
        attributes={"points": "120", "plan": "gold"},
    )
    limits = replace(LIMITS, where=parse(words, FIELDS))

    assert isinstance(decision(told, limits), Send) is sends


# --- the hold-out ---------------------------------------------------------------------


def held_out(ratio: float, campaign: str = "hello", key: bytes = KEY) -> set[int]:
    return {n for n in range(1, 5001) if in_holdout(key, campaign, n, ratio)}


def test_the_hold_out_is_near_its_ratio() -> None:
    # 10 % of 5,000 is 500, with a standard deviation of 21.
    assert 415 < len(held_out(0.1)) < 585


def test_a_larger_hold_out_holds_the_smaller_one() -> None:
    assert held_out(0.05) < held_out(0.1)


def test_the_hold_outs_of_two_campaigns_are_different_people() -> None:
    both = held_out(0.1) & held_out(0.1, "other")

    # Independent draws share 1 % of 5,000: 50, with a standard deviation of 7.
    assert 20 < len(both) < 80
    assert held_out(0.1) != held_out(0.1, key=b"x" * 32)


@pytest.mark.parametrize(("ratio", "count"), [(0.0, 0), (1.0, 5000)])
def test_nobody_or_everybody_can_be_held_out(ratio: float, count: int) -> None:
    assert len(held_out(ratio)) == count


# --- quiet hours ----------------------------------------------------------------------

NIGHT = QuietHours.parse("21:00-08:00", "Europe/Berlin")
LUNCH = QuietHours.parse("12:00-14:30", "Europe/Berlin")


def at(hour: int, minute: int = 0, day: int = 3, month: int = 3) -> datetime:
    """A moment of 2026 by the clocks of Berlin."""
    local = datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo("Europe/Berlin"))
    return local.astimezone(UTC)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, at(20, 59), None),
        (NIGHT, at(21), at(8, day=4)),
        (NIGHT, at(23, 59), at(8, day=4)),
        (NIGHT, at(0, 30), at(8)),
        (NIGHT, at(7, 59), at(8)),
        (NIGHT, at(8), None),
        (LUNCH, at(11, 59), None),
        (LUNCH, at(12), at(14, 30)),
        (LUNCH, at(14, 30), None),
        # Clocks go forward on 29 March: eight o'clock comes an hour sooner, in UTC.
        (NIGHT, at(22, day=28), datetime(2026, 3, 29, 6, tzinfo=UTC)),
        # They go back on 25 October.
        (NIGHT, at(22, day=24, month=10), datetime(2026, 10, 25, 7, tzinfo=UTC)),
    ],
)
def test_quiet_hours_end_by_the_clocks_of_the_shop(
    quiet: QuietHours, now: datetime, until: datetime | None
) -> None:
    assert quiet.next_allowed(now) == until


def test_an_end_that_the_clocks_jump_over_comes_at_the_next_valid_time() -> None:
    quiet = QuietHours(time(23), time(2, 30), ZoneInfo("Europe/Berlin"))

    ends = quiet.next_allowed(at(23, 30, day=28))

    # 02:30 on 29 March is 03:30: the hour from two to three does not exist.
    assert ends == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert quiet.next_allowed(ends) is None


def test_equal_ends_mean_that_no_hour_is_quiet() -> None:
    never = QuietHours.parse("00:00-00:00", "Europe/Berlin")

    assert [never.next_allowed(at(hour)) for hour in range(24)] == [None] * 24


def test_a_promotion_waits_for_the_end_of_quiet_hours() -> None:
    limits = replace(LIMITS, quiet_hours=NIGHT)

    assert decision(ANN, limits, at(22)) == Send(Channel.EMAIL, at(8, day=4))
    assert decision(ANN, limits, at(12)) == Send(Channel.EMAIL)


def test_the_size_of_a_chunk_changes_nothing() -> None:
    limits = replace(LIMITS, holdout_ratio=0.3)
    people = [replace(ANN, customer_id=number) for number in range(1, 200)]

    together = decide(people, limits, NOW)

    assert together == [decision(person, limits) for person in people]
    assert {type(each) for each in together} == {Send, Skip}
