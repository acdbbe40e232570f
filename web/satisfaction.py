"""Satisfaction: the figures, their trend, what hurts, and the conversations behind."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from markupsafe import Markup

from core.model import CaseKind, Channel, Role
from storage import behind as episodes_behind
from storage.behind import Wanted
from web.access import Agents, Everyone, services
from web.figures import DAYS, Figures, figures, span
from web.forms import ContactChoice
from web.languages import Reader
from web.paging import SIZE, page_of
from web.render import pages

DAYS_DEFAULT = 30
DAYS_MOST = 366

router = APIRouter()


def _days(wanted: int) -> int:
    return wanted if wanted in DAYS else DAYS_DEFAULT


@router.get("/satisfaction")
async def satisfaction(
    request: Request,
    member: Everyone,
    days: int = DAYS_DEFAULT,
    channel: ContactChoice = None,
) -> Response:
    service, days = services(request), _days(days)
    timezone = service.settings.shop.timezone
    since, until = span(service.clock.now(), days, timezone)
    found = await figures(service.database, since, until, channel, timezone)
    may_open = member.role is not Role.MARKETER

    def behind(**wanted: Any) -> str | None:
        """The conversations that a figure is made of, for those who may read them."""
        query = {"days": days, "channel": channel or "", **wanted}
        kept = {name: value for name, value in query.items() if value}
        return f"/conversations?{urlencode(kept)}" if may_open else None

    reader = pages(request).reader(request)
    return await pages(request).page(
        request,
        member,
        "satisfaction.html",
        figures=found,
        numbers=found.numbers,
        behind=behind,
        trend_json=_json(reader, found, behind),
        days=days,
        channel=channel,
        day_choices=_day_choices(reader),
        channels=[*Channel, *CaseKind],
    )


def _day_choices(reader: Reader) -> list[tuple[int, str]]:
    return [(days, reader.text("Last %(days)s days", days=days)) for days in DAYS]


def _json(reader: Reader, found: Figures, behind: Any) -> Markup:
    """The chart's data as a data block; `<` is escaped so that none can end it."""
    points = found.trend
    content = {
        "unit": reader.text("mean score, 1 to 5"),
        "at": [_noon(point.day) for point in points],
        "mean": [point.mean for point in points],
        "low": [point.low for point in points],
        "high": [point.high for point in points],
        "n": [point.n for point in points],
        "links": [
            behind(day=point.day, length=found.days_per_point, answered="yes")
            for point in points
        ],
    }
    text = json.dumps(content).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704  our own numbers, dates and escaped links


def _noon(day: str) -> int:
    # Noon in UTC shows as the same day wherever the axis is drawn.
    return int(
        datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC).timestamp()
    )


@router.get("/conversations")
async def conversations(
    request: Request,
    member: Agents,
    days: Annotated[int, Query(ge=1, le=DAYS_MOST)] = DAYS_DEFAULT,
    day: date | None = None,
    length: Annotated[int, Query(ge=1, le=DAYS_MOST)] = 1,
    channel: ContactChoice = None,
    score: Annotated[int | None, Query(ge=1, le=5)] = None,
    issue: Annotated[str | None, Query(max_length=64)] = None,
    unsatisfied: bool = False,
    answered: bool = False,
    handled: bool = False,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    service = services(request)
    timezone = service.settings.shop.timezone
    since, until = span(service.clock.now(), days, timezone)
    if day is not None:
        since, until = _whole_days(day, length, timezone)
    wanted = Wanted(
        since, until, channel, score, unsatisfied, issue or None, answered, handled
    )
    total, rows = await service.database.read(
        lambda c: episodes_behind.rows(c, wanted, SIZE, (page - 1) * SIZE)
    )
    return await pages(request).page(
        request,
        member,
        "conversations.html",
        rows=rows,
        wanted=wanted,
        one_day=day is not None and length == 1,
        page=page_of(request, page, total),
    )


def _whole_days(first: date, days: int, timezone: str) -> tuple[datetime, datetime]:
    """From the local midnight of the first day to that after the last."""
    start = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(timezone))
    return start, start + timedelta(days=days)
