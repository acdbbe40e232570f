"""The demonstration's own mailbox: takes mail on loopback and keeps all of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from itertools import count
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from core.clock import Clock
from outreach.reconcile import Taken

HOST = "127.0.0.1"
SIZE_LIMIT_BYTES = 10 * 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ADDRESS = re.compile(
    r"[^\s\"<>@,;:\\()\[\]]{1,64}@(?:[\w-]{1,63}\.)*[\w-]{1,63}", re.ASCII
)
_ADDRESS_LENGTH = 254


class MailServer:
    """An SMTP server in the caller's event loop; `folder` holds what it took.

    A message stands in the Maildir and in the journal before the sender hears 250.
    Nothing is forced to the disk: the mail survives a killed process, which is what
    a demonstration shows, and a thousand messages do not take a thousand fsyncs.
    """

    def __init__(self, folder: Path, clock: Clock, port: int = 0) -> None:
        self.port = port
        self.maildir = folder / "maildir"
        self.journal = folder / "mail.journal"
        self._store = _Store(self.maildir, self.journal, clock)
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; `port` is known afterwards."""
        self._store.open()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and hang up; a second call is harmless."""
        if self._server is None:
            return
        self._server.close()
        await asyncio.gather(*(each.hang_up() for each in list(self._connections)))
        await self._server.wait_closed()
        self._server = None
        self._store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _connection(self) -> _Connection:
        return _Connection(self._store, self._connections)


def read_taken(journal: Path) -> Iterator[Taken]:
    """Every message and recipient of a journal; none without a file.

    A last line without its end was never answered with 250, so it does not count.
    """
    if not journal.exists():
        return
    with journal.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            entry = json.loads(line)
            yield Taken(entry["message_id"], entry["address"])


class _Store:
    """The files behind the server, and the answers to what it is asked to keep."""

    def __init__(self, maildir: Path, journal: Path, clock: Clock) -> None:
        self._maildir = maildir
        self._journal = journal
        self._clock = clock
        self._numbers = count(1)
        self._descriptor = -1

    def open(self) -> None:
        for name in ("tmp", "new", "cur"):
            (self._maildir / name).mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._descriptor = os.open(self._journal, flags, 0o600)

    def close(self) -> None:
        os.close(self._descriptor)

    async def handle_EHLO(  # noqa: N802  aiosmtpd finds its hooks by these names
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        # Nobody signs in here. Commands are read one by one, so pipelining is safe.
        kept = [line for line in responses if not line.startswith("250-AUTH")]
        return [*kept[:-1], "250-PIPELINING", kept[-1]]

    async def handle_RCPT(  # noqa: N802
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if len(address) > _ADDRESS_LENGTH or not _ADDRESS.fullmatch(address):
            return "553 5.1.3 Not an address"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        # A lone CR or LF is read as a line's end by some and not by others, which
        # is how a second message can be smuggled into the first.
        ends = content.count(b"\r\n")
        if content.count(b"\r") != ends or content.count(b"\n") != ends:
            return "550 5.6.0 A line ends with CRLF"
        name = self._keep(content)
        self._note(content, envelope.rcpt_tos, name)
        return f"250 2.0.0 OK {name}"

    def _keep(self, content: bytes) -> str:
        """Write the message aside and move it in whole, as Maildir wants."""
        name = self._name()
        aside = self._maildir / "tmp" / name
        aside.write_bytes(content)
        aside.replace(self._maildir / "new" / name)
        return name

    def _name(self) -> str:
        moment = self._clock.now()
        number = next(self._numbers)
        return (
            f"{int(moment.timestamp())}.M{moment.microsecond:06}"
            f"P{os.getpid()}Q{number:07}.localhost"
        )

    def _note(self, content: bytes, addresses: list[str], name: str) -> None:
        head = content.partition(b"\r\n\r\n")[0]
        message_id = str(BytesHeaderParser().parsebytes(head).get("Message-ID", ""))
        at = self._clock.now().isoformat()
        entries: list[dict[str, Any]] = [
            {"at": at, "message_id": message_id, "address": address, "file": name}
            for address in addresses
        ]
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        os.write(self._descriptor, lines.encode())


class _Connection(SMTP):
    """One sender's conversation."""

    def __init__(self, store: _Store, all_connections: set[_Connection]) -> None:
        super().__init__(
            store,
            hostname="localhost",
            data_size_limit=SIZE_LIMIT_BYTES,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )
        self._all_connections = all_connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._all_connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._all_connections.discard(self)
        super().connection_lost(error)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        # aiosmtpd's parser drops some control characters; they must be seen first.
        if _CONTROL.search(arg or ""):
            await self.push("501 5.1.3 Control character in the address")
            return
        await super().smtp_RCPT(arg)

    async def hang_up(self) -> None:
        """Close the connection and wait for the end of the conversation."""
        conversation = self._handler_coroutine
        if self.transport is not None:
            self.transport.close()
        if conversation is not None:
            await asyncio.gather(conversation, return_exceptions=True)
