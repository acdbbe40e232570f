"""What commands print: every figure with its n, and nothing invented."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from analytics.service import service_numbers
from analytics.window import Window
from app import tables
from core.model import DeliveryState, OnUncertain, RunState
from outreach.analysis import Analysed
from outreach.cleaning import Cleaned
from outreach.monitor import RunReport
from outreach.pipeline import Report
from storage import frames
from storage.database import Database
from storage.outcomes import Arm, Outcome
from storage.runs import FunnelRow, Run

NOON = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture(params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def report_of(
    outcomes: list[Outcome] | None = None,
    reason: str | None = None,
    state: RunState = RunState.FINISHED,
) -> RunReport:
    run = Run(
        *(3, "win-back", 1, "hash", state, reason, "offers", OnUncertain.HOLD),
        *(NOON, NOON, NOON, None),
    )
    funnel = [
        FunnelRow(DeliveryState.ACCEPTED, None, 1234),
        FunnelRow(DeliveryState.SKIPPED, "no_consent", 66),
    ]
    return RunReport(run, funnel, NOON, NOON, outcomes or [])


def rows(out: str) -> list[list[str]]:
    """The cells of each line, as they stand side by side."""
    return [line.split() for line in out.splitlines()]


def test_a_funnel_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_run_table([report_of()])

    told = rows(capsys.readouterr().out)
    assert ["3", "win-back", "finished", "accepted", "1,234"] in told
    assert ["skipped:", "no", "consent", "66"] in told
    assert ["planned", "1,300"] in told


def test_a_paused_run_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "5 of 10 addresses do not exist"

    tables.show_run_table([report_of(reason=reason, state=RunState.PAUSED)])

    assert reason in capsys.readouterr().out


def test_an_effect_is_told_with_its_interval(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcomes = [
        Outcome(n, arm, int(n % share == 0), 0, 0, None)
        for arm, share, start in ((Arm.TREATED, 2, 0), (Arm.HOLDOUT, 4, 1000))
        for n in range(start, start + 200)
    ]

    tables.show_run_table([report_of(outcomes)])

    # 50 % of those written to have ordered, and 25 % of those held out.
    told = capsys.readouterr().out
    assert "win-back: +25.0 orders per 100 people, between" in told
    assert "against 200 held out" in told


def test_too_little_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_run_table([report_of()])

    assert "not enough data for an effect" in capsys.readouterr().out


def test_a_pass_tells_what_each_step_did(capsys: pytest.CaptureFixture[str]) -> None:
    analysed = Analysed(2000, 16560, {"At risk": 332}, 18, 40000, ("no scores yet",))

    tables.show_report(Report(None, Cleaned({"birth_date": 2}), analysed, []))

    told = rows(capsys.readouterr().out)
    assert ["clean", "birth", "date", "2"] in told
    assert ["analyse", "orders", "16,560"] in told
    assert ["analyse", "segment:", "At", "risk", "332"] in told
    assert ["analyse", "no", "scores", "yet", tables.UNKNOWN] in told


def test_a_stopped_pass_says_why_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tables.show_report(Report(stopped="not complete: orders[/2].csv (orders)"))

    told = capsys.readouterr()
    assert told.err == "Stopped: not complete: orders[/2].csv (orders)\n"
    assert told.out == ""


def test_nothing_held_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_held_table([])

    assert capsys.readouterr().err == "Nothing is held.\n"


def test_without_data_a_number_is_unknown_and_not_zero(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    window = Window(datetime(2026, 2, 1, tzinfo=UTC), NOON)
    found = database.read_now(lambda c: frames.service_frames(c, window.before.start))
    numbers = service_numbers(
        found.episodes, found.intervals, found.replies, found.feedback, window
    )

    tables.show_service_table(numbers, {}, ZoneInfo("Europe/Berlin"))

    told = rows(capsys.readouterr().out)
    assert ["CSI", "mean", "score,", "1–5", tables.UNKNOWN, "0"] in told
    assert ["first", "response", "median", "(p90)", tables.UNKNOWN, "0"] in told


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0:00"), (61, "1:01"), (3600, "1:00:00"), (None, tables.UNKNOWN)],
)
def test_times_are_read_like_a_clock(seconds: float | None, words: str) -> None:
    assert tables._clock(seconds) == words
