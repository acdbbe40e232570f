"""Signed tokens in public links: opaque, without an address, useless when changed."""

from __future__ import annotations

import base64
import hashlib
import hmac

_SIGNATURE_BYTES = 16


def sign(key: bytes, purpose: str, number: int) -> str:
    """A token for one row, valid for one purpose (`unsubscribe`)."""
    body = number.to_bytes(8)
    token = body + _signature(key, purpose, body)
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def verify(key: bytes, purpose: str, token: str) -> int | None:
    """The row of a token, or None where it was not made by us for this purpose."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    body, signature = raw[:8], raw[8:]
    if not hmac.compare_digest(signature, _signature(key, purpose, body)):
        return None
    return int.from_bytes(body)


def _signature(key: bytes, purpose: str, body: bytes) -> bytes:
    message = purpose.encode() + b"\x00" + body
    return hmac.new(key, message, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
