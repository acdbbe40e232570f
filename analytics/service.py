"""The numbers of customer service, from the event log, each defined once.

`docs/methods.md` holds the same definitions in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from analytics.frame import require_columns, times
from analytics.handling import (
    EfficiencyReport,
    handled_intervals,
    service_efficiency,
    united_seconds,
)
from analytics.interval import Interval, wilson
from analytics.satisfaction import (
    PainPoints,
    Satisfaction,
    pain_points,
    satisfaction,
)
from analytics.window import Window

RETURN_HOURS = 24

EPISODES = (
    "episode_id",
    "conversation_id",
    "kind",
    "opened_at",
    "closed_at",
    "ended",
    "first_customer_at",
    "first_agent_reply_at",
    "first_bot_reply_at",
    "reopened",
)


@dataclass(frozen=True, slots=True)
class Duration:
    """How long something took; None where it never happened."""

    n: int
    median_seconds: float | None = None
    p90_seconds: float | None = None
    mean_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Containment:
    """Episodes that the bot answered first and closed alone, for good."""

    n: int
    contained: int
    interval: Interval | None

    @property
    def ratio(self) -> float | None:
        """Contained among those that the bot answered first; None without any."""
        return self.contained / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class ServiceNumbers:
    """All of a window; `previous` is the satisfaction of the window before."""

    window: Window
    satisfaction: Satisfaction
    previous: Satisfaction
    efficiency: EfficiencyReport
    first_response: Duration
    first_bot_response: Duration
    handling_time: Duration
    resolution_time: Duration
    containment: Containment
    pain_points: PainPoints


def service_numbers(
    episodes: pd.DataFrame,
    intervals: pd.DataFrame,
    replies: pd.DataFrame,
    feedback: pd.DataFrame,
    window: Window,
) -> ServiceNumbers:
    """Every number of one window.

    Parameters
    ----------
    episodes : one row each: episode_id, conversation_id (int64), kind, ended (str),
        opened_at, closed_at, first_customer_at, first_agent_reply_at,
        first_bot_reply_at (datetime64, UTC; NaT where not), reopened (int, how often)
    intervals, replies : as for `analytics.handling.service_efficiency`
    feedback : as for `analytics.satisfaction.pain_points`
    window : what is counted; the tables should reach a window further back, and the
        episodes a day further on, so that changes and returns are seen

    Returns
    -------
    ServiceNumbers; see the functions of each number. Empty input: n 0 and None. To
    look at a topic, channel or agent, filter the rows of all tables first: a filter
    never changes a definition.

    Raises
    ------
    DataError : if a column is missing, a time has no zone, or a score is not 1..5
    """
    require_columns(episodes, "episodes", EPISODES)
    return ServiceNumbers(
        window,
        satisfaction(feedback, window),
        satisfaction(feedback, window.before),
        service_efficiency(episodes, intervals, replies, window),
        first_response(episodes, window, "first_agent_reply_at"),
        first_response(episodes, window, "first_bot_reply_at"),
        handling_time(episodes, intervals, replies, window),
        resolution_time(episodes, window),
        containment(episodes, window),
        pain_points(feedback, window),
    )


def first_response(
    episodes: pd.DataFrame, window: Window, column: str = "first_agent_reply_at"
) -> Duration:
    """From a customer's first message to the first reply.

    Parameters
    ----------
    episodes : as for `service_numbers`
    window : counts the first replies given in it
    column : first_agent_reply_at (a person) or first_bot_reply_at

    Returns
    -------
    Duration in clock time. An episode that we began (reply before the customer's
    first message) and one without a reply are left out; a reopened one keeps its
    first.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    require_columns(episodes, "episodes", ["first_customer_at", column])
    replied = times(episodes, "episodes", column)
    waited = replied - times(episodes, "episodes", "first_customer_at")
    return _duration(_seconds(waited[window.holds(replied)]))


def resolution_time(episodes: pd.DataFrame, window: Window) -> Duration:
    """From a customer's first message to the close.

    Parameters
    ----------
    episodes : as for `service_numbers`
    window : by closed_at

    Returns
    -------
    Duration in clock time over resolved and contained episodes; abandoned ones and
    open ones are left out. A reopened one counts to its last close.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    require_columns(episodes, "episodes", ["closed_at", "first_customer_at", "ended"])
    closed = times(episodes, "episodes", "closed_at")
    took = closed - times(episodes, "episodes", "first_customer_at")
    kept = window.holds(closed) & episodes["ended"].isin(["resolved", "contained"])
    return _duration(_seconds(took[kept]))


def handling_time(
    episodes: pd.DataFrame,
    intervals: pd.DataFrame,
    replies: pd.DataFrame,
    window: Window,
) -> Duration:
    """How much of people's time an episode took.

    Parameters
    ----------
    episodes, intervals, replies : as for `service_numbers`
    window : by closed_at; the handling before it is part of the episode's time

    Returns
    -------
    Duration over closed episodes with any handling that counts (see
    `service_efficiency`). An agent's overlapping intervals in one episode are united,
    several agents' added. Parallel episodes each count whole, so that the sum may
    pass the hours of SEI.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    require_columns(episodes, "episodes", ["episode_id", "closed_at", "ended"])
    closed = times(episodes, "episodes", "closed_at")
    finished = episodes.loc[window.holds(closed), "episode_id"]
    begun = times(intervals, "intervals", "started_at").min()
    earliest = begun if pd.notna(begun) and begun < window.start else window.start
    whole = Window(earliest, window.end)
    worked = handled_intervals(episodes, intervals, replies, whole)
    own = worked[worked["episode_id"].isin(finished)]
    seconds = {
        key: united_seconds(rows["started_at"], rows["ended_at"])
        for key, rows in own.groupby(["episode_id", "staff_id"])
    }
    by_episode = pd.Series(seconds, dtype="float64")
    if by_episode.empty:
        return Duration(0)
    return _duration(by_episode.groupby(level=0).sum().to_numpy())


def containment(episodes: pd.DataFrame, window: Window) -> Containment:
    """How many episodes the bot closed alone, of those that it answered first.

    Parameters
    ----------
    episodes : as for `service_numbers`
    window : by closed_at

    Returns
    -------
    Containment with a Wilson interval. An episode counts as contained if it ended so,
    was never reopened, and no other one of the same conversation was opened within 24
    hours of its close. Abandoned ones are in the denominator: the bot did not help.

    Raises
    ------
    DataError : if a column is missing, or a time has no zone
    """
    require_columns(episodes, "episodes", EPISODES)
    closed = times(episodes, "episodes", "closed_at")
    answered = times(episodes, "episodes", "first_bot_reply_at").notna()
    chosen = window.holds(closed) & answered
    alone = episodes["ended"].eq("contained") & episodes["reopened"].eq(0)
    contained = int((chosen & alone & ~_came_back(episodes)).sum())
    n = int(chosen.sum())
    return Containment(n, contained, wilson(contained, n))


def _came_back(episodes: pd.DataFrame) -> pd.Series[bool]:
    opened = times(episodes, "episodes", "opened_at")
    closed = times(episodes, "episodes", "closed_at")
    conversation = episodes["conversation_id"]
    order = opened.sort_values(kind="stable").index
    following = opened[order].groupby(conversation[order]).shift(-1)
    gap = following.reindex(episodes.index) - closed
    return gap <= timedelta(hours=RETURN_HOURS)


def _seconds(spans: pd.Series[pd.Timedelta]) -> np.ndarray:
    seconds = spans.dropna().dt.total_seconds().to_numpy()
    return seconds[seconds >= 0]


def _duration(seconds: np.ndarray) -> Duration:
    if not len(seconds):
        return Duration(0)
    return Duration(
        len(seconds),
        median_seconds=float(np.quantile(seconds, 0.5)),
        p90_seconds=float(np.quantile(seconds, 0.9)),
        mean_seconds=float(seconds.mean()),
    )
