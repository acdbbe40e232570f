"""The papers say what is true: settings, commands, states, tables, names, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined
from ruamel.yaml import YAML

from analytics.clean_rule import Rule
from app.cli import cli
from app.import_view import REASONS
from content.campaign import parse_campaign
from content.filters import filters_for
from content.mapping import FIELDS, KEYS, RULES
from content.mapping_file import read_mapping, shipped_mappings
from content.variables import HTML_ROOTS, names
from core.model import (
    DeliveryState,
    EpisodeEnd,
    OccurrenceState,
    Owner,
    Role,
    RunState,
    SkipReason,
)
from core.records import RecordKind
from core.settings import SECRET_FILES, SECRETS, Settings, variable
from outreach.policy import FIELDS as CONDITION_FIELDS
from storage.schema import metadata

ROOT = Path(__file__).resolve().parent.parent
PAPERS = sorted(
    [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    + list((ROOT / "docs").glob("*.md"))
)
COMMANDS = ("rapport", "./run")
FOREIGN = {
    # No package registry, by the ends of their names.
    "registry": r"pypi\.|pythonhosted|npmjs|registry\.(?!py)",
    # No folder of somebody's machine.
    "machine path": r"(?<![\w.])/(?:work|root|home|Users)/",
    # A paper speaks for itself; a thread may be gone.
    "issue number": r"(?<![\w&])#\d+",
}
CONTAINERS = "app bot web outreach content analytics storage core bench tests"


@cache
def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def ticked(text: str) -> set[str]:
    """What stands between single back-ticks, outside of blocks."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S)))


def rows(text: str) -> dict[str, list[str]]:
    """The rows of all tables by what their first cell has in back-ticks."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for word in re.findall(r"`([^`]+)`", cells[0]) if cells else ():
            found[word] = cells
    return found


# --- settings -------------------------------------------------------------------------


def settings(
    model: type[BaseModel], above: str = ""
) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    """Name, default and the path below the sections, of every single setting."""
    for name, field in model.model_fields.items():
        path = f"{above}{name}"
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield from settings(type(default), f"{path}.")
        elif listed := [
            each
            for each in getattr(field.annotation, "__args__", ())
            if isinstance(default, list) and issubclass(each, BaseModel)
        ]:
            yield from settings(listed[0], f"{path}[].")
        else:
            yield path, default, tuple(path.split("."))


ALL_SETTINGS = list(settings(Settings))


@pytest.mark.parametrize(
    ("name", "default"), [(name, default) for name, default, _ in ALL_SETTINGS]
)
def test_a_setting_stands_with_its_default(name: str, default: Any) -> None:
    told = rows(text_of("docs/configuration.md"))[name][1]

    unknown = default is PydanticUndefined or isinstance(default, SecretStr)
    expected = None if unknown else default
    read = YAML(typ="safe").load(told.strip("`")) if told != "none" else None
    assert read == (str(expected) if isinstance(expected, Path) else expected)


def test_no_setting_is_told_that_does_not_exist() -> None:
    sections = "|".join(Settings.model_fields)
    told = {
        word
        for word in rows(text_of("docs/configuration.md"))
        if re.match(rf"(?:{sections})\.", word)
    }

    lists = {"analysis.segmentations", "collect.sources"}
    assert told - lists == {name for name, _, _ in ALL_SETTINGS}


@pytest.mark.parametrize("path", [path for _, _, path in ALL_SETTINGS])
def test_the_variable_of_a_setting_is_told(path: tuple[str, ...]) -> None:
    section, key = path[0], path[1].removesuffix("[]")

    assert variable(section, key) in ticked(text_of("docs/configuration.md"))


def test_secret_files_are_told() -> None:
    told = ticked(text_of("docs/configuration.md"))

    assert told >= {variable(*secret) for secret in SECRETS} | set(SECRET_FILES)


# --- commands -------------------------------------------------------------------------


def leaves(command: Any, above: str = "rapport") -> Iterator[str]:
    for name, part in command.commands.items():
        below = f"{above} {name}"
        if hasattr(part, "commands"):
            yield from leaves(part, below)
        else:
            yield below


def told_lines() -> list[tuple[str, str]]:
    """Every command line of the papers, with its paper's name."""
    found = set()
    for paper in PAPERS:
        text = paper.read_text(encoding="utf-8")
        blocks = re.findall(r"```\n(.*?)```", text, flags=re.S)
        lines = [line for block in blocks for line in block.splitlines()]
        for line in [*lines, *ticked(text)]:
            typed = re.sub(r"\s+#.*|\[.*?\]| \.\.\.", "", line).strip()
            if typed.startswith(tuple(f"{word} " for word in COMMANDS)):
                found.add((paper.name, typed))
    return sorted(found)


@cache
def program() -> Any:
    return typer.main.get_command(cli)


def parse(arguments: list[str] | None) -> None:
    """Read a command line as the program would, without doing anything."""
    if arguments is None:
        return
    command, name = program(), "rapport"
    while hasattr(command, "commands"):
        assert arguments, f"{name} needs a command"
        name = arguments[0]
        assert name in command.commands, f"there is no command {name}"
        command, arguments = command.commands[name], arguments[1:]
    command.make_context(name, arguments)


@pytest.mark.parametrize("command", list(leaves(program())))
def test_a_command_is_told(command: str) -> None:
    text = "".join(paper.read_text(encoding="utf-8") for paper in PAPERS)

    assert f"{command}" in text.replace("./run demo", "rapport demo")


def arguments_of(line: str) -> list[str] | None:
    """What a command is given by a typed line; None where it is no command's line."""
    first, *words = shlex.split(line.removesuffix(" --help"))
    if first == "rapport":
        return words or None
    known = re.findall(r"^#:   (\w+)", text_of("run"), flags=re.M)
    assert words[0] in known, f"./run does not know {words[0]}"
    if words[0] == "rapport":
        return words[1:] or None
    return words if words[0] in {"demo", "serve"} else None


@pytest.mark.parametrize(("paper", "line"), told_lines())
def test_a_told_command_line_can_be_typed(paper: str, line: str) -> None:
    parse(arguments_of(line))


# --- words of the program -------------------------------------------------------------


@pytest.mark.parametrize(
    "states", [DeliveryState, SkipReason, OccurrenceState], ids=lambda e: e.__name__
)
def test_operations_tell_states_and_reasons(states: Any) -> None:
    assert rows(text_of("docs/operations.md")).keys() >= {each.value for each in states}


@pytest.mark.parametrize("words", [DeliveryState, EpisodeEnd], ids=lambda e: e.__name__)
def test_the_glossary_explains_each_state(words: Any) -> None:
    told = re.findall(r"^\| (\w+) \|", text_of("docs/glossary.md"), flags=re.M)

    assert set(told) >= {each.value for each in words}


@pytest.mark.parametrize(
    "words", [RunState, Owner, Role, OccurrenceState], ids=lambda e: e.__name__
)
def test_the_glossary_holds_each_word(words: Any) -> None:
    assert ticked(text_of("docs/glossary.md")) >= {each.value for each in words}


def test_security_tells_each_role() -> None:
    assert ticked(text_of("docs/security.md")) >= {role.value for role in Role}


@pytest.mark.parametrize("name", names(HTML_ROOTS))
def test_a_template_variable_is_told(name: str) -> None:
    assert name in rows(text_of("docs/templates.md"))


@pytest.mark.parametrize("name", filters_for("en"))
def test_a_filter_is_told(name: str) -> None:
    assert name in rows(text_of("docs/templates.md"))


@pytest.mark.parametrize("name", CONDITION_FIELDS)
def test_a_field_of_conditions_is_told(name: str) -> None:
    assert name in ticked(text_of("docs/templates.md"))


def test_the_example_of_a_campaign_can_be_read() -> None:
    example = re.findall(r"```yaml\n(.*?)```", text_of("docs/templates.md"), re.S)[0]

    assert parse_campaign(example, "templates.md", CONDITION_FIELDS).key == "win-back"


# --- data -----------------------------------------------------------------------------


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda t: str(t.name))
def test_a_table_is_told_with_all_its_columns(table: Any) -> None:
    pattern = rf"^- `{table.name}`:(.*?)(?=^- |^#)"
    part = re.search(pattern, text_of("docs/data.md"), flags=re.S | re.M)

    assert part is not None
    assert ticked(part[1]) >= {column.name for column in table.columns}


@pytest.mark.parametrize("rule", Rule)
def test_a_rule_of_cleaning_is_told(rule: Rule) -> None:
    assert rule.value in ticked(text_of("docs/data.md"))


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(set(RecordKind), id="kinds"),
        pytest.param(set(shipped_mappings(ROOT / "templates")), id="mappings"),
        pytest.param({*KEYS, *RULES}, id="keys"),
        pytest.param({name for part in FIELDS.values() for name in part}, id="fields"),
        pytest.param(set(REASONS), id="reasons"),
    ],
)
def test_what_an_import_knows_is_told(words: set[str]) -> None:
    assert ticked(text_of("docs/data.md")) >= words


def test_the_example_of_a_mapping_can_be_read(tmp_path: Path) -> None:
    example = re.findall(r"```yaml\n(.*?)```", text_of("docs/data.md"), re.S)[0]
    file = tmp_path / "mapping.yaml"
    file.write_text(example, encoding="utf-8")

    assert read_mapping(file).source == "my-shop"


# --- decisions, versions, links -------------------------------------------------------


def dependencies() -> list[str]:
    block = re.findall(
        r'^\s+"([a-z][\w.-]+)(?:\[\w+\])?>=', text_of("pyproject.toml"), re.M
    )
    inline = re.findall(r'\["([a-z][\w-]+)(?:\[\w+\])?>=', text_of("pyproject.toml"))
    return sorted({*block, *inline})


@pytest.mark.parametrize("package", dependencies())
def test_a_dependency_has_its_reason(package: str) -> None:
    assert package in rows(text_of("docs/decisions.md"))


def test_no_reason_is_given_for_what_is_not_used() -> None:
    part = text_of("docs/decisions.md").partition("## Dependencies")[2]

    assert set(rows(part)) == set(dependencies())


def test_each_decision_says_when_and_what_was_given_up() -> None:
    _, *sections = re.split(r"^## ", text_of("docs/decisions.md"), flags=re.M)

    bare = [
        part.splitlines()[0]
        for part in sections
        if not part.startswith("Dependencies")
        and not re.search(r"\n20\d\d-\d\d-\d\d\. .*\nGiven up: ", part, flags=re.S)
    ]
    assert bare == []


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    version = re.findall(r'^version = "(.*)"', text_of("pyproject.toml"), re.M)[0]

    assert re.findall(r"^## (\S+)", text_of("CHANGELOG.md"), re.M)[0] == version


def slug(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")


def broken_links(paper: Path) -> list[str]:
    """Links of a paper to files and headings that do not exist."""
    text = re.sub(r"```.*?```", "", paper.read_text(encoding="utf-8"), flags=re.S)
    broken = []
    for name, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        target = paper.parent / name if name else paper
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{name}#{anchor}")
    return broken


def anchors(paper: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)", paper.read_text(encoding="utf-8"), re.M)
    return {slug(heading) for heading in headings}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_links_lead_somewhere(paper: Path) -> None:
    assert broken_links(paper) == []


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_a_named_file_of_the_program_exists(paper: Path) -> None:
    folders = CONTAINERS.replace(" ", "|")
    named = {
        word
        for word in ticked(paper.read_text(encoding="utf-8"))
        if re.fullmatch(rf"(?:{folders})/[\w/]+\.py", word)
        and word != "bench/bench_NAME.py"
    }

    assert sorted(word for word in named if not (ROOT / word).exists()) == []


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
@pytest.mark.parametrize("pattern", FOREIGN.values(), ids=list(FOREIGN))
def test_a_paper_names_nothing_foreign(paper: Path, pattern: str) -> None:
    assert re.findall(pattern, paper.read_text(encoding="utf-8")) == []


def test_pictures_are_small() -> None:
    sizes = [picture.stat().st_size for picture in (ROOT / "docs/images").iterdir()]

    assert max(sizes) < 200_000
