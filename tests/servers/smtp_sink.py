"""An SMTP server that keeps a journal of what it took, and misbehaves on request.

    python -m tests.servers.smtp_sink --journal FILE [--port 0] [--control FILE] ...

Prints one line of JSON with its port when it is ready.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import logging
import mailbox
import ssl
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers.journal import Journal
from tests.servers.life import announce, server_arguments, until_end
from tests.servers.smtp_modes import Modes, ModesFile, Stage, matches, parse_rule

CERTIFICATE = Path(__file__).with_name("certificate.pem")
SIZE_LIMIT = 10 * 1024 * 1024


class Connection(SMTP):
    """One client's conversation; counts what it took."""

    def __init__(self, handler: SinkHandler, number: int, **options: Any) -> None:
        super().__init__(handler, **options)
        self.number = number
        self.messages = 0
        self._sink = handler

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        # aiosmtpd has no hook before 354, so faults that come before it stand here.
        recipients = self.envelope.rcpt_tos if self.envelope else []
        for address in recipients:
            if matches(self._sink.modes.drop_before_data, address):
                self._sink.journal.note("dropped", stage="data", recipient=address)
                await self.hang_up()
            reply = self._sink.refusal(Stage.DATA, address)
            if reply:
                self.envelope = self._create_envelope()
                await self.push(await self.last_word(reply))
                return
        await super().smtp_DATA(arg)

    async def last_word(self, reply: str) -> str:
        """The reply; the connection ends with it when it is a 421 (RFC 5321, 3.8)."""
        if reply.startswith("421"):
            await self.push(reply)
            await self.hang_up()
        return reply

    async def hang_up(self) -> None:
        """Close the connection without another word."""
        if self.transport is not None:
            self.transport.close()
        # The conversation is cancelled as soon as the loop sees the closed socket.
        await asyncio.Event().wait()


class SinkHandler:
    """aiosmtpd calls these hooks; every answer is decided by the current modes."""

    def __init__(self, arguments: argparse.Namespace, journal: Journal) -> None:
        self.journal = journal
        self._modes = ModesFile(arguments.control, start_modes(arguments))
        self._maildir = (
            mailbox.Maildir(arguments.maildir) if arguments.maildir else None
        )
        self._headers: list[str] = arguments.header
        self._user: str = arguments.user
        self._password: str = arguments.password
        self._tried: set[tuple[str, str]] = set()

    @property
    def modes(self) -> Modes:
        return self._modes.current()

    def refusal(self, stage: Stage, address: str) -> str | None:
        reply = self.modes.reply(stage, address)
        if reply:
            self.journal.note("refused", stage=stage, recipient=address, reply=reply)
        return reply

    def authenticate(
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        _mechanism: str,
        login: LoginPassword,
    ) -> AuthResult:
        wanted = (self._user.encode(), self._password.encode())
        success = (login.login, login.password) == wanted
        self.journal.note("auth", success=success, tls=session.ssl is not None)
        return AuthResult(success=success, handled=False)

    async def handle_EHLO(  # noqa: N802
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        hidden = {*self.modes.hidden, *([] if self._user else ["AUTH"])}
        # The first line is the greeting, the last ends the list.
        lines = [*responses[:-1], "250-PIPELINING", responses[-1]]
        return [line for line in lines if line[4:].split(" ")[0] not in hidden]

    async def handle_MAIL(  # noqa: N802
        self,
        server: Connection,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        # aiosmtpd's own check warns when a password may travel without TLS.
        if self._user and not session.authenticated:
            return "530 5.7.0 Authentication required"
        limit = self.modes.goodbye_after_messages
        if limit and server.messages >= limit:
            return await server.last_word("421 4.7.0 Enough for this connection")
        reply = self.refusal(Stage.MAIL, address)
        if reply:
            return await server.last_word(reply)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self,
        server: Connection,
        _session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        reply = self.refusal(Stage.RCPT, address) or self._greylisted(envelope, address)
        if reply:
            return await server.last_word(reply)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: Connection, session: Session, envelope: Envelope
    ) -> str:
        for address in envelope.rcpt_tos:
            reply = self.refusal(Stage.DOT, address)
            if reply:
                return await server.last_word(reply)
        self._take(server, session, envelope)
        modes = self.modes
        if any(matches(modes.drop_after_dot, each) for each in envelope.rcpt_tos):
            await server.hang_up()
        if any(matches(modes.slow, each) for each in envelope.rcpt_tos):
            await asyncio.sleep(modes.slow_seconds)
        return f"250 2.0.0 OK {server.number}.{server.messages}"

    def _greylisted(self, envelope: Envelope, address: str) -> str | None:
        if not matches(self.modes.greylist, address):
            return None
        pair = (envelope.mail_from or "", address)
        if pair in self._tried:
            return None
        self._tried.add(pair)
        reply = "451 4.7.1 Greylisted, try again later"
        self.journal.note("refused", stage=Stage.RCPT, recipient=address, reply=reply)
        return reply

    def _take(self, server: Connection, session: Session, envelope: Envelope) -> None:
        content = envelope.original_content or b""
        headers = BytesHeaderParser().parsebytes(content)
        body = content.partition(b"\r\n\r\n")[2]
        if self._maildir is not None:
            self._maildir.add(content)
        server.messages += 1
        self.journal.commit(
            "accepted",
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            message_id=str(headers.get("Message-ID", "")).strip(),
            headers={name: headers.get(name) for name in self._headers},
            size=len(content),
            body_sha256=hashlib.sha256(body).hexdigest(),
            connection=server.number,
            tls=session.ssl is not None,
        )


def start_modes(arguments: argparse.Namespace) -> Modes:
    return Modes(
        rules=tuple(arguments.rule),
        goodbye_after_messages=arguments.goodbye_after,
        drop_before_data=arguments.drop_before_data,
        drop_after_dot=arguments.drop_after_dot,
        slow=arguments.slow,
        slow_seconds=arguments.slow_seconds,
        greylist=arguments.greylist,
        hidden=tuple(arguments.hide),
    )


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = server_arguments("SMTP sink with a journal")
    add = parser.add_argument
    add("--maildir", type=Path, help="keep the messages there")
    add("--header", action="append", default=[], help="journal this header")
    add("--control", type=Path, help="JSON of modes, read again when it changes")
    add(
        "--rule",
        type=parse_rule,
        action="append",
        default=[],
        help="STAGE/PATTERN/REPLY",
    )
    add("--goodbye-after", type=int, default=0, help="421 after so many messages")
    add("--drop-before-data", default="", help="pattern of recipients")
    add("--drop-after-dot", default="", help="pattern of recipients")
    add("--slow", default="", help="pattern of recipients")
    add("--slow-seconds", type=float, default=0.0)
    add("--greylist", default="", help="pattern of recipients")
    add("--hide", action="append", default=[], help="extension not to announce")
    add("--tls", choices=["none", "offered", "required"], default="none")
    add("--user", default="", help="AUTH is required when given")
    add("--password", default="")
    return parser.parse_args(words)


def connection_options(
    arguments: argparse.Namespace, handler: SinkHandler
) -> dict[str, Any]:
    context = None
    if arguments.tls != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
    return {
        "hostname": "localhost",
        "data_size_limit": SIZE_LIMIT,
        "enable_SMTPUTF8": True,
        "tls_context": context,
        "require_starttls": arguments.tls == "required",
        "authenticator": handler.authenticate,
        "auth_require_tls": context is not None,
    }


async def serve(arguments: argparse.Namespace, journal: Journal) -> None:
    handler = SinkHandler(arguments, journal)
    options = connection_options(arguments, handler)
    numbers = itertools.count(1)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(handler, next(numbers), loop=loop, **options),
        "127.0.0.1",
        arguments.port,
    )
    announce(port=server.sockets[0].getsockname()[1])
    await until_end(arguments.lifetime, arguments.parent)
    server.close()


def main() -> None:
    # aiosmtpd warns of its own old attributes at every sign-in.
    logging.getLogger("mail").setLevel(logging.ERROR)
    arguments = parse_arguments()
    with Journal(arguments.journal, sync=arguments.sync) as journal:
        asyncio.run(serve(arguments, journal))


if __name__ == "__main__":
    main()
