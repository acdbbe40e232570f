"""After a kill: what dead workers had in hand goes back, on, or into doubt."""

from __future__ import annotations

from pathlib import Path

from core.clock import Clock
from core.failpoint import hit
from core.log import get_logger
from core.model import DeliveryState, OnUncertain, RunState, system
from outreach.failure import after_cancelling
from outreach.journal import Remains, read_journal, remains
from storage import deliveries, runs
from storage.database import Connection, Database
from storage.deliveries import Delivery, Result

log = get_logger("recovery")
RECOVERY = system("recovery")


async def recover(
    database: Database, clock: Clock, journal_directory: Path, boot: str
) -> int:
    """Settle the rows of dead workers; returns how many.

    A journal of this life of the machine tells which messages were on the wire, also
    that of a worker which only sleeps: when it wakes, its lease is over and it sends
    nothing more. One of an earlier life may have lost its end, and a silent worker
    elsewhere left none here: there everything that was `sending` is in doubt. Running
    it twice, or being killed in it, changes nothing more.
    """
    settled = 0
    for left in remains(journal_directory):
        settled += await _settle_worker(database, clock, left, boot)
        hit("after_settling")
        left.path.unlink(missing_ok=True)
    settled += await _settle_expired(database, clock, journal_directory, boot)
    if settled:
        log.info("deliveries_recovered", count=settled)
    return settled


async def _settle_worker(
    database: Database, clock: Clock, left: Remains, boot: str
) -> int:
    now = clock.now()
    trusted = _trusted(left, boot)

    def work(connection: Connection) -> int:
        claims = deliveries.claims_of(connection, left.worker)
        rows = deliveries.in_hand(connection, left.worker)
        for row in rows:
            result = _outcome(connection, row, trusted)
            deliveries.record(connection, claims[row.id], [result], now)
        return len(rows)

    return await database.write(RECOVERY, work)


async def _settle_expired(
    database: Database, clock: Clock, journal_directory: Path, boot: str
) -> int:
    """Rows of workers that fell silent: paused here, or somewhere else."""
    now = clock.now()
    silent = await database.read(lambda c: deliveries.expired(c, now))
    left = {
        claim.worker: _trusted(read_journal(journal_directory, claim.worker), boot)
        for claim, _ in silent
    }

    def work(connection: Connection) -> int:
        rows = deliveries.expired(connection, now)
        mine = [(claim, row) for claim, row in rows if claim.worker in left]
        for claim, row in mine:
            result = _outcome(connection, row, left[claim.worker])
            deliveries.record(connection, claim, [result], now)
        return len(mine)

    return await database.write(RECOVERY, work) if silent else 0


def _trusted(left: Remains | None, boot: str) -> Remains | None:
    """What a journal proves; after a restart of the machine its end may be lost."""
    return left if left is not None and boot and left.boot == boot else None


def _outcome(connection: Connection, row: Delivery, left: Remains | None) -> Result:
    run = runs.get(connection, row.campaign_run_id)
    on_uncertain = OnUncertain.HOLD if run is None else run.on_uncertain
    result = _after_kill(row, left, on_uncertain)
    if run is not None and run.state is RunState.CANCELLED:
        return after_cancelling(result)
    return result


def _after_kill(
    row: Delivery, left: Remains | None, on_uncertain: OnUncertain
) -> Result:
    if row.state is DeliveryState.CLAIMED:
        return Result(row.id, DeliveryState.PLANNED, "worker_died", tried=False)
    if left is not None and row.id in left.done:
        return left.done[row.id]
    if left is not None and row.id not in left.started:
        return Result(row.id, DeliveryState.PLANNED, "worker_died", tried=False)
    if on_uncertain is OnUncertain.RESEND:
        return Result(row.id, DeliveryState.PLANNED, "worker_died_in_flight")
    return Result(row.id, DeliveryState.UNCERTAIN, "worker_died_in_flight")
