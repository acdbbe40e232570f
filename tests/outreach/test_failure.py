"""What a failed message means for its row, worked by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.errors import DeliveryError, RateLimited
from core.model import DeliveryState, OnUncertain
from core.settings import Outreach
from outreach.failure import HALTING, NOT_HERE, after_cancelling, after_failure
from storage.deliveries import Result
from tests.outreach.house import NOON, row_of

SETTINGS = Outreach(attempts_max=5, retry_first_seconds=300)
LATER = DeliveryError("deferred_451", permanent=False)
HOLD, RESEND = OnUncertain.HOLD, OnUncertain.RESEND


def result(
    error: DeliveryError, attempts: int = 0, policy: OnUncertain = HOLD
) -> Result:
    return after_failure(row_of(attempts=attempts), policy, error, SETTINGS, NOON)


@pytest.mark.parametrize(
    ("attempts", "wait_seconds"), [(0, 300), (1, 600), (2, 1200), (3, 2400)]
)
def test_waits_twice_as_long_each_time(attempts: int, wait_seconds: int) -> None:
    due_at = NOON + timedelta(seconds=wait_seconds)

    assert result(LATER, attempts) == Result(
        1, DeliveryState.DEFERRED, "deferred_451", due_at
    )


def test_gives_up_at_the_last_attempt_and_keeps_the_reason() -> None:
    assert result(LATER, attempts=4) == Result(
        1, DeliveryState.REJECTED, "gave_up", detail="deferred_451"
    )


def test_waits_as_long_as_it_was_asked_to() -> None:
    assert result(RateLimited(17), attempts=3).due_at == NOON + timedelta(seconds=17)


def test_never_tries_again_what_is_refused_for_good() -> None:
    error = DeliveryError("mailbox_unknown", permanent=True)

    assert result(error) == Result(1, DeliveryState.REJECTED, "mailbox_unknown")


@pytest.mark.parametrize(
    ("policy", "state"),
    [(HOLD, DeliveryState.UNCERTAIN), (RESEND, DeliveryState.PLANNED)],
)
def test_the_campaign_decides_about_what_is_in_doubt(
    policy: OnUncertain, state: DeliveryState
) -> None:
    error = DeliveryError("no_answer_after_data", permanent=False, uncertain=True)

    assert result(error, 4, policy) == Result(1, state, "no_answer_after_data")


@pytest.mark.parametrize("reason", sorted({*HALTING, *NOT_HERE}))
def test_what_is_not_the_messages_fault_costs_no_row_a_try(reason: str) -> None:
    error = DeliveryError(reason, permanent=False)

    assert result(error, attempts=4) == Result(
        1, DeliveryState.PLANNED, reason, tried=False
    )


@pytest.mark.parametrize("state", list(DeliveryState))
def test_a_cancelled_run_leaves_nothing_open(state: DeliveryState) -> None:
    found = after_cancelling(Result(1, state, "why", NOON))

    kept = state.terminal
    assert found.state is (state if kept else DeliveryState.CANCELLED)
    assert found.reason == ("why" if kept else "run_cancelled")
