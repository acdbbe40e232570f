"""The command line: `rapport COMMAND`. Heavy libraries load inside the command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import RapportError

if TYPE_CHECKING:
    from app.wiring import Program
    from core.settings import Settings

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
source_commands = typer.Typer(
    no_args_is_help=True, help="Data that are fetched by themselves."
)
cli.add_typer(source_commands, name="sources")
customer_commands = typer.Typer(no_args_is_help=True, help="One person's data.")
cli.add_typer(customer_commands, name="customer")
key_commands = typer.Typer(
    no_args_is_help=True, help="Programs that may send records over HTTP."
)
cli.add_typer(key_commands, name="api-key")
duplicate_commands = typer.Typer(
    no_args_is_help=True, help="Customers who may be one person."
)
cli.add_typer(duplicate_commands, name="duplicates")
cli.add_typer(campaign_commands, name="campaign")
cli.add_typer(knowledge_commands, name="knowledge")
cli.add_typer(report_commands, name="report")
cli.add_typer(held_commands, name="held")
cli.add_typer(staff_commands, name="staff")

Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="RAPPORT_CONFIG", help="The settings file."),
]


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

    settings, file = _settings(config)
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

    with _program(config) as program:
        wanted = [] if no_campaigns else campaign
        raise typer.Exit(run_pipeline(program, wanted, scheduled_for, send=not no_send))


@cli.command(name="import")
def import_(
    file: Annotated[
        str | None,
        typer.Argument(help="A file, a folder of them, or - for standard input."),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="A shipped mapping, or a file.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the rows come from.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show all imports.")] = False,
    close: Annotated[
        int | None, typer.Option(help="Give this unfinished import up.")
    ] = None,
    undo: Annotated[
        int | None, typer.Option(help="Take this import back whole.")
    ] = None,
    guess: Annotated[
        bool, typer.Option("--guess", help="Write a mapping for this file.")
    ] = False,
    kind: Annotated[
        str | None, typer.Option(help="What --guess shall take the rows for.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Where --guess writes it.")] = None,
    config: Config = None,
) -> None:
    """Read customers, orders and other records from a file; see docs/data.md."""
    if guess and file is not None:
        from app.guessing import guess_command

        raise typer.Exit(guess_command(file, kind, to))
    from app import import_commands

    settings, _ = _settings(config)
    if show:
        raise typer.Exit(import_commands.list_imports_command(settings))
    if close is not None:
        raise typer.Exit(import_commands.close_import_command(settings, close))
    if undo is not None:
        raise typer.Exit(import_commands.undo_import_command(settings, undo))
    if file is None or mapping is None:
        message = "a file and --mapping are needed, or --guess, --list, --close, --undo"
        raise typer.BadParameter(message)
    raise typer.Exit(import_commands.import_command(settings, file, mapping, source))


@cli.command()
def generate(
    customers: Annotated[int, typer.Option(help="How many people there are.")] = 2000,
    seed: Annotated[int, typer.Option(help="The same gives the same files.")] = 7,
    profile: Annotated[str, typer.Option(help="shop, bank or travel")] = "shop",
    out: Annotated[Path, typer.Option(help="The folder of the files.")] = Path(
        "data/generated"
    ),
    dirty: Annotated[
        float, typer.Option(help="Share of rows with something wrong, as 0.1.")
    ] = 0.0,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="The last day; 2026-06-30 if not given."
        ),
    ] = None,
) -> None:
    """Write files of invented customers with orders and all else, to try imports on."""
    from app.generate import generate_command

    generate_command(customers, seed, profile, out, dirty, until)


@cli.command()
def clean(
    report: Annotated[
        bool, typer.Option("--report", help="Show what cleaning did so far.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be found.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Not only what came since the last time.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The report for programs.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option(help="Write every row of the account as CSV.")
    ] = None,
    config: Config = None,
) -> None:
    """Correct and flag what is wrong in the data, with an account of every change."""
    from app import cleaning

    with _program(config) as program:
        if report or as_json or to is not None:
            cleaning.report_command(program, as_json=as_json, to=to)
        else:
            cleaning.clean_command(program, everything=everything, dry_run=dry_run)


@cli.command()
def merge(
    survivor: Annotated[int, typer.Argument(help="The customer who stays.")],
    merged: Annotated[int, typer.Argument(help="The one who becomes part of it.")],
    config: Config = None,
) -> None:
    """Make one customer of two; it can be taken back whole."""
    from app.duplicates import merge_customers

    with _program(config) as program:
        merge_customers(program, survivor, merged)


@cli.command()
def unmerge(
    merge: Annotated[int, typer.Argument(help="A number of `duplicates list`.")],
    config: Config = None,
) -> None:
    """Take a merge back: what moved goes back, fields are as before."""
    from app.duplicates import take_back

    with _program(config) as program:
        take_back(program, merge)


@cli.command()
def backup(
    folder: Annotated[Path | None, typer.Argument(help="Where it is put.")] = None,
    config: Config = None,
) -> None:
    """A copy of everything, checked, while the program runs."""
    from app.commands import back_up

    settings, _ = _settings(config)
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

    settings, _ = _settings(config)
    bring_back(settings, file, only_check=check)


@cli.command()
def upgrade(config: Config = None) -> None:
    """Back up, bring the database to this version of the program, verify."""
    from app.commands import upgrade_database

    settings, _ = _settings(config)
    upgrade_database(settings)


@campaign_commands.command(name="list")
def list_campaigns(config: Config = None) -> None:
    """Every campaign with its newest version and run."""
    from app.commands import show_campaigns

    with _program(config) as program:
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

    with _program(config) as program:
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

    with _program(config) as program:
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

    with _program(config) as program:
        push_articles(program, folder)


@report_commands.command(name="service")
def report_service(
    days: Annotated[int, typer.Option(help="How far back.")] = 30,
    config: Config = None,
) -> None:
    """CSI, CSAT, SEI, first response and handling time, each with n."""
    from app.commands import show_service

    with _program(config) as program:
        show_service(program, days)


@report_commands.command(name="runs")
def report_runs(config: Config = None) -> None:
    """The newest runs with their funnel and effect."""
    from app.commands import show_runs

    with _program(config) as program:
        show_runs(program)


Ids = Annotated[list[int], typer.Argument(help="Numbers of `held list`.")]


@held_commands.command(name="list")
def list_held(config: Config = None) -> None:
    """Messages that may or may not have arrived."""
    from app.commands import show_held

    with _program(config) as program:
        show_held(program)


@held_commands.command(name="resend")
def resend_held(ids: Ids, config: Config = None) -> None:
    """Send these again: somebody may get one twice."""
    from app.commands import settle_held

    with _program(config) as program:
        raise typer.Exit(settle_held(program, ids, resend=True))


@held_commands.command(name="accept")
def accept_held(ids: Ids, config: Config = None) -> None:
    """Take these as sent: somebody may get nothing."""
    from app.commands import settle_held

    with _program(config) as program:
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

    with _program(config) as program:
        add_member(program, email, name, role)


@source_commands.command(name="list")
def list_sources(config: Config = None) -> None:
    """Every source with its age and how its last pull went."""
    from app.sources import show_sources

    with _program(config) as program:
        show_sources(program)


@source_commands.command(name="pull")
def pull_source(
    name: Annotated[str, typer.Argument(help="As the settings name it.")],
    config: Config = None,
) -> None:
    """Fetch what is new from one source of the settings, and import it."""
    from app.sources import pull_command

    with _program(config) as program:
        raise typer.Exit(pull_command(program, name))


CustomerId = Annotated[int, typer.Argument(help="A number of `customer find`.")]


@customer_commands.command(name="find")
def find_customer(
    words: Annotated[str, typer.Argument(help="Part of a name, address or id.")],
    config: Config = None,
) -> None:
    """The numbers of people, by name, address or id."""
    from app.people import find

    with _program(config) as program:
        raise typer.Exit(find(program, words))


@customer_commands.command(name="export")
def export_customer(
    customer: CustomerId,
    to: Annotated[Path, typer.Option(help="The folder to write into.")] = Path(),
    language: Annotated[str, typer.Option(help="Of the page's headings.")] = "en",
    config: Config = None,
) -> None:
    """Everything about a person, as JSON and as a page to read."""
    from app.people import export

    with _program(config) as program:
        export(program, customer, to, language)


@customer_commands.command(name="erase")
def erase_customer(
    customer: CustomerId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
) -> None:
    """Forget a person; what happened stays without a name."""
    from app.people import erase

    with _program(config) as program:
        erase(program, customer, sure=yes)


@key_commands.command(name="add")
def add_api_key(
    name: Annotated[str, typer.Argument(help="Of the program that will send.")],
    source: Annotated[str, typer.Option(help="Where its records go.")],
    kind: Annotated[
        list[str] | None, typer.Option(help="May be repeated; all if not given.")
    ] = None,
    config: Config = None,
) -> None:
    """Make a key; its secret is printed once."""
    from app.api_keys import add

    with _program(config) as program:
        add(program, name, source, kind or [])


@key_commands.command(name="list")
def list_api_keys(config: Config = None) -> None:
    """Every key, without its secret."""
    from app.api_keys import show

    with _program(config) as program:
        show(program)


@key_commands.command(name="revoke")
def revoke_api_key(
    key: Annotated[int, typer.Argument(help="Its number in `api-key list`.")],
    config: Config = None,
) -> None:
    """Take a key back, at once."""
    from app.api_keys import revoke

    with _program(config) as program:
        revoke(program, key)


Candidate = Annotated[int, typer.Argument(help="A number of `duplicates list`.")]


@duplicate_commands.command(name="list")
def list_duplicates(config: Config = None) -> None:
    """Pairs that wait for a decision, and what was merged lately."""
    from app.duplicates import show_duplicates

    with _program(config) as program:
        show_duplicates(program)


@duplicate_commands.command(name="find")
def find_duplicates(
    everything: Annotated[
        bool, typer.Option("--all", help="Even if nothing has changed.")
    ] = False,
    config: Config = None,
) -> None:
    """Compare customers now: merge who is one for certain, propose who may be."""
    from app.duplicates import find_duplicates as find

    with _program(config) as program:
        find(program, everything=everything)


@duplicate_commands.command(name="merge")
def merge_duplicate(
    candidate: Candidate,
    survivor: Annotated[
        int | None, typer.Option(help="Who stays; the older one if not given.")
    ] = None,
    config: Config = None,
) -> None:
    """These two are one person."""
    from app.duplicates import merge_candidate

    with _program(config) as program:
        merge_candidate(program, candidate, survivor)


@duplicate_commands.command(name="apart")
def part_duplicate(candidate: Candidate, config: Config = None) -> None:
    """These are two: they are not proposed again."""
    from app.duplicates import keep_apart

    with _program(config) as program:
        keep_apart(program, candidate)


def _settings(config: Path | None) -> tuple[Settings, Path]:
    """The settings and the file that they came from."""
    from app.wiring import anchored
    from core.settings import DEFAULT_FILE, load_settings

    file = (config or DEFAULT_FILE).resolve()
    return anchored(load_settings(file), file.parent), file


@contextmanager
def _program(config: Path | None) -> Iterator[Program]:
    from app.wiring import open_program
    from core.clock import SystemClock

    settings, _ = _settings(config)
    with open_program(settings, SystemClock()) as program:
        yield program


if __name__ == "__main__":
    main()
