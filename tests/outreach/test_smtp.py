"""The e-mail channel: what it puts on the wire, and when it puts nothing there."""

from __future__ import annotations

import mailbox
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.clock import SimulatedClock
from core.errors import DeliveryError
from core.model import Envelope, RunState
from core.settings import Mail
from outreach.smtp import SmtpChannel, build_message, on_the_wire
from tests.outreach.house import NOON, House, settings_for
from tests.servers.sink import Sink
from tests.servers.smtp_modes import Modes, Rule, Stage

pytestmark = pytest.mark.anyio

LINK = "https://shop.example/u/" + "t" * 200
HEADERS = {
    "List-Unsubscribe": f"<{LINK}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}
SinkOf = Callable[..., Sink]


def envelope(address: str = "ann@example.com", **changes: object) -> Envelope:
    values: dict[str, object] = {
        "address": address,
        "message_id": "<1@shop.example>",
        "text": "Hello\n.\nfrom us\n",
        "subject": "New",
        "headers": HEADERS,
    }
    return Envelope(**(values | changes))  # type: ignore[arg-type]


def built(sent: Envelope) -> EmailMessage:
    return build_message(sent, "Linden & Tee", "hello@shop.example", NOON)


async def send(mail: Mail, *sent: Envelope) -> list[str]:
    """What became of each message, and how often one was about to be in flight."""
    channel = SmtpChannel(mail, "Linden & Tee", SimulatedClock(NOON))
    ends = []
    for each in sent:
        reached: list[bool] = []
        try:
            await channel.send(each, lambda r=reached: r.append(True))  # type: ignore[misc]
        except DeliveryError as error:
            ends.append(f"{error.reason} {len(reached)}")
        else:
            ends.append(f"sent {len(reached)}")
    await channel.close()
    return ends


def relay(sink: Sink, **changes: object) -> Mail:
    values: dict[str, object] = {"port": sink.port, "tls": "none"}
    return Mail(**(values | changes))  # type: ignore[arg-type]


# --- the message ----------------------------------------------------------------------


async def test_what_arrives_is_what_was_written(
    sink_of: SinkOf, tmp_path: Path
) -> None:
    sink = sink_of("--maildir", str(tmp_path / "mail"))
    long_line = "word " * 400
    sent = envelope(text=f"Grüße 您好\n..dots\n{long_line}\n", html="<p>您好</p>")

    assert await send(relay(sink), sent) == ["sent 1"]

    [stored] = mailbox.Maildir(tmp_path / "mail")
    arrived = message_from_bytes(stored.as_bytes(), policy=policy.default)
    assert isinstance(arrived, EmailMessage)
    text, html = (part.get_content() for part in arrived.iter_parts())
    assert text == f"Grüße 您好\n..dots\n{long_line}\n"
    assert html.strip() == "<p>您好</p>"
    assert arrived["Subject"] == "New"
    assert arrived["To"] == "ann@example.com"
    assert arrived["From"] == "Linden & Tee <hello@shop.example>"


def test_nothing_on_the_wire_needs_eight_bits() -> None:
    content = on_the_wire(built(envelope(text="Grüße 您好", subject="您好")))

    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998
    assert content.endswith(b"\r\n.\r\n")
    assert b"\n." not in content.replace(b"\r\n.\r\n", b"").replace(b"\n..", b"")


def test_the_way_to_unsubscribe_stands_in_one_plain_line() -> None:
    lines = on_the_wire(built(envelope())).decode().split("\r\n")

    assert f"List-Unsubscribe: <{LINK}>" in lines
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "New\r\nBcc: all@example.com"},
        {"message_id": "<1@shop>\nBcc: all@example.com"},
        {"headers": {"List-Id": "<a>\r\n\r\nbody"}},
        {"address": "ann@example.com\r\nRCPT TO:<all@example.com>"},
        {"address": "not an address"},
        {"address": "jörg@example.com"},  # a local part that few relays take
    ],
)
async def test_refuses_what_would_not_stay_in_its_header(
    sink_of: SinkOf, changes: dict[str, object]
) -> None:
    sink = sink_of()

    assert await send(relay(sink), envelope(**changes)) == ["unsendable 0"]
    assert not sink.accepted()


async def test_writes_to_domains_of_other_scripts(sink_of: SinkOf) -> None:
    sink = sink_of()

    assert await send(relay(sink), envelope("ann@bücher.example")) == ["sent 1"]
    assert sink.accepted()[0]["recipients"] == ["ann@xn--bcher-kva.example"]


# --- the connection -------------------------------------------------------------------


async def test_keeps_a_connection_for_the_next_message(sink_of: SinkOf) -> None:
    sink = sink_of("--rule", "rcpt/bad@*/550 5.1.1 No such mailbox")
    sent = [envelope(f"{name}@example.com") for name in ("a", "bad", "b")]

    assert await send(relay(sink), *sent) == ["sent 1", "mailbox_unknown 0", "sent 1"]
    assert {entry["connection"] for entry in sink.accepted()} == {1}


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        ("rcpt/*/550 No such user", "mailbox_unknown 0"),
        ("rcpt/*/550 5.7.515 Not signed", "refused_550 0"),
        ("rcpt/*/452 4.2.2 Full", "deferred_452 0"),
        ("mail/*/530 5.7.0 Sign in", "sender_refused 0"),
        ("mail/*/550 Sender verify failed", "sender_refused 0"),
        ("mail/*/451 Later", "deferred_451 0"),
        ("data/*/550 No", "refused_550 0"),
        ("data/*/451 Later", "deferred_451 0"),
        ("dot/*/550 5.7.1 Spam", "refused_550 1"),
        ("dot/*/554 5.1.1 No such user", "mailbox_unknown 1"),
        ("dot/*/421 Bye", "relay_shutting_down 1"),
        ("rcpt/*/421 Bye", "relay_shutting_down 0"),
    ],
)
async def test_reads_the_answer(sink_of: SinkOf, rule: str, end: str) -> None:
    assert await send(relay(sink_of("--rule", rule)), envelope()) == [end]


@pytest.mark.parametrize(
    ("options", "end"),
    [
        (("--drop-before-data", "*"), "connection_lost 0"),
        (("--drop-after-dot", "*"), "no_answer_after_data 1"),
        (("--slow", "*", "--slow-seconds", "5"), "no_answer_after_data 1"),
    ],
)
async def test_knows_on_which_side_of_the_text_a_cut_was(
    sink_of: SinkOf, options: tuple[str, ...], end: str
) -> None:
    mail = relay(sink_of(*options), final_dot_timeout_seconds=0.2)

    assert await send(mail, envelope()) == [end]


async def test_a_relay_that_is_not_there_is_asked_later(sink_of: SinkOf) -> None:
    sink = sink_of()
    sink.stop()

    assert await send(relay(sink), envelope()) == ["relay_unreachable 0"]


# --- what must never go out in plain --------------------------------------------------


@pytest.mark.parametrize(
    ("options", "tls", "end"),
    [
        # The offer of STARTTLS was taken out on the way.
        (("--tls", "offered", "--hide", "STARTTLS"), "starttls", "relay_without_tls 0"),
        (("--tls", "none"), "starttls", "relay_without_tls 0"),
        # The sink's certificate is signed by nobody.
        (("--tls", "offered"), "starttls", "certificate_refused 0"),
        (("--tls", "none"), "implicit", "relay_unreachable 0"),
    ],
)
async def test_nothing_goes_out_where_tls_fails(
    sink_of: SinkOf, options: tuple[str, ...], tls: str, end: str
) -> None:
    sink = sink_of("--user", "rapport", "--password", "secret", *options)
    mail = relay(
        sink,
        tls=tls,
        username="rapport",
        password=SecretStr("secret"),
        host="localhost",
    )

    assert await send(mail, envelope()) == [end]
    assert not sink.noted("auth")
    assert not sink.accepted()


async def test_signs_in_and_sends_over_tls(
    sink_of: SinkOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of("--tls", "required", "--user", "rapport", "--password", "secret")
    monkeypatch.setenv("SSL_CERT_FILE", str(sink.certificate))
    mail = relay(
        sink,
        tls="starttls",
        host="localhost",
        username="rapport",
        password=SecretStr("secret"),
    )

    assert await send(mail, envelope()) == ["sent 1"]
    assert [entry["tls"] for entry in sink.noted("auth")] == [True]
    assert sink.accepted()[0]["tls"]


async def test_a_refused_sign_in_pauses_the_run_and_burns_no_row(
    house: House, sink_of: SinkOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_of("--tls", "required", "--user", "rapport", "--password", "secret")
    monkeypatch.setenv("SSL_CERT_FILE", str(sink.certificate))
    settings = settings_for(sink.port)
    mail = settings.mail.model_copy(
        update={
            "tls": "starttls",
            "host": "localhost",
            "username": "rapport",
            "password": SecretStr("wrong"),
        }
    )
    house.renew(settings.model_copy(update={"mail": mail}))
    house.people(20)
    run = await house.planned()

    await house.send_all()

    paused = house.run(run)
    assert paused.state is RunState.PAUSED
    assert paused.state_reason == "the mail relay refused our sign-in"
    assert set(house.ends(run)) <= {"planned put_back", "planned sign_in_refused"}
    # Each connection tries both ways to sign in that the relay announces, once.
    assert len(sink.noted("auth")) <= 2 * mail.connections
    assert not sink.accepted()


async def test_modes_can_change_while_a_connection_is_open(sink_of: SinkOf) -> None:
    sink = sink_of()
    channel = SmtpChannel(relay(sink), "Linden", SimulatedClock(NOON))
    await channel.send(envelope(), lambda: None)
    sink.set(Modes(rules=(Rule(Stage.MAIL, "421 4.3.2 Restarting"),)))

    with pytest.raises(DeliveryError, match="relay_shutting_down"):
        await channel.send(envelope(), lambda: None)

    await channel.close()
