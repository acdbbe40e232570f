"""The command line: `rapport COMMAND`. Heavy libraries load inside the command."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app import cli_data
from app.cli_program import Config, program_of, settings_of
from core.errors import RapportError

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Answers customers, and decides who gets what.",
)
campaign_commands = typer.Typer(no_args_is_help=True, help="Campaigns as versions.")
knowledge_commands = typer.Typer(no_args_is_help=True, help="What the bot knows.")
report_commands = typer.Typer(no_args_is_help=True, help="Figures.")
held_commands = typer.Typer(
    no_args_is_help=True, help="Messages in doubt, which a person decides about."
)
staff_commands = typer.Typer(no_args_is_help=True, help="Who may sign in.")
cli.add_typer(cli_data.commands)
cli.add_typer(campaign_commands, name="campaign")
cli.add_typer(knowledge_commands, name="knowledge")
cli.add_typer(report_commands, name="report")
cli.add_typer(held_commands, name="held")
cli.add_typer(staff_commands, name="staff")


def main() -> None:
    """Run a command; a mistake is told in words and ends with code 1."""
    try:
        cli()
    except RapportError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


@cli.command()
def demo(
    check: Annotated[
        bool, typer.Option("--check", help="Do the main job and compare, then end.")
    ] = False,
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8080,
    directory: Annotated[
        Path | None, typer.Option(help="Where the demo keeps its data.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin a new shop.")] = False,
    profile: Annotated[str, typer.Option(help="shop, bank or travel")] = "shop",
) -> None:
    """A shop with a story: console, web chat and mailbox on one port."""
    if check:
        from app.demo.check import check_demo

        raise typer.Exit(check_demo(profile=profile))
    from app.demo.show import show_demo

    show_demo(port, directory, fresh=fresh, profile=profile)


@cli.command()
def serve(config: Config = None) -> None:
    """Serve your shop: console, web chat, Telegram, clock and sender."""
    from app.commands import serve_shop

    settings, file = settings_of(config)
    serve_shop(settings, file)


@cli.command()
def run(
    campaign: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be repeated.")
    ] = None,
    no_campaigns: Annotated[
        bool, typer.Option("--no-campaigns", help="Clean and analyse only.")
    ] = False,
    no_send: Annotated[
        bool, typer.Option("--no-send", help="Plan; the serving process sends.")
    ] = False,
    scheduled_for: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"], help="The run's moment; now if not given."
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Collect, clean, analyse, decide, send, monitor: once, now."""
    from app.commands import run_pipeline

    with program_of(config) as program:
        wanted = [] if no_campaigns else campaign
        raise typer.Exit(run_pipeline(program, wanted, scheduled_for, send=not no_send))


@cli.command()
def backup(
    folder: Annotated[Path | None, typer.Argument(help="Where it is put.")] = None,
    config: Config = None,
) -> None:
    """A copy of everything, checked, while the program runs."""
    from app.commands import back_up

    settings, _ = settings_of(config)
    back_up(settings, folder)


@cli.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `backup` made.")],
    check: Annotated[
        bool, typer.Option("--check", help="Only look whether it is sound.")
    ] = False,
    config: Config = None,
) -> None:
    """Bring a backup back; what it replaces is kept beside it."""
    from app.commands import bring_back

    settings, _ = settings_of(config)
    bring_back(settings, file, only_check=check)


@cli.command()
def upgrade(config: Config = None) -> None:
    """Back up, bring the database to this version of the program, verify."""
    from app.commands import upgrade_database

    settings, _ = settings_of(config)
    upgrade_database(settings)


@campaign_commands.command(name="list")
def list_campaigns(config: Config = None) -> None:
    """Every campaign with its newest version and run."""
    from app.commands import show_campaigns

    with program_of(config) as program:
        show_campaigns(program)


@campaign_commands.command(name="push")
def push_campaign(
    key: Annotated[str, typer.Argument(help="The folder's name.")],
    templates: Annotated[
        Path | None, typer.Option(help="The folder that holds campaigns/.")
    ] = None,
    config: Config = None,
) -> None:
    """Make a version from files; a stale base is refused."""
    from app.campaign_files import push

    with program_of(config) as program:
        push(program, key, templates)


@campaign_commands.command(name="pull")
def pull_campaign(
    key: Annotated[str, typer.Argument(help="The campaign's key.")],
    templates: Annotated[
        Path | None, typer.Option(help="The folder that holds campaigns/.")
    ] = None,
    config: Config = None,
) -> None:
    """Write the newest version to files."""
    from app.campaign_files import pull

    with program_of(config) as program:
        pull(program, key, templates)


@campaign_commands.command(name="lint")
def lint_campaign(
    key: Annotated[str, typer.Argument(help="The folder's name.")],
    templates: Annotated[
        Path | None, typer.Option(help="The folder that holds campaigns/.")
    ] = None,
) -> None:
    """Look for mistakes in a campaign's files before they are pushed."""
    from app.commands import lint

    raise typer.Exit(lint(key, templates))


@knowledge_commands.command(name="push")
def push_knowledge(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder like templates/knowledge.")
    ] = None,
    config: Config = None,
) -> None:
    """Make versions of the articles that differ; the serving process retrains."""
    from app.commands import push_articles

    with program_of(config) as program:
        push_articles(program, folder)


@report_commands.command(name="service")
def report_service(
    days: Annotated[int, typer.Option(help="How far back.")] = 30,
    config: Config = None,
) -> None:
    """CSI, CSAT, SEI, first response and handling time, each with n."""
    from app.commands import show_service

    with program_of(config) as program:
        show_service(program, days)


@report_commands.command(name="runs")
def report_runs(config: Config = None) -> None:
    """The newest runs with their funnel and effect."""
    from app.commands import show_runs

    with program_of(config) as program:
        show_runs(program)


Ids = Annotated[list[int], typer.Argument(help="Numbers of `held list`.")]


@held_commands.command(name="list")
def list_held(config: Config = None) -> None:
    """Messages that may or may not have arrived."""
    from app.commands import show_held

    with program_of(config) as program:
        show_held(program)


@held_commands.command(name="resend")
def resend_held(ids: Ids, config: Config = None) -> None:
    """Send these again: somebody may get one twice."""
    from app.commands import settle_held

    with program_of(config) as program:
        raise typer.Exit(settle_held(program, ids, resend=True))


@held_commands.command(name="accept")
def accept_held(ids: Ids, config: Config = None) -> None:
    """Take these as sent: somebody may get nothing."""
    from app.commands import settle_held

    with program_of(config) as program:
        raise typer.Exit(settle_held(program, ids, resend=False))


@staff_commands.command(name="add")
def add_staff(
    email: Annotated[str, typer.Argument()],
    role: Annotated[str, typer.Option(help="agent, marketer, lead or admin")],
    name: Annotated[str, typer.Option(help="As customers see it.")],
    config: Config = None,
) -> None:
    """Add a member of staff; asks for the password."""
    from app.commands import add_member

    with program_of(config) as program:
        add_member(program, email, name, role)


if __name__ == "__main__":
    main()
