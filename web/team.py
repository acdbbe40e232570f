"""Settings: the language, and who works here."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, HTTPException, Request, Response

from core.errors import Problem
from core.model import Role, staff_member
from storage import staff
from storage.staff import Member, NewMember, StaffError
from web import passwords
from web.access import Admins, Everyone, services
from web.forms import fields, see
from web.render import pages
from web.signin import password_problem

router = APIRouter()


@router.get("/settings")
async def settings_page(request: Request, member: Everyone) -> Response:
    return await _page(request, member)


async def _page(request: Request, member: Member, *problems: Problem) -> Response:
    team = await services(request).database.read(staff.members)
    return await pages(request).page(
        request,
        member,
        "settings.html",
        422 if problems else 200,
        team=team,
        roles=list(Role),
        may_change=member.role is Role.ADMIN,
        problems=problems,
    )


@router.post("/settings/team")
async def add_person(request: Request, member: Admins) -> Response:
    form, service = await fields(request), services(request)
    reader = pages(request).reader(request)
    wrong = password_problem(form.secret("password"))
    if wrong or not form["name"] or "@" not in form["email"]:
        text = reader.text(wrong or "Name and e-mail are needed.")
        return await _page(request, member, Problem(text))
    async with request.app.state.hashing:
        stored = await asyncio.to_thread(
            passwords.hash_password, form.secret("password")
        )
    new = NewMember(form["email"], form["name"], _role(form["role"]), stored)
    now = service.clock.now()
    try:
        await service.database.write(
            staff_member(member.id), lambda c: staff.add_member(c, new, now)
        )
    except StaffError as error:
        return await _page(request, member, *error.problems)
    return see("/settings")


@router.post("/settings/team/{staff_id}")
async def change_person(request: Request, member: Admins, staff_id: int) -> Response:
    form, service = await fields(request), services(request)
    role, active, now = (
        _role(form["role"]),
        form["active"] == "yes",
        service.clock.now(),
    )
    try:
        await service.database.write(
            staff_member(member.id),
            lambda c: staff.change_member(c, staff_id, role, active, now),
        )
    except StaffError as error:
        return await _page(request, member, *error.problems)
    return see("/settings")


def _role(code: str) -> Role:
    try:
        return Role(code)
    except ValueError as error:
        raise HTTPException(422) from error
