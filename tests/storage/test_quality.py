"""The quality of a source, worked by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert

from core.model import system
from storage import corrections, quality, schema
from storage.corrections import Correction

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEST = system("test")
WHOLE = {
    "name": "Ann Lee",
    "language": "en",
    "birth_date": date(1980, 1, 1),
    "city": "Cork",
    "country": "Ireland",
}


def insert_row(database, table, **values) -> int:
    add = insert(table).values(**values)
    return database.write_now(TEST, lambda c: c.execute(add).inserted_primary_key[0])


def shop(database, completed=NOW, read=10, rejected=0, corrected=0) -> int:
    """A source with one import of customers."""
    source = insert_row(database, schema.sources, name="shop")
    insert_row(
        database,
        schema.imports,
        source_id=source,
        kind="customers",
        file_name="customers.csv",
        file_hash="a",
        mapping_hash="b",
        state="complete",
        rows_read=read,
        rows_accepted=read - rejected,
        rows_corrected=corrected,
        rows_rejected=rejected,
        reasons={},
        started_at=completed,
        completed_at=completed,
    )
    return source


def person(database, source, email="ann@example.com", **fields) -> int:
    values = WHOLE | {"created_at": NOW, "updated_at": NOW} | fields
    who = insert_row(database, schema.customers, source_id=source, **values)
    if email is not None:
        insert_row(
            database,
            schema.identities,
            customer_id=who,
            kind="email",
            value=email,
            typed=email,
            created_at=NOW,
        )
    return who


def note(database, who, rule, after="x") -> None:
    found = Correction(who, "name", "x", after, rule)
    database.write_now(TEST, lambda c: corrections.record(c, [found], NOW))


def parts(database, **filled):
    [found] = database.read_now(lambda c: quality.measure(c, NOW, **filled))
    return found.parts


def test_a_perfect_source_has_the_score_one(database):
    person(database, shop(database))

    [found] = database.read_now(lambda c: quality.measure(c, NOW))

    assert (found.source, found.kind, found.rows) == ("shop", "customers", 1)
    assert dict(found.parts) == dict.fromkeys(quality.PARTS, 1.0)
    assert found.score_ratio == 1.0


def test_completeness_is_the_share_of_known_fields(database):
    source = shop(database)
    person(database, source)
    # Without city, country and address three of six are known: (6 + 3) / 12.
    person(database, source, email=None, city=None, country=None)

    assert parts(database)["completeness"] == pytest.approx(9 / 12)


def test_a_filled_value_counts_as_missing(database):
    entry = {"by": "clean", "priority": 0, "at": "", "filled": "filled_mode"}
    person(database, shop(database), provenance={"city": entry})

    assert parts(database, filled=["city"])["completeness"] == pytest.approx(5 / 6)


def test_validity_is_the_share_without_rejects_and_findings(database):
    source = shop(database, read=10, rejected=1)
    people = [person(database, source, f"{each}@example.com") for each in range(4)]
    note(database, people[0], "country_unknown_flagged")
    note(database, people[0], "birth_date_impossible")

    # Nine of ten rows were taken, three of four customers have no finding.
    assert parts(database)["validity"] == pytest.approx(0.9 * 0.75)


def test_uniqueness_is_the_share_that_is_there_once(database):
    source = shop(database)
    people = [person(database, source, f"{each}@example.com") for each in range(4)]
    note(database, people[1], "customer_repeated_flagged")
    insert_row(
        database,
        schema.identity_claims,
        customer_id=people[2],
        kind="email",
        value="a",
        typed="a",
        created_at=NOW,
    )

    assert parts(database)["uniqueness"] == pytest.approx(0.5)
    assert parts(database)["validity"] == 1.0


def test_consistency_is_the_share_that_came_in_one_form(database):
    source = shop(database, read=10, corrected=2)
    people = [person(database, source, f"{each}@example.com") for each in range(4)]
    note(database, people[0], "name_form")

    assert parts(database)["consistency"] == pytest.approx(0.8 * 0.75)


def test_freshness_halves_in_ninety_days(database):
    person(database, shop(database, completed=NOW - timedelta(days=90)))

    assert parts(database)["freshness"] == pytest.approx(0.5)


def test_a_trend_compares_with_the_time_before(database):
    source = shop(database)
    person(database, source)
    for days in (0, 90):
        now = NOW + timedelta(days=days)
        scores = database.read_now(lambda c, at=now: quality.measure(c, at))
        database.write_now(TEST, lambda c, at=now, s=scores: quality.record(c, s, at))

    [trend] = database.read_now(quality.trends)

    # Freshness alone fell, from 1 to a half: a fifth of that in the mean.
    assert trend.change == pytest.approx(-0.1)
    assert trend.now.at == NOW + timedelta(days=90)


def test_without_a_time_before_there_is_no_change(database):
    person(database, shop(database))
    scores = database.read_now(lambda c: quality.measure(c, NOW))
    database.write_now(TEST, lambda c: quality.record(c, scores, NOW))

    assert [each.change for each in database.read_now(quality.trends)] == [None]
