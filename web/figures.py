"""The service numbers for the page: read, filtered and computed in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from core.model import CaseKind, Channel
from storage.database import Database

if TYPE_CHECKING:
    from pandas import DataFrame

    from analytics.handling import Efficiency
    from analytics.service import Duration, ServiceNumbers
    from analytics.window import Window
    from storage.frames import ServiceFrames

DAYS = (7, 30, 90)
# With fewer answers a day the daily mean says more of chance than of service.
ANSWERS_PER_DAY = 10
DAYS_OF_WEEK = 7
# The interval of so few answers fills the chart and says only that they are few.
ANSWERS_FOR_BAND = 5


@dataclass(frozen=True, slots=True)
class Point:
    """One day or week of the trend; no mean where nobody answered."""

    day: str
    mean: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All that the page shows of one span of time and one channel or all."""

    numbers: ServiceNumbers
    scores: dict[int, int]
    trend: tuple[Point, ...]
    days_per_point: int
    efficiency_before: Efficiency
    first_response_before: Duration

    @property
    def csi_change(self) -> float | None:
        """How much CSI differs from the span before."""
        now, before = self.numbers.satisfaction.csi, self.numbers.previous.csi
        return None if now is None or before is None else now - before

    @property
    def csat_change(self) -> float | None:
        """How much the share of satisfied answers differs from the span before."""
        now = self.numbers.satisfaction.csat_ratio
        before = self.numbers.previous.csat_ratio
        return None if now is None or before is None else now - before

    @property
    def efficiency_change(self) -> float | None:
        """How much SEI differs from the span before."""
        now, before = self.numbers.efficiency.team.sei, self.efficiency_before.sei
        return None if now is None or before is None else now - before

    @property
    def first_response_change(self) -> float | None:
        """How many seconds the median first response differs from the span before."""
        now = self.numbers.first_response.median_seconds
        before = self.first_response_before.median_seconds
        return None if now is None or before is None else now - before

    @property
    def csi_margin(self) -> float | None:
        """Half the width of CSI's interval."""
        interval = self.numbers.satisfaction.csi_interval
        return None if interval is None else (interval.high - interval.low) / 2

    @property
    def csi_moved(self) -> bool:
        """Whether CSI moved by more than both spans' uncertainty."""
        now = self.numbers.satisfaction.csi_interval
        before = self.numbers.previous.csi_interval
        if now is None or before is None:
            return False
        return now.low > before.high or now.high < before.low


def span(now: datetime, days: int, timezone: str) -> tuple[datetime, datetime]:
    """From the local midnight that begins the first of these days until now."""
    local = now.astimezone(ZoneInfo(timezone))
    first = (local - timedelta(days=days - 1)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return first, now


async def figures(
    database: Database,
    since: datetime,
    until: datetime,
    channel: Channel | CaseKind | None,
    timezone: str,
) -> Figures:
    """The figures of this span; pandas works in a thread, not in the event loop."""
    return await asyncio.to_thread(_compute, database, since, until, channel, timezone)


def _compute(
    database: Database,
    since: datetime,
    until: datetime,
    channel: Channel | CaseKind | None,
    timezone: str,
) -> Figures:
    # Loading pandas takes two seconds, which only the first of these pages waits for.
    from analytics.handling import service_efficiency  # noqa: PLC0415
    from analytics.satisfaction import score_distribution  # noqa: PLC0415
    from analytics.service import first_response, service_numbers  # noqa: PLC0415
    from analytics.window import Window  # noqa: PLC0415
    from storage.frames import service_frames  # noqa: PLC0415

    window = Window(since, until)
    frames = database.read_now(lambda c: service_frames(c, window.before.start))
    frames = _of_channel(frames, channel)
    parts = (frames.episodes, frames.intervals, frames.replies)
    numbers = service_numbers(*parts, frames.feedback, window)
    days_per_point = _days_per_point(numbers)
    return Figures(
        numbers=numbers,
        scores=score_distribution(frames.feedback, window),
        trend=_trend(frames.feedback, window, timezone, days_per_point),
        days_per_point=days_per_point,
        efficiency_before=service_efficiency(*parts, window.before).team,
        first_response_before=first_response(frames.episodes, window.before),
    )


def _of_channel(
    frames: ServiceFrames, channel: Channel | CaseKind | None
) -> ServiceFrames:
    if channel is None:
        return frames
    from storage.frames import ServiceFrames as Frames  # noqa: PLC0415  with pandas

    episodes = frames.episodes[frames.episodes["channel"] == channel]
    ids = set(episodes["episode_id"])
    return Frames(
        episodes,
        frames.intervals[frames.intervals["episode_id"].isin(ids)],
        frames.replies[frames.replies["episode_id"].isin(ids)],
        frames.feedback[frames.feedback["channel"] == channel],
    )


def _days_per_point(numbers: ServiceNumbers) -> int:
    days = max((numbers.window.end - numbers.window.start).days, 1)
    many = numbers.satisfaction.n / days >= ANSWERS_PER_DAY
    return 1 if many or days <= DAYS_OF_WEEK else DAYS_OF_WEEK


def _trend(
    feedback: DataFrame, window: Window, timezone: str, days_per_point: int
) -> tuple[Point, ...]:
    """CSI per day or week; the newest point may be a part of one."""
    from analytics.satisfaction import satisfaction, satisfaction_by_day  # noqa: PLC0415
    from analytics.window import Window as Span  # noqa: PLC0415

    if days_per_point == 1:
        by_day = satisfaction_by_day(feedback, window, timezone)
        return tuple(_day(row) for row in by_day.to_dict("records"))
    points, start = [], window.start
    while start < window.end:
        # Adding days to a local time keeps midnight when the clocks change.
        end = min(start + timedelta(days=days_per_point), window.end)
        found = satisfaction(feedback, Span(start, end))
        band = found.csi_interval if found.n >= ANSWERS_FOR_BAND else None
        points.append(
            Point(
                start.date().isoformat(),
                found.csi,
                band.low if band else None,
                band.high if band else None,
                found.n,
            )
        )
        start = end
    return tuple(points)


def _day(row: Mapping[Hashable, Any]) -> Point:
    mean, low, high = (_known(row[name]) for name in ("mean", "low", "high"))
    n = int(row["n"])
    if n < ANSWERS_FOR_BAND:
        low = high = None
    return Point(str(row["day"]), mean, low, high, n)


def _known(value: float) -> float | None:
    # A missing number is the only one that differs from itself.
    return float(value) if value == value else None  # noqa: PLR0124
