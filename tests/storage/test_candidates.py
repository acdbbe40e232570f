"""Proposals to a person: shown side by side, decided once, by name and time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from core.model import IdentityKind, MatchState, MergeMethod, staff_member
from storage import candidates, customers, merges, pairs, schema
from storage.candidates import CandidateError, Proposal
from storage.database import Connection, Database
from storage.pairs import Pair
from tests.storage.crowd import crowd
from tests.storage.shop import NOW, TEST, new_customer

LATER = NOW + timedelta(hours=1)
EVIDENCE = ({"field": "name", "level": "exact", "words": "alike", "weight_bits": 9.0},)


@pytest.fixture
def trio(database: Database) -> list[int]:
    """Three customers with an e-mail address each."""
    names = ("ann", "anna", "annie")
    return [
        database.write_now(TEST, partial(new_customer, email=f"{name}@shop.example"))
        for name in names
    ]


def write(database: Database, work: Callable[[Connection], Any]) -> Any:
    return database.write_now(TEST, work)


def propose(database: Database, *found: Pair, ratio: float = 0.9) -> int:
    told = [Proposal(low, high, ratio, EVIDENCE) for low, high in found]
    return int(write(database, lambda c: candidates.propose(c, told, NOW)))


def waiting(database: Database) -> list[Pair]:
    found = database.read_now(lambda c: candidates.waiting(c, 10))
    return [(each.low.id, each.high.id) for each in found]


def decision(database: Database) -> tuple[Any, ...]:
    table = schema.match_candidates
    query = select(table.c.state, table.c.decided_by, table.c.decided_at)
    return tuple(database.read_now(lambda c: c.execute(query).one()))


def test_a_pair_waits_once(database: Database, trio: list[int]) -> None:
    pair = trio[0], trio[1]

    assert [propose(database, pair), propose(database, pair)] == [1, 0]
    assert waiting(database) == [pair]


def test_the_most_probable_comes_first(database: Database, trio: list[int]) -> None:
    propose(database, (trio[0], trio[1]), ratio=0.6)
    propose(database, (trio[1], trio[2]), ratio=0.8)

    assert waiting(database) == [(trio[1], trio[2]), (trio[0], trio[1])]


def test_both_stand_side_by_side_with_what_differs(database: Database) -> None:
    ann, bea = write(database, lambda c: crowd(c, 2))
    propose(database, (ann, bea))

    [found] = database.read_now(lambda c: candidates.waiting(c, 10))

    assert (found.low.name, found.high.name) == ("Ann 0", "Ann 1")
    # What one of them does not say does not differ.
    assert found.differing == {"name"}
    assert found.high.counts == {"orders": 2, "conversations": 1, "feedback": 1}
    assert ("email", "ann1@shop.example") in found.high.addresses


def test_who_decided_and_when_is_kept(database: Database, trio: list[int]) -> None:
    propose(database, (trio[0], trio[1]))

    database.write_now(staff_member(7), lambda c: candidates.keep_apart(c, 1, LATER))

    assert decision(database) == (MatchState.APART, "staff:7", LATER)
    assert waiting(database) == []


def test_a_merge_decides_its_proposal(database: Database, trio: list[int]) -> None:
    propose(database, (trio[0], trio[1]))

    database.write_now(
        staff_member(7),
        lambda c: merges.merge(c, trio[1], trio[0], MergeMethod.PERSON, LATER),
    )

    assert decision(database) == (MatchState.MERGED, "staff:7", LATER)


def test_what_is_decided_is_not_decided_again(
    database: Database, trio: list[int]
) -> None:
    propose(database, (trio[0], trio[1]))
    write(database, lambda c: candidates.keep_apart(c, 1, NOW))

    with pytest.raises(CandidateError, match="no proposal 1 waits"):
        write(database, lambda c: candidates.keep_apart(c, 1, NOW))


def test_a_proposal_about_an_alias_waits_no_more(
    database: Database, trio: list[int]
) -> None:
    propose(database, (trio[1], trio[2]))

    write(
        database, lambda c: merges.merge(c, trio[0], trio[1], MergeMethod.PERSON, NOW)
    )

    assert waiting(database) == []


def test_what_a_newer_look_did_not_find_is_dropped(
    database: Database, trio: list[int]
) -> None:
    kept, gone = (trio[0], trio[1]), (trio[1], trio[2])
    propose(database, kept, gone)

    dropped = write(database, lambda c: candidates.forget_others(c, {kept}, LATER))

    assert dropped == 1
    assert waiting(database) == [kept]


# --- what is settled before a comparison ----------------------------------------------


def claim(
    database: Database, customer_id: int, email: str, *, verified: bool = True
) -> None:
    """A source gave this customer an address that another one has."""
    table = schema.identities
    values = {"kind": IdentityKind.EMAIL, "value": email, "typed": email}

    def work(connection: Connection) -> None:
        proof = NOW if verified else None
        own = table.c.value == email
        connection.execute(update(table).where(own).values(verified_at=proof))
        connection.execute(
            insert(schema.identity_claims).values(
                customer_id=customer_id, created_at=NOW, **values
            )
        )

    write(database, work)


def born(database: Database, people: Iterable[tuple[int, date]]) -> None:
    for customer_id, day in people:
        own = schema.customers.c.id == customer_id
        statement = update(schema.customers).where(own).values(birth_date=day)
        write(database, partial(Connection.execute, statement=statement))


def proven(database: Database) -> list[tuple[Pair, str]]:
    return database.read_now(pairs.proven)


def test_a_proven_address_that_another_claims_proves_one_person(
    database: Database, trio: list[int]
) -> None:
    claim(database, trio[0], "anna@shop.example")

    assert proven(database) == [((trio[0], trio[1]), "email")]


def test_who_writes_by_telegram_has_proven_the_account(
    database: Database, trio: list[int]
) -> None:
    account = IdentityKind.TELEGRAM, "4711"
    write(database, lambda c: customers.add_identity(c, trio[1], *account, NOW))
    values = {"kind": account[0], "value": account[1], "typed": account[1]}
    statement = insert(schema.identity_claims).values(
        customer_id=trio[0], created_at=NOW, **values
    )
    write(database, lambda c: c.execute(statement))

    assert proven(database) == [((trio[0], trio[1]), "telegram")]


def test_an_address_that_nobody_proved_proves_nothing(
    database: Database, trio: list[int]
) -> None:
    claim(database, trio[0], "anna@shop.example", verified=False)

    assert proven(database) == []


def test_two_birth_dates_are_two_people_at_one_address(
    database: Database, trio: list[int]
) -> None:
    claim(database, trio[0], "anna@shop.example")
    born(database, [(trio[0], date(1990, 1, 1)), (trio[1], date(2012, 1, 1))])

    assert proven(database) == []


def test_a_claim_of_an_alias_is_the_survivors(
    database: Database, trio: list[int]
) -> None:
    claim(database, trio[0], "anna@shop.example")

    write(
        database, lambda c: merges.merge(c, trio[2], trio[0], MergeMethod.PERSON, NOW)
    )

    assert proven(database) == [((trio[1], trio[2]), "email")]


def keep_apart(database: Database, pair: Pair) -> None:
    propose(database, pair)
    write(database, lambda c: candidates.keep_apart(c, 1, NOW))


def test_two_stay_apart_whoever_they_become(
    database: Database, trio: list[int]
) -> None:
    keep_apart(database, (trio[0], trio[1]))

    write(
        database, lambda c: merges.merge(c, trio[2], trio[1], MergeMethod.PERSON, NOW)
    )

    assert database.read_now(pairs.apart) == {(trio[0], trio[2]): False}


def test_a_new_address_opens_the_question_again(
    database: Database, trio: list[int]
) -> None:
    keep_apart(database, (trio[0], trio[1]))
    address = IdentityKind.PHONE, "+49301234567"

    write(database, lambda c: customers.add_identity(c, trio[1], *address, LATER))

    assert database.read_now(pairs.apart) == {(trio[0], trio[1]): True}
    assert propose(database, (trio[0], trio[1])) == 1


def test_who_changed_is_told_by_the_moment(database: Database, trio: list[int]) -> None:
    address = IdentityKind.PHONE, "+49301234567"
    write(database, lambda c: customers.add_identity(c, trio[1], *address, LATER))

    assert database.read_now(lambda c: pairs.changed(c, NOW)) == set(trio)
    assert database.read_now(lambda c: pairs.changed(c, LATER)) == {trio[1]}


def test_of_a_merged_customer_the_survivor_changed_too(
    database: Database, trio: list[int]
) -> None:
    claim = {"kind": IdentityKind.PHONE, "value": "+4930", "typed": "+4930"}
    merge = partial(merges.merge, method=MergeMethod.PERSON, now=NOW)
    write(database, lambda c: merge(c, trio[0], trio[1]))
    statement = insert(schema.identity_claims)
    values = {"customer_id": trio[1], "created_at": LATER, **claim}
    write(database, lambda c: c.execute(statement.values(**values)))

    assert database.read_now(lambda c: pairs.changed(c, LATER)) == set(trio[:2])


def test_only_proposals_about_those_who_were_looked_at_are_dropped(
    database: Database, trio: list[int]
) -> None:
    propose(database, (trio[0], trio[1]))
    propose(database, (trio[0], trio[2]))

    dropped = write(
        database,
        lambda c: candidates.forget_others(c, set(), LATER, among={trio[1]}),
    )

    assert dropped == 1
    [left] = database.read_now(lambda c: candidates.waiting(c, 10))
    assert left.high.id == trio[2]
