"""The demo's mailbox: what was sent, as a receiver would see it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from web import maildir
from web.access import Marketers, services
from web.paging import SIZE, page_of
from web.render import pages

# A mail may dress itself and show pictures it carries; it runs and loads nothing.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
# Links of the mail open beside the console instead of inside the frame.
BASE = '<base target="_blank">'

router = APIRouter()

View = Literal["html", "text", "headers", "source"]


def _directory(request: Request) -> Path:
    found = services(request).maildir
    if found is None:
        raise HTTPException(404)
    return found


@router.get("/mailbox")
async def mailbox(
    request: Request,
    member: Marketers,
    q: str = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    total, mails = await asyncio.to_thread(
        maildir.newest, _directory(request), q.strip()[:200], SIZE, (page - 1) * SIZE
    )
    return await pages(request).page(
        request,
        member,
        "mailbox.html",
        mails=mails,
        query=q,
        page=page_of(request, page, total),
    )


@router.get("/mailbox/{name}")
async def mail(
    request: Request, member: Marketers, name: str, view: View | None = None
) -> Response:
    found = await _read(request, name)
    shown = view or ("html" if found.html else "text")
    return await pages(request).page(
        request, member, "mail.html", mail=found, view=shown
    )


@router.get("/mailbox/{name}/body")
async def mail_body(request: Request, member: Marketers, name: str) -> Response:  # noqa: ARG001  the role is the point
    found = await _read(request, name)
    if found.html is None:
        raise HTTPException(404)
    headers = {"Content-Security-Policy": MAIL_POLICY}
    return HTMLResponse(BASE + found.html, headers=headers)


async def _read(request: Request, name: str) -> maildir.Mail:
    found = await asyncio.to_thread(maildir.read, _directory(request), name)
    if found is None:
        raise HTTPException(404)
    return found
