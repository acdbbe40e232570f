"""The inbox: who waits, one conversation, and who writes; live."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request, Response

from bot.handover import OwnerChanged
from core.errors import DataError
from core.model import Owner
from storage import changes, console
from storage.changes import Change
from storage.staff import Member
from web import live
from web.access import Agents, services
from web.forms import Fields, fields, see
from web.render import pages

# How long a customer may wait before the list says so in colour.
SOON_MINUTES = 3
LATE_MINUTES = 10

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Notice:
    """What an act of the agent led to, if not to what was asked."""

    text: str
    draft: str = ""
    status_code: int = 200


@router.get("/inbox")
async def inbox(request: Request, member: Agents) -> Response:
    return await _page(request, member, None)


@router.get("/inbox/events")
async def events(request: Request, member: Agents, after: int = 0) -> Response:  # noqa: ARG001  the role is the point
    async def wanted(change: Change) -> bool:
        return change.kind == "conversation"

    return live.stream(
        services(request).database, live.last_seen(request, after), wanted
    )


@router.get("/inbox/{conversation_id}")
async def conversation(
    request: Request, member: Agents, conversation_id: int
) -> Response:
    return await _page(request, member, conversation_id)


async def _page(
    request: Request,
    member: Member,
    conversation_id: int | None,
    notice: Notice | None = None,
) -> Response:
    service, reader = services(request), pages(request).reader(request)
    database, now = service.database, service.clock.now()
    talk = card = None
    lines: list[console.Line] = []
    # The feed's place is read first: a change in between is shown twice, not never.
    after = await database.read(changes.newest_id)
    if conversation_id is not None:
        talk = await database.read(lambda c: console.talk(c, conversation_id))
        if talk is None:
            raise HTTPException(404)
        customer_id = talk.customer_id
        if customer_id is not None:
            card = await database.read(lambda c: console.card(c, customer_id))
        lines = await database.read(lambda c: console.thread(c, conversation_id))
    return await pages(request).page(
        request,
        member,
        "inbox.html",
        notice.status_code if notice else 200,
        talk=talk,
        card=card,
        lines=lines,
        queue=await database.read(console.queue),
        after=after,
        now=now,
        soon_minutes=SOON_MINUTES,
        late_minutes=LATE_MINUTES,
        notice=notice,
        reader_language=reader.language,
        mine=talk is not None
        and talk.owner is Owner.AGENT
        and talk.staff_id == member.id,
    )


@router.post("/inbox/{conversation_id}/take")
async def take(request: Request, member: Agents, conversation_id: int) -> Response:
    form = await fields(request)
    desk = services(request).desk
    try:
        await desk.take(conversation_id, member, form.number("version"))
    except OwnerChanged as error:
        return await _too_late(request, member, conversation_id, error, form)
    return see(f"/inbox/{conversation_id}")


@router.post("/inbox/{conversation_id}/reply")
async def reply(request: Request, member: Agents, conversation_id: int) -> Response:
    form = await fields(request)
    version, leave = form.number("version"), form["then"] == "leave"
    try:
        await services(request).desk.reply(
            conversation_id, member, version, form["text"], leave=leave
        )
    except OwnerChanged as error:
        return await _too_late(request, member, conversation_id, error, form)
    except DataError as error:
        text = pages(request).reader(request).text("The reply is empty or too long.")
        notice = Notice(text, form["text"], 422)
        if not error.problems:
            raise
        return await _page(request, member, conversation_id, notice)
    return see("/inbox" if leave else f"/inbox/{conversation_id}")


@router.post("/inbox/{conversation_id}/give-back")
async def give_back(request: Request, member: Agents, conversation_id: int) -> Response:
    form = await fields(request)
    desk = services(request).desk
    try:
        await desk.give_back(conversation_id, member, form.number("version"))
    except OwnerChanged as error:
        return await _too_late(request, member, conversation_id, error, form)
    return see(f"/inbox/{conversation_id}")


@router.post("/inbox/{conversation_id}/close")
async def close(request: Request, member: Agents, conversation_id: int) -> Response:
    form = await fields(request)
    desk = services(request).desk
    try:
        await desk.close(conversation_id, member, form.number("version"))
    except OwnerChanged as error:
        return await _too_late(request, member, conversation_id, error, form)
    return see("/inbox")


@router.post("/inbox/{conversation_id}/touch")
async def touch(request: Request, member: Agents, conversation_id: int) -> Response:
    """The agent types: their handling goes on."""
    await services(request).desk.touch(conversation_id, member)
    return Response(status_code=204)


async def _too_late(
    request: Request,
    member: Member,
    conversation_id: int,
    error: OwnerChanged,
    form: Fields,
) -> Response:
    """Say who has the conversation now; what was written is kept in the field."""
    reader = pages(request).reader(request)
    if error.staff_name == member.name:
        who = reader.text("It is with you now; look at it again before you go on.")
    elif error.staff_name:
        who = reader.text("%(name)s was faster and has it now.", name=error.staff_name)
    elif error.owner is Owner.QUEUE:
        who = reader.text("It waits for a person again.")
    else:
        who = reader.text("It is with the bot again.")
    text = reader.text("Nothing was changed or sent.") + " " + who
    notice = Notice(text, form["text"], 409)
    return await _page(request, member, conversation_id, notice)
