"""The golden week in golden/README.md, and the example of the design."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from analytics.handling import service_efficiency
from analytics.satisfaction import (
    pain_points,
    satisfaction,
    satisfaction_by,
    satisfaction_by_day,
    score_distribution,
)
from analytics.service import service_numbers
from analytics.window import Window
from core.errors import DataError

GOLDEN = Path(__file__).parent / "golden"
WEEK = Window(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))


def golden(name):
    table = pd.read_csv(GOLDEN / f"{name}.csv")
    moments = [c for c in table.columns if c == "at" or c.endswith("_at")]
    return table.assign(**{c: pd.to_datetime(table[c], utc=True) for c in moments})


EPISODES = golden("episodes")
INTERVALS = golden("intervals")
REPLIES = golden("replies")
FEEDBACK = golden("feedback")


@pytest.fixture(scope="module")
def numbers():
    return service_numbers(EPISODES, INTERVALS, REPLIES, FEEDBACK, WEEK)


def test_the_example_of_the_design():
    # A handles E1 9:00-9:10 and E2 9:05-9:15, B replies in E2 9:20-9:25, E3 is gone.
    monday = Window(WEEK.start, datetime(2026, 3, 3, tzinfo=UTC))

    report = service_efficiency(EPISODES, INTERVALS, REPLIES, monday)

    assert report.by_staff[1].sei == pytest.approx(8.0)
    assert report.by_staff[2].sei == pytest.approx(12.0)
    assert report.team.sei == pytest.approx(6.0)
    assert report.team.episodes == 2


@pytest.mark.parametrize(("staff_id", "episodes", "minutes"), [(1, 3, 21), (2, 2, 25)])
def test_efficiency_of_an_agent(numbers, staff_id, episodes, minutes):
    own = numbers.efficiency.by_staff[staff_id]

    assert own.episodes == episodes
    assert own.hours * 60 == pytest.approx(minutes)


def test_efficiency_of_the_team(numbers):
    assert numbers.efficiency.team.episodes == 4
    assert numbers.efficiency.team.sei == pytest.approx(4 / 46 * 60)


@pytest.mark.parametrize(("kind", "sei"), [("chat", 6), ("mail", 3), ("call", 10)])
def test_efficiency_of_a_kind(numbers, kind, sei):
    assert numbers.efficiency.by_kind[kind].sei == pytest.approx(sei)


def test_a_reopened_episode_adds_time_without_a_second_count():
    wednesday = Window(
        datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    )

    team = service_efficiency(EPISODES, INTERVALS, REPLIES, wednesday).team

    assert team.episodes == 0
    assert team.hours * 60 == pytest.approx(10)


def test_days_add_up_to_the_week(numbers):
    days = [datetime(2026, 3, day, tzinfo=UTC) for day in range(2, 10)]
    windows = [Window(*pair) for pair in pairwise(days)]

    parts = [service_efficiency(EPISODES, INTERVALS, REPLIES, w).team for w in windows]

    assert sum(part.episodes for part in parts) == numbers.efficiency.team.episodes
    assert sum(part.hours for part in parts) == pytest.approx(
        numbers.efficiency.team.hours
    )


def test_an_interval_without_an_end_counts_to_the_last_act():
    forgotten = INTERVALS.assign(
        ended_at=INTERVALS["ended_at"].where(INTERVALS["episode_id"] != 8),
        active_at=pd.Timestamp("2026-03-08T23:56:00Z"),
    )

    report = service_efficiency(EPISODES, forgotten, REPLIES, WEEK)

    assert report.by_kind["call"].hours * 60 == pytest.approx(2)


def test_an_interval_without_an_end_or_act_counts_to_the_end_of_the_window():
    going_on = INTERVALS.assign(
        ended_at=INTERVALS["ended_at"].where(INTERVALS["episode_id"] != 8)
    )

    report = service_efficiency(EPISODES, going_on, REPLIES, WEEK)

    assert report.by_kind["call"].hours * 60 == pytest.approx(6)


@pytest.mark.parametrize(
    ("figure", "n", "median", "p90"),
    [
        ("first_response", 4, 330, 2628),
        ("first_bot_response", 6, 1.5, 2.5),
        ("handling_time", 3, 900, 1140),
        ("resolution_time", 6, 480, 47550),
    ],
)
def test_times(numbers, figure, n, median, p90):
    duration = getattr(numbers, figure)

    assert duration.n == n
    assert duration.median_seconds == pytest.approx(median)
    assert duration.p90_seconds == pytest.approx(p90)


def test_containment_leaves_out_who_came_back(numbers):
    assert (numbers.containment.contained, numbers.containment.n) == (2, 6)
    assert numbers.containment.ratio == pytest.approx(1 / 3)


def test_satisfaction_of_the_week(numbers):
    found = numbers.satisfaction

    assert found.n == 6
    assert found.csi == pytest.approx(17 / 6)
    assert found.index == pytest.approx((17 / 6 - 1) / 4 * 100)
    assert found.csat_ratio == pytest.approx(1 / 3)
    assert found.response_ratio == pytest.approx(0.75)


def test_intervals_of_the_week(numbers):
    csi, csat = numbers.satisfaction.csi_interval, numbers.satisfaction.csat_interval

    assert (csi.low, csi.high) == pytest.approx((1.289, 4.378), abs=0.001)
    assert (csat.low, csat.high) == pytest.approx((0.0968, 0.7000), abs=0.0001)


def test_the_week_before_stands_beside(numbers):
    assert numbers.previous.csi == 3.5
    assert numbers.previous.n == 2


def test_pain_points_with_counts_shares_and_change(numbers):
    pain = numbers.pain_points

    assert [(p.issue, p.count, p.share_ratio, p.change) for p in pain.points] == [
        ("late_delivery", 2, 0.5, 1),
        ("refund_not_received", 1, 0.25, 1),
    ]
    assert (pain.unsatisfied, pain.unstated) == (4, 1)


def test_the_distribution_names_every_score():
    assert score_distribution(FEEDBACK, WEEK) == {1: 1, 2: 2, 3: 1, 4: 1, 5: 1}


def test_days_follow_the_shops_midnight():
    days = satisfaction_by_day(FEEDBACK, WEEK, "Europe/Berlin").set_index("day")

    # 23:30 UTC on Wednesday is Thursday in Berlin; the week ends there on Monday.
    assert days["n"].to_dict() == {
        "2026-03-02": 2,
        "2026-03-03": 1,
        "2026-03-04": 1,
        "2026-03-05": 2,
        "2026-03-06": 0,
        "2026-03-07": 0,
        "2026-03-08": 0,
        "2026-03-09": 0,
    }
    assert days.loc["2026-03-02", "mean"] == 4.0
    assert pd.isna(days.loc["2026-03-05", "low"])  # both scores are 2


def test_satisfaction_by_who_answered():
    found = satisfaction_by(FEEDBACK, WEEK, "answered_by")

    assert {who: s.csi for who, s in found.items()} == {
        "agent": pytest.approx(3.0),
        "bot": pytest.approx(8 / 3),
    }


def test_nothing_at_all_gives_no_numbers():
    tables = [EPISODES, INTERVALS, REPLIES, FEEDBACK]

    numbers = service_numbers(*(table.iloc[:0] for table in tables), WEEK)

    assert numbers.satisfaction.csi is None
    assert numbers.satisfaction.csat_interval is None
    assert numbers.efficiency.team.sei is None
    assert numbers.first_response.n == 0
    assert numbers.handling_time.median_seconds is None
    assert numbers.containment.ratio is None
    assert numbers.pain_points.points == ()


def test_one_answer_has_no_interval():
    assert satisfaction(FEEDBACK.iloc[[2]], WEEK).csi_interval is None


def test_a_score_out_of_range_is_refused():
    with pytest.raises(DataError, match="1 to 5"):
        satisfaction(FEEDBACK.assign(score=7), WEEK)


def test_a_window_has_a_length():
    with pytest.raises(DataError, match="ends after it starts"):
        Window(WEEK.end, WEEK.start)


def test_an_issue_that_is_gone_is_not_listed():
    later = Window(WEEK.end, datetime(2026, 3, 16, tzinfo=UTC))

    assert pain_points(FEEDBACK, later).points == ()
