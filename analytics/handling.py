"""The service efficiency index: episodes handled per hour of handling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.frame import moment, require_columns, times
from analytics.window import Window

EPISODES = ("episode_id", "kind", "ended")
INTERVALS = ("episode_id", "staff_id", "started_at", "ended_at")
REPLIES = ("episode_id", "staff_id", "at")


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Episodes over hours; `sei` is None where there are no hours."""

    episodes: int
    hours: float

    @property
    def sei(self) -> float | None:
        """Episodes handled per handling hour."""
        return self.episodes / self.hours if self.hours > 0 else None


@dataclass(frozen=True, slots=True)
class EfficiencyReport:
    """The team, each agent (by staff_id), and each kind of case."""

    team: Efficiency
    by_staff: Mapping[int, Efficiency]
    by_kind: Mapping[str, Efficiency]


def service_efficiency(
    episodes: pd.DataFrame,
    intervals: pd.DataFrame,
    replies: pd.DataFrame,
    window: Window,
) -> EfficiencyReport:
    """SEI of the team, of each agent and of each kind of case.

    Parameters
    ----------
    episodes : episode_id (int64, unique), kind (str: chat, mail, call, request), ended
        (str: resolved, contained, abandoned; missing while open)
    intervals : handling, one row each: episode_id, staff_id (int64), started_at,
        ended_at (datetime64, UTC). One without an end counts to active_at (last act
        inside, optional column), else to the end of the window.
    replies : what agents wrote: episode_id, staff_id, at (datetime64, UTC)
    window : hours are those inside it; an episode counts in the window of its first
        reply by an agent (for an agent's own figure: of their first reply in it)

    Returns
    -------
    EfficiencyReport. An agent's parallel intervals are united, not added; the team's
    hours are the sum of the agents', its episodes count once. A reopened episode adds
    time, not a second count. An abandoned one without any reply counts in neither.
    Intervals in different kinds at the same time count in both kinds, so that kinds
    may add up to more hours than the team has. Empty input: 0 episodes, 0 hours.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone

    References
    ----------
    The inverse of the average handling time; never to be read without CSI beside it.
    """
    require_columns(episodes, "episodes", EPISODES)
    require_columns(replies, "replies", REPLIES)
    kinds = episodes.set_index("episode_id")["kind"]
    worked = handled_intervals(episodes, intervals, replies, window)
    answered = replies.assign(at=times(replies, "replies", "at"))
    answered = answered[answered["episode_id"].isin(kinds.index)]
    team = _counted(answered, ["episode_id"], window)
    own = _counted(answered, ["staff_id", "episode_id"], window)
    staff = sorted({*worked["staff_id"], *own["staff_id"]})
    spans = worked.assign(kind=worked["episode_id"].map(kinds))
    counted_kinds = team["episode_id"].map(kinds)
    return EfficiencyReport(
        team=Efficiency(len(team), _hours(worked)),
        by_staff={
            int(member): Efficiency(
                int((own["staff_id"] == member).sum()),
                _hours(worked[worked["staff_id"] == member]),
            )
            for member in staff
        },
        by_kind={
            str(kind): Efficiency(
                int((counted_kinds == kind).sum()), _hours(spans[spans["kind"] == kind])
            )
            for kind in sorted({*spans["kind"], *counted_kinds})
        },
    )


def handled_intervals(
    episodes: pd.DataFrame,
    intervals: pd.DataFrame,
    replies: pd.DataFrame,
    window: Window,
) -> pd.DataFrame:
    """The handling inside a window that counts.

    Parameters
    ----------
    episodes, intervals, replies, window : as for `service_efficiency`

    Returns
    -------
    DataFrame: episode_id, staff_id, started_at, ended_at, cut to the window; without
    empty ones, those of unknown episodes, and those of abandoned episodes that
    nobody replied in.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    require_columns(intervals, "intervals", INTERVALS)
    start, end = moment(window.start), moment(window.end)
    ended_at = times(intervals, "intervals", "ended_at")
    if "active_at" in intervals:
        ended_at = ended_at.fillna(times(intervals, "intervals", "active_at"))
    started_at = times(intervals, "intervals", "started_at")
    ended_at = ended_at.fillna(end)
    cut = pd.DataFrame(
        {
            "episode_id": intervals["episode_id"],
            "staff_id": intervals["staff_id"],
            "started_at": started_at.where(started_at > start, start),
            "ended_at": ended_at.where(ended_at < end, end),
        }
    )
    gone = episodes["ended"].eq("abandoned") & ~episodes["episode_id"].isin(
        replies["episode_id"]
    )
    counting = episodes.loc[~gone, "episode_id"]
    kept = (cut["started_at"] < cut["ended_at"]) & cut["episode_id"].isin(counting)
    return cut[kept]


def united_seconds(
    started_at: pd.Series[pd.Timestamp], ended_at: pd.Series[pd.Timestamp]
) -> float:
    """The length of the union of intervals: what overlaps counts once.

    Parameters
    ----------
    started_at, ended_at : datetime64 with a zone, none missing, same length

    Returns
    -------
    Seconds; 0 for none.
    """
    order = np.argsort(started_at.to_numpy(), kind="stable")
    starts = started_at.to_numpy(dtype="datetime64[us]")[order].astype("int64")
    ends = ended_at.to_numpy(dtype="datetime64[us]")[order].astype("int64")
    if not len(starts):
        return 0.0
    reached = np.maximum.accumulate(ends)
    before = np.concatenate([[starts[0]], reached[:-1]])
    new = np.clip(ends - np.maximum(starts, before), 0, None)
    return float(new.sum()) / 1_000_000


def _counted(replies: pd.DataFrame, columns: list[str], window: Window) -> pd.DataFrame:
    first = replies.groupby(columns)["at"].min().reset_index()
    return first[window.holds(first["at"])]


def _hours(worked: pd.DataFrame) -> float:
    return (
        sum(
            united_seconds(own["started_at"], own["ended_at"])
            for _, own in worked.groupby("staff_id")
        )
        / 3600
    )
