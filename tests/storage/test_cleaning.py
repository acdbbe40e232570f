from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import select, update

from core.model import IdentityKind, system
from storage import cleaning, customers
from storage.cleaning import Fix
from storage.schema import corrections
from storage.schema import customers as table

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEST = system("test")


def new_customer(database, city="Cork", **fields) -> int:
    def make(connection):
        found = customers.identify(connection, IdentityKind.EXTERNAL, "x", NOW)
        theirs = update(table).where(table.c.id == found.id)
        connection.execute(theirs.values(city=city, **fields))
        return found.id

    return database.write_now(TEST, make)


def apply(database, *fixes: Fix) -> int:
    return database.write_now(TEST, lambda c: cleaning.apply_fixes(c, fixes, NOW))


def test_a_fix_changes_the_customer_and_is_noted(database):
    who = new_customer(database, name="ANN LEE", income_minor=66_666_600)

    made = apply(
        database,
        Fix(who, "name", "ANN LEE", "Ann Lee", "name_form"),
        Fix(who, "income", "666666", None, "income_placeholder"),
    )

    row = database.read_now(lambda c: c.execute(select(table)).one())
    noted = database.read_now(
        lambda c: c.execute(
            select(corrections.c.field, corrections.c.before, corrections.c.after)
        ).all()
    )
    assert made == 2
    assert (row.name, row.income_minor) == ("Ann Lee", None)
    assert [tuple(each) for each in noted] == [
        ("name", "ANN LEE", "Ann Lee"),
        ("income", "666666", None),
    ]


def test_a_corrected_birth_date_is_a_date(database):
    who = new_customer(database, birth_date=date(1893, 1, 1))

    apply(database, Fix(who, "birth_date", "1893-01-01", "1983-01-01", "rule"))

    assert database.read_now(lambda c: c.scalar(select(table.c.birth_date))) == date(
        1983, 1, 1
    )


def test_a_time_that_must_be_there_is_only_noted(database):
    who = new_customer(database)

    apply(database, Fix(who, "created_at", "1900-01-01", None, "date_impossible"))

    assert database.read_now(lambda c: c.scalar(select(table.c.created_at))) == NOW
    assert database.read_now(
        lambda c: cleaning.noted(c, "date_impossible", "created_at")
    ) == {who}


def test_corrections_are_counted_by_rule(database):
    who = new_customer(database)

    apply(database, *[Fix(who, "city", "x", "y", "rule")] * 2)

    assert database.read_now(cleaning.counts_by_rule) == {"rule": 2}
