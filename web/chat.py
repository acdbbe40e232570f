"""The web chat: the customer's page, and the script that puts it into a shop."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Request, Response

from bot.webchat import Thread, new_visitor
from core.errors import DataError
from core.model import Channel, Sender, system
from storage import changes, conversations, installation
from storage.changes import Change
from storage.messages import Message
from web import live
from web.access import PUBLIC, is_https, services
from web.assets import SHORTLY
from web.forms import fields, see
from web.render import pages
from web.security import POLICY
from web.services import Services

YEAR_SECONDS = 365 * 24 * 3600
SCORE = "score:"

router = APIRouter()


@router.get("/chat.js", dependencies=[PUBLIC])
async def widget(request: Request) -> Response:
    asset = request.app.state.assets.get("chat.js")
    headers = {"Cache-Control": SHORTLY}
    return Response(asset.body, media_type=asset.media_type, headers=headers)


@router.get("/chat", dependencies=[PUBLIC])
async def chat(request: Request) -> Response:
    service = services(request)
    visitor = await _visitor(request)
    after = await service.database.read(changes.newest_id)
    thread = await service.chat.thread(visitor) if visitor else Thread()
    answer = pages(request).plain(
        request,
        "chat.html",
        thread=thread,
        after=after,
        choices=_choices(thread.messages),
        is_score=_is_score(thread.messages),
        message_id=secrets.token_hex(12),
    )
    answer.headers["Content-Security-Policy"] = _policy(service)
    if visitor is None:
        await _remember(request, answer, new_visitor())
    return answer


def _choices(messages: tuple[Message, ...]) -> Message | None:
    """The message whose buttons still wait for an answer: the last one, or none."""
    if messages and messages[-1].buttons and messages[-1].sender is not Sender.CUSTOMER:
        return messages[-1]
    return None


def _is_score(messages: tuple[Message, ...]) -> bool:
    found = _choices(messages)
    return bool(found) and all(
        button.data.startswith(SCORE) for button in (found.buttons if found else ())
    )


def _policy(service: Services) -> str:
    """The shop's pages may show the chat in a frame; nobody else's may."""
    shop = urlsplit(service.settings.shop.url)
    allowed = f"frame-ancestors 'self' {shop.scheme}://{shop.netloc}"
    return POLICY.replace("frame-ancestors 'none'", allowed)


@router.post("/chat", dependencies=[PUBLIC])
async def say(request: Request) -> Response:
    form, service = await fields(request), services(request)
    visitor = await _visitor(request)
    wants_page = "text/html" in request.headers.get("accept", "")
    if visitor is None:
        # Without its cookie a browser would get a new conversation with every message.
        raise HTTPException(400)
    try:
        await service.chat.post_message(
            visitor,
            form["id"] or secrets.token_hex(12),
            text=form["text"],
            button=form["button"] or None,
            language=pages(request).reader(request).language,
        )
    except DataError as error:
        raise HTTPException(422) from error
    return see("/chat") if wants_page else Response(status_code=204)


@router.get("/chat/events", dependencies=[PUBLIC])
async def events(request: Request, after: int = 0) -> Response:
    service, visitor = services(request), await _visitor(request)
    if visitor is None:
        raise HTTPException(400)
    own: int | None = None

    async def wanted(change: Change) -> bool:
        nonlocal own
        if change.kind != "conversation":
            return False
        if own is None:
            found = await service.database.read(
                lambda c: conversations.find(c, Channel.WEBCHAT, visitor)
            )
            own = found.id if found else None
        return change.entity_id == own

    return live.stream(service.database, live.last_seen(request, after), wanted)


# The cookie: the visitor's address and our signature, so that nobody picks an address.


def _cookie_name(service: Services) -> str:
    return "__Host-chat" if is_https(service) else "chat"


async def _visitor(request: Request) -> str | None:
    service = services(request)
    value = request.cookies.get(_cookie_name(service), "")
    visitor, _, signature = value.partition(".")
    expected = _signature(await _key(request), visitor)
    if not visitor or not hmac.compare_digest(signature.encode(), expected.encode()):
        return None
    return visitor


async def _remember(request: Request, answer: Response, visitor: str) -> None:
    service = services(request)
    value = f"{visitor}.{_signature(await _key(request), visitor)}"
    # In a frame on the shop's page browsers keep only cookies that say all of this.
    reach = (
        "SameSite=None; Secure; Partitioned" if is_https(service) else "SameSite=Lax"
    )
    answer.headers.append(
        "Set-Cookie",
        f"{_cookie_name(service)}={value}; Path=/; Max-Age={YEAR_SECONDS}; "
        f"HttpOnly; {reach}",
    )


def _signature(key: bytes, visitor: str) -> str:
    return hmac.new(key, visitor.encode(), hashlib.sha256).hexdigest()[:32]


async def _key(request: Request) -> bytes:
    found: bytes | None = getattr(request.app.state, "chat_key", None)
    if found is None:
        found = await services(request).database.write(
            system("chat"), lambda c: installation.key(c, "webchat")
        )
        request.app.state.chat_key = found
    return found
