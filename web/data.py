"""Data: where records come from, how fresh and how good they are, and what came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from core.settings import Source
from storage import ingest, quality, sources
from storage.database import Connection
from storage.ingest import Import
from storage.quality import Trend
from storage.sources import SourceState
from web.access import Marketers, services
from web.paging import page_of
from web.render import pages

SIZE = 25

router = APIRouter()


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source; `age` is the time since its newest records came."""

    name: str
    cron: str
    newest_at: datetime | None
    age: timedelta | None
    late: bool
    error: str | None
    trends: tuple[Trend, ...]


@router.get("/data")
async def data(
    request: Request,
    member: Marketers,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Sources, then imports, the newest first."""
    service = services(request)
    now = service.clock.now()

    offset = (page - 1) * SIZE

    def read(connection: Connection) -> tuple[list[SourceRow], list[Import], int]:
        rows = _sources(
            service.settings.collect.sources,
            sources.all_states(connection),
            quality.trends(connection),
            ingest.newest_arrivals(connection),
            now,
        )
        return rows, *ingest.newest_imports(connection, SIZE, offset)

    rows, newest, total = await service.database.read(read)
    shown = page_of(request, page, total, SIZE)
    return await pages(request).page(
        request, member, "data.html", sources=rows, imports=newest, page=shown
    )


def _sources(
    configured: list[Source],
    states: list[SourceState],
    trends: list[Trend],
    newest: dict[str, datetime],
    now: datetime,
) -> list[SourceRow]:
    settings = {source.name: source for source in configured}
    known = {state.name: state for state in states}
    rows = []
    for name in sorted(settings.keys() | known.keys()):
        source, state = settings.get(name), known.get(name)
        came = state.succeeded_at if state is not None else None
        at = max(filter(None, (came, newest.get(name))), default=None)
        age = None if at is None else now - at
        rows.append(
            SourceRow(
                name,
                source.cron if source else "",
                at,
                age,
                _is_late(source, age),
                state.error if state else None,
                tuple(each for each in trends if each.now.source == name),
            )
        )
    return rows


def _is_late(source: Source | None, age: timedelta | None) -> bool:
    if source is None or not source.cron or age is None:
        return False
    return age > timedelta(hours=source.late_after_hours)
