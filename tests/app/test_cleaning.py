"""`rapport clean` as a person sees it."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from analytics.clean_rule import ADVICE, Rule
from app import cleaning
from app.wiring import Program, open_program
from core.clock import SimulatedClock
from core.model import FLAG, system
from core.settings import Settings, Storage
from storage import customers, schema

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TEST = system("test")


@pytest.fixture
def program(tmp_path: Path):
    """A shop with four mistakes in its data."""
    folder = tmp_path / "data"
    storage = Storage(url=f"sqlite:///{folder / 'r.db'}", data_directory=folder)
    with open_program(Settings(storage=storage), SimulatedClock(NOW)) as program:
        program.database.write_now(TEST, add_somebody)
        yield program


def add_somebody(connection) -> None:
    customers.create(connection, NOW, "ANN LEE")
    person = customers.create(connection, NOW, "=1+1")
    theirs = update(schema.customers).where(schema.customers.c.id == person)
    connection.execute(theirs.values(gender="n/a", country="Atlantis"))


def clean(program: Program, dry_run: bool = False) -> None:
    cleaning.clean_command(program, everything=False, dry_run=dry_run)


def report(program: Program, as_json: bool = False, to: Path | None = None) -> None:
    cleaning.report_command(program, as_json=as_json, to=to)


def test_a_pass_tells_what_it_changed_and_flagged(program, capsys):
    clean(program)

    told = capsys.readouterr()
    lines = [line.split() for line in told.out.splitlines()]
    assert ["changed", "name", "form", "1"] in lines
    assert ["flagged", "country", "unknown", "1"] in lines
    assert "Judged: 2 customers, 0 orders." in told.err


def test_a_dry_run_says_so(program, capsys):
    clean(program, dry_run=True)
    clean(program)

    assert capsys.readouterr().out.startswith("Would be cleaned")


def test_the_report_shows_examples_and_what_to_do(program, capsys):
    clean(program)
    capsys.readouterr()

    report(program)

    told = capsys.readouterr().out
    assert "ANN LEE" in told
    assert "Ann Lee" in told
    assert ADVICE[Rule.COUNTRY_UNKNOWN] in " ".join(told.split())


def test_the_report_of_nothing_says_so(program, capsys):
    report(program)

    assert capsys.readouterr().out == "Nothing has been corrected.\n"


def test_the_report_can_be_read_by_programs(program, capsys):
    clean(program)
    capsys.readouterr()

    report(program, as_json=True)

    told = json.loads(capsys.readouterr().out)
    [rule] = [each for each in told["rules"] if each["rule"] == "name_form"]
    assert (rule["count"], rule["count_last"]) == (1, 1)
    assert rule["examples"][0]["after"] == "Ann Lee"


def test_every_row_can_be_opened_in_a_spreadsheet(program, tmp_path, capsys):
    clean(program)

    report(program, to=tmp_path / "account.csv")

    text = (tmp_path / "account.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    [doubtful] = [row for row in rows if row["rule"] == "name_doubtful_flagged"]
    assert doubtful["before"] == "'=1+1"
    assert f"{len(rows)} rows" in capsys.readouterr().err


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule.endswith(FLAG)])
def test_each_flag_says_what_a_person_does_about_it(rule):
    assert rule in ADVICE
