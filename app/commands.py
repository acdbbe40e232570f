"""What the commands of the command line do, with the program open."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from app.serve import say, serve
from app.tables import show_report, show_run_table, show_service_table
from app.wiring import (
    Program,
    make_composer,
    make_mail_channel,
    make_sender,
    open_program,
)
from content.profile import TEMPLATES
from core.clock import SystemClock
from core.errors import DataError, Problem, did_you_mean
from core.model import Channel, Role, system
from core.settings import Settings
from storage.database import Connection, Database, open_database

COMMAND_LINE = system("command-line")
EXIT_OK, EXIT_STOPPED = 0, 2


def serve_shop(settings: Settings, config: Path) -> None:
    """`rapport serve`: until a signal ends it."""
    from storage import staff
    from web.signin import new_setup_code

    with open_program(settings, SystemClock()) as program:
        empty = program.database.read_now(staff.is_empty)
        code = new_setup_code() if empty else None

        async def on_up(address: str) -> None:
            say(f"Rapport serves on {address}")
            if code is not None:
                say(f"Make the first account: {address}/set-up with the code {code}")

        asyncio.run(serve(program, config, on_up, setup_code=code))


def run_pipeline(
    program: Program,
    campaigns: Sequence[str] | None,
    scheduled_for: datetime | None,
    *,
    send: bool,
) -> int:
    """`rapport run`: one pass; without names, every campaign that there is."""
    from outreach.pipeline import Parts, run

    async def once() -> int:
        composer = make_composer(program.settings)
        channels = {Channel.EMAIL: make_mail_channel(program)}
        sender = make_sender(program, composer, channels) if send else None
        parts = Parts(
            program.database, program.clock, program.settings, composer, sender
        )
        keys = _all_campaigns(program) if campaigns is None else campaigns
        try:
            report = await run(parts, keys, scheduled_for)
        finally:
            await channels[Channel.EMAIL].close()
        show_report(report)
        return EXIT_OK if report.stopped is None else EXIT_STOPPED

    return asyncio.run(once())


def show_campaigns(program: Program) -> None:
    """`rapport campaign list`."""
    from app.tables import show_campaign_table
    from storage import results

    show_campaign_table(program.database.read_now(results.campaigns))


def lint(key: str, templates: Path | None) -> int:
    """`rapport campaign lint`: 1 where there is an error, 0 with warnings only."""
    from content.files import read_campaign
    from content.lint import Severity
    from content.lint import lint as find
    from outreach.policy import FIELDS

    findings = find(read_campaign(templates or TEMPLATES, key), FIELDS)
    for finding in findings:
        sys.stdout.write(
            f"{finding.file}:{finding.line or 1}: {finding.severity}: "
            f"{finding.message}\n"
        )
    if not findings:
        say(f"{key}: nothing to mend")
    return int(any(finding.severity is Severity.ERROR for finding in findings))


def push_articles(program: Program, folder: Path | None) -> None:
    """`rapport knowledge push`: versions of the articles that differ."""
    from bot.knowledge import push as push_knowledge
    from content.articles import load_knowledge
    from content.profile import content_root

    root = content_root(program.settings.shop.profile)
    articles = load_knowledge(folder or root / "knowledge")
    now = program.clock.now()
    program.database.write_now(COMMAND_LINE, lambda c: push_knowledge(c, articles, now))
    say(f"{len(articles.articles)} articles are pushed; the bot trains on the next use")


def show_service(program: Program, days: int) -> None:
    """`rapport report service`."""
    from analytics.service import service_numbers
    from analytics.window import Window
    from storage import frames

    now = program.clock.now()
    window = Window(now - timedelta(days=days), now)
    tables = program.database.read_now(
        lambda c: frames.service_frames(c, window.before.start)
    )
    numbers = service_numbers(
        tables.episodes, tables.intervals, tables.replies, tables.feedback, window
    )
    names = program.database.read_now(_staff_names)
    zone = ZoneInfo(program.settings.shop.timezone)
    show_service_table(numbers, names, zone)


def show_runs(program: Program) -> None:
    """`rapport report runs`."""
    from outreach.monitor import report_run
    from storage import runs

    now = program.clock.now()
    reports = [
        program.database.read_now(partial(report_run, run_id=run.id, now=now))
        for run in program.database.read_now(lambda c: runs.newest(c, limit=10))
    ]
    show_run_table(reports)


def show_held(program: Program) -> None:
    """`rapport held list`: what a person must decide."""
    from app.tables import show_held_table
    from storage import deliveries

    show_held_table(program.database.read_now(deliveries.held))


def settle_held(program: Program, ids: Sequence[int], *, resend: bool) -> int:
    """`rapport held resend | accept`: 1 where one of the rows is not held."""
    from storage import deliveries

    now, unknown = program.clock.now(), []
    for each in ids:
        settled = program.database.write_now(
            COMMAND_LINE,
            partial(
                deliveries.decide_uncertain, delivery_id=each, resend=resend, now=now
            ),
        )
        unknown += [] if settled else [each]
    say(f"{len(ids) - len(unknown)} settled.")
    if unknown:
        say(f"Not held: {', '.join(map(str, unknown))}. See: rapport held list")
    return int(bool(unknown))


def add_member(program: Program, email: str, name: str, role: str) -> None:
    """`rapport staff add`: the password is asked for, or read from a pipe."""
    from storage import staff
    from storage.staff import NewMember
    from web import passwords
    from web.signin import password_problem

    if role not in set(Role):
        hint = did_you_mean(role, list(Role)) or f"There are: {', '.join(Role)}."
        raise DataError(Problem("unknown role", role, hint=hint))
    # Without one nobody could ever add the others from the console.
    if role != Role.ADMIN and program.database.read_now(staff.is_empty):
        hint = "Make yourself one first: --role admin"
        raise DataError(
            Problem("the first account is an administrator", role, hint=hint)
        )
    password = (
        getpass.getpass("Password: ")
        if sys.stdin.isatty()
        else sys.stdin.readline().rstrip("\n")
    )
    if problem := password_problem(password):
        raise DataError(Problem(problem))
    new = NewMember(email, name, Role(role), passwords.hash_password(password))
    now = program.clock.now()
    program.database.write_now(COMMAND_LINE, lambda c: staff.add_member(c, new, now))
    say(f"{email} may sign in as {role}")


def back_up(settings: Settings, folder: Path | None) -> None:
    """`rapport backup`."""
    from storage.backup import backup

    with _database(settings) as database:
        file = backup(
            database,
            folder or settings.storage.data_directory / "backups",
            datetime.now(UTC),
        )
    sys.stdout.write(f"{file}\n")


def bring_back(settings: Settings, file: Path, *, only_check: bool) -> None:
    """`rapport restore`."""
    from storage.backup import check, restore

    if only_check:
        contents = check(file)
        rows = sum(contents.rows.values())
        say(f"Sound: {rows:,} rows in {len(contents.rows)} tables.")
        return
    done = restore(settings.storage.url, file, datetime.now(UTC))
    say(f"{sum(done.contents.rows.values()):,} rows are back.")
    if done.replaced is not None:
        say(f"What was there before is kept as {done.replaced}")
    if done.erased_again:
        say(f"{done.erased_again} customers who were erased since are erased again.")
    if done.paused_runs:
        say(f"{done.paused_runs} runs are paused: look before you resume them.")


def upgrade_database(settings: Settings) -> None:
    """`rapport upgrade`."""
    from storage.backup import upgrade

    with _database(settings) as database:
        folder = settings.storage.data_directory / "backups"
        done = upgrade(database, folder, datetime.now(UTC))
    if done.backup is None:
        say(f"Nothing to do: the schema is {done.after} already.")
    else:
        say(f"From schema {done.before} to {done.after}; the backup is {done.backup}")


def _all_campaigns(program: Program) -> list[str]:
    from storage import versions
    from storage.versions import ContentKind

    return program.database.read_now(lambda c: versions.keys(c, ContentKind.CAMPAIGN))


def _staff_names(connection: Connection) -> dict[int, str]:
    from storage import staff

    return {member.id: member.name for member in staff.members(connection)}


def _database(settings: Settings) -> Database:
    return open_database(settings.storage.url)
