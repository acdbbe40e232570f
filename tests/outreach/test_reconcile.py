from __future__ import annotations

import pytest

from core.model import DeliveryState
from outreach.reconcile import Recorded, Taken, Verdict, check

ADA = "ada@customer.example"
BOB = "bob@customer.example"


def taken(*numbers: int, address: str = ADA) -> list[Taken]:
    return [Taken(f"<{number}@shop.example>", address) for number in numbers]


def recorded(number: int, state: DeliveryState, address: str = ADA) -> Recorded:
    return Recorded(f"<{number}@shop.example>", address, state)


ACCEPTED = recorded(1, DeliveryState.ACCEPTED)
ID = "1@shop.example"


@pytest.mark.parametrize(
    ("arrived", "row", "verdict"),
    [
        # The database believes what never happened.
        ([], ACCEPTED, Verdict(lost=(ID,))),
        # A customer got the same message twice.
        (taken(1, 1), ACCEPTED, Verdict(doubled=(ID,))),
        # Sent, and the database would send it again.
        (
            taken(1),
            recorded(1, DeliveryState.PLANNED),
            Verdict(unrecorded=(ID,)),
        ),
        # Sent, though the far side is said to have refused it.
        (
            taken(1),
            recorded(1, DeliveryState.REJECTED),
            Verdict(unrecorded=(ID,)),
        ),
        # In doubt, and it did arrive: known, so no disagreement.
        (
            taken(1),
            recorded(1, DeliveryState.UNCERTAIN),
            Verdict(uncertain_delivered=(ID,)),
        ),
        # In doubt, and it did not arrive.
        ([], recorded(1, DeliveryState.UNCERTAIN), Verdict()),
        # Never tried: there is no Message-ID yet.
        ([], Recorded("", ADA, DeliveryState.SKIPPED), Verdict()),
        # As it should be.
        (taken(1), ACCEPTED, Verdict()),
    ],
)
def test_finds_what_does_not_agree(
    arrived: list[Taken], row: Recorded, verdict: Verdict
) -> None:
    assert check(arrived, [row]) == verdict


def test_a_message_to_the_wrong_address_is_lost_and_unrecorded() -> None:
    verdict = check(taken(1, address=BOB), [ACCEPTED])

    assert (verdict.lost, verdict.unrecorded) == ((ID,), (ID,))


def test_brackets_and_case_of_an_address_do_not_matter() -> None:
    arrived = [Taken("1@shop.example", "Ada@Customer.example")]

    assert check(arrived, [ACCEPTED]).ok


def test_takes_plain_tuples_of_any_iterable() -> None:
    arrived = iter(taken(1))

    assert check(arrived, (row for row in [ACCEPTED])) == Verdict()


def test_uncertain_messages_that_arrived_are_no_disagreement() -> None:
    assert Verdict(uncertain_delivered=(ID,)).ok


@pytest.mark.parametrize(
    "verdict",
    [Verdict(lost=(ID,)), Verdict(doubled=(ID,)), Verdict(unrecorded=(ID,))],
)
def test_anything_else_is_a_disagreement(verdict: Verdict) -> None:
    assert not verdict.ok


def test_says_in_words_what_does_not_agree() -> None:
    ids = tuple(str(number) for number in range(7))

    verdict = Verdict(lost=ids, doubled=("x",))

    assert str(verdict) == (
        "7 accepted in the database, but never taken (lost): 0, 1, 2, 3, 4 and 2 more\n"
        "1 taken more than once (doubled): x"
    )


def test_says_that_all_is_well() -> None:
    assert str(Verdict()) == "journal and database agree"
