"""What the commands print: aligned tables on standard output, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from analytics.effect import Difference
    from analytics.interval import Interval
    from analytics.service import Duration, ServiceNumbers
    from outreach.monitor import RunReport
    from outreach.pipeline import Report
    from storage.api_keys import ApiKey
    from storage.candidates import Candidate
    from storage.deliveries import Held
    from storage.merges import Merge
    from storage.results import CampaignRow
    from storage.sources import SourceState

# What is printed comes from data: brackets in it are no markup.
_console = Console(highlight=False, markup=False)
UNKNOWN = "–"
PAIN_POINTS = 5


def show_report(report: Report) -> None:
    """What one pass of the pipeline did."""
    if report.stopped is not None:
        Console(stderr=True, markup=False).print(f"Stopped: {report.stopped}")
        return
    table = _table("Pipeline", "step", "what", "n")
    cleaned = report.cleaned.changes_by_rule if report.cleaned else {}
    for rule, count in sorted(cleaned.items()):
        table.add_row("clean", _words(rule), f"{count:,}")
    if not cleaned:
        table.add_row("clean", "nothing to correct", "0")
    if report.matched is not None:
        table.add_row("clean", "customers merged", f"{report.matched.merged:,}")
        words = "pairs wait for a decision"
        table.add_row("clean", words, f"{report.matched.waiting:,}")
        if report.matched.reason is not None:
            table.add_row("clean", report.matched.reason, UNKNOWN)
    if report.analysed is not None:
        table.add_row("analyse", "customers", f"{report.analysed.customers:,}")
        table.add_row("analyse", "orders", f"{report.analysed.orders:,}")
        for name, size in report.analysed.segments.items():
            table.add_row("analyse", f"segment: {name}", f"{size:,}")
        table.add_row("analyse", "rules", f"{report.analysed.rules:,}")
        table.add_row(
            "analyse", "recommendations", f"{report.analysed.recommendations:,}"
        )
        for reason in report.analysed.reasons:
            table.add_row("analyse", reason, UNKNOWN)
    _console.print(table)
    show_run_table(report.runs)


def show_run_table(reports: Sequence[RunReport]) -> None:
    """Each run's funnel, and what it changed."""
    table = _table("Runs", "run", "campaign", "state", "deliveries", "n")
    for report in reports:
        run = report.run
        head = (str(run.id), run.campaign_key, run.state_reason or run.state.value)
        for row in report.funnel:
            words = row.state if row.reason is None else f"{row.state}: {row.reason}"
            table.add_row(*head, _words(words), f"{row.count:,}")
            head = ("", "", "")
        table.add_row(*head, "planned", f"{report.planned_count:,}", style="bold")
        table.add_section()
    _console.print(table)
    for report in reports:
        _console.print(f"{report.run.campaign_key}: {_effect(report)}", soft_wrap=True)


def show_campaign_table(rows: Sequence[CampaignRow]) -> None:
    """Every campaign."""
    table = _table("Campaigns", "campaign", "newest run", "version", "runs", "sent")
    for row in rows:
        state = UNKNOWN if row.newest_run is None else row.newest_run.state.value
        table.add_row(
            row.key,
            state,
            str(row.version),
            str(row.runs_count),
            f"{row.accepted_count:,}",
        )
    _console.print(table)


def show_held_table(rows: Sequence[Held]) -> None:
    """Messages in doubt."""
    if not rows:
        Console(stderr=True).print("Nothing is held.")
        return
    table = _table("Held", "id", "campaign", "customer", "channel", "why", "since")
    for row in rows:
        table.add_row(
            str(row.delivery_id),
            row.campaign_key,
            str(row.customer_id),
            row.channel,
            _words(row.reason or UNKNOWN),
            f"{row.since:%Y-%m-%d %H:%M} UTC",
        )
    _console.print(table)


def show_candidate_table(found: Sequence[Candidate], waiting: int) -> None:
    """Pairs of customers who may be one person."""
    if not found:
        Console(stderr=True).print("No pair waits for a decision.")
        return
    title = f"May be one person, {len(found)} of {waiting:,}"
    table = _table(title, "id", "probability", "customers", "what speaks", "bits")
    for each in found:
        head = (str(each.id), _likely(each.probability_ratio))
        for side, part in zip_longest((each.low, each.high), each.evidence[:4]):
            person = "" if side is None else f"{side.id} {side.name or UNKNOWN}"
            words, bits = ("", "")
            if part is not None:
                words, bits = part["words"], f"{part['weight_bits']:+.1f}"
            table.add_row(*head, person, words, bits)
            head = ("", "")
        table.add_section()
    _console.print(table)
    ways = "rapport duplicates merge ID, or: rapport duplicates apart ID"
    Console(stderr=True, markup=False).print(f"Decide by: {ways}")


def show_merge_table(found: Sequence[Merge]) -> None:
    """The newest merges."""
    table = _table("Merged", "merge", "survivor", "merged", "why", "when", "by")
    for each in found:
        end = "undone" if each.undone_at else _words(each.method)
        table.add_row(
            str(each.id),
            f"{each.survivor_id} {each.survivor or UNKNOWN}",
            f"{each.merged_id} {each.merged or UNKNOWN}",
            f"{end}: {each.reason}" if each.reason else end,
            f"{each.at:%Y-%m-%d %H:%M} UTC",
            each.actor,
        )
    _console.print(table)


def show_service_table(
    numbers: ServiceNumbers, names: Mapping[int, str], zone: ZoneInfo
) -> None:
    """CSI, CSAT, SEI and the times, each with its n."""
    window = numbers.window
    start, end = (
        f"{each.astimezone(zone):%d %b %Y %H:%M}" for each in (window.start, window.end)
    )
    table = _table(f"Service, {start} to {end}", "number", "of", "value", "n")
    now = numbers.satisfaction
    table.add_row(
        "CSI", "mean score, 1–5", _figure(now.csi) + _band(now.csi_interval), str(now.n)
    )
    table.add_row(
        "CSAT",
        "scores of 4 and 5",
        _percent(now.csat_ratio) + _band(now.csat_interval, percent=True),
        str(now.n),
    )
    table.add_row(
        "response rate", "surveys asked", _percent(now.response_ratio), str(now.asked)
    )
    table.add_section()
    team = numbers.efficiency.team
    hours = f"handled per hour, {team.hours:.1f} h"
    table.add_row("SEI", hours, _figure(team.sei, "/h"), str(team.episodes))
    for staff_id, each in numbers.efficiency.by_staff.items():
        name = names.get(staff_id, f"staff {staff_id}")
        table.add_row("", name, _figure(each.sei, "/h"), str(each.episodes))
    table.add_section()
    for name, duration in (
        ("first response", numbers.first_response),
        ("handling time", numbers.handling_time),
        ("resolution time", numbers.resolution_time),
    ):
        table.add_row(name, "median (p90)", _times(duration), str(duration.n))
    contained = numbers.containment
    share = contained.contained / contained.n if contained.n else None
    table.add_row("containment", "bot alone", _percent(share), str(contained.n))
    table.add_section()
    for point in numbers.pain_points.points[:PAIN_POINTS]:
        table.add_row(
            "pain point",
            _words(point.issue),
            _percent(point.share_ratio),
            str(point.count),
        )
    _console.print(table)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    figures = {"n", "value", "version", "runs", "sent"}
    for column in columns:
        table.add_column(column, justify="right" if column in figures else "left")
    return table


def _effect(report: RunReport) -> str:
    differences = report.effect().differences
    told = [_difference(each) for each in differences if each.outcome == "orders"]
    return told[0] if told else "no effect is known"


def _difference(found: Difference) -> str:
    if found.interval is None or found.difference is None:
        return f"not enough data for an effect ({found.reason})"
    low, high = (100 * each for each in (found.interval.low, found.interval.high))
    return (
        f"{100 * found.difference:+.1f} orders per 100 people, between {low:.1f} and "
        f"{high:.1f}, against {found.holdout_n} held out"
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _figure(value: float | None, unit: str = "") -> str:
    return UNKNOWN if value is None else f"{value:.2f}{unit}"


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0%}"


def _likely(ratio: float) -> str:
    """A probability that never looks certain."""
    return f"{min(ratio, 0.999):.1%}"


def _band(interval: Interval | None, *, percent: bool = False) -> str:
    if interval is None:
        return ""
    if percent:
        return f" ({interval.low:.0%}–{interval.high:.0%})"
    return f" ({interval.low:.2f}–{interval.high:.2f})"


def _times(duration: Duration) -> str:
    if duration.median_seconds is None:
        return UNKNOWN
    return f"{_clock(duration.median_seconds)} ({_clock(duration.p90_seconds)})"


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show_source_table(
    states: Sequence[SourceState], never: Sequence[str], late: set[str], now: datetime
) -> None:
    """Every source with its age, its watermark and what went wrong last."""
    table = _table("Sources", "source", "last success", "age", "next from", "state")
    for state in states:
        succeeded = state.succeeded_at
        said = "" if state.error is None else state.error.partition("\n")[0]
        table.add_row(
            state.name,
            UNKNOWN if succeeded is None else f"{succeeded:%Y-%m-%d %H:%M} UTC",
            UNKNOWN if succeeded is None else _age(now - succeeded),
            state.watermark or UNKNOWN,
            "late" if state.name in late and not said else said or "ok",
        )
    for name in never:
        table.add_row(name, UNKNOWN, UNKNOWN, UNKNOWN, "never pulled")
    _console.print(table)


def show_api_key_table(keys: Sequence[ApiKey]) -> None:
    """Who may send what, and when they last did."""
    table = _table("API keys", "key", "name", "source", "may send", "last used")
    for key in keys:
        used = UNKNOWN if key.used_at is None else f"{key.used_at:%Y-%m-%d %H:%M} UTC"
        table.add_row(
            str(key.id),
            key.name,
            key.source,
            ", ".join(key.kinds) if key.active else "nothing: revoked",
            used,
        )
    _console.print(table)


def _age(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
