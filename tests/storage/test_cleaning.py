"""Findings become changed values with an account, or they are too late."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial

import pandas as pd
import pytest
from sqlalchemy import func, insert, select, update

from analytics.clean_contact import clean_contacts
from analytics.clean_rule import Rule
from core.model import Finding, IdentityKind, OrderKind, staff_member, system
from core.records import CustomerRecord, RecordKind
from storage import (
    cleaning,
    cleaning_contacts,
    cleaning_orders,
    customers,
    quality,
    schema,
)
from storage.cleaning import CleanPass
from storage.cleaning_orders import Scope
from storage.rates import rate_on
from storage.schema import customers as table
from tests.storage import importer

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEST = system("test")


def new_customer(database, number=1, **fields) -> int:
    def make(connection):
        external = f"x{number}"
        found = customers.identify(connection, IdentityKind.EXTERNAL, external, NOW)
        theirs = update(table).where(table.c.id == found.id)
        connection.execute(theirs.values(city="Cork", **fields))
        return found.id

    return database.write_now(TEST, make)


def add_phone(database, who, typed) -> int:
    database.write_now(
        TEST,
        lambda c: customers.add_identity(c, who, IdentityKind.PHONE, typed, NOW),
    )
    ours = schema.identities.c.typed == typed
    return database.read_now(
        lambda c: c.scalar(select(schema.identities.c.id).where(ours))
    )


def of(who, field, before, after, rule, kind="customer", record=None) -> Finding:
    return Finding(kind, record or who, who, field, before, after, rule)


def apply(database, *findings: Finding) -> list[Finding]:
    return database.write_now(TEST, lambda c: cleaning.apply(c, findings, NOW))


def stored(database, who):
    query = select(table).where(table.c.id == who)
    return database.read_now(lambda c: c.execute(query).one())


def notes(database):
    account = schema.corrections.c
    columns = account.field, account.before, account.after, account.rule
    query = select(*columns).order_by(account.id)
    return [tuple(row) for row in database.read_now(lambda c: c.execute(query).all())]


# --- customers ------------------------------------------------------------------------


def test_a_finding_changes_the_customer_and_is_noted(database):
    who = new_customer(database, name="ANN LEE", income_minor=66_666_600)

    apply(
        database,
        of(who, "name", "ANN LEE", "Ann Lee", "name_form"),
        of(who, "income_minor", "66666600", None, "income_placeholder"),
    )

    row = stored(database, who)
    assert (row.name, row.income_minor, row.updated_at) == ("Ann Lee", None, NOW)
    assert notes(database) == [
        ("name", "ANN LEE", "Ann Lee", "name_form"),
        ("income_minor", "66666600", None, "income_placeholder"),
    ]


def test_beside_a_corrected_value_stands_what_was_given(database):
    who = new_customer(database, name="ANN LEE")

    apply(database, of(who, "name", "ANN LEE", "Ann Lee", "name_form"))

    entry = stored(database, who).provenance["name"]
    assert (entry["by"], entry["given"]) == ("clean", "ANN LEE")


def test_a_corrected_birth_date_is_a_date(database):
    who = new_customer(database, birth_date=date(1893, 1, 1))

    apply(database, of(who, "birth_date", "1893-01-01", "1983-01-01", "rule"))

    assert stored(database, who).birth_date == date(1983, 1, 1)


def test_an_attribute_is_set_beside_the_others(database):
    who = new_customer(database, attributes={"size": "M"})

    apply(database, of(who, "attributes.honorific", None, "Dr.", "honorific_set_aside"))

    assert stored(database, who).attributes == {"size": "M", "honorific": "Dr."}


def test_what_changed_in_between_is_left_alone(database):
    who = new_customer(database, name="Ann Lee-Smith")

    made = apply(database, of(who, "name", "ANN LEE", "Ann Lee", "name_form"))

    assert made == notes(database) == []
    assert stored(database, who).name == "Ann Lee-Smith"


def test_what_staff_set_is_left_alone(database):
    who = new_customer(database)
    database.write_now(
        staff_member(1),
        lambda c: customers.set_fields(c, who, {"name": "ANN LEE"}, NOW),
    )

    assert apply(database, of(who, "name", "ANN LEE", "Ann Lee", "name_form")) == []


def test_a_filled_value_counts_for_nobody(database):
    who = new_customer(database)

    apply(database, of(who, "gender", None, "other", "filled_constant"))

    row = stored(database, who)
    entry = row.provenance["gender"]
    assert row.gender == "other"
    assert (entry["priority"], entry["filled"]) == (0, "filled_constant")


def test_a_filled_value_is_not_known(database):
    filled, known = new_customer(database, 1), new_customer(database, 2, gender="male")
    missing = new_customer(database, 3)
    apply(database, of(filled, "gender", None, "other", "filled_constant"))

    rows = database.read_now(
        lambda c: list(cleaning.field_values(c, "gender", "city", "id"))
    )

    assert [row[:3] for row in rows] == [
        (known, "male", "Cork"),
        (missing, None, "Cork"),
    ]


# --- flags ----------------------------------------------------------------------------


def test_a_flag_changes_nothing_and_is_noted_once(database):
    who = new_customer(database, country="Atlantis")
    flag = of(who, "country", "Atlantis", "Atlantis", "country_unknown_flagged")

    first, second = apply(database, flag, flag), apply(database, flag)

    assert (first, second) == ([flag], [])
    assert stored(database, who).country == "Atlantis"
    assert len(notes(database)) == 1


def test_another_value_is_flagged_anew(database):
    who = new_customer(database)
    apply(database, of(who, "country", "A", "A", "country_unknown_flagged"))

    apply(database, of(who, "country", "B", "B", "country_unknown_flagged"))

    assert len(notes(database)) == 2


# --- addresses ------------------------------------------------------------------------


def identities(database):
    columns = schema.identities.c.value, schema.identities.c.unreachable_reason
    query = select(*columns).where(schema.identities.c.kind == "phone")
    return [tuple(row) for row in database.read_now(lambda c: c.execute(query).all())]


def phone(who, key, before, after, rule="phone_form"):
    return of(who, "phone", before, after, rule, "identity", key)


def test_a_number_gets_its_form(database):
    who = new_customer(database)
    key = add_phone(database, who, "030 901820")

    apply(database, phone(who, key, "030901820", "+4930901820"))

    assert identities(database) == [("+4930901820", None)]


def test_a_number_that_is_none_is_not_used(database):
    who = new_customer(database)
    key = add_phone(database, who, "12")

    apply(database, phone(who, key, "12", None, "phone_too_short"))

    assert identities(database) == [("12", "phone_too_short")]


def test_a_number_that_sending_switched_off_keeps_its_reason(database):
    who = new_customer(database)
    key = add_phone(database, who, "12")
    off = update(schema.identities).values(unreachable_reason="blocked")
    database.write_now(TEST, lambda c: c.execute(off))

    assert apply(database, phone(who, key, "12", None, "phone_too_short")) == []


def test_a_number_that_turns_out_right_is_used_again(database):
    who = new_customer(database)
    key = add_phone(database, who, "030 901820")
    apply(database, phone(who, key, "030901820", None, "phone_not_assigned"))

    apply(database, phone(who, key, "030901820", "+4930901820"))

    assert identities(database) == [("+4930901820", None)]


def test_a_number_that_another_customer_has_becomes_a_claim(database):
    first, second = new_customer(database, 1), new_customer(database, 2)
    add_phone(database, first, "+4930901820")
    key = add_phone(database, second, "030 901820")

    [made] = apply(database, phone(second, key, "030901820", "+4930901820"))

    claim = database.read_now(lambda c: c.execute(select(schema.identity_claims)).one())
    assert made.rule == "phone_claimed"
    assert identities(database) == [("+4930901820", None)]
    assert (claim.customer_id, claim.value, claim.typed) == (
        second,
        "+4930901820",
        "030 901820",
    )


def test_the_same_number_twice_is_kept_once(database):
    who = new_customer(database)
    one = add_phone(database, who, "030 901820")
    two = add_phone(database, who, "0049 30 901820")

    made = apply(
        database,
        phone(who, one, "030901820", "+4930901820"),
        phone(who, two, "004930901820", "+4930901820"),
    )

    assert [each.rule for each in made] == ["phone_form", "phone_repeated"]
    assert identities(database) == [("+4930901820", None)]


# --- the next file --------------------------------------------------------------------


@pytest.fixture
def bring(database):
    """Imports customers, each time from another file."""
    return partial(importer.Importer(database), RecordKind.CUSTOMERS)


def person(key="1", **fields) -> CustomerRecord:
    return CustomerRecord(key, 1, country="Germany", **fields)


def clean_phones(database) -> list[str]:
    """Rules of what was found in all numbers, stored."""
    query = select(schema.identities.c.customer_id)
    owners = set(database.read_now(lambda c: c.scalars(query).all()))
    rows = database.read_now(lambda c: cleaning.identity_rows(c, sorted(owners)))
    tuples = [tuple(row) for row in rows]
    frame = pd.DataFrame(tuples, columns=list(cleaning.IDENTITIES))
    return [each.rule for each in apply(database, *clean_contacts(frame))]


def test_the_same_number_in_the_next_file_changes_nothing(database, bring):
    bring(person(phone="030 901820"))
    first = clean_phones(database)

    bring(person(phone="030 901820", city="Berlin"))

    assert (first, clean_phones(database)) == (["phone_form"], [])
    assert identities(database) == [("+4930901820", None)]


def test_a_claim_in_the_next_file_stays_one(database, bring):
    people = person("1", phone="030 901820"), person("2", phone="0049 30 901820")
    bring(*people)
    first = clean_phones(database)

    bring(*people[::-1])

    assert first == ["phone_form", "phone_claimed"]
    assert clean_phones(database) == []


def test_another_number_in_the_next_file_takes_its_place(database, bring):
    bring(person(phone="030 901820"))
    clean_phones(database)

    bring(person(phone="030 901821"))

    assert clean_phones(database) == ["phone_form"]
    assert identities(database) == [("+4930901821", None)]


def test_the_same_name_in_the_next_file_changes_nothing(database, bring):
    bring(person(name="ANN LEE"))
    [who] = database.read_now(lambda c: cleaning.customers_to_judge(c, None))
    apply(database, of(who, "name", "ANN LEE", "Ann Lee", "name_form"))

    bring(person(name="ANN LEE"))

    assert stored(database, who).name == "Ann Lee"


def test_a_real_value_takes_the_place_of_a_filled_one(database, bring):
    bring(person())
    [who] = database.read_now(lambda c: cleaning.customers_to_judge(c, None))
    apply(database, of(who, "gender", None, "other", "filled_constant"))

    bring(person(gender="male"))

    row = stored(database, who)
    assert (row.gender, row.provenance.get("gender")) == ("male", None)


# --- orders ---------------------------------------------------------------------------


def new_order(database, who, lines=((1, 500),), **fields) -> int:
    """An order of one product, a line for each (quantity, amount in minor units)."""

    def make(connection):
        source = connection.scalar(select(schema.sources.c.id))
        if source is None:
            add = insert(schema.sources).values(name="shop")
            source = connection.execute(add).inserted_primary_key[0]
        product = connection.scalar(select(schema.products.c.id))
        if product is None:
            add = insert(schema.products).values(
                source_id=source, external_id="A", name="Cup", price_minor=500
            )
            product = connection.execute(add).inserted_primary_key[0]
        plain = {
            "source_id": source,
            "external_id": str(
                connection.scalar(select(func.count(schema.orders.c.id)))
            ),
            "customer_id": who,
            "kind": OrderKind.SALE,
            "ordered_at": NOW - timedelta(days=2),
            "total_minor": sum(amount for _, amount in lines),
            "currency": "EUR",
        }
        order = connection.execute(insert(schema.orders).values(plain | fields))
        key = order.inserted_primary_key[0]
        rows = [
            {
                "order_id": key,
                "line_no": place,
                "product_id": product,
                "quantity": quantity,
                "amount_minor": amount,
            }
            for place, (quantity, amount) in enumerate(lines, 1)
        ]
        connection.execute(insert(schema.order_lines), rows)
        return key

    return database.write_now(TEST, make)


def read(database, work, *rest):
    return database.read_now(lambda c: work(c, Scope(), *rest))


def test_an_order_is_set_aside_and_brought_back(database):
    who = new_customer(database)
    key = new_order(database, who)
    aside = of(who, "ordered_at", "2090", None, "order_in_future", "order", key)
    back = of(who, "ordered_at", None, "2090", "order_date_come", "order", key)

    states = []
    for each in (aside, back):
        apply(database, each)
        query = select(schema.orders.c.set_aside)
        states.append(database.read_now(lambda c, q=query: c.scalar(q)))

    assert states == ["order_in_future", None]


def test_totals_are_counted_anew_where_an_order_turned(database):
    who = new_customer(database)
    key = new_order(database, who)

    apply(database, of(who, "kind", "sale", "return", "return_kind", "order", key))

    stale = database.read_now(lambda c: list(c.scalars(select(schema.stale_totals))))
    kind = database.read_now(lambda c: c.scalar(select(schema.orders.c.kind)))
    assert (kind, stale) == ("return", [who])


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        (((1, 500),), {"ordered_at": NOW + timedelta(days=9)}),
        (((-1, 500),), {}),
        (((1, -500),), {}),
        (((1, 500),), {"set_aside": "order_in_future"}),
    ],
)
def test_only_doubtful_orders_are_judged(database, lines, fields):
    who = new_customer(database)
    new_order(database, who)
    key = new_order(database, who, lines, **fields)

    rows = read(database, cleaning_orders.doubtful_orders, NOW)

    assert [row.id for row in rows] == [key]


@pytest.mark.parametrize(("seconds", "count"), [(0, 2), (60, 2), (61, 0)])
def test_orders_that_resemble_each_other_are_judged(database, seconds, count):
    who = new_customer(database)
    new_order(database, who)
    later = NOW - timedelta(days=2) + timedelta(seconds=seconds)
    new_order(database, who, ordered_at=later)

    assert len(read(database, cleaning_orders.repeated_orders)) == count


def test_what_is_usual_is_counted_by_product(database):
    who = new_customer(database)
    new_order(database, who, ((2, 1000), (2, 1000), (4, 2000)))
    [product] = [row.id for row in database.read_now(cleaning_orders.product_rows)]

    quantities = read(database, cleaning_orders.seen_quantities)
    prices = read(database, cleaning_orders.seen_prices)

    assert sorted(map(tuple, quantities)) == [(product, 2, 2), (product, 4, 1)]
    assert prices == [((product, "EUR"), 500.0, 3)]


def test_lines_without_money_are_judged(database):
    who = new_customer(database)
    key = new_order(database, who, ((1, 500), (1, 0), (-1, 0)))

    rows = read(database, cleaning_orders.unpaid_lines)

    assert [tuple(row) for row in rows] == [(key, 2, who, 0.0)]


def test_a_currency_without_a_rate_is_named(database):
    who = new_customer(database)
    for currency in ("EUR", "USD", "GBP"):
        new_order(database, who, currency=currency)
    rate = {"currency": "GBP", "day": date(2026, 1, 1), "rate": 1.2}
    add = insert(schema.currency_rates).values(rate)
    database.write_now(TEST, lambda c: c.execute(add))

    found = read(database, cleaning_orders.currencies_without_rate, "EUR")

    assert [currency for _, currency in found] == ["USD"]


@pytest.mark.parametrize(
    ("day", "rate"), [("2025-12-31", None), ("2026-01-31", 1.2), ("2026-02-01", 1.3)]
)
def test_a_rate_holds_until_the_next_one(database, day, rate):
    rates = [(date(2026, 1, 1), 1.2), (date(2026, 2, 1), 1.3)]
    rows = [{"currency": "GBP", "day": each, "rate": value} for each, value in rates]
    add = insert(schema.currency_rates)
    database.write_now(TEST, lambda c: c.execute(add, rows))

    found = database.read_now(lambda c: rate_on(c, "GBP", date.fromisoformat(day)))

    assert found == rate


# --- passes ---------------------------------------------------------------------------


def test_a_pass_knows_the_one_before(database):
    nothing = database.read_now(cleaning.last_pass)
    done = CleanPass(NOW, 7, {"name_form": 2})
    database.write_now(TEST, lambda c: cleaning.record_pass(c, done, None))

    assert nothing is None
    assert database.read_now(cleaning.last_pass) == done


def test_who_changed_or_got_an_address_is_judged(database):
    old, changed, reached = (new_customer(database, number) for number in (1, 2, 3))
    long_ago, later = NOW - timedelta(days=9), NOW + timedelta(hours=1)

    def prepare(connection):
        ages = update(table).where(table.c.id != changed).values(updated_at=long_ago)
        connection.execute(ages)
        connection.execute(update(schema.identities).values(created_at=long_ago))
        customers.add_identity(connection, reached, IdentityKind.PHONE, "1", later)

    database.write_now(TEST, prepare)

    since = NOW - timedelta(days=1)
    some = database.read_now(lambda c: cleaning.customers_to_judge(c, since))
    all_of_them = database.read_now(lambda c: cleaning.customers_to_judge(c, None))
    assert (some, all_of_them) == ([changed, reached], [old, changed, reached])


def test_customers_with_the_same_data_form_a_group(database):
    same = {"name": "Ann Lee", "birth_date": date(1980, 1, 1)}
    ids = [new_customer(database, number, **same) for number in (1, 2)]
    new_customer(database, 3, name="Ann Lee", birth_date=date(1981, 1, 1))
    new_customer(database, 4, name="Ann Lee")

    groups = database.read_now(lambda c: cleaning.repeated_customers(c, None))

    assert groups == [tuple(ids)]


def test_corrections_are_counted_by_rule(database):
    who = new_customer(database, name="ANN")
    apply(database, of(who, "name", "ANN", "Ann", "name_form"))

    assert database.read_now(cleaning.counts_by_rule) == {"name_form": 1}


# --- words that two folders share -----------------------------------------------------


def test_storage_and_analytics_name_rules_alike():
    named = {
        *quality.SET_ASIDE,
        cleaning_contacts.CLAIMED,
        cleaning_contacts.REPEATED,
        cleaning_orders.IN_FUTURE,
        cleaning_orders.DATE_COME,
        cleaning_orders.RETURN_KIND,
    }

    assert named <= {rule.value for rule in Rule}
