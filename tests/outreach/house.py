"""A small shop that sends: customers, a campaign in the test's words, a sender."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from content.files import CampaignSource
from content.reasons import Reasons
from core.clock import Clock, SimulatedClock
from core.model import (
    Channel,
    ChannelPort,
    ConsentState,
    DeliveryState,
    IdentityKind,
    RunState,
    system,
)
from core.settings import Mail, Outreach, Settings, Shop, Storage
from outreach.campaigns import begin_run, push_campaign
from outreach.compose import Composer
from outreach.delivery import Sender
from outreach.plan import plan
from outreach.reconcile import Recorded, Taken, Verdict, check
from outreach.smtp import SmtpChannel
from storage import customers, deliveries, installation, runs
from storage.database import Connection, Database
from storage.deliveries import Delivery
from storage.runs import FunnelRow, Run
from tests.servers.journal import Entry, read_journal
from tests.servers.sink import Sink

# A Tuesday in Berlin, noon: nobody's hours are quiet.
NOON = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)
TEST = system("test")
REASONS = Reasons({"en": {"chosen": "Picked by us.", "popular": "Popular."}}, ("en",))
DEFINITION = (
    "campaign: {key}\ntitle: Hello\ntopic: offers\nchannel: [{channel}]\nholdout: 0%\n"
)


def campaign(
    key: str = "hello",
    lines: str = "",
    channel: str = "email",
    body: str = "Hello.\nLeave: {{ links.unsubscribe }}\n",
    **files: str,
) -> CampaignSource:
    """A campaign whose definition ends with `lines`."""
    texts = {
        "campaign.yaml": DEFINITION.format(key=key, channel=channel) + lines,
        "subject.txt": "Hello {{ customer.name | default('you') }}",
        "body.txt": body,
        "chat.txt": body,
    }
    named = {name.replace("_", "."): text for name, text in files.items()}
    return CampaignSource(key, texts | named)


def settings_for(port: int = 1, **outreach: Any) -> Settings:
    """Settings without quiet hours and hold-out; the relay listens on `port`."""
    own = {"quiet_hours": "00:00-00:00", "holdout_ratio": 0.0, "cap_messages": 1000}
    return Settings(
        shop=Shop(name="Linden", languages=["en", "zh"]),
        storage=Storage(lease_seconds=30.0),
        mail=Mail(port=port, tls="none"),
        outreach=Outreach(**(own | outreach)),
    )


@dataclass
class House:
    """One shop in one database, and what tests ask of it."""

    database: Database
    folder: Path
    settings: Settings = field(default_factory=settings_for)
    clock: Any = field(default_factory=lambda: SimulatedClock(NOON))

    def __post_init__(self) -> None:
        self.write(lambda c: [installation.key(c, each) for each in KEYS])
        self.renew(self.settings)

    def renew(self, settings: Settings) -> None:
        """The same shop under other settings."""
        self.settings = settings
        self.composer = Composer(settings, REASONS)

    def write(self, work: Any) -> Any:
        return self.database.write_now(TEST, work)

    def read(self, work: Any) -> Any:
        return self.database.read_now(work)

    def people(self, count: int, consent: bool = True) -> list[int]:
        """New customers `a1@example.com` and so on; returns their ids."""
        return self.write(lambda c: add_people(c, count, consent))

    def push(self, source: CampaignSource | None = None) -> str:
        source = source or campaign()
        self.write(lambda c: push_campaign(c, source, ["en", "zh"], NOON))
        return source.key

    async def planned(
        self, source: CampaignSource | None = None, at: datetime = NOON
    ) -> Run:
        """A run of this campaign, planned and running."""
        key = self.push(source)
        run = self.write(lambda c: begin_run(c, key, at, self.clock.now()))
        return await plan(self.database, self.clock, self.composer, run)

    @asynccontextmanager
    async def sender(
        self, *ports: ChannelPort, clock: Clock | None = None
    ) -> AsyncIterator[Sender]:
        """A worker that is not started yet; by mail, unless other ways are given."""
        ways = ports or (self.mail(),)
        sender = Sender(
            self.database,
            clock or self.clock,
            {port.name: port for port in ways},
            self.composer,
            self.settings.outreach,
            self.settings.storage.lease_seconds,
            self.folder / "journals",
            self.settings.mail.connections,
        )
        try:
            yield sender
        finally:
            await sender.close()
            for way in ways:
                await way.close()

    async def send_chunk(self, *ports: ChannelPort, clock: Clock | None = None) -> int:
        """Let a worker send one chunk; returns how many rows it moved."""
        async with self.sender(*ports, clock=clock) as sender:
            await sender.start()
            return await sender.send_chunk()

    async def send_all(self, *ports: ChannelPort) -> None:
        """Send until everything has ended; waits cost no time."""
        async with self.sender(*ports) as sender:
            await sender.run_until_done()

    def mail(self) -> SmtpChannel:
        return SmtpChannel(self.settings.mail, self.settings.shop.name, self.clock)

    def run(self, run: Run) -> Run:
        found = self.read(lambda c: runs.get(c, run.id))
        assert found is not None
        return found

    def move(self, run: Run, state: RunState) -> None:
        self.write(lambda c: runs.move(c, run.id, state, self.clock.now()))

    def ends(self, run: Run) -> Counter[str]:
        """How many rows stand in each state for each reason, as `state reason`."""
        rows: list[FunnelRow] = self.read(lambda c: runs.funnel(c, run.id))
        return Counter(
            {f"{row.state} {row.reason or ''}".strip(): row.count for row in rows}
        )

    def verdict(self, sink: Relay, *found: Run) -> Verdict:
        """Whether the relay's journal and these runs agree."""
        ids = [run.id for run in found]
        rows = self.read(lambda c: deliveries.mailed(c, ids))
        return check(sink.taken(), [Recorded(*row) for row in rows])

    def in_state(self, state: DeliveryState) -> int:
        return self.read(lambda c: count_in_state(c, state))


class Relay:
    """A running sink, seen from now on: what it took before is another test's."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._before = len(list(read_journal(sink.journal)))
        self.port = sink.port
        self.set = sink.set

    def noted(self, event: str) -> list[Entry]:
        """New entries of the journal: `accepted`, `refused`, `dropped`, `auth`."""
        entries = list(read_journal(self._sink.journal))[self._before :]
        return [entry for entry in entries if entry["event"] == event]

    def addresses(self) -> list[str]:
        """Who was written to, in the order of arrival."""
        return [each.address for each in self.taken()]

    async def until(self, count: int) -> None:
        """Wait until so many messages have arrived."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.taken()) < count:  # noqa: ASYNC110  another process writes
                await asyncio.sleep(0.01)

    def taken(self) -> list[Taken]:
        return [
            Taken(entry["message_id"], recipient)
            for entry in self.noted("accepted")
            for recipient in entry["recipients"]
        ]


PATIENCE_SECONDS = 60.0
KEYS = ("address", "holdout", "links")


def add_people(connection: Connection, count: int, consent: bool = True) -> list[int]:
    """Customers with an address each and, if wanted, consent to offers by mail."""
    found = []
    for number in range(1, count + 1):
        person = customers.create(connection, NOON, f"Ann {number}", "en")
        address = f"a{number}@example.com"
        customers.add_identity(connection, person, IdentityKind.EMAIL, address, NOON)
        if consent:
            grant(connection, person)
        found.append(person)
    return found


def grant(
    connection: Connection, person: int, channel: Channel = Channel.EMAIL
) -> None:
    """The person agrees to offers on this channel."""
    customers.record_consent(
        connection, person, channel, "offers", ConsentState.GRANTED, "form", NOON
    )


def count_in_state(connection: Connection, state: DeliveryState) -> int:
    found: Mapping[str, int] = Counter(
        row.state
        for run in runs.newest(connection)
        for row in runs.funnel(connection, run.id)
        for _ in range(row.count)
    )
    return found.get(state, 0)


def row_of(
    number: int = 1, attempts: int = 0, state: DeliveryState = DeliveryState.SENDING
) -> Delivery:
    """A row that a worker has in hand."""
    return Delivery(number, 1, number, Channel.EMAIL, None, {}, attempts, state, None)
