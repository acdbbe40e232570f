"""What becomes of the rows of dead and of silent workers, case by case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from core.model import DeliveryState, RunState
from outreach.journal import Journal
from outreach.recovery import recover
from storage import deliveries
from storage.database import Connection
from storage.deliveries import Claim, Result
from storage.runs import Run
from tests.outreach.house import NOON, House, campaign

pytestmark = pytest.mark.anyio

BOOT = "boot-1"
CLAIM = Claim("sender-a", 1)
LEASE_SECONDS = 30.0


@dataclass
class Worker:
    """A worker with six rows: the first is claimed, the others are being sent."""

    run: Run
    journal: Journal
    rows: list[int]


async def worker_with(
    house: House, policy: str = "hold", boot: str = BOOT, claimed: int = 1
) -> Worker:
    house.people(6)
    run = await house.planned(campaign(lines=f"on_uncertain: {policy}\n"))

    def take(connection: Connection) -> list[int]:
        rows = deliveries.claim(connection, CLAIM, NOON, LEASE_SECONDS, 10)
        ids = [row.id for row in rows]
        sending = {each: f"<{each}@shop>" for each in ids[claimed:]}
        deliveries.start_sending(connection, CLAIM, sending)
        return ids

    journal = Journal(house.folder / "journals", CLAIM, boot)
    return Worker(run, journal, house.write(take))


def report(worker: Worker) -> None:
    """The second row was accepted, the third put off, the fourth is in flight."""
    _, second, third, fourth, *_ = worker.rows
    later = NOON + timedelta(minutes=5)
    for result in (
        Result(second, DeliveryState.ACCEPTED),
        Result(third, DeliveryState.DEFERRED, "deferred_451", later),
    ):
        worker.journal.start(result.delivery_id)
        worker.journal.done(result)
    worker.journal.start(fourth)


async def settle(house: House, boot: str = BOOT) -> int:
    return await recover(house.database, house.clock, house.folder / "journals", boot)


@pytest.mark.parametrize(
    ("policy", "doubtful"), [("hold", "uncertain"), ("resend", "planned")]
)
async def test_only_what_was_in_flight_is_in_doubt(
    house: House, policy: str, doubtful: str
) -> None:
    worker = await worker_with(house, policy)
    report(worker)
    worker.journal.abandon()

    settled = await settle(house)

    assert settled == 6
    assert house.ends(worker.run) == {
        "planned worker_died": 3,  # claimed only, or never started
        "accepted": 1,
        "deferred deferred_451": 1,
        f"{doubtful} worker_died_in_flight": 1,
    }


@pytest.mark.parametrize(("written", "now"), [("boot-0", BOOT), ("", "")])
async def test_a_journal_of_another_life_proves_nothing(
    house: House, written: str, now: str
) -> None:
    worker = await worker_with(house, boot=written)
    report(worker)
    worker.journal.abandon()

    await settle(house, now)

    assert house.ends(worker.run) == {
        "planned worker_died": 1,
        "uncertain worker_died_in_flight": 5,
    }


async def test_a_living_worker_keeps_its_rows(house: House) -> None:
    worker = await worker_with(house)

    assert await settle(house) == 0

    assert house.in_state(DeliveryState.SENDING) == 5
    worker.journal.close()


async def test_a_sleeping_worker_loses_its_rows_with_its_lease(house: House) -> None:
    worker = await worker_with(house)
    report(worker)
    house.clock.advance(LEASE_SECONDS + 1)

    await settle(house)

    assert house.ends(worker.run) == {
        "planned worker_died": 3,
        "accepted": 1,
        "deferred deferred_451": 1,
        "uncertain worker_died_in_flight": 1,
    }
    worker.journal.close()


@pytest.mark.parametrize("old", [CLAIM, Claim("sender-b", 1), Claim("sender-a", 2)])
async def test_who_wakes_too_late_writes_nothing(house: House, old: Claim) -> None:
    worker = await worker_with(house)
    house.clock.advance(LEASE_SECONDS + 1)
    await settle(house)
    new, now = Claim("sender-b", 2), house.clock.now()
    taken = house.write(lambda c: deliveries.claim(c, new, now, LEASE_SECONDS, 10))
    late = [Result(row.id, DeliveryState.ACCEPTED) for row in taken]

    written = house.write(lambda c: deliveries.record(c, old, late, now))
    kept = house.write(lambda c: deliveries.renew(c, old, now, LEASE_SECONDS))

    assert len(taken) == 6
    assert (written, kept) == (0, 0)
    assert house.in_state(DeliveryState.CLAIMED) == 6
    worker.journal.close()


async def test_a_worker_on_another_machine_leaves_no_journal_here(
    house: House,
) -> None:
    worker = await worker_with(house)
    worker.journal.close()
    house.clock.advance(LEASE_SECONDS + 1)

    await settle(house)

    assert house.ends(worker.run)["uncertain worker_died_in_flight"] == 5


async def test_a_second_recovery_changes_nothing_more(house: House) -> None:
    worker = await worker_with(house)
    report(worker)
    worker.journal.abandon()
    await settle(house)
    before = house.ends(worker.run)

    assert await settle(house) == 0

    assert house.ends(worker.run) == before
    assert not list((house.folder / "journals").iterdir())


async def test_nothing_goes_back_to_a_cancelled_run(house: House) -> None:
    worker = await worker_with(house)
    report(worker)
    house.move(worker.run, RunState.CANCELLED)
    worker.journal.abandon()

    await settle(house)

    assert house.ends(worker.run) == {
        "cancelled run_cancelled": 4,
        "accepted": 1,
        "uncertain worker_died_in_flight": 1,
    }
