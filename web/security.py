"""What every answer carries and every request must show, before any page runs."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.log import get_logger

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; frame-src 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_LIMIT_BYTES = 64 * 1024
# Programs that send records show a key, which no browser sends by itself.
API, API_LIMIT_BYTES = "/api/", 1024 * 1024
# RFC 8058: the mail provider posts here for the customer, without any of our headers.
ONE_CLICK = "/u/"

log = get_logger("web")


class Guard:
    """Security headers, no cross-site writes, no huge bodies."""

    def __init__(self, app: ASGIApp, https: bool, refuse: ASGIApp) -> None:
        self._app = app
        self._https = https
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(MutableHeaders(scope=message))
            await send(message)

        if _is_cross_site(scope):
            log.warning("cross_site_request_refused", method=scope["method"])
            await self._refuse(scope, receive, send_with_headers)
            return
        by_key = scope["path"].startswith(API)
        limit = API_LIMIT_BYTES if by_key else BODY_LIMIT_BYTES
        await self._app(scope, _limited(receive, limit), send_with_headers)

    def _dress(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if self._https:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def _is_cross_site(scope: Scope) -> bool:
    """Whether an unsafe request can't show that a page of ours made it."""
    if scope["method"] in SAFE_METHODS or scope["path"].startswith((ONE_CLICK, API)):
        return False
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    # Old browsers send no Sec-Fetch-Site; all send Origin with a POST.
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc != headers.get("host")


def _limited(receive: Receive, limit: int) -> Receive:
    """`receive` that refuses to read on behind the limit."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413)
        return message

    return receive_some
