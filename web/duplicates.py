"""Duplicates: customers who may be one person, side by side, for a person to decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response

from core.errors import RapportError
from core.model import MergeMethod, staff_member
from outreach.matching import KIND, NAME
from storage import analysis, candidates, merges, staff
from storage.candidates import Candidate, CandidateError, Person
from storage.customer_fields import FIELDS
from storage.database import Connection
from storage.merges import Merge, MergeError
from storage.staff import Member
from web.access import Marketers, services
from web.forms import fields, see
from web.languages import Reader
from web.paging import page_of
from web.render import pages

SIZE = 10
# So many are shown; the rest is one page away in the audit log.
MERGES_SHOWN = 20
CURRENCY = "income_currency"
# More than this is never said: nobody is sure to the last digit.
SURE_RATIO = 0.999

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison; `kind` says to which words its name belongs."""

    name: str
    kind: str
    low: str
    high: str
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """One comparison in words, and how much it speaks for one person, in bits."""

    words: str
    weight_bits: float


@dataclass(frozen=True, slots=True)
class Pair:
    """One proposal as the page shows it."""

    id: int
    low: Person
    high: Person
    probability_ratio: float
    rows: tuple[Row, ...]
    reasons: tuple[Reason, ...]


@router.get("/duplicates")
async def duplicates(
    request: Request,
    member: Marketers,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    merged: int | None = None,
    parted: int | None = None,
) -> Response:
    """The queue; `merged` and `parted` are what was decided a moment ago."""
    found = await _merge_of(request, merged)
    return await _page(request, member, page, merged=found, parted=parted is not None)


async def _page(
    request: Request,
    member: Member,
    number: int = 1,
    *,
    merged: Merge | None = None,
    parted: bool = False,
    error: RapportError | None = None,
) -> Response:
    read = services(request).database.read
    reader = pages(request).reader(request)
    place = page_of(request, number, await read(candidates.count), SIZE)
    waiting = await read(lambda c: candidates.waiting(c, SIZE, place.offset))
    return await pages(request).page(
        request,
        member,
        "duplicates.html",
        409 if error else 200,
        pairs=[_pair(each, reader) for each in waiting],
        page=place,
        done=await read(lambda c: merges.newest(c, MERGES_SHOWN)),
        names=await read(_names),
        merged=merged,
        parted=parted,
        problems=error.problems if error else (),
        sure_ratio=SURE_RATIO,
        doubted=await read(_doubted),
    )


@router.post("/duplicates/{candidate_id}")
async def decide(request: Request, member: Marketers, candidate_id: int) -> Response:
    """Merge into the one who is kept, or leave them two."""
    form, service = await fields(request), services(request)
    if form["decision"] not in {"merge", "apart"}:
        raise HTTPException(422)
    now = service.clock.now()
    keep = form.number("keep") if form["decision"] == "merge" else None

    def work(connection: Connection) -> str:
        if keep is None:
            candidates.keep_apart(connection, candidate_id, now)
            return f"/duplicates?parted={candidate_id}"
        pair = candidates.pair_of(connection, candidate_id, keep)
        merge_id = merges.merge(connection, *pair, MergeMethod.PERSON, now)
        return f"/duplicates?merged={merge_id}"

    try:
        target = await service.database.write(staff_member(member.id), work)
    except (CandidateError, MergeError) as error:
        return await _page(request, member, error=error)
    return see(target)


@router.post("/duplicates/merges/{merge_id}/undo")
async def undo(request: Request, member: Marketers, merge_id: int) -> Response:
    service = services(request)
    now = service.clock.now()
    try:
        await service.database.write(
            staff_member(member.id), lambda c: merges.unmerge(c, merge_id, now)
        )
    except MergeError as error:
        return await _page(request, member, error=error)
    return see(f"/duplicates?merged={merge_id}")


async def _merge_of(request: Request, merge_id: int | None) -> Merge | None:
    if merge_id is None:
        return None
    return await services(request).database.read(lambda c: merges.get(c, merge_id))


def _names(connection: Connection) -> dict[str, str]:
    return {str(staff_member(each.id)): each.name for each in staff.members(connection)}


# --- side by side ---------------------------------------------------------------------


def _pair(found: Candidate, reader: Reader) -> Pair:
    low, high = found.low, found.high
    rows = [
        Row(
            name,
            "field",
            _shown(low, name, reader),
            _shown(high, name, reader),
            name in found.differing,
        )
        for name in FIELDS
        if name != CURRENCY
    ]
    rows += _addresses(low, high)
    rows += [
        Row(name, "field", *_counted(low, high, name, reader))
        for name in sorted({*low.counts, *high.counts})
    ]
    since = reader.date(low.created_at), reader.date(high.created_at)
    rows.append(Row("created_at", "field", *since))
    return Pair(
        found.id,
        low,
        high,
        found.probability_ratio,
        tuple(row for row in rows if row.low or row.high),
        tuple(_reason(each, reader) for each in found.evidence),
    )


def _addresses(low: Person, high: Person) -> list[Row]:
    """Addresses by kind; they are not marked, for a person may have several."""
    kinds = sorted({kind for kind, _ in (*low.addresses, *high.addresses)})
    return [
        Row(kind, "identity", _joined(low, kind), _joined(high, kind))
        for kind in kinds
        if kind != "webchat"
    ]


def _doubted(connection: Connection) -> int:
    """How many pairs the last look found and did not believe."""
    last = analysis.current(connection, KIND, NAME)
    if last is None or last.reason is None:
        return 0
    return int(last.metrics.get("pairs", 0))


def _counted(low: Person, high: Person, name: str, reader: Reader) -> tuple[str, str]:
    one, other = (reader.number(each.counts.get(name, 0)) for each in (low, high))
    return one, other


def _joined(person: Person, kind: str) -> str:
    return ", ".join(typed for each, typed in person.addresses if each == kind)


def _shown(person: Person, name: str, reader: Reader) -> str:
    value: Any = person.fields[name]
    if value is None:
        return ""
    if isinstance(value, date):
        return reader.date(value)
    currency = person.fields[CURRENCY]
    if name == "income_minor" and currency:
        return reader.money(value, currency)
    return str(value)


def _reason(evidence: Mapping[str, Any], reader: Reader) -> Reason:
    """In English as the matching told it; else by its field and level."""
    words = str(evidence["words"])
    if reader.locale != "en":
        field = str(evidence["field"])
        name = field.partition(":")[2] or reader.word(field, "compared")
        how = reader.word(evidence["level"], "likeness")
        words = reader.text("%(what)s: %(how)s", what=name, how=how)
    return Reason(words, float(evidence["weight_bits"]))
