"""Commands about customers' data: how it comes, is cleaned, matched and given out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli_program import Config, program_of, settings_of

commands = typer.Typer()
source_commands = typer.Typer(
    no_args_is_help=True, help="Data that are fetched by themselves."
)
customer_commands = typer.Typer(no_args_is_help=True, help="One person's data.")
key_commands = typer.Typer(
    no_args_is_help=True, help="Programs that may send records over HTTP."
)
duplicate_commands = typer.Typer(
    no_args_is_help=True, help="Customers who may be one person."
)
commands.add_typer(source_commands, name="sources")
commands.add_typer(customer_commands, name="customer")
commands.add_typer(key_commands, name="api-key")
commands.add_typer(duplicate_commands, name="duplicates")


@commands.command(name="import")
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

    settings, _ = settings_of(config)
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


@commands.command()
def export(
    kind: Annotated[str, typer.Argument(help="As imported: customers, orders ...")],
    to: Annotated[str, typer.Option(help="A file, or - for standard output.")],
    source: Annotated[
        str | None, typer.Option(help="Whose records; needed where there are several.")
    ] = None,
    segment: Annotated[
        str | None, typer.Option(help="Only customers who are in it.")
    ] = None,
    config: Config = None,
) -> None:
    """Write records as CSV that a spreadsheet opens safely and an import takes."""
    from app.exports import export_command

    with program_of(config) as program:
        export_command(program, kind, to, source, segment)


@commands.command()
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


@commands.command()
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

    with program_of(config) as program:
        if report or as_json or to is not None:
            cleaning.report_command(program, as_json=as_json, to=to)
        else:
            cleaning.clean_command(program, everything=everything, dry_run=dry_run)


@commands.command()
def merge(
    survivor: Annotated[int, typer.Argument(help="The customer who stays.")],
    merged: Annotated[int, typer.Argument(help="The one who becomes part of it.")],
    config: Config = None,
) -> None:
    """Make one customer of two; it can be taken back whole."""
    from app.duplicates import merge_customers

    with program_of(config) as program:
        merge_customers(program, survivor, merged)


@commands.command()
def unmerge(
    merge: Annotated[int, typer.Argument(help="A number of `duplicates list`.")],
    config: Config = None,
) -> None:
    """Take a merge back: what moved goes back, fields are as before."""
    from app.duplicates import take_back

    with program_of(config) as program:
        take_back(program, merge)


@source_commands.command(name="list")
def list_sources(config: Config = None) -> None:
    """Every source with its age and how its last pull went."""
    from app.sources import show_sources

    with program_of(config) as program:
        show_sources(program)


@source_commands.command(name="pull")
def pull_source(
    name: Annotated[str, typer.Argument(help="As the settings name it.")],
    config: Config = None,
) -> None:
    """Fetch what is new from one source of the settings, and import it."""
    from app.sources import pull_command

    with program_of(config) as program:
        raise typer.Exit(pull_command(program, name))


CustomerId = Annotated[int, typer.Argument(help="A number of `customer find`.")]


@customer_commands.command(name="find")
def find_customer(
    words: Annotated[str, typer.Argument(help="Part of a name, address or id.")],
    config: Config = None,
) -> None:
    """The numbers of people, by name, address or id."""
    from app.people import find

    with program_of(config) as program:
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

    with program_of(config) as program:
        export(program, customer, to, language)


@customer_commands.command(name="erase")
def erase_customer(
    customer: CustomerId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
) -> None:
    """Forget a person; what happened stays without a name."""
    from app.people import erase

    with program_of(config) as program:
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

    with program_of(config) as program:
        add(program, name, source, kind or [])


@key_commands.command(name="list")
def list_api_keys(config: Config = None) -> None:
    """Every key, without its secret."""
    from app.api_keys import show

    with program_of(config) as program:
        show(program)


@key_commands.command(name="revoke")
def revoke_api_key(
    key: Annotated[int, typer.Argument(help="Its number in `api-key list`.")],
    config: Config = None,
) -> None:
    """Take a key back, at once."""
    from app.api_keys import revoke

    with program_of(config) as program:
        revoke(program, key)


Candidate = Annotated[int, typer.Argument(help="A number of `duplicates list`.")]


@duplicate_commands.command(name="list")
def list_duplicates(config: Config = None) -> None:
    """Pairs that wait for a decision, and what was merged lately."""
    from app.duplicates import show_duplicates

    with program_of(config) as program:
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

    with program_of(config) as program:
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

    with program_of(config) as program:
        merge_candidate(program, candidate, survivor)


@duplicate_commands.command(name="apart")
def part_duplicate(candidate: Candidate, config: Config = None) -> None:
    """These are two: they are not proposed again."""
    from app.duplicates import keep_apart

    with program_of(config) as program:
        keep_apart(program, candidate)
