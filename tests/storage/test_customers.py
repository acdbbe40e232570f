"""Customers: one for each identity, a ledger of consents, addresses left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from core.errors import DataError
from core.model import Channel, ConsentState, IdentityKind
from storage import customers
from storage.customers import ALL_TOPICS
from storage.database import Connection, Database
from storage.schema import consents, identities, suppressions
from storage.schema import customers as table
from tests.storage.shop import NOW, TEST, new_customer
from tests.storage.test_lease import at_once

ANN = "ann@shop.example"
GRANTED, WITHDRAWN = ConsentState.GRANTED, ConsentState.WITHDRAWN


@pytest.mark.parametrize(
    ("kind", "typed", "normal"),
    [
        (IdentityKind.EMAIL, "  Ann@Shop.Example ", "ann@shop.example"),
        # The full-width letters of an Asian keyboard.
        (IdentityKind.EMAIL, "ａｎｎ@shop.example", "ann@shop.example"),
        (IdentityKind.PHONE, "+49 (30) 123-45", "+493012345"),
        (IdentityKind.TELEGRAM, " 4711 ", "4711"),
    ],
)
def test_identities_have_one_form(kind: IdentityKind, typed: str, normal: str) -> None:
    assert customers.normalise(kind, typed) == normal


@pytest.mark.parametrize(
    "typed", ["ann", "ann@", "a b@c.example", "ann@x\r\ny.example"]
)
def test_what_can_be_no_address_is_refused(typed: str) -> None:
    with pytest.raises(DataError, match="an e-mail address is expected"):
        customers.normalise(IdentityKind.EMAIL, typed)


def test_the_same_identity_is_the_same_customer(database: Database) -> None:
    first = database.write_now(TEST, lambda c: new_customer(c, ANN))

    second = database.write_now(TEST, lambda c: new_customer(c, "ANN@shop.example"))

    assert first == second


def test_two_who_meet_a_customer_at_once_make_one(database: Database) -> None:
    ids = at_once(4, lambda _: database.write_now(TEST, lambda c: new_customer(c, ANN)))

    count = select(func.count()).select_from(table)
    assert len(set(ids)) == 1
    assert database.read_now(lambda c: c.scalar(count)) == 1


def test_an_identity_belongs_to_one_customer(database: Database) -> None:
    def work(connection: Connection) -> tuple[bool, bool]:
        ann, bob = (
            new_customer(connection, ANN),
            new_customer(connection, "b@b.example"),
        )
        add = lambda who: customers.add_identity(  # noqa: E731
            connection, who, IdentityKind.TELEGRAM, "4711", NOW
        )
        return add(ann), add(bob)

    assert database.write_now(TEST, work) == (True, False)


def test_who_is_not_known_is_not_found(database: Database) -> None:
    assert database.read_now(lambda c: customers.get(c, 1)) is None
    assert (
        database.read_now(lambda c: customers.find(c, IdentityKind.EMAIL, ANN)) is None
    )


def test_a_customer_is_known_by_name_and_language(database: Database) -> None:
    made = database.write_now(
        TEST,
        lambda c: customers.identify(
            c, IdentityKind.WEBCHAT, "visitor", NOW, "Ann", "en"
        ),
    )
    database.write_now(TEST, lambda c: customers.set_language(c, made.id, "zh", NOW))

    found = database.read_now(lambda c: customers.get(c, made.id))

    assert found == replace(made, language="zh")


def test_a_customer_is_reached_where_nothing_forbids(database: Database) -> None:
    ann = database.write_now(TEST, lambda c: new_customer(c, ANN))
    address = lambda c: customers.address_of(c, ann, Channel.EMAIL)  # noqa: E731
    before = database.read_now(address)

    for reason in ("mailbox_unknown", None):
        database.write_now(
            TEST,
            lambda c, reason=reason: customers.set_unreachable(
                c, IdentityKind.EMAIL, ANN, reason
            ),
        )
        before, last = database.read_now(address), before

    assert (last, before) == (None, ANN)


# --- consent --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ledger", "granted"),
    [
        ([], False),
        ([("offers", GRANTED)], True),
        ([("offers", GRANTED), ("offers", WITHDRAWN)], False),
        # The newest row that speaks of the topic counts, whichever it is.
        ([("offers", GRANTED), (ALL_TOPICS, WITHDRAWN)], False),
        ([(ALL_TOPICS, WITHDRAWN), ("offers", GRANTED)], True),
        ([(ALL_TOPICS, GRANTED)], True),
        ([("news", GRANTED)], False),
        ([("offers", GRANTED), ("news", WITHDRAWN)], True),
    ],
)
def test_the_newest_row_of_the_ledger_counts(
    database: Database, ledger: list[tuple[str, ConsentState]], granted: bool
) -> None:
    def work(connection: Connection) -> bool:
        ann = new_customer(connection, ANN)
        for topic, state in ledger:
            customers.record_consent(
                connection, ann, Channel.EMAIL, topic, state, "form", NOW
            )
        return customers.has_consent(connection, ann, Channel.EMAIL, "offers")

    assert database.write_now(TEST, work) is granted


def test_consent_is_for_one_channel(database: Database) -> None:
    def work(connection: Connection) -> bool:
        ann = new_customer(connection, ANN)
        customers.record_consent(
            connection, ann, Channel.EMAIL, ALL_TOPICS, GRANTED, "form", NOW
        )
        return customers.has_consent(connection, ann, Channel.TELEGRAM, "offers")

    assert database.write_now(TEST, work) is False


def test_stop_ends_every_channel_and_leaves_the_proof(database: Database) -> None:
    ann = database.write_now(TEST, lambda c: new_customer(c, ANN))

    database.write_now(
        TEST, lambda c: customers.withdraw_everywhere(c, ann, "chat", NOW, "/stop")
    )

    rows = database.read_now(lambda c: c.execute(select(consents)).all())
    assert {row.channel for row in rows} == set(Channel)
    assert {(row.state, row.topic, row.proof) for row in rows} == {
        (WITHDRAWN, ALL_TOPICS, "/stop")
    }


# --- suppression ----------------------------------------------------------------------


def suppress(database: Database, address: str = ANN) -> None:
    database.write_now(
        TEST, lambda c: customers.suppress(c, Channel.EMAIL, address, "complaint", NOW)
    )


def is_suppressed(database: Database, channel: Channel, address: str) -> bool:
    return database.read_now(lambda c: customers.is_suppressed(c, channel, address))


def test_a_suppressed_address_is_known_however_it_is_typed(database: Database) -> None:
    suppress(database, " Ann@SHOP.example")

    assert is_suppressed(database, Channel.EMAIL, ANN)
    assert is_suppressed(database, Channel.EMAIL, "ANN@shop.example")


def test_other_addresses_are_not_suppressed(database: Database) -> None:
    suppress(database)

    assert not is_suppressed(database, Channel.EMAIL, "bob@shop.example")
    assert not is_suppressed(database, Channel.TELEGRAM, ANN)


def test_suppression_survives_erasure_and_names_nobody(database: Database) -> None:
    database.write_now(TEST, lambda c: new_customer(c, ANN))
    suppress(database)

    database.write_now(TEST, lambda c: c.execute(identities.delete()))
    database.write_now(TEST, lambda c: c.execute(update(table).values(name=None)))

    [row] = database.read_now(lambda c: c.execute(select(suppressions)).all())
    assert is_suppressed(database, Channel.EMAIL, ANN)
    assert ANN not in str(row)


def test_suppressing_twice_keeps_the_first_reason(database: Database) -> None:
    suppress(database)
    suppress(database)

    count = select(func.count()).select_from(suppressions)
    assert database.read_now(lambda c: c.scalar(count)) == 1
