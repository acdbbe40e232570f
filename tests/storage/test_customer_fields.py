"""What staff and customers change by hand, and what that counts."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from core.errors import DataError
from core.model import IdentityKind, customer_self, staff_member
from storage import customers
from storage.schema import corrections
from storage.schema import customers as table
from tests.storage.shop import NOW, TEST, new_customer

AGENT = staff_member(3)


@pytest.fixture
def ann(database):
    return database.write_now(TEST, lambda c: new_customer(c, "ann@shop.example"))


@pytest.fixture
def edit(database, ann):
    def edit(actor=AGENT, now=NOW, **fields):
        return database.write_now(
            actor, lambda c: customers.set_fields(c, ann, fields, now)
        )

    return edit


@pytest.fixture
def row(database, ann):
    return lambda: database.read_now(
        lambda c: c.execute(select(table).where(table.c.id == ann)).one()
    )


def test_an_edit_names_who_made_it_and_when(edit, row):
    changed = edit(name="Ann Lee", birth_date=date(1980, 5, 1))

    assert changed == ["name", "birth_date"]
    assert (row().name, row().birth_date) == ("Ann Lee", date(1980, 5, 1))
    assert row().provenance["name"] == {
        "by": "staff:3",
        "priority": 100,
        "at": "2026-11-24T09:00:00.000000Z",
    }


def test_every_edit_is_a_correction(edit, ann, database):
    edit(city="Cork")

    edit(city="Galway", now=NOW + timedelta(days=1))

    columns = "customer_id", "field", "before", "after", "rule"
    query = select(*(corrections.c[name] for name in columns)).order_by(
        corrections.c.id
    )
    assert [tuple(r) for r in database.read_now(lambda c: c.execute(query))] == [
        (ann, "city", None, "Cork", "edited"),
        (ann, "city", "Cork", "Galway", "edited"),
    ]


def test_an_edit_that_changes_nothing_leaves_no_trace(edit, row):
    edit(actor=TEST, city="Cork")
    before = row()

    assert edit(city="Cork", now=NOW + timedelta(days=1)) == []

    assert row() == before


def test_what_staff_has_set_a_customer_does_not_overwrite(edit, row):
    edit(name="Ann Lee")

    assert edit(actor=customer_self(1), name="Annie", city="Cork") == ["city"]

    assert (row().name, row().city) == ("Ann Lee", "Cork")


def test_a_customer_may_always_choose_the_language(edit, row, ann, database):
    edit(language="en")

    database.write_now(TEST, lambda c: customers.set_language(c, ann, "zh", NOW))

    assert row().language == "zh"
    assert row().provenance["language"]["by"] == f"customer:{ann}"


def test_own_columns_of_a_shop_are_edited_by_path(edit, row):
    edit(**{"attributes.size": "M", "attributes.colour": "red"})

    edit(**{"attributes.size": None, "preferences.contact": "mail"})

    assert row().attributes == {"colour": "red"}
    assert row().preferences == {"contact": "mail"}


def test_an_unknown_field_is_refused_with_the_nearest(edit):
    with pytest.raises(DataError, match="Did you mean `postcode`"):
        edit(post_code="1234")


def test_a_merged_customer_is_found_and_edited_as_the_survivor(database, ann, row):
    def merge(connection):
        other = new_customer(connection, "old@shop.example")
        query = update(table).where(table.c.id == other).values(alias_of=ann)
        connection.execute(query)
        return other

    other = database.write_now(TEST, merge)

    database.write_now(
        AGENT, lambda c: customers.set_fields(c, other, {"city": "Cork"}, NOW)
    )

    email = IdentityKind.EMAIL, "old@shop.example"
    found = database.read_now(lambda c: customers.find(c, *email))
    met = database.write_now(TEST, lambda c: customers.identify(c, *email, NOW))
    assert (found.id, met.id, row().city) == (ann, ann, "Cork")
