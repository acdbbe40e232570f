"""Who may open what. Every route names its roles; a route without is refused."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from core.model import Role, staff_member
from storage import staff
from storage.api_keys import ApiKey
from storage.staff import Member
from web.services import Services

TOKEN_BYTES = 32


class SignInNeeded(Exception):
    """Nobody is signed in, and the page is not public."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A dependency that lets these roles pass and hands over who it is."""

    roles: frozenset[Role]

    async def __call__(self, request: Request) -> Member:
        member = await current_member(request)
        if member is None:
            raise SignInNeeded
        if member.role not in self.roles:
            raise HTTPException(403)
        return member


@dataclass(frozen=True, slots=True)
class KeyNeeded:
    """A dependency that lets holders of an API key pass; `find` gives the key."""

    find: Callable[[Request], Awaitable[ApiKey]]

    async def __call__(self, request: Request) -> ApiKey:
        return await self.find(request)


async def _anyone() -> None:
    """Nothing to check: the route says that it is for everybody."""


PUBLIC = Depends(_anyone)
Everyone = Annotated[Member, Depends(Allowed(frozenset(Role)))]
Agents = Annotated[
    Member, Depends(Allowed(frozenset({Role.AGENT, Role.LEAD, Role.ADMIN})))
]
Marketers = Annotated[
    Member, Depends(Allowed(frozenset({Role.MARKETER, Role.LEAD, Role.ADMIN})))
]
Admins = Annotated[Member, Depends(Allowed(frozenset({Role.ADMIN})))]


def services(request: Request) -> Services:
    """The parts of the program that answer this request."""
    found: Services = request.app.state.services
    return found


def cookie_name(service: Services) -> str:
    """`__Host-` ties the cookie to this host and to https, where there is https."""
    return "__Host-session" if is_https(service) else "session"


def is_https(service: Services) -> bool:
    return service.settings.web.public_url.startswith("https:")


def token_hash(token: str) -> str:
    """What is stored: a leaked table opens no session."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


async def current_member(request: Request) -> Member | None:
    """Who is signed in, or None; notes the use of the session."""
    service = services(request)
    token = request.cookies.get(cookie_name(service), "")
    if not token:
        return None
    key, now, web = token_hash(token), service.clock.now(), service.settings.web
    idle = timedelta(hours=web.session_idle_hours)
    absolute = timedelta(hours=web.session_absolute_hours)
    found = await service.database.read(
        lambda c: staff.session_member(c, key, now, idle, absolute)
    )
    if found is None:
        return None
    member, touch_is_due = found
    if touch_is_due:
        await service.database.write(
            staff_member(member.id), lambda c: staff.touch_session(c, key, now)
        )
    return member


def roles_of(route: APIRoute) -> frozenset[Role] | None:
    """The roles that a route declares; nobody's for a public one or one with a key.

    Returns None where the route declares nothing.
    """
    calls: list[Any] = [part.call for part in route.dependant.dependencies]
    for call in calls:
        if isinstance(call, Allowed):
            return call.roles
    return frozenset() if needs_key(route) or _anyone in calls else None


def needs_key(route: APIRoute) -> bool:
    """Whether a route is for programs that show a key."""
    parts = route.dependant.dependencies
    return any(isinstance(part.call, KeyNeeded) for part in parts)


def refuse_undeclared(routes: Iterable[BaseRoute]) -> None:
    """Stop the start when a route forgot to say who may use it."""
    for route in routes:
        if not isinstance(route, APIRoute) or roles_of(route) is None:
            message = f"the route {route!r} does not say who may use it"
            raise RuntimeError(message)
