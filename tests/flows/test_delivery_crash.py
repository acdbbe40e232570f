"""The sender is killed, stopped and doubled; the relay's journal says what arrived."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from sqlalchemy import select

from core.model import Channel, IdentityKind, RunState
from outreach.reconcile import Recorded, Verdict
from storage import customers, deliveries
from storage.database import Connection, Database
from storage.runs import Run
from storage.schema import messages
from tests.flows.worker import Work, start_worker
from tests.outreach.house import NOON, House, campaign, grant
from tests.servers.checker import check_sink
from tests.servers.sink import Sink
from tests.servers.smtp_modes import Modes

pytestmark = pytest.mark.flow

RECIPIENTS = 200
CONNECTIONS = 4
# So that every point is reached more than 37 times.
ROWS_PER_CLAIM = 5
POINTS = ("after_claim", "after_sending", "before_data", "after_data", "before_commit")
PATIENCE_SECONDS = 90.0
# The whole sweep takes 100 or more; a build does with fewer.
RANDOM_KILLS = int(os.environ.get("RANDOM_KILLS", "15"))


@dataclass
class Scene:
    """A planned campaign, its relay, and workers that come and go."""

    house: House
    run: Run
    sink: Sink
    folder: Path
    workers: list[BaseProcess] = field(default_factory=list)

    def start(
        self,
        failpoint: str | None = None,
        claim: int = ROWS_PER_CLAIM,
        lease: float = 30.0,
    ) -> BaseProcess:
        url, port = self.house.database.url, self.sink.port
        worker = start_worker(
            Work(url, port, self.journals, claim, lease, failpoint),
        )
        self.workers.append(worker)
        return worker

    @property
    def journals(self) -> Path:
        return self.folder / "journals"

    def ends(self) -> Counter[str]:
        """How many rows stand in each state."""
        found: Counter[str] = Counter()
        for words, count in self.house.ends(self.run).items():
            found[words.split()[0]] += count
        return found

    def verdict(self) -> Verdict:
        rows = self.house.read(lambda c: deliveries.mailed(c, [self.run.id]))
        return check_sink(self.sink.journal, [Recorded(*row) for row in rows])

    def surplus(self) -> int:
        """How many mails arrived a second time or more."""
        arrived = Counter(entry["message_id"] for entry in self.sink.accepted())
        return arrived.total() - len(arrived)


def finish(worker: BaseProcess) -> None:
    """Wait until a worker has ended by itself."""
    worker.join(PATIENCE_SECONDS)
    assert not worker.is_alive(), "the worker did not come to an end"


def killed(worker: BaseProcess) -> bool:
    """Whether a worker has died at its fail point."""
    finish(worker)
    return worker.exitcode == -signal.SIGKILL


def begin(
    database: Database, sink: Sink, folder: Path, policy: str, recipients: int
) -> Scene:
    house = House(database, folder)
    house.people(recipients)
    source = campaign(lines=f"on_uncertain: {policy}\n")
    return Scene(house, asyncio.run(house.planned(source)), sink, folder)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Sink(tmp_path, "--no-fsync") as sink:
        yield sink


@pytest.fixture
def policy() -> str:
    return "hold"


@pytest.fixture
def scene(
    database: Database, sink: Sink, tmp_path: Path, policy: str
) -> Iterator[Scene]:
    scene = begin(database, sink, tmp_path, policy, RECIPIENTS)
    yield scene
    for worker in scene.workers:
        worker.kill()
        worker.join()


on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])
resending = pytest.mark.parametrize("policy", ["resend"])


def assert_held(scene: Scene, kills: int) -> None:
    """Nothing is lost or doubled; what is in doubt is listed and is not much."""
    ends = scene.ends()
    assert ends.keys() <= {"accepted", "uncertain"}
    assert ends.total() == RECIPIENTS
    assert ends["uncertain"] <= kills * CONNECTIONS
    assert scene.verdict().ok, str(scene.verdict())
    assert scene.house.run(scene.run).state is RunState.FINISHED


def assert_resent(scene: Scene, kills: int) -> None:
    """Nothing is lost; a kill doubles what was in flight at most."""
    assert scene.ends() == {"accepted": RECIPIENTS}
    assert not scene.verdict().lost
    assert not scene.verdict().unrecorded
    assert scene.surplus() <= kills * CONNECTIONS


@on_sqlite
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_point_loses_and_doubles_nothing(scene: Scene, point: str) -> None:
    kills = [killed(scene.start(f"{point}:{count}")) for count in (1, 37)]

    finish(scene.start())

    assert kills == [True, True]
    assert_held(scene, kills=2)


@on_sqlite
@resending
def test_a_resent_message_is_never_lost_and_seldom_doubled(scene: Scene) -> None:
    kills = [killed(scene.start(f"{point}:7")) for point in POINTS]

    finish(scene.start())

    assert all(kills)
    assert_resent(scene, kills=len(POINTS))


@on_postgresql
def test_kills_lose_and_double_nothing_on_postgresql(scene: Scene) -> None:
    kills = [killed(scene.start(f"{point}:6")) for point in POINTS]

    finish(scene.start())

    assert all(kills)
    assert_held(scene, kills=len(POINTS))


def kill_at_random(scene: Scene, seed: int, kills: int, longest: float = 0.03) -> int:
    """Kill workers in the midst of sending; returns how many, at most `kills`.

    Each may send a few messages first, or none: most lives end while some are in
    flight, and some before the worker has begun.
    """
    moments = random.Random(seed)
    for done in range(kills):
        enough = len(scene.sink.accepted()) + moments.randint(0, RECIPIENTS // kills)
        worker = scene.start()
        while worker.is_alive() and len(scene.sink.accepted()) < enough:
            time.sleep(0.002)
        time.sleep(moments.uniform(0.0, longest))
        if not worker.is_alive():
            return done
        worker.kill()
        worker.join()
    return kills


@on_sqlite
def test_kills_at_random_moments_lose_and_double_nothing(scene: Scene) -> None:
    scene.sink.set(Modes(slow="*", slow_seconds=0.02))
    kills = kill_at_random(scene, 11, RANDOM_KILLS)
    scene.sink.set(Modes())

    finish(scene.start())

    assert kills > RANDOM_KILLS / 2
    assert scene.ends()["uncertain"] > 0, "no kill met a message in flight"
    assert_held(scene, kills)


@on_sqlite
@resending
def test_a_second_kill_during_recovery_changes_nothing_more(scene: Scene) -> None:
    points = ("before_data:20", "after_settling:1", "after_settling:1")
    kills = [killed(scene.start(point, claim=50)) for point in points]

    finish(scene.start())

    assert kills == [True, True, True]
    # Only the first one met messages in flight.
    assert_resent(scene, kills=1)


@on_sqlite
def test_a_journal_of_an_earlier_life_of_the_machine_proves_nothing(
    scene: Scene,
) -> None:
    assert killed(scene.start("after_data:20", claim=50))
    in_hand = scene.ends()["sending"]
    [journal] = scene.journals.glob("*.journal")
    head, *rest = journal.read_text().splitlines(keepends=True)
    other = json.dumps(json.loads(head) | {"boot": "another-life"})
    journal.write_text("".join([f"{other}\n", *rest]))

    finish(scene.start())

    assert in_hand == 50
    assert scene.ends() == {"accepted": RECIPIENTS - 50, "uncertain": 50}
    assert scene.verdict().ok


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_two_workers_at_once_double_nothing(scene: Scene) -> None:
    first, second = scene.start(), scene.start()

    finish(first)
    finish(second)

    assert scene.ends() == {"accepted": RECIPIENTS}
    assert scene.verdict().ok


def stop_until_another_is_done(scene: Scene) -> None:
    """A worker sleeps past its lease; another does its work; then the first wakes."""
    scene.sink.set(Modes(slow="*", slow_seconds=0.5))
    sleeper = scene.start(claim=100, lease=2.0)
    while len(scene.sink.accepted()) < 12:
        time.sleep(0.02)
    pid = sleeper.pid or 0
    os.kill(pid, signal.SIGSTOP)
    scene.sink.set(Modes())
    time.sleep(2.2)
    finish(scene.start(claim=100, lease=2.0))
    before = scene.ends()
    os.kill(pid, signal.SIGCONT)
    finish(sleeper)
    assert scene.ends() == before, "the sleeper wrote into rows of another"


@on_sqlite
@resending
def test_a_worker_that_slept_past_its_lease_sends_nothing_more(scene: Scene) -> None:
    stop_until_another_is_done(scene)

    assert_resent(scene, kills=1)


@on_sqlite
def test_what_a_silent_worker_had_in_flight_is_held(scene: Scene) -> None:
    stop_until_another_is_done(scene)

    assert_held(scene, kills=1)


@on_sqlite
def test_a_running_worker_takes_up_what_a_killed_one_left(scene: Scene) -> None:
    scene.sink.set(Modes(slow="*", slow_seconds=0.1))
    first = scene.start(lease=2.0)
    second = scene.start(lease=2.0)
    while len(scene.sink.accepted()) < 8:
        time.sleep(0.02)
    first.kill()
    scene.sink.set(Modes())

    finish(second)

    assert_held(scene, kills=1)


def join_chat(connection: Connection, count: int) -> None:
    """Customers who agreed to offers in the web chat."""
    for number in range(count):
        person = customers.create(connection, NOON, f"Visitor {number}", "en")
        address = f"visitor-{number}"
        customers.add_identity(connection, person, IdentityKind.WEBCHAT, address, NOON)
        grant(connection, person, Channel.WEBCHAT)


@on_sqlite
@pytest.mark.parametrize("point", ["after_sending", "after_data", "before_commit"])
def test_a_kill_doubles_nothing_in_the_web_chat(
    database: Database, tmp_path: Path, point: str
) -> None:
    house = House(database, tmp_path)
    house.write(lambda c: join_chat(c, 30))
    run = asyncio.run(house.planned(campaign(channel="webchat")))
    work = Work(database.url, 1, tmp_path / "journals", 10, 30.0, f"{point}:2")
    work = replace(work, channel=Channel.WEBCHAT)

    was_killed = killed(start_worker(work))
    finish(start_worker(replace(work, failpoint=None)))

    query = select(messages.c.conversation_id, messages.c.state)
    arrived = house.read(lambda c: c.execute(query).all())
    assert was_killed
    assert house.ends(run) == {"accepted": 30}
    assert len(arrived) == len({row.conversation_id for row in arrived}) == 30
    assert {row.state for row in arrived} == {"sent"}
