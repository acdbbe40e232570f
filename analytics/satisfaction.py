"""How satisfied customers are: CSI, CSAT, response, and what hurts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from analytics.frame import empty_table, moment, require_columns, times
from analytics.interval import Interval, mean_interval, wilson
from analytics.window import Window
from core.errors import DataError, Problem

SCORES = (1, 2, 3, 4, 5)
SATISFIED_FROM = 4

BY_DAY = {
    "day": "str",
    "mean": "float64",
    "low": "float64",
    "high": "float64",
    "n": "int64",
}


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """CSI and CSAT of the answers in a window; None where there are none.

    `asked` counts surveys sent in the window and `response_ratio` the share of these
    that has an answer by its end, so that `n` may come from other surveys.
    """

    n: int
    csi: float | None
    csi_interval: Interval | None
    csat_ratio: float | None
    csat_interval: Interval | None
    asked: int
    response_ratio: float | None

    @property
    def index(self) -> float | None:
        """CSI on a scale of 0 to 100."""
        return None if self.csi is None else (self.csi - 1) / 4 * 100


@dataclass(frozen=True, slots=True)
class PainPoint:
    """One issue behind low scores, with the count of the window before."""

    issue: str
    count: int
    share_ratio: float
    previous_count: int

    @property
    def change(self) -> int:
        """How many more than in the window before."""
        return self.count - self.previous_count


@dataclass(frozen=True, slots=True)
class PainPoints:
    """The issues of unsatisfied customers, the most frequent first.

    `unstated` of the `unsatisfied` named no issue; both shares and counts leave them
    visible rather than spread them.
    """

    unsatisfied: int
    unstated: int
    points: tuple[PainPoint, ...]


def satisfaction(feedback: pd.DataFrame, window: Window) -> Satisfaction:
    """CSI, CSAT and the response rate of one window.

    Parameters
    ----------
    feedback : one row per survey: asked_at, answered_at (datetime64, UTC; NaT where
        not), score (1..5, missing without an answer); the last score where a
        customer changed it. Take a topic, channel or agent by filtering rows first.
    window : scores count by answered_at, questions by asked_at

    Returns
    -------
    Satisfaction. CSI is the mean score with a t interval (none below two answers or
    where all are alike); CSAT the share of 4 and 5 with a Wilson interval. Empty
    input: n 0 and None.

    Raises
    ------
    DataError : if a column is missing, a time has no zone, or a score is not 1..5

    References
    ----------
    CSAT as top-two-box share is the field's usual form. Customers who answer differ
    from those who don't: below a response of a third compare with care.
    """
    scores = _scores(feedback, window)
    n = len(scores)
    satisfied = int((scores >= SATISFIED_FROM).sum())
    asked_at = times(feedback, "feedback", "asked_at")
    asked = window.holds(asked_at)
    answered_at = times(feedback, "feedback", "answered_at")
    answered = asked & (answered_at < moment(window.end))
    surveys = int(asked.sum())
    return Satisfaction(
        n=n,
        csi=float(scores.mean()) if n else None,
        csi_interval=mean_interval(scores.to_numpy(), SCORES[0], SCORES[-1]),
        csat_ratio=satisfied / n if n else None,
        csat_interval=wilson(satisfied, n),
        asked=surveys,
        response_ratio=int(answered.sum()) / surveys if surveys else None,
    )


def satisfaction_by(
    feedback: pd.DataFrame, window: Window, column: str
) -> Mapping[str, Satisfaction]:
    """Satisfaction per value of a column, such as topic, channel or staff_id.

    Parameters
    ----------
    feedback : as for `satisfaction`, with the column
    window : as for `satisfaction`
    column : rows with a missing value are left out

    Returns
    -------
    Value (as text) to Satisfaction, in ascending order.

    Raises
    ------
    DataError : if a column is missing, a time has no zone, or a score is not 1..5
    """
    require_columns(feedback, "feedback", [column])
    return {
        str(value): satisfaction(rows, window)
        for value, rows in feedback.groupby(column)
    }


def score_distribution(feedback: pd.DataFrame, window: Window) -> dict[int, int]:
    """How many answers gave each score.

    Parameters
    ----------
    feedback, window : as for `satisfaction`

    Returns
    -------
    1 to 5, each with its count, 0 included.

    Raises
    ------
    DataError : if a column is missing, a time has no zone, or a score is not 1..5
    """
    counts = _scores(feedback, window).value_counts()
    return {score: int(counts.get(score, 0)) for score in SCORES}


def satisfaction_by_day(
    feedback: pd.DataFrame, window: Window, timezone: str
) -> pd.DataFrame:
    """CSI per day with its interval, for a chart.

    Parameters
    ----------
    feedback, window : as for `satisfaction`
    timezone : IANA name; days start at its midnight

    Returns
    -------
    DataFrame, one row per day of the window, days without an answer too: day (str,
    YYYY-MM-DD), mean (1..5), low, high (t interval, missing below two answers or
    where all are alike), n (int64).

    Raises
    ------
    DataError : if a column is missing, a time has no zone, or a score is not 1..5
    """
    scores = _scores(feedback, window)
    answered_at = times(feedback, "feedback", "answered_at")[scores.index]
    by_day = scores.groupby(answered_at.dt.tz_convert(timezone).dt.strftime("%Y-%m-%d"))
    found = {str(day): values.to_numpy() for day, values in by_day}
    rows = [_day(day, found.get(day, np.array([]))) for day in _days(window, timezone)]
    return pd.DataFrame(rows).astype(BY_DAY) if rows else empty_table(BY_DAY)


def pain_points(feedback: pd.DataFrame, window: Window) -> PainPoints:
    """The distinct issues of unsatisfied customers (score 3 or less), with counts.

    Parameters
    ----------
    feedback : as for `satisfaction`, with issue (str, may be missing)
    window : by answered_at; compared with the window of the same length before

    Returns
    -------
    PainPoints, most frequent first, then by name; share_ratio is of all unsatisfied.
    Nobody unsatisfied: no points. An issue that is gone is not listed.

    Raises
    ------
    DataError : if a column is missing, a time has no zone, or a score is not 1..5
    """
    unsatisfied, counts = _issues(feedback, window)
    _, previous = _issues(feedback, window.before)
    points = [
        PainPoint(
            str(issue),
            int(count),
            int(count) / unsatisfied,
            int(previous.get(issue, 0)),
        )
        for issue, count in counts.items()
    ]
    return PainPoints(
        unsatisfied,
        unstated=unsatisfied - int(counts.sum()),
        points=tuple(sorted(points, key=lambda point: (-point.count, point.issue))),
    )


def _scores(feedback: pd.DataFrame, window: Window) -> pd.Series[int]:
    require_columns(feedback, "feedback", ["asked_at", "answered_at", "score"])
    answered_at = times(feedback, "feedback", "answered_at")
    chosen = feedback.loc[window.holds(answered_at), "score"].dropna()
    wrong = chosen[~chosen.isin(SCORES)]
    if len(wrong):
        raise DataError(
            Problem("a score is a whole number from 1 to 5", str(wrong.iloc[0]))
        )
    return chosen.astype("int64")


def _issues(feedback: pd.DataFrame, window: Window) -> tuple[int, pd.Series[int]]:
    require_columns(feedback, "feedback", ["issue"])
    scores = _scores(feedback, window)
    low = scores.index[scores < SATISFIED_FROM]
    return len(low), feedback.loc[low, "issue"].dropna().value_counts()


def _days(window: Window, timezone: str) -> list[str]:
    first = moment(window.start).tz_convert(timezone).date()
    # The end is not in the window: at midnight sharp its day isn't either.
    last = (moment(window.end) - timedelta(microseconds=1)).tz_convert(timezone).date()
    return [
        (first + timedelta(days=day)).isoformat()
        for day in range((last - first).days + 1)
    ]


def _day(day: str, scores: np.ndarray) -> dict[str, object]:
    interval = mean_interval(scores, SCORES[0], SCORES[-1])
    return {
        "day": day,
        "mean": float(scores.mean()) if len(scores) else np.nan,
        "low": interval.low if interval else np.nan,
        "high": interval.high if interval else np.nan,
        "n": len(scores),
    }
