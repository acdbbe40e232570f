"""Reads a Maildir for the demo's mailbox; nothing of a message is trusted."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

FOLDERS = ("new", "cur")
# Maildir names are flat; anything else in an address is somebody looking around.
NAME = re.compile(r"[A-Za-z0-9_.,:=+-]{1,200}")
HEAD_BYTES = 8192
MESSAGE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the list."""

    name: str
    sender: str
    recipient: str
    subject: str
    at: datetime
    octets: int


@dataclass(frozen=True, slots=True)
class Mail:
    """One message, taken apart."""

    summary: Summary
    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    source: str


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    at: float
    octets: int


def newest(
    directory: Path, query: str, limit: int, offset: int
) -> tuple[int, list[Summary]]:
    """How many messages contain the query in their headers, and one page of them."""
    files = _files(directory)
    if query:
        files = [file for file in files if _mentions(file.path, query.lower())]
    page = files[offset : offset + limit]
    return len(files), [_summary(file) for file in page]


def _files(directory: Path) -> list[_File]:
    found = []
    for folder in FOLDERS:
        place = directory / folder
        for path in place.iterdir() if place.is_dir() else ():
            status = path.stat()
            found.append(_File(path, status.st_mtime, status.st_size))
    return sorted(found, key=lambda file: (file.at, file.path.name), reverse=True)


def _mentions(path: Path, query: str) -> bool:
    head = _read(path, HEAD_BYTES).split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0]
    if query.encode() in head.lower():
        return True
    headers = email.message_from_bytes(head, policy=email.policy.default)
    return any(query in str(value).lower() for value in headers.values())


def _read(path: Path, octets: int) -> bytes:
    with path.open("rb") as source:
        return source.read(octets)


def _summary(file: _File, message: EmailMessage | None = None) -> Summary:
    headers = message or email.message_from_bytes(
        _read(file.path, HEAD_BYTES), policy=email.policy.default
    )
    return Summary(
        name=file.path.name,
        sender=str(headers["From"] or ""),
        recipient=str(headers["To"] or ""),
        subject=str(headers["Subject"] or ""),
        at=datetime.fromtimestamp(file.at, UTC),
        octets=file.octets,
    )


def read(directory: Path, name: str) -> Mail | None:
    """One message by its file name, or None."""
    if not NAME.fullmatch(name):
        return None
    for folder in FOLDERS:
        path = directory / folder / name
        if path.is_file():
            return _mail(path)
    return None


def _mail(path: Path) -> Mail:
    status = path.stat()
    content = _read(path, MESSAGE_BYTES)
    message = email.message_from_bytes(content, policy=email.policy.default)
    file = _File(path, status.st_mtime, status.st_size)
    return Mail(
        summary=_summary(file, message),
        headers=tuple((key, str(value)) for key, value in message.items()),
        text=_part(message, "plain"),
        html=_part(message, "html"),
        source=content.decode("utf-8", "replace"),
    )


def _part(message: EmailMessage, subtype: str) -> str | None:
    body = message.get_body((subtype,))
    if body is None:
        return None
    content = body.get_content()
    return content if isinstance(content, str) else None
