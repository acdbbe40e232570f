"""What links in messages lead to: unsubscribe, preferences, the mail in a browser."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from core.model import customer_self, system
from outreach import links
from storage import installation, preferences
from storage.preferences import Link
from web.access import PUBLIC, services
from web.forms import fields, see
from web.mailbox import MAIL_POLICY
from web.render import pages

router = APIRouter()


@router.get("/u/{token}", dependencies=[PUBLIC])
async def unsubscribe_page(request: Request, token: str) -> Response:
    """Ask first: mail scanners open every link, and must not unsubscribe anybody."""
    found = await _link(request, token)
    topics = await services(request).database.read(
        lambda c: preferences.topics(c, found)
    )
    done = not topics.get(found.topic, True)
    return _page(request, "unsubscribe.html", token, found, done=done)


@router.post("/u/{token}", dependencies=[PUBLIC])
async def unsubscribe(request: Request, token: str) -> Response:
    """By the button, or by the mail provider for the customer (RFC 8058)."""
    found, service = await _link(request, token), services(request)
    now = service.clock.now()
    await service.database.write(
        customer_self(found.delivery.customer_id),
        lambda c: preferences.unsubscribe(c, found, now),
    )
    return _page(request, "unsubscribe.html", token, found, done=True)


@router.get("/preferences/{token}", dependencies=[PUBLIC])
async def preferences_page(
    request: Request, token: str, saved: bool = False
) -> Response:
    found = await _link(request, token)
    topics = await services(request).database.read(
        lambda c: preferences.topics(c, found)
    )
    return _page(request, "preferences.html", token, found, topics=topics, saved=saved)


@router.post("/preferences/{token}", dependencies=[PUBLIC])
async def choose(request: Request, token: str) -> Response:
    found, service = await _link(request, token), services(request)
    form, now = await fields(request), service.clock.now()
    wanted = form.names("topic-")
    await service.database.write(
        customer_self(found.delivery.customer_id),
        lambda c: preferences.choose_topics(c, found, wanted, now),
    )
    return see(f"/preferences/{token}?saved=yes")


@router.get("/view/{token}", dependencies=[PUBLIC])
async def view(request: Request, token: str) -> Response:
    """The mail again, for receivers whose mail program shows it badly."""
    found, service = await _link(request, token), services(request)
    row = found.delivery
    try:
        written, _ = await service.database.read(
            lambda c: service.composer.envelopes(c, [row], found.at)
        )
    except KeyError as error:  # the address, or the customer, is gone
        raise HTTPException(404) from error
    envelope = written.get(row.id)
    if envelope is None or envelope.html is None:
        raise HTTPException(404)
    headers = {"Content-Security-Policy": MAIL_POLICY}
    return HTMLResponse(envelope.html, headers=headers)


async def _link(request: Request, token: str) -> Link:
    """The message of this link; forged and outdated ones are a page that says so."""
    database = services(request).database
    key: bytes | None = getattr(request.app.state, "links_key", None)
    if key is None:
        key = await database.write(
            system("links"), lambda c: installation.key(c, "links")
        )
        request.app.state.links_key = key
    number = links.verify(key, "unsubscribe", token)
    found = (
        None
        if number is None
        else await database.read(lambda c: preferences.link(c, number))
    )
    if found is None:
        raise HTTPException(404)
    return found


def _page(
    request: Request, template: str, token: str, found: Link, **values: Any
) -> Response:
    channel = found.delivery.channel
    return pages(request).plain(
        request, template, token=token, topic=found.topic, channel=channel, **values
    )
