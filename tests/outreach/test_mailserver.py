from __future__ import annotations

import asyncio
import mailbox
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import TypeVar

import aiosmtplib
import pytest

from core.clock import SimulatedClock
from outreach.mailserver import HOST, SIZE_LIMIT_BYTES, MailServer, read_taken
from outreach.reconcile import Taken
from web import maildir

SENDER = "hello@shop.example"
ADA = "ada@customer.example"
BOB = "bob@customer.example"
T = TypeVar("T")


def mail(number: int = 1, subject: str = "New in the shop") -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = SENDER
    message["To"] = ADA
    message["Subject"] = subject
    message["Message-ID"] = f"<{number}@shop.example>"
    message.set_content("Hello Ada")
    message.add_alternative("<p>Hello <b>Ada</b></p>", subtype="html")
    return message.as_bytes()


def with_server(folder: Path, use: Callable[[MailServer], Awaitable[T]]) -> T:
    async def main() -> T:
        clock = SimulatedClock(datetime(2026, 3, 2, 9, tzinfo=UTC))
        async with MailServer(folder, clock) as server:
            return await use(server)

    return asyncio.run(main())


def deliver(folder: Path, *contents: bytes, to: tuple[str, ...] = (ADA,)) -> None:
    async def send(server: MailServer) -> None:
        client = aiosmtplib.SMTP(hostname=HOST, port=server.port, start_tls=False)
        async with client:
            for content in contents:
                await client.sendmail(SENDER, list(to), content)

    with_server(folder, send)


async def converse(server: MailServer, *lines: bytes) -> list[bytes]:
    """The answers to plain lines, without a client that would mend them."""
    reader, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(b"".join(lines))
    answers = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answers.splitlines()


def test_keeps_a_message_byte_by_byte(tmp_path: Path) -> None:
    content = mail()

    deliver(tmp_path, content)

    (kept,) = (tmp_path / "maildir" / "new").iterdir()
    assert kept.read_bytes() == content


def test_leaves_nothing_half_written(tmp_path: Path) -> None:
    deliver(tmp_path, mail(1), mail(2))

    assert list((tmp_path / "maildir" / "tmp").iterdir()) == []


def test_other_programs_can_read_its_maildir(tmp_path: Path) -> None:
    deliver(tmp_path, mail())

    (kept,) = mailbox.Maildir(tmp_path / "maildir", create=False)
    assert kept["Message-ID"] == "<1@shop.example>"


def test_journals_every_recipient_of_a_message(tmp_path: Path) -> None:
    deliver(tmp_path, mail(), to=(ADA, BOB))

    assert list(read_taken(tmp_path / "mail.journal")) == [
        Taken("<1@shop.example>", ADA),
        Taken("<1@shop.example>", BOB),
    ]


def test_a_second_start_adds_to_the_journal(tmp_path: Path) -> None:
    deliver(tmp_path, mail(1))
    deliver(tmp_path, mail(2))

    taken = list(read_taken(tmp_path / "mail.journal"))

    assert [each.message_id for each in taken] == [
        "<1@shop.example>",
        "<2@shop.example>",
    ]


def test_a_torn_last_line_of_the_journal_does_not_count(tmp_path: Path) -> None:
    journal = tmp_path / "mail.journal"
    deliver(tmp_path, mail())
    with journal.open("ab") as file:
        file.write(b'{"message_id": "<2')

    assert [each.message_id for each in read_taken(journal)] == ["<1@shop.example>"]


def test_no_journal_means_nothing_taken(tmp_path: Path) -> None:
    assert list(read_taken(tmp_path / "absent")) == []


def test_takes_several_messages_in_one_write(tmp_path: Path) -> None:
    envelope = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{ADA}>\r\nDATA\r\n".encode()
    message = mail() + b".\r\n"
    lines = (b"EHLO x\r\n", envelope, message, envelope, message, b"QUIT\r\n")

    answers = with_server(tmp_path, lambda server: converse(server, *lines))

    assert b"250-PIPELINING" in answers
    assert len(list(read_taken(tmp_path / "mail.journal"))) == 2


@pytest.mark.parametrize(
    "address",
    [
        # Nothing to deliver to.
        b"ada",
        # A path instead of a domain.
        b"ada@../../etc",
        # Two mailboxes at once.
        b"ada@customer.example,bob@customer.example",
        # A line's end hidden in the address.
        b"ada\r@customer.example",
        # A zero byte, which ends a text elsewhere.
        b"ada\x00@customer.example",
        # Longer than RFC 5321 allows.
        b"ada@" + b"x" * 60 + b"." + b"y" * 60 + b".example" * 20,
    ],
)
def test_refuses_what_is_no_address(tmp_path: Path, address: bytes) -> None:
    lines = (
        b"EHLO x\r\n",
        f"MAIL FROM:<{SENDER}>\r\n".encode(),
        b"RCPT TO:<" + address + b">\r\n",
        b"DATA\r\n",
        b"QUIT\r\n",
    )

    answers = with_server(tmp_path, lambda server: converse(server, *lines))

    assert answers[-3].startswith(b"50") or answers[-3].startswith(b"55")
    assert answers[-2] == b"503 Error: need RCPT command"


def test_refuses_a_message_with_a_lone_line_feed(tmp_path: Path) -> None:
    lines = (
        b"EHLO x\r\n",
        f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{ADA}>\r\nDATA\r\n".encode(),
        b"Subject: two\r\n\r\nend\n.\nMAIL FROM:<thief@x>\r\n.\r\nQUIT\r\n",
    )

    answers = with_server(tmp_path, lambda server: converse(server, *lines))

    assert answers[-2] == b"550 5.6.0 A line ends with CRLF"
    assert list((tmp_path / "maildir" / "new").iterdir()) == []


def test_refuses_a_message_over_the_size_limit(tmp_path: Path) -> None:
    async def send(server: MailServer) -> None:
        client = aiosmtplib.SMTP(hostname=HOST, port=server.port, start_tls=False)
        async with client:
            content = b"Subject: x\r\n\r\n" + b"y\r\n" * (SIZE_LIMIT_BYTES // 3)
            await client.sendmail(SENDER, [ADA], content)

    with pytest.raises(aiosmtplib.SMTPResponseException) as caught:
        with_server(tmp_path, send)

    assert caught.value.code == 552


def test_stops_while_a_sender_is_connected(tmp_path: Path) -> None:
    async def linger(server: MailServer) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, server.port)
        await reader.readline()
        await server.stop()
        rest = await reader.read()
        writer.close()
        await writer.wait_closed()
        return rest

    assert with_server(tmp_path, linger) == b""


def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    async def stop(server: MailServer) -> None:
        await server.stop()

    with_server(tmp_path, stop)

    assert (tmp_path / "mail.journal").exists()


def test_the_mailbox_shows_what_was_taken(tmp_path: Path) -> None:
    deliver(tmp_path, mail(1, "Grüße aus dem Laden"), mail(2, "新品上架"))

    total, (found,) = maildir.newest(tmp_path / "maildir", "新品", 10, 0)

    assert total == 1
    shown = maildir.read(tmp_path / "maildir", found.name)
    assert shown is not None
    assert shown.summary.recipient == ADA
    assert shown.html is not None
    assert shown.html.strip() == "<p>Hello <b>Ada</b></p>"


@pytest.mark.parametrize("name", ["../mail.journal", "..", "/etc/passwd", "", "a\x00b"])
def test_the_mailbox_shows_nothing_else(tmp_path: Path, name: str) -> None:
    deliver(tmp_path, mail())

    assert maildir.read(tmp_path / "maildir", name) is None
