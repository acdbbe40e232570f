"""Who may open what: the matrix over all routes, from the outside."""

from __future__ import annotations

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from core.model import Role
from tests.web.site import Site
from web.access import needs_key, refuse_undeclared, roles_of
from web.api_records import RECORDS
from web.server import all_routes

SERVICE = {"agent", "lead", "admin"}
OUTREACH = {"marketer", "lead", "admin"}
ALL = {"agent", "marketer", "lead", "admin"}
# Pages that nobody signs in for, and doors for programs with a key.
OPEN = ("public", "key")
# Written by hand: a route that changes its roles has to change this table as well.
MATRIX = {
    ("GET", "/"): ALL,
    ("GET", "/assets/{name:path}"): "public",
    ("GET", "/sign-in"): "public",
    ("POST", "/sign-in"): "public",
    ("POST", "/sign-out"): ALL,
    ("GET", "/set-up"): "public",
    ("POST", "/set-up"): "public",
    ("POST", "/language"): "public",
    ("GET", "/settings"): ALL,
    ("POST", "/settings/team"): {"admin"},
    ("POST", "/settings/team/{staff_id}"): {"admin"},
    ("GET", "/satisfaction"): ALL,
    ("GET", "/conversations"): SERVICE,
    ("GET", "/campaigns"): OUTREACH,
    ("GET", "/campaigns/{key}"): OUTREACH,
    ("GET", "/campaigns/runs/{run_id}"): OUTREACH,
    ("POST", "/campaigns/runs/{run_id}"): OUTREACH,
    ("GET", "/data"): OUTREACH,
    ("GET", "/duplicates"): OUTREACH,
    ("POST", "/duplicates/{candidate_id}"): OUTREACH,
    ("POST", "/duplicates/merges/{merge_id}/undo"): OUTREACH,
    ("GET", "/mailbox"): OUTREACH,
    ("GET", "/mailbox/{name}"): OUTREACH,
    ("GET", "/mailbox/{name}/body"): OUTREACH,
    ("GET", "/inbox"): SERVICE,
    ("GET", "/inbox/events"): SERVICE,
    ("GET", "/inbox/{conversation_id}"): SERVICE,
    ("POST", "/inbox/{conversation_id}/take"): SERVICE,
    ("POST", "/inbox/{conversation_id}/reply"): SERVICE,
    ("POST", "/inbox/{conversation_id}/give-back"): SERVICE,
    ("POST", "/inbox/{conversation_id}/close"): SERVICE,
    ("POST", "/inbox/{conversation_id}/touch"): SERVICE,
    ("GET", "/chat"): "public",
    ("POST", "/chat"): "public",
    ("GET", "/chat.js"): "public",
    ("GET", "/chat/events"): "public",
    ("GET", "/u/{token}"): "public",
    ("POST", "/u/{token}"): "public",
    ("GET", "/preferences/{token}"): "public",
    ("POST", "/preferences/{token}"): "public",
    ("GET", "/view/{token}"): "public",
    ("GET", "/api/v1/openapi.json"): "public",
    **{("POST", f"/api/v1/{kind}"): "key" for kind in RECORDS},
}
CLOSED = [
    (*route, role)
    for route, roles in MATRIX.items()
    for role in sorted(ALL - set(roles))
    if roles not in OPEN
]


def declared() -> dict[tuple[str, str], object]:
    routes = [route for route in all_routes() if isinstance(route, APIRoute)]
    return {
        (method, route.path): {str(role) for role in roles_of(route) or ()}
        or ("key" if needs_key(route) else "public")
        for route in routes
        for method in route.methods
    }


def test_every_route_stands_in_the_matrix() -> None:
    assert declared() == MATRIX


def test_route_that_names_no_role_stops_the_start() -> None:
    router = APIRouter()

    @router.get("/open")
    def forgotten() -> None:
        """Says nothing about roles."""

    with pytest.raises(RuntimeError, match="does not say who may use it"):
        refuse_undeclared(router.routes)


@pytest.mark.parametrize(
    ("method", "path"), [route for route, roles in MATRIX.items() if roles not in OPEN]
)
def test_nobody_comes_in_without_signing_in(
    shared_site: Site, method: str, path: str
) -> None:
    with shared_site.visitor() as browser:
        answer = browser.request(method, path.replace("{", "").replace("}", ""))

    assert answer.status_code in {303, 401}
    assert answer.headers.get("location", "/sign-in").startswith("/sign-in")


@pytest.mark.parametrize("role", list(Role))
def test_role_is_kept_out_of_what_is_not_its_own(shared_site: Site, role: Role) -> None:
    with shared_site.signed_in(role) as browser:
        codes = {
            (method, path): browser.request(
                method,
                path.replace("{staff_id}", "1")
                .replace("{conversation_id}", "1")
                .replace("{run_id}", "1")
                .replace("{candidate_id}", "1")
                .replace("{merge_id}", "1"),
            ).status_code
            for method, path, closed_to in CLOSED
            if closed_to == role
        }

    assert set(codes.values()) <= {403}
