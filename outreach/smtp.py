"""The e-mail channel: one SMTP transaction per recipient over a few connections."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

import aiosmtplib
from aiosmtplib import SMTP
from aiosmtplib.protocol import SMTPProtocol, normalize_message_line_endings

from core.clock import Clock
from core.errors import DeliveryError
from core.model import Channel, CommitPoint, Envelope, Receipt
from core.settings import Mail

# A folded List-Unsubscribe would be encoded, and mailboxes would not find the link.
# Seven bits pass every relay, also one that does not announce 8BITMIME.
_POLICY = SMTP_POLICY.clone(max_line_length=998, cte_type="7bit")
_SHUTTING_DOWN, _GO_ON, _TAKEN, _FOR_GOOD = 421, 354, 250, 500
_NOT_AN_ANSWER = -1
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
# RFC 3463: no such mailbox or system, moved away, no mail there, mailbox disabled.
# Other refusals with 550 speak of us or of the text, not of the address.
_NOBODY_THERE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
_MAILBOX_UNKNOWN = frozenset({550, 551, 553})


class SmtpChannel:
    """Sends envelopes through the relay of the settings."""

    name = Channel.EMAIL
    ready = True

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
        address = _ascii(envelope.address)
        content = on_the_wire(
            build_message(
                envelope, self._sender_name, self._mail.from_address, self._clock.now()
            )
        )
        async with self._slots:
            client = await self._announced(address)
            try:
                before_commit_point()
                receipt = await self._hand_over(client, content)
            except _Refused:
                self._idle.append(client)  # an answer to the dot ends the transaction
                raise
            except BaseException:
                # After a cut the conversation's state is unknown.
                client.close()
                raise
            self._idle.append(client)
            return receipt

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        while self._idle:
            client = self._idle.pop()
            try:
                await client.quit(timeout=5)
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    async def _announced(self, address: str) -> SMTP:
        """A connection on which the relay waits for the message's text.

        A relay ends connections when it likes, after a time or a number of messages:
        one that was used before and is gone now says nothing about the message.
        """
        while self._idle:
            client = self._idle.pop()
            try:
                await self._announce(client, address)
            except _ConnectionGone:
                continue
            return client
        client = await self._connect()
        await self._announce(client, address)
        return client

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
            raise DeliveryError(_unusable(error), permanent=False) from error
        return client

    async def _announce(self, client: SMTP, address: str) -> None:
        """Everything before the text: whatever goes wrong here, nothing was sent."""
        sender_taken = False
        try:
            await client.mail(self._mail.from_address)
            sender_taken = True
            await client.rcpt(address)
            reply = await client.execute_command(b"DATA")
        except aiosmtplib.SMTPResponseException as error:
            await self._forget(client, error.code)
            if not sender_taken and error.code >= _FOR_GOOD:
                # It speaks of us: nothing is known of the address that comes next.
                raise _Refused("sender_refused", permanent=False) from error
            raise _refusal(error.code, error.message) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise _ConnectionGone("connection_lost") from error
        except BaseException:
            client.close()
            raise
        if reply.code != _GO_ON:
            await self._forget(client, reply.code)
            raise _refusal(reply.code, reply.message, about_address=False)

    async def _forget(self, client: SMTP, code: int) -> None:
        """After a refusal: begin anew on the same connection, where there is one."""
        if code in {_SHUTTING_DOWN, _NOT_AN_ANSWER}:
            client.close()
            return
        try:
            await client.rset()
        except (aiosmtplib.SMTPException, OSError):
            client.close()
        else:
            self._idle.append(client)

    async def _hand_over(self, client: SMTP, content: bytes) -> Receipt:
        """The message itself: a cut in here leaves the outcome unknowable."""
        protocol = client.protocol
        try:
            if protocol is None:
                raise aiosmtplib.SMTPServerDisconnected("Connection lost")
            protocol.write(content)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError("connection_lost", permanent=False) from error
        code, text = await self._answer(protocol)
        if code == _TAKEN:
            return Receipt(f"{code} {text}")
        if code == _SHUTTING_DOWN:
            client.close()
            raise _ConnectionGone("relay_shutting_down")
        raise _refusal(code, text, about_address=False)

    async def _answer(self, protocol: SMTPProtocol) -> tuple[int, str]:
        unknown = DeliveryError("no_answer_after_data", permanent=False, uncertain=True)
        try:
            reply = await protocol.read_response(
                timeout=self._mail.final_dot_timeout_seconds
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            raise unknown from error
        if reply.code != _TAKEN and not 400 <= reply.code < 600:
            raise unknown
        return reply.code, reply.message


class _ConnectionGone(DeliveryError):
    """The connection ended before the text of the message; it can go by another."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, permanent=False)


class _Refused(DeliveryError):
    """The relay answered, and did not take the message."""


def build_message(
    envelope: Envelope, sender_name: str, from_address: str, now: datetime
) -> EmailMessage:
    """The MIME message of an envelope: a text part, and HTML beside it if there is.

    Raises
    ------
    DeliveryError : `unsendable`, where a header would hold a line break or no address
    """
    message = EmailMessage(policy=_POLICY)
    try:
        message["From"] = Address(sender_name, addr_spec=from_address)
        message["To"] = Address(addr_spec=_ascii(envelope.address))
        message["Subject"] = envelope.subject
        message["Date"] = format_datetime(now)
        message["Message-ID"] = envelope.message_id
        for name, value in envelope.headers.items():
            message[name] = value
    except (ValueError, MessageError) as error:
        raise DeliveryError("unsendable", permanent=True) from error
    message.set_content(envelope.text)
    if envelope.html is not None:
        message.add_alternative(envelope.html, subtype="html")
    return message


def on_the_wire(message: EmailMessage) -> bytes:
    """The bytes after DATA: lines end with CRLF, dots are doubled, a dot ends it."""
    content = normalize_message_line_endings(message.as_bytes(policy=_POLICY))
    if content.startswith(b"."):
        content = b"." + content
    return content.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def _ascii(address: str) -> str:
    """The address as every relay reads it; letters of other scripts only after @."""
    if address.isascii():
        return address
    from email_validator import EmailNotValidError, validate_email

    with suppress(EmailNotValidError):
        found = validate_email(address, check_deliverability=False).ascii_email
        if found is not None:
            return found
    raise DeliveryError("unsendable", permanent=True)


def _unusable(error: Exception) -> str:
    """Why there is no connection over which a message, or a password, may go."""
    # The vendor wraps what happens at connecting, not what happens at STARTTLS.
    causes = (error, error.__cause__)
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes):
        return "certificate_refused"
    if type(error) is aiosmtplib.SMTPException and "STARTTLS" in str(error):
        return "relay_without_tls"
    return "relay_unreachable"


def _refusal(code: int, text: str, *, about_address: bool = True) -> DeliveryError:
    """What a reply means for this message (RFC 5321 section 4.2.1, RFC 3463)."""
    if code == _SHUTTING_DOWN:
        return _ConnectionGone("relay_shutting_down")
    enhanced = _ENHANCED.match(text)
    if code < _FOR_GOOD:
        return _Refused(f"deferred_{code}", permanent=False)
    nobody = (
        enhanced[1] in _NOBODY_THERE
        if enhanced
        else about_address and code in _MAILBOX_UNKNOWN
    )
    return _Refused("mailbox_unknown" if nobody else f"refused_{code}", permanent=True)
