"""The application: routes of all page areas behind one guard."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import RapportError
from core.log import get_logger
from core.model import Role
from web import (
    api,
    assets,
    campaigns,
    chat,
    data,
    duplicates,
    inbox,
    mailbox,
    public,
    satisfaction,
    signin,
    team,
)
from web.access import Everyone, SignInNeeded, is_https, refuse_undeclared
from web.api import ApiProblem, answer_problem
from web.assets import Assets
from web.forms import see
from web.passwords import HASHES_AT_ONCE
from web.render import Pages, pages
from web.security import API, HEADERS, Guard
from web.services import Services

HOME = {
    Role.AGENT: "/inbox",
    Role.MARKETER: "/campaigns",
    Role.LEAD: "/satisfaction",
    Role.ADMIN: "/satisfaction",
}

log = get_logger("web")
router = APIRouter()
ROUTERS = (
    router,
    assets.router,
    signin.router,
    team.router,
    campaigns.router,
    data.router,
    duplicates.router,
    mailbox.router,
    inbox.router,
    chat.router,
    public.router,
    satisfaction.router,
    api.router,
)


def create_app(services: Services) -> FastAPI:
    """The console, the web chat and the public pages as one ASGI application."""
    app = FastAPI(title="Rapport", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.services = services
    app.state.assets = Assets(services.vendor)
    app.state.pages = Pages(services.settings, app.state.assets)
    app.state.hashing = asyncio.Semaphore(HASHES_AT_ONCE)
    refuse_undeclared(all_routes())
    for router in ROUTERS:
        app.include_router(router)
    _answer_errors(app)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=6)
    app.add_middleware(Guard, https=is_https(services), refuse=_refuser(app))
    return app


def all_routes() -> list[BaseRoute]:
    """Every route of the application."""
    return [route for part in ROUTERS for route in part.routes]


@router.get("/")
async def home(member: Everyone) -> Response:
    """The first page of each role."""
    return see(HOME[member.role])


def _answer_errors(app: FastAPI) -> None:
    app.add_exception_handler(ApiProblem, answer_problem)
    app.add_exception_handler(SignInNeeded, _ask_to_sign_in)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(RapportError, _answer_problem)
    app.add_exception_handler(Exception, _answer_fault)


def _ask_to_sign_in(request: Request, _: Exception) -> Response:
    if request.method != "GET" or "hx-request" in request.headers:
        return pages(request).error(request, 401)
    if "text/html" not in request.headers.get("accept", ""):
        return pages(request).error(request, 401)
    target = request.url.path
    if request.url.query:
        target += f"?{request.url.query}"
    return see(f"/sign-in?next={quote(target, safe='')}")


def _answer_http_error(request: Request, error: Exception) -> Response:
    status_code = error.status_code if isinstance(error, HTTPException) else 500
    if request.url.path.startswith(API):
        words = HTTPStatus(status_code).phrase
        return answer_problem(request, ApiProblem(status_code, words))
    return pages(request).error(request, status_code)


def _answer_invalid(request: Request, _: Exception) -> Response:
    # An id that is not a number is an address where nothing is.
    return pages(request).error(request, 404 if request.method == "GET" else 422)


def _answer_problem(request: Request, error: Exception) -> Response:
    problems = error.problems if isinstance(error, RapportError) else ()
    return pages(request).error(request, 409, problems)


def _answer_fault(request: Request, error: Exception) -> Response:
    log.error("page_failed", path=request.url.path, exc_info=error)
    if request.url.path.startswith(API):
        answer: Response = answer_problem(request, error)
    else:
        answer = pages(request).error(request, 500)
    # This answer leaves outside of the guard, which would have dressed it.
    answer.headers.update(HEADERS)
    return answer


def _refuser(app: FastAPI) -> ASGIApp:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = app
        answer = pages(Request(scope)).error(Request(scope), 403)
        await answer(scope, receive, send)

    return refuse
