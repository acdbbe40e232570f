"""The page of duplicates: side by side, decided by name, taken back by a button."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select, update

from analytics.matching_fields import COMPARISONS
from core.model import IdentityKind, MergeMethod, Role, system
from storage import candidates, customers, merges, schema
from storage.analysis import NewModelRun, ResultWriter
from storage.candidates import Proposal
from storage.database import Connection
from tests.web.site import Site
from web.words import WORDS, Kind

TEST = system("test")
EVIDENCE = (
    {
        "field": "birth_date",
        "level": "digit",
        "words": "birth dates differ by one digit",
        "weight_bits": 5.5,
    },
    {
        "field": "city",
        "level": "different",
        "words": "cities differ",
        "weight_bits": -2.0,
    },
)


def people(connection: Connection, site: Site) -> tuple[int, int]:
    """Two who may be one; of one of them more is known."""
    now = site.clock.now()
    ann, anna = (customers.create(connection, now, name) for name in ("Ann", "Anna"))
    values: dict[int, dict[str, Any]] = {
        ann: {"city": "Berlin", "birth_date": date(1990, 5, 1)},
        anna: {"city": "Bonn", "gender": "female"},
    }
    for each, known in values.items():
        own = schema.customers.c.id == each
        connection.execute(update(schema.customers).where(own).values(**known))
    email = IdentityKind.EMAIL, "anna@shop.example"
    customers.add_identity(connection, anna, *email, now)
    candidates.propose(connection, [Proposal(ann, anna, 0.93, EVIDENCE)], now)
    return ann, anna


@pytest.fixture
def pair(site: Site) -> tuple[int, int]:
    """Two customers who may be one, proposed."""
    return site.database.write_now(TEST, lambda c: people(c, site))


def survivor(site: Site, customer_id: int) -> int:
    return site.database.read_now(lambda c: customers.survivor_of(c, customer_id))


def test_both_stand_side_by_side(site: Site, pair: tuple[int, int]) -> None:
    with site.signed_in(Role.MARKETER) as browser:
        page = browser.get("/duplicates").text

    assert "Ann · Anna" in page
    assert "93.0" in page
    assert "anna@shop.example" in page
    assert "birth dates differ by one digit" in page
    assert "1 May 1990" in page


def test_only_what_both_say_differently_is_marked(
    site: Site, pair: tuple[int, int]
) -> None:
    with site.signed_in(Role.LEAD) as browser:
        page = browser.get("/duplicates").text

    marked = [part for part in page.split("<tr") if part.startswith(' class="differs"')]
    assert ["City" in part for part in marked] == [False, True]


def test_reasons_are_told_in_chinese(site: Site, pair: tuple[int, int]) -> None:
    with site.signed_in(Role.LEAD) as browser:
        browser.cookies.set("language", "zh_CN")
        page = browser.get("/duplicates").text

    assert "出生日期：差一位数字" in page
    assert "birth dates" not in page


def test_the_chosen_one_is_kept(site: Site, pair: tuple[int, int]) -> None:
    ann, anna = pair
    with site.signed_in(Role.LEAD) as browser:
        form = {"decision": "merge", "keep": str(anna)}
        answer = browser.post("/duplicates/1", data=form, follow_redirects=True)

    assert survivor(site, ann) == anna
    assert "Ann is part of Anna now." in answer.text


def test_who_decided_is_written_down(site: Site, pair: tuple[int, int]) -> None:
    with site.signed_in(Role.LEAD, "Mia Sommer") as browser:
        form = {"decision": "merge", "keep": str(pair[0])}
        answer = browser.post("/duplicates/1", data=form, follow_redirects=True)

    assert "<td>Mia Sommer</td>" in answer.text
    query = select(schema.match_candidates.c.decided_by)
    assert site.database.read_now(lambda c: c.scalar(query)) == "staff:1"


def test_two_people_stay_two(site: Site, pair: tuple[int, int]) -> None:
    with site.signed_in(Role.LEAD) as browser:
        form = {"decision": "apart"}
        answer = browser.post("/duplicates/1", data=form, follow_redirects=True)

    assert "They stay two customers" in answer.text
    assert "No pair of customers waits" in answer.text


def test_a_merge_is_undone_by_its_button(site: Site, pair: tuple[int, int]) -> None:
    with site.signed_in(Role.LEAD) as browser:
        form = {"decision": "merge", "keep": str(pair[0])}
        browser.post("/duplicates/1", data=form)
        answer = browser.post("/duplicates/merges/1/undo", follow_redirects=True)

    assert "are two customers again" in answer.text
    assert survivor(site, pair[1]) == pair[1]


def test_who_comes_second_is_told(site: Site, pair: tuple[int, int]) -> None:
    with site.signed_in(Role.LEAD) as browser:
        browser.post("/duplicates/1", data={"decision": "apart"})
        answer = browser.post("/duplicates/1", data={"decision": "apart"})

    assert answer.status_code == 409
    assert "no proposal 1 waits for a decision" in answer.text


def test_an_undone_merge_is_not_undone_again(site: Site, pair: tuple[int, int]) -> None:
    with site.signed_in(Role.LEAD) as browser:
        form = {"decision": "merge", "keep": str(pair[0])}
        browser.post("/duplicates/1", data=form)
        browser.post("/duplicates/merges/1/undo")
        answer = browser.post("/duplicates/merges/1/undo")

    assert answer.status_code == 409
    assert "undone already" in answer.text


@pytest.mark.parametrize(
    "form", [{"decision": "drop"}, {"decision": "merge"}, {}], ids=str
)
def test_a_form_that_decides_nothing_is_refused(
    site: Site, pair: tuple[int, int], form: dict[str, str]
) -> None:
    with site.signed_in(Role.LEAD) as browser:
        answer = browser.post("/duplicates/1", data=form)

    assert answer.status_code == 422
    assert site.database.read_now(candidates.count) == 1


def test_the_rail_counts_what_waits(site: Site, pair: tuple[int, int]) -> None:
    with site.signed_in(Role.MARKETER) as browser:
        page = browser.get("/campaigns").text

    assert "1 pair waits for a decision" in page


def test_a_name_is_no_markup(site: Site, pair: tuple[int, int]) -> None:
    own = schema.customers.c.id == pair[0]
    statement = update(schema.customers).where(own).values(name="<b>Ann</b>")
    site.database.write_now(TEST, lambda c: c.execute(statement))

    with site.signed_in(Role.LEAD) as browser:
        page = browser.get("/duplicates").text

    assert "<b>Ann</b>" not in page
    assert "&lt;b&gt;Ann" in page


def test_merges_of_the_program_are_listed_with_their_way_back(
    site: Site, pair: tuple[int, int]
) -> None:
    now = site.clock.now()
    site.database.write_now(
        TEST, lambda c: merges.merge(c, *pair, MergeMethod.PROBABLE, now, 0.9999)
    )

    with site.signed_in(Role.LEAD) as browser:
        page = browser.get("/duplicates").text

    assert "The program" in page
    assert "over 99.9" in page
    assert 'action="/duplicates/merges/1/undo"' in page


def test_a_look_that_was_not_believed_is_told(site: Site) -> None:
    run = NewModelRun(
        kind="matching",
        name="people",
        window_start=None,
        window_end=site.clock.now(),
        parameters={},
        metrics={"pairs": 14_774.0},
        baseline={},
        rows=2_000,
        artefact_hash=None,
        reason="too many to be believed",
    )
    ResultWriter(site.database, TEST, site.clock.now()).figures(run)

    with site.signed_in(Role.LEAD) as browser:
        page = browser.get("/duplicates").text

    assert "14,774 pairs of customers looked alike" in page


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda each: each.field)
def test_every_comparison_has_its_words(comparison: Any) -> None:
    assert comparison.field in WORDS[Kind.COMPARED]
    assert {each.key for each in comparison.levels} <= WORDS[Kind.LIKENESS].keys()
