"""Files of conversations and ratings, and the figures that they come to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from analytics.service import service_numbers
from analytics.window import Window
from app.importing import import_file
from content.mapping_file import find_mapping
from content.profile import TEMPLATES
from core.clock import SimulatedClock
from core.settings import Settings
from storage import behind
from storage.behind import Wanted
from storage.frames import service_frames
from storage.schema import feedback, staff

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
WEEK = Window(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
# Ann talks from 9:00:30 to 9:10:30 and from 9:06:00 to 9:15:30: united, 15 minutes.
# Bob's mail took the five minutes before its close. T4 gave up while it rang.
TALKS = """\
id,customer_id,kind,opened_at,closed_at,ended,agent,first_response_seconds,\
handling_seconds,score,issue
T1,7,call,2026-03-02T09:00:00Z,,resolved,Ann,30,600,5,
T2,8,phone,2026-03-02T09:05:00Z,,resolved,ann,60,0:09:30,,
T3,7,mail,2026-03-02T09:00:00Z,2026-03-02T10:00:00Z,,Bob,,300,3,slow
T4,9,call,2026-03-02T09:30:00Z,,abandoned,Ann,,120,,
T5,9,chat,2026-03-02T11:00:00Z,,pending,,,,,
"""
RATINGS = """\
id,answered_at,score,issue,comment,agent,channel,conversation_id
R1,2026-03-03T10:00:00Z,1,late,Never again,Bob,phone,
R2,2026-03-03T11:00:00Z,4,,,,,T2
"""


@pytest.fixture
def bring(database, database_url, tmp_path):
    settings = Settings(storage={"url": database_url, "data_directory": tmp_path})

    def bring(mapping: str, text: str):
        path = tmp_path / f"{mapping}.csv"
        path.write_text(text, encoding="utf-8")
        found = find_mapping(mapping, TEMPLATES)
        clock = SimulatedClock(NOW)
        return import_file(database, clock, settings, path, found).row.progress

    return bring


@pytest.fixture
def numbers(database):
    def numbers():
        frames = database.read_now(lambda c: service_frames(c, WEEK.before.start))
        return service_numbers(
            frames.episodes, frames.intervals, frames.replies, frames.feedback, WEEK
        )

    return numbers


def test_efficiency_is_that_of_the_file(bring, numbers, database):
    bring("conversations", TALKS)

    found = numbers().efficiency

    names = dict(
        tuple(r)
        for r in database.read_now(
            lambda c: c.execute(select(staff.c.id, staff.c.name))
        )
    )
    # 3 in 20 minutes; Ann 2 in 15, Bob 1 in 5.
    assert (found.team.episodes, found.team.sei) == (3, pytest.approx(9.0))
    assert {names[key]: each.sei for key, each in found.by_staff.items()} == {
        "Ann": pytest.approx(8.0),
        "Bob": pytest.approx(12.0),
    }
    assert {kind: each.sei for kind, each in found.by_kind.items()} == {
        "call": pytest.approx(8.0),
        "mail": pytest.approx(12.0),
    }


def test_times_are_those_of_the_file(bring, numbers):
    bring("conversations", TALKS)

    found = numbers()

    # 30 and 60 seconds; 600, 570 and 300; twice 10:30 from the ringing on, and an hour.
    first, handling, whole = (
        found.first_response,
        found.handling_time,
        found.resolution_time,
    )
    assert (first.n, first.median_seconds, first.p90_seconds) == (2, 45, 57)
    assert (handling.n, handling.median_seconds, handling.mean_seconds) == (3, 570, 490)
    assert (whole.n, whole.median_seconds) == (3, 630)
    assert found.containment.n == 0


def test_scores_are_those_of_both_files(bring, numbers):
    bring("conversations", TALKS)
    progress = bring("feedback", RATINGS)

    found = numbers()

    # 5 and 3 of the conversations, 1 and 4 of the ratings.
    assert found.satisfaction.n == 4
    assert found.satisfaction.csi == pytest.approx(13 / 4)
    assert found.satisfaction.csat_ratio == pytest.approx(0.5)
    points = {point.issue: point.count for point in found.pain_points.points}
    assert points == {"late": 1, "slow": 1}
    assert progress.rows_rejected == 0


def test_a_rating_takes_what_it_leaves_out_from_its_conversation(bring, database):
    bring("conversations", TALKS)
    bring("feedback", RATINGS)

    columns = (
        feedback.c.external_id,
        feedback.c.channel,
        feedback.c.customer_id.is_(None),
    )
    query = select(*columns).where(feedback.c.external_id.is_not(None))
    found = database.read_now(lambda c: sorted(map(tuple, c.execute(query))))

    # A phone is a call; R2 is about T2, whose customer is known.
    assert found == [("R1", "call", True), ("R2", "call", False)]


def test_every_score_and_every_handled_episode_can_be_looked_at(bring, database):
    bring("conversations", TALKS)
    bring("feedback", RATINGS)

    def seen(**wanted):
        asked = Wanted(WEEK.start, WEEK.end, **wanted)
        return database.read_now(lambda c: behind.rows(c, asked, 20, 0))

    scored, rows = seen(answered=True)
    assert scored == 4
    assert {(row.score, row.conversation_id is None) for row in rows} == {
        (5, False),
        (3, False),
        (1, True),
        (4, False),
    }
    assert seen(handled=True)[0] == 3
