"""Signing in and out, and the first account."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from datetime import datetime

from fastapi import APIRouter, HTTPException, Request, Response

from core.model import Role, staff_member, system
from storage import staff
from storage.staff import Member, NewMember, StaffError
from web import passwords
from web.access import (
    PUBLIC,
    Everyone,
    cookie_name,
    current_member,
    is_https,
    new_token,
    services,
    token_hash,
)
from web.forms import fields, local_path, see
from web.languages import LOCALES
from web.render import LANGUAGE_COOKIE, pages
from web.services import Services
from web.words import N_

ACTOR = system("sign-in")
YEAR_SECONDS = 365 * 24 * 3600
CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"

router = APIRouter()


def new_setup_code() -> str:
    """A code of 50 bits that a person can type, in groups."""
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(10))
    return f"{letters[:5]}-{letters[5:]}"


@router.get("/sign-in", dependencies=[PUBLIC])
async def sign_in_page(request: Request, next: str = "/") -> Response:
    service = services(request)
    if await service.database.read(staff.is_empty):
        return see("/set-up")
    if await current_member(request):
        return see(local_path(next))
    return _sign_in_page(request, "", local_path(next))


def _sign_in_page(
    request: Request, email: str, target: str, notice: str = "", status_code: int = 200
) -> Response:
    return pages(request).plain(
        request, "sign_in.html", status_code, email=email, next=target, notice=notice
    )


@router.post("/sign-in", dependencies=[PUBLIC])
async def sign_in(request: Request) -> Response:
    service, form = services(request), await fields(request)
    reader, target = pages(request).reader(request), local_path(form["next"])
    email = form["email"][:320]
    # Waiting for one's turn keeps a thousand tries at once from one count of zero.
    async with request.app.state.hashing:
        member, until = await _try(request, email, form.secret("password"))
    if until is not None:
        text = reader.text(
            "Too many tries. The next one is possible in %(wait)s.",
            wait=reader.span(until - service.clock.now()),
        )
        return _sign_in_page(request, email, target, text, 429)
    if member is None:
        text = reader.text("E-mail or password is wrong.")
        return _sign_in_page(request, email, target, text, 401)
    return await _start_session(service, member, target)


async def _try(
    request: Request, email: str, password: str
) -> tuple[Member | None, datetime | None]:
    """Who it is, or None; and until when tries are refused, if they are."""
    service = services(request)
    now, subjects = service.clock.now(), _subjects(request, email)
    until = await _blocked_until(service, subjects, now)
    if until is not None and until > now:
        return None, until
    known = await service.database.read(lambda c: staff.credentials(c, email))
    stored = known[1] if known else None
    typed = password[: passwords.LENGTH_MOST]
    if await passwords.verify(stored, typed) and known:
        await service.database.write(
            ACTOR, lambda c: staff.clear_failures(c, subjects[0])
        )
        await _renew_hash(service, known[0], known[1], typed)
        return known[0], None
    old = now - passwords.WINDOW
    await service.database.write(
        ACTOR, lambda c: staff.record_failure(c, subjects, now, old)
    )
    return None, None


async def _renew_hash(
    service: Services, member: Member, stored: str, password: str
) -> None:
    """Bring a hash up to today's strength while the password is at hand."""
    if not passwords.needs_new_hash(stored):
        return
    renewed = await asyncio.to_thread(passwords.hash_password, password)
    await service.database.write(
        ACTOR, lambda c: staff.change_password_hash(c, member.id, renewed)
    )


def _subjects(request: Request, email: str) -> list[str]:
    """What failures are counted for: the account (as a hash) and the address."""
    account = hashlib.sha256(email.lower().encode()).hexdigest()
    host = request.client.host if request.client else "unknown"
    return [f"account:{account}", f"address:{host}"]


async def _blocked_until(
    service: Services, subjects: list[str], now: datetime
) -> datetime | None:
    limits = (passwords.FREE_TRIES_PER_ACCOUNT, passwords.FREE_TRIES_PER_ADDRESS)
    since = now - passwords.WINDOW
    found = await service.database.read(
        lambda c: [staff.failures(c, subject, since) for subject in subjects]
    )
    waits = [
        passwords.wait_until(failures, free)
        for failures, free in zip(found, limits, strict=True)
    ]
    return max((moment for moment in waits if moment), default=None)


async def _start_session(service: Services, member: Member, target: str) -> Response:
    """A new token at every sign-in; only its hash is stored."""
    token, now = new_token(), service.clock.now()
    await service.database.write(
        staff_member(member.id),
        lambda c: staff.open_session(c, token_hash(token), member.id, now),
    )
    answer = see(target)
    answer.set_cookie(
        cookie_name(service),
        token,
        max_age=round(service.settings.web.session_absolute_hours * 3600),
        path="/",
        secure=is_https(service),
        httponly=True,
        samesite="lax",
    )
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, member: Everyone) -> Response:
    service = services(request)
    name = cookie_name(service)
    key = token_hash(request.cookies[name])
    await service.database.write(
        staff_member(member.id), lambda c: staff.close_session(c, key)
    )
    answer = see("/sign-in")
    answer.delete_cookie(name, path="/", secure=is_https(service), httponly=True)
    return answer


@router.get("/set-up", dependencies=[PUBLIC])
async def set_up_page(request: Request) -> Response:
    await _refuse_when_set_up(services(request))
    return _set_up_page(request)


def _set_up_page(
    request: Request,
    name: str = "",
    email: str = "",
    notice: str = "",
    status_code: int = 200,
) -> Response:
    return pages(request).plain(
        request, "set_up.html", status_code, name=name, email=email, notice=notice
    )


async def _refuse_when_set_up(service: Services) -> None:
    empty = await service.database.read(staff.is_empty)
    if not empty or service.setup_code is None:
        raise HTTPException(404)


@router.post("/set-up", dependencies=[PUBLIC])
async def set_up(request: Request) -> Response:
    service, form = services(request), await fields(request)
    await _refuse_when_set_up(service)
    reader, code = pages(request).reader(request), service.setup_code or ""
    name, email, password = form["name"], form["email"], form.secret("password")
    async with request.app.state.hashing:
        until = await _blocked_until(
            service, _subjects(request, "set-up"), _now(request)
        )
        if until is not None and until > _now(request):
            raise HTTPException(429)
        if not hmac.compare_digest(form["code"].encode(), code.encode()):
            await _note_wrong_code(request)
            text = reader.text(
                "The set-up code is wrong. The server printed it at start."
            )
            return _set_up_page(request, name, email, text, 403)
        problem = password_problem(password)
        if problem or not name or "@" not in email:
            text = reader.text(problem or "Name and e-mail are needed.")
            return _set_up_page(request, name, email, text, 422)
        stored = await asyncio.to_thread(passwords.hash_password, password)
    new, now = NewMember(email, name, Role.ADMIN, stored), service.clock.now()
    try:
        await service.database.write(
            ACTOR, lambda c: staff.add_first_admin(c, new, now)
        )
    except StaffError as error:
        raise HTTPException(404) from error
    found = await service.database.read(lambda c: staff.credentials(c, email))
    return await _start_session(service, found[0], "/") if found else see("/sign-in")


def _now(request: Request) -> datetime:
    return services(request).clock.now()


async def _note_wrong_code(request: Request) -> None:
    service, now = services(request), _now(request)
    subjects, old = _subjects(request, "set-up"), now - passwords.WINDOW
    await service.database.write(
        ACTOR, lambda c: staff.record_failure(c, subjects, now, old)
    )


def password_problem(password: str) -> str:
    """Why a new password is refused, in English; empty if it is good."""
    if len(password) < passwords.LENGTH_LEAST:
        return N_("A password needs at least 10 characters.")
    if len(password) > passwords.LENGTH_MOST:
        return N_("A password has at most 256 characters.")
    if len(set(password)) < 4:
        return N_("A password needs more different characters.")
    return ""


@router.post("/language", dependencies=[PUBLIC])
async def choose_language(request: Request) -> Response:
    form = await fields(request)
    if form["language"] not in LOCALES:
        raise HTTPException(422)
    answer = see(local_path(form["back"]))
    answer.set_cookie(
        LANGUAGE_COOKIE,
        form["language"],
        max_age=YEAR_SECONDS,
        path="/",
        secure=is_https(services(request)),
        httponly=True,
        samesite="lax",
    )
    return answer
