from __future__ import annotations

import asyncio
import hashlib
import mailbox
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from tests.servers.sink import Sink
from tests.servers.smtp_modes import Modes, Rule, Stage

SENDER = "shop@shop.example"
ADA = "ada@customer.example"
BOB = "bob@customer.example"


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Sink(tmp_path, "--header", "X-Run", "--maildir", str(tmp_path / "m")) as sink:
        yield sink


def mail(recipient: str, number: int = 1) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = SENDER
    message["To"] = recipient
    message["Message-ID"] = f"<{number}.{recipient}>"
    message["X-Run"] = "7"
    message.set_content("Hello\n.\n..dots\n")
    return message.as_bytes()


async def send(sink: Sink, *recipients: str, **options: Any) -> list[str]:
    """The answers to one message per recipient over one connection."""
    client = aiosmtplib.SMTP(
        hostname=sink.host, port=sink.port, **{"start_tls": False, **options}
    )
    async with client:
        return [
            (await client.sendmail(SENDER, [each], mail(each, number)))[1]
            for number, each in enumerate(recipients, 1)
        ]


def run_send(sink: Sink, *recipients: str, **options: Any) -> list[str]:
    return asyncio.run(send(sink, *recipients, **options))


def test_an_accepted_message_is_in_the_journal(sink: Sink) -> None:
    run_send(sink, ADA)

    (entry,) = sink.accepted()
    assert entry["sender"] == SENDER
    assert entry["recipients"] == [ADA]
    assert entry["message_id"] == f"<1.{ADA}>"
    assert entry["headers"] == {"X-Run": "7"}
    assert entry["size"] == len(mail(ADA))


def test_the_journal_holds_the_hash_of_the_body_as_written(sink: Sink) -> None:
    run_send(sink, ADA)

    body = mail(ADA).partition(b"\r\n\r\n")[2]
    assert sink.accepted()[0]["body_sha256"] == hashlib.sha256(body).hexdigest()


def test_an_accepted_message_is_in_the_maildir(sink: Sink, tmp_path: Path) -> None:
    run_send(sink, ADA)

    (kept,) = mailbox.Maildir(tmp_path / "m")
    assert kept["Message-ID"] == f"<1.{ADA}>"


@pytest.mark.parametrize(
    "rule",
    [
        # An unknown mailbox is refused before the message travels.
        Rule(Stage.RCPT, "550 5.1.1 No such user", "ada@*"),
        # A full disk is told where the message is about to begin.
        Rule(Stage.DATA, "452 4.3.1 Insufficient storage", "ada@*"),
        # A content filter answers when it has seen everything.
        Rule(Stage.DOT, "554 5.7.1 Looks like spam", "ada@*"),
        # A sender can be refused as well.
        Rule(Stage.MAIL, "451 4.7.0 Too many of you", "shop@*"),
    ],
)
def test_a_rule_refuses_at_its_stage(sink: Sink, rule: Rule) -> None:
    sink.set(Modes(rules=(rule,)))

    with pytest.raises(
        (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused)
    ):
        run_send(sink, ADA)

    assert sink.accepted() == []
    assert [entry["reply"] for entry in sink.noted("refused")] == [rule.reply]


def test_a_rule_leaves_others_alone(sink: Sink) -> None:
    sink.set(Modes(rules=(Rule(Stage.RCPT, "550 5.1.1 No such user", "ada@*"),)))

    run_send(sink, BOB)

    assert [entry["recipients"] for entry in sink.accepted()] == [[BOB]]


def test_says_goodbye_after_so_many_messages(sink: Sink) -> None:
    sink.set(Modes(goodbye_after_messages=2))

    with pytest.raises(aiosmtplib.SMTPResponseException) as caught:
        run_send(sink, ADA, ADA, ADA)

    assert caught.value.code == 421
    assert len(sink.accepted()) == 2


def test_takes_a_message_and_drops_the_connection(sink: Sink) -> None:
    sink.set(Modes(drop_after_dot="ada@*"))

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        run_send(sink, ADA)

    assert len(sink.accepted()) == 1


def test_drops_the_connection_before_the_message(sink: Sink) -> None:
    sink.set(Modes(drop_before_data="ada@*"))

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        run_send(sink, ADA)

    assert sink.accepted() == []


def test_answers_late_after_taking_the_message(sink: Sink) -> None:
    sink.set(Modes(slow="ada@*", slow_seconds=60))

    with pytest.raises(aiosmtplib.SMTPReadTimeoutError):
        run_send(sink, ADA, timeout=0.5)

    assert len(sink.accepted()) == 1


def test_greylists_the_first_try_only(sink: Sink) -> None:
    sink.set(Modes(greylist="*"))

    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        run_send(sink, ADA)
    run_send(sink, ADA)

    assert len(sink.accepted()) == 1


def test_modes_change_while_it_runs(sink: Sink) -> None:
    sink.set(Modes(rules=(Rule(Stage.RCPT, "450 4.2.0 Later"),)))
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        run_send(sink, ADA)

    sink.set(Modes())
    run_send(sink, ADA)

    assert len(sink.accepted()) == 1


def test_takes_modes_from_the_command_line(tmp_path: Path) -> None:
    arguments = ("--rule", "rcpt/ada@*/550 5.1.1 No such user")

    with (
        Sink(tmp_path, *arguments) as sink,
        pytest.raises(aiosmtplib.SMTPRecipientsRefused) as caught,
    ):
        run_send(sink, ADA)

    assert caught.value.recipients[0].code == 550


def test_takes_a_message_and_the_next_envelope_in_one_write(sink: Sink) -> None:
    async def talk() -> list[bytes]:
        reader, writer = await asyncio.open_connection(sink.host, sink.port)
        envelope = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{ADA}>\r\nDATA\r\n".encode()
        writer.write(b"EHLO test.example\r\n" + envelope)
        writer.write(b"Subject: 1\r\n\r\nOne\r\n.\r\n" + envelope)
        writer.write(b"Subject: 2\r\n\r\nTwo\r\n.\r\nQUIT\r\n")
        answers = (await reader.read()).splitlines()
        writer.close()
        await writer.wait_closed()
        return answers

    answers = asyncio.run(talk())

    assert b"250-PIPELINING" in answers
    assert len(sink.accepted()) == 2


def test_a_hidden_extension_is_not_announced(sink: Sink) -> None:
    async def extensions() -> set[str]:
        client = aiosmtplib.SMTP(hostname=sink.host, port=sink.port, start_tls=False)
        async with client:
            await client.ehlo()
            return set(client.esmtp_extensions)

    sink.set(Modes(hidden=("PIPELINING", "8BITMIME")))

    assert {"pipelining", "8bitmime"}.isdisjoint(asyncio.run(extensions()))


def test_encrypts_with_its_own_certificate(tmp_path: Path) -> None:
    trust = ssl.create_default_context(cafile=str(Sink.certificate))

    with Sink(tmp_path, "--tls", "required") as sink:
        run_send(sink, ADA, start_tls=True, tls_context=trust)

        assert sink.accepted()[0]["tls"] is True


def test_its_certificate_is_not_trusted_by_others(tmp_path: Path) -> None:
    with Sink(tmp_path, "--tls", "offered") as sink:
        with pytest.raises(ssl.SSLCertVerificationError):
            run_send(sink, ADA, start_tls=True)

        assert sink.accepted() == []


def test_refuses_mail_in_the_clear_where_encryption_is_required(
    tmp_path: Path,
) -> None:
    with (
        Sink(tmp_path, "--tls", "required") as sink,
        pytest.raises(aiosmtplib.SMTPSenderRefused),
    ):
        run_send(sink, ADA)


def test_takes_mail_from_who_signed_in(tmp_path: Path) -> None:
    with Sink(tmp_path, "--user", "shop", "--password", "right") as sink:
        run_send(sink, ADA, username="shop", password="right")

        assert len(sink.accepted()) == 1


def test_refuses_a_wrong_password(tmp_path: Path) -> None:
    with Sink(tmp_path, "--user", "shop", "--password", "right") as sink:
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            run_send(sink, ADA, username="shop", password="wrong")

        assert {entry["success"] for entry in sink.noted("auth")} == {False}


def test_refuses_who_did_not_sign_in(tmp_path: Path) -> None:
    with (
        Sink(tmp_path, "--user", "shop", "--password", "right") as sink,
        pytest.raises(aiosmtplib.SMTPSenderRefused),
    ):
        run_send(sink, ADA)
