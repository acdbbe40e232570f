"""The e-mail channel: one SMTP transaction per recipient over a few connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

import aiosmtplib
from aiosmtplib import SMTP

from core.clock import Clock
from core.errors import DeliveryError
from core.model import Channel, CommitPoint, Envelope, Receipt
from core.settings import Mail

# A folded List-Unsubscribe would be encoded, and mailboxes would not find the link.
_POLICY = SMTP_POLICY.clone(max_line_length=998)
_SHUTTING_DOWN = 421
_MAILBOX_UNKNOWN = frozenset({550, 551, 553})


class SmtpChannel:
    """Sends envelopes through the relay of the settings."""

    name = Channel.EMAIL

    def __init__(self, mail: Mail, sender_name: str, clock: Clock) -> None:
        self._mail = mail
        self._sender_name = sender_name
        self._clock = clock
        self._idle: list[SMTP] = []
        self._slots = asyncio.Semaphore(mail.connections)

    async def send(
        self, envelope: Envelope, before_commit_point: CommitPoint
    ) -> Receipt:
        """Deliver one message; one that is in doubt raises with `uncertain`."""
        body = build_message(
            envelope, self._sender_name, self._mail.from_address, self._clock.now()
        ).as_bytes(policy=_POLICY)
        async with self._connection() as client:
            await self._announce(client, envelope.address)
            before_commit_point()
            return await self._hand_over(client, body)

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        while self._idle:
            client = self._idle.pop()
            try:
                await client.quit(timeout=5)
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[SMTP]:
        async with self._slots:
            client = self._idle.pop() if self._idle else await self._connect()
            try:
                yield client
            except BaseException:
                # After a refusal or a cut the conversation's state is unknown.
                client.close()
                raise
            self._idle.append(client)

    async def _connect(self) -> SMTP:
        client = aiosmtplib.SMTP(
            hostname=self._mail.host,
            port=self._mail.port,
            use_tls=self._mail.tls == "implicit",
            start_tls=self._mail.tls == "starttls",
            username=self._mail.username or None,
            password=self._mail.password.get_secret_value() or None,
            timeout=self._mail.command_timeout_seconds,
        )
        try:
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise DeliveryError("sign_in_refused", permanent=False) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError("relay_unreachable", permanent=False) from error
        return client

    async def _announce(self, client: SMTP, address: str) -> None:
        """Everything before DATA: whatever goes wrong here, nothing was delivered."""
        try:
            await client.mail(self._mail.from_address)
            await client.rcpt(address)
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(error.code) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError("connection_lost", permanent=False) from error

    async def _hand_over(self, client: SMTP, body: bytes) -> Receipt:
        """The message itself: a cut in here leaves the outcome unknowable."""
        try:
            reply = await client.data(
                body, timeout=self._mail.final_dot_timeout_seconds
            )
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(error.code) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError(
                "no_answer_after_data", permanent=False, uncertain=True
            ) from error
        return Receipt(f"{reply.code} {reply.message}")


def build_message(
    envelope: Envelope, sender_name: str, from_address: str, now: datetime
) -> EmailMessage:
    """The MIME message of an envelope: a text part, and HTML beside it if there is."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(sender_name, addr_spec=from_address)
    message["To"] = Address(addr_spec=envelope.address)
    message["Subject"] = envelope.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = envelope.message_id
    for name, value in envelope.headers.items():
        message[name] = value
    message.set_content(envelope.text)
    if envelope.html is not None:
        message.add_alternative(envelope.html, subtype="html")
    return message


def _refusal(code: int) -> DeliveryError:
    """What a reply code means for this message (RFC 5321 section 4.2.1)."""
    if code in _MAILBOX_UNKNOWN:
        return DeliveryError("mailbox_unknown", permanent=True)
    if code >= 500:
        return DeliveryError(f"refused_{code}", permanent=True)
    reason = "relay_shutting_down" if code == _SHUTTING_DOWN else f"deferred_{code}"
    return DeliveryError(reason, permanent=False)
