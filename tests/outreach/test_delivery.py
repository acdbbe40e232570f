"""The sender against a real relay: what becomes of rows, runs and addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.clock import SystemClock
from core.errors import DeliveryError
from core.model import (
    Channel,
    CommitPoint,
    ConsentState,
    DeliveryState,
    Envelope,
    IdentityKind,
    Receipt,
    RunState,
)
from storage import customers, deliveries, runs, schema
from storage.database import Connection
from storage.erasure import erase
from storage.runs import Run
from tests.outreach.house import NOON, House, Relay, campaign, settings_for
from tests.servers.smtp_modes import Modes, Rule, Stage
from tests.storage.test_erasure import everything

pytestmark = pytest.mark.anyio

UNKNOWN = "550 5.1.1 No such mailbox"
NEEDS_CITY = campaign(body="{{ customer.city }}\n{{ links.unsubscribe }}\n")


async def test_every_customer_gets_one_mail(house: House, sink: Relay) -> None:
    house.people(12)
    run = await house.planned()

    await house.send_all()

    assert house.ends(run) == {"accepted": 12}
    assert house.verdict(sink, run).ok
    assert len(set(sink.addresses())) == 12
    assert house.run(run).state is RunState.FINISHED


# --- what the relay answers -----------------------------------------------------------


async def test_gives_up_a_message_that_is_put_off_again_and_again(
    house: House, sink: Relay
) -> None:
    house.people(2)
    house.renew(settings_for(sink.port, attempts_max=3, retry_first_seconds=300))
    sink.set(Modes(rules=(Rule(Stage.RCPT, "451 4.7.1 Later", "a1@*"),)))
    run = await house.planned()

    await house.send_all()

    assert house.ends(run) == {"accepted": 1, "rejected gave_up": 1}
    assert len(sink.noted("refused")) == 3
    # Two waits, the second twice as long as the first.
    assert house.clock.now() >= NOON + timedelta(seconds=300 + 600)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT])
async def test_sends_later_what_was_put_off(
    house: House, sink: Relay, stage: Stage
) -> None:
    house.people(3)
    sink.set(Modes(rules=(Rule(stage, "451 4.3.0 Later"),)))
    run = await house.planned()
    await house.send_chunk()
    put_off = house.ends(run)
    sink.set(Modes())

    await house.send_all()

    assert put_off == {"deferred deferred_451": 3}
    assert house.ends(run) == {"accepted": 3}
    assert house.verdict(sink, run).ok


async def test_an_unknown_mailbox_is_never_written_to_again(
    house: House, sink: Relay
) -> None:
    house.people(3)
    sink.set(Modes(rules=(Rule(Stage.RCPT, UNKNOWN, "a2@*"),)))
    first = await house.planned()
    await house.send_all()
    sink.set(Modes())

    second = await house.planned(at=NOON + timedelta(days=30))
    await house.send_all()

    assert house.ends(first) == {"accepted": 2, "rejected mailbox_unknown": 1}
    assert house.ends(second) == {"accepted": 2, "suppressed suppressed": 1}
    assert "a2@example.com" not in sink.addresses()


async def test_a_refused_text_leaves_the_address_alone(
    house: House, sink: Relay
) -> None:
    house.people(1)
    sink.set(Modes(rules=(Rule(Stage.DOT, "550 5.7.1 Looks like spam"),)))
    run = await house.planned()

    await house.send_all()

    assert house.ends(run) == {"rejected refused_550": 1}
    assert not house.read(
        lambda c: customers.is_suppressed(c, Channel.EMAIL, "a1@example.com")
    )


async def test_a_cut_before_the_text_is_tried_again(house: House, sink: Relay) -> None:
    house.people(6)
    sink.set(Modes(drop_before_data="a[12]@*"))
    run = await house.planned()
    await house.send_chunk()
    cut = house.ends(run)
    sink.set(Modes())

    await house.send_all()

    assert cut == {"accepted": 4, "deferred connection_lost": 2}
    assert house.ends(run) == {"accepted": 6}
    assert house.verdict(sink, run).ok


async def test_a_cut_after_the_text_is_held(house: House, sink: Relay) -> None:
    house.people(6)
    sink.set(Modes(drop_after_dot="a[12]@*"))
    run = await house.planned()

    await house.send_all()

    assert house.ends(run) == {"accepted": 4, "uncertain no_answer_after_data": 2}
    verdict = house.verdict(sink, run)
    assert verdict.ok
    assert len(verdict.uncertain_delivered) == 2


async def test_a_cut_after_the_text_is_sent_again_where_wanted(
    house: House, sink: Relay
) -> None:
    house.people(6)
    sink.set(Modes(drop_after_dot="a1@*"))
    run = await house.planned(campaign(lines="on_uncertain: resend\n"))
    await house.send_chunk()
    sink.set(Modes())

    await house.send_all()

    assert house.ends(run) == {"accepted": 6}
    # Mailboxes know a copy by its Message-ID.
    assert len(house.verdict(sink, run).doubled) == 1
    assert sink.addresses().count("a1@example.com") == 2


@pytest.mark.parametrize("messages", [1, 3, 50])
async def test_goes_on_when_the_relay_ends_connections(
    house: House, sink: Relay, messages: int
) -> None:
    house.people(60)
    sink.set(Modes(goodbye_after_messages=messages))
    run = await house.planned()

    await house.send_all()

    assert house.ends(run) == {"accepted": 60}
    assert house.verdict(sink, run).ok
    assert house.clock.now() == NOON, "a goodbye is no reason to wait"


async def test_nothing_is_lost_while_the_relay_is_away(house: House) -> None:
    house.people(3)
    run = await house.planned()
    await house.send_chunk()

    assert house.ends(run) == {"deferred relay_unreachable": 3}


# --- runs that a person or a limit stops ----------------------------------------------


async def send_slowly_until(
    house: House, sink: Relay, run: Run, act: Callable[[], None]
) -> None:
    """A chunk under way, in the middle of which `act` happens."""
    sink.set(Modes(slow="*", slow_seconds=0.3))
    sending = asyncio.ensure_future(house.send_chunk(clock=SystemClock()))
    await sink.until(1)
    act()
    await sending
    sink.set(Modes())


async def test_a_pause_puts_back_what_is_not_sent(house: House, sink: Relay) -> None:
    house.people(40)
    run = await house.planned()

    await send_slowly_until(house, sink, run, lambda: house.move(run, RunState.PAUSED))

    ends = house.ends(run)
    assert ends.keys() == {"accepted", "planned put_back"}
    assert ends["planned put_back"] > 0
    assert ends["accepted"] == len(sink.taken())


async def test_a_resumed_run_sends_the_rest_once(house: House, sink: Relay) -> None:
    house.people(40)
    run = await house.planned()
    await send_slowly_until(house, sink, run, lambda: house.move(run, RunState.PAUSED))

    house.move(run, RunState.RUNNING)
    await house.send_all()

    assert house.ends(run) == {"accepted": 40}
    assert house.verdict(sink, run).ok


async def test_a_cancelled_run_ends_every_row(house: House, sink: Relay) -> None:
    house.people(40)
    run = await house.planned()

    await send_slowly_until(
        house, sink, run, lambda: house.move(run, RunState.CANCELLED)
    )

    ends = house.ends(run)
    assert ends.keys() == {"accepted", "cancelled run_cancelled"}
    assert ends.total() == 40
    assert ends["accepted"] == len(sink.taken())


async def test_a_stopped_sender_puts_back_what_is_not_sent(
    house: House, sink: Relay
) -> None:
    house.people(40)
    run = await house.planned()
    sink.set(Modes(slow="*", slow_seconds=0.3))

    async with house.sender(clock=SystemClock()) as sender:
        serving = asyncio.ensure_future(sender.run_for_ever())
        await sink.until(1)
        sender.stop()
        await serving

    ends = house.ends(run)
    assert ends.keys() == {"accepted", "planned put_back"}
    assert house.verdict(sink, run).ok
    assert not list((house.folder / "journals").iterdir())


async def test_a_message_that_can_not_be_written_stops_no_other(
    house: House, sink: Relay
) -> None:
    people = house.people(20)
    house.write(lambda c: move_to(c, people[1:], "Berlin"))
    run = await house.planned(NEEDS_CITY)

    await house.send_all()

    assert house.ends(run) == {"accepted": 19, "rejected render_error": 1}
    assert house.run(run).state is RunState.FINISHED


async def test_a_run_with_many_broken_messages_pauses_and_says_why(
    house: House, sink: Relay
) -> None:
    people = house.people(20)
    house.renew(settings_for(sink.port, deliveries_per_claim=10))
    house.write(lambda c: move_to(c, people[6:], "Berlin"))
    run = await house.planned(NEEDS_CITY)

    await house.send_all()

    paused = house.run(run)
    assert (paused.state, paused.state_reason) == (
        RunState.PAUSED,
        "limit reached: 6 of 10 messages could not be written",
    )
    assert house.ends(run)["planned"] == 10


async def test_a_run_with_many_unknown_addresses_pauses_and_says_why(
    house: House, sink: Relay
) -> None:
    house.people(20)
    house.renew(settings_for(sink.port, deliveries_per_claim=10))
    sink.set(Modes(rules=(Rule(Stage.RCPT, UNKNOWN, "a[1-5]@*"),)))
    run = await house.planned(campaign(lines="stop_if: {bounce_rate: 5%}\n"))

    await house.send_all()

    paused = house.run(run)
    assert paused.state is RunState.PAUSED
    assert paused.state_reason == "limit reached: 5 of 10 addresses do not exist"


# --- read again inside the claim ------------------------------------------------------


def withdraw(connection: Connection, person: int) -> None:
    customers.record_consent(
        connection,
        person,
        Channel.EMAIL,
        "offers",
        ConsentState.WITHDRAWN,
        "chat",
        NOON,
    )


def suppress(connection: Connection, person: int) -> None:
    customers.suppress(connection, Channel.EMAIL, "a1@example.com", "complaint", NOON)


def switch_off(connection: Connection, person: int) -> None:
    customers.set_unreachable(
        connection, IdentityKind.EMAIL, "a1@example.com", "bounced"
    )


def forget(connection: Connection, person: int) -> None:
    erase(connection, person, NOON)


@pytest.mark.parametrize(
    ("change", "end"),
    [
        (withdraw, "skipped no_consent"),
        (suppress, "suppressed suppressed"),
        (switch_off, "skipped unreachable"),
        (forget, "cancelled erased"),
    ],
)
async def test_what_changed_since_planning_is_obeyed(
    house: House, sink: Relay, change: Callable[[Connection, int], None], end: str
) -> None:
    people = house.people(3)
    run = await house.planned()
    house.write(lambda c: change(c, people[0]))

    await house.send_all()

    assert house.ends(run) == {"accepted": 2, end: 1}
    assert "a1@example.com" not in sink.addresses()


async def forget_while_sending(house: House, sink: Relay, person: int) -> Run:
    """Two claims of six, in the first of which somebody is forgotten."""
    house.renew(settings_for(sink.port, deliveries_per_claim=6))
    told = f"{UNKNOWN}: a2@example.com"
    sink.set(Modes(slow="*", slow_seconds=0.3, rules=(Rule(Stage.RCPT, told, "a2@*"),)))
    people = house.people(12)
    run = await house.planned()
    sending = asyncio.ensure_future(house.send_chunk(clock=SystemClock()))
    await sink.until(1)
    house.write(lambda c: forget(c, people[person - 1]))
    await sending
    sink.set(Modes())
    await house.send_all()
    return run


async def test_who_is_forgotten_before_their_turn_gets_nothing(
    house: House, sink: Relay
) -> None:
    run = await forget_while_sending(house, sink, 11)

    assert house.ends(run)["cancelled erased"] == 1
    assert "a11@example.com" not in sink.addresses()
    assert "a11@example.com" not in house.read(everything)


async def test_what_was_on_the_wire_leaves_no_trace_of_the_forgotten(
    house: House, sink: Relay
) -> None:
    run = await forget_while_sending(house, sink, 2)

    assert house.ends(run) == {"accepted": 11, "rejected mailbox_unknown": 1}
    assert "a2@example.com" not in house.read(everything)


async def test_a_message_in_doubt_is_not_sent_again_to_the_forgotten(
    house: House, sink: Relay
) -> None:
    people = house.people(1)
    sink.set(Modes(drop_after_dot="*"))
    run = await house.planned()
    await house.send_all()
    sink.set(Modes())
    house.write(lambda c: forget(c, people[0]))
    house.write(lambda c: deliveries.decide_uncertain(c, 1, resend=True, now=NOON))

    await house.send_all()

    assert house.ends(run) == {"cancelled erased": 1}
    assert len(sink.addresses()) == 1


async def test_an_address_that_is_gone_is_no_longer_written_to(
    house: House, sink: Relay
) -> None:
    people = house.people(3)
    run = await house.planned()
    house.write(lambda c: forget_address(c, people[0]))

    await house.send_all()

    assert house.ends(run) == {"accepted": 2, "skipped no_address": 1}


async def test_waits_for_the_end_of_quiet_hours(house: House, sink: Relay) -> None:
    house.people(3)
    house.renew(settings_for(sink.port, quiet_hours="21:00-08:00"))
    run = await house.planned()
    house.clock.advance(timedelta(hours=10).total_seconds())  # 22:00 in Berlin

    await house.send_all()

    assert house.ends(run) == {"accepted": 3}
    assert house.clock.now() >= NOON + timedelta(hours=20)  # 08:00 on Wednesday


async def test_the_rows_of_an_offer_that_is_over_expire(
    house: House, sink: Relay
) -> None:
    house.people(3)
    run = await house.planned()
    house.write(lambda c: let_expire(c, run))
    house.clock.advance(3600)

    await house.send_all()

    assert house.ends(run) == {"expired offer_over": 3}
    assert not sink.taken()


# --- channels that misbehave ----------------------------------------------------------


class Broken:
    """A channel with a mistake in it, before or after the commit point."""

    name = Channel.EMAIL
    ready = True

    def __init__(self, after_commit_point: bool) -> None:
        self._after = after_commit_point

    async def send(self, envelope: Envelope, before_commit_point: CommitPoint) -> Any:
        if self._after:
            before_commit_point()
        raise RuntimeError("a mistake")

    async def close(self) -> None:
        return


@pytest.mark.parametrize(
    ("after_commit_point", "end"),
    [(False, "deferred channel_failed"), (True, "uncertain channel_failed")],
)
async def test_a_mistake_in_a_channel_is_put_off_or_in_doubt(
    house: House, after_commit_point: bool, end: str
) -> None:
    house.people(2)
    run = await house.planned()
    await house.send_chunk(Broken(after_commit_point))

    assert house.ends(run) == {end: 2}


class Away:
    """A channel that asks to wait."""

    name = Channel.EMAIL
    ready = True

    async def send(self, envelope: Envelope, before_commit_point: CommitPoint) -> Any:
        raise DeliveryError("away", permanent=False)

    async def close(self) -> None:
        return


async def test_what_would_be_tried_again_ends_in_a_cancelled_run(house: House) -> None:
    house.people(2)
    run = await house.planned()

    class Cancelling(Away):
        async def send(self, envelope: Envelope, before_commit_point: Any) -> Any:
            house.move(run, RunState.CANCELLED)
            await super().send(envelope, before_commit_point)

    await house.send_chunk(Cancelling())

    assert house.ends(run) == {"cancelled run_cancelled": 2}


class Sleeper:
    """A channel in which the machine is suspended before the message goes out."""

    name = Channel.EMAIL
    ready = True

    def __init__(self, house: House) -> None:
        self._house = house
        self.sent = 0

    async def send(
        self, envelope: Envelope, before_commit_point: CommitPoint
    ) -> Receipt:
        self._house.clock.advance(60)
        before_commit_point()
        self.sent += 1
        return Receipt("250")

    async def close(self) -> None:
        return


async def test_sends_nothing_once_the_lease_is_over(house: House) -> None:
    house.people(5)
    run = await house.planned()
    channel = Sleeper(house)
    await house.send_chunk(channel)

    assert channel.sent == 0
    assert house.ends(run) == {"planned put_back": 5}


class Elsewhere(Away):
    """A channel that another process holds."""

    ready = False


async def test_takes_no_row_of_a_channel_that_is_not_here(house: House) -> None:
    house.people(3)
    run = await house.planned()

    assert await house.send_chunk(Elsewhere()) == 0
    assert house.ends(run) == {"planned": 3}


async def test_a_run_that_can_not_be_read_pauses_and_stops_no_other(
    house: House, sink: Relay
) -> None:
    house.people(2)
    broken = await house.planned(campaign("broken"))
    sound = await house.planned(campaign("sound"))
    table = schema.campaign_runs
    tamper = update(table).where(table.c.id == broken.id).values(content_hash="0" * 64)
    house.write(lambda c: c.execute(tamper))
    house.renew(house.settings)

    await house.send_all()

    assert house.ends(sound) == {"accepted": 2}
    assert house.run(broken).state is RunState.PAUSED
    assert house.ends(broken) == {"planned put_back": 2}


async def test_an_idle_sender_does_not_wake_itself(house: House) -> None:
    commits = []
    async with house.sender(Away()) as sender:
        await sender.start()
        stop = house.database.on_commit(lambda: commits.append(1))
        working = asyncio.ensure_future(sender.run_for_ever())
        await asyncio.sleep(0.3)
        sender.stop()
        await working
        stop()

    assert len(commits) <= 3


async def test_a_failing_step_is_taken_up_by_the_next(
    house: House, sink: Relay
) -> None:
    people = house.people(3)
    run = await house.planned()
    house.write(lambda c: tamper(c, run, "x" * 64))

    async with house.sender(clock=SystemClock()) as sender:
        serving = asyncio.ensure_future(sender.run_for_ever())
        await asyncio.sleep(0.1)
        house.write(lambda c: tamper(c, run, run.content_hash))
        await sink.until(len(people))
        sender.stop()
        await serving

    assert house.ends(run) == {"accepted": 3}
    assert house.in_state(DeliveryState.SENDING) == 0


def move_to(connection: Connection, people: list[int], city: str) -> None:
    from sqlalchemy import update

    from storage.schema import customers as table

    connection.execute(update(table).where(table.c.id.in_(people)).values(city=city))


def forget_address(connection: Connection, person: int) -> None:
    from sqlalchemy import delete

    from storage.schema import identities

    connection.execute(delete(identities).where(identities.c.customer_id == person))


def let_expire(connection: Connection, run: Run) -> None:
    from sqlalchemy import update

    from storage.schema import campaign_runs

    moment = NOON + timedelta(minutes=30)
    connection.execute(
        update(campaign_runs)
        .where(campaign_runs.c.id == run.id)
        .values(expires_at=moment)
    )


def tamper(connection: Connection, run: Run, content_hash: str) -> None:
    from sqlalchemy import update

    from storage.schema import campaign_runs

    connection.execute(
        update(campaign_runs)
        .where(campaign_runs.c.id == run.id)
        .values(content_hash=content_hash)
    )
    assert runs.get(connection, run.id) is not None
