"""Deciding who is one person on the command line: in words, with the way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.clock import SystemClock
from core.model import IdentityKind, system
from storage import candidates, customers
from storage.candidates import Proposal
from storage.database import Connection, open_database
from tests.app.conftest import Rapport

EVIDENCE = {"field": "name", "level": "exact", "words": "names are the same"}
ALIKE = Proposal(1, 2, 0.8, [EVIDENCE | {"weight_bits": 9.5}])


def people(connection: Connection) -> None:
    now = SystemClock().now()
    for name in ("ann", "anna", "bea"):
        customer_id = customers.create(connection, now, name.title())
        customers.add_identity(
            connection, customer_id, IdentityKind.EMAIL, f"{name}@shop.example", now
        )
    candidates.propose(connection, [ALIKE], now)


@pytest.fixture
def shop(rapport: Rapport, config: Path) -> Rapport:
    """An installation with three customers, two of whom may be one."""
    ask(config, people)
    return rapport


def ask(config: Path, work: Callable[[Connection], Any]) -> Any:
    with open_database(f"sqlite:///{config.parent / 'rapport.db'}") as database:
        return database.write_now(system("test"), work)


def survivor(config: Path, customer_id: int) -> Any:
    return ask(config, lambda c: customers.survivor_of(c, customer_id))


def test_what_waits_is_listed_with_its_reasons(shop: Rapport) -> None:
    ended = shop("duplicates", "list")

    assert "1 Ann" in ended.out
    assert "names are the same" in ended.out
    assert "80.0%" in ended.out
    assert "rapport duplicates apart ID" in ended.err


def test_nothing_that_waits_is_told(rapport: Rapport) -> None:
    assert "No pair waits" in rapport("duplicates", "list").err


def test_a_proposal_is_merged_into_the_older_customer(
    shop: Rapport, config: Path
) -> None:
    ended = shop("duplicates", "merge", "1")

    assert survivor(config, 2) == 1
    assert "Customer 2 is part of customer 1 now." in ended.err
    assert "Moved: identities (1)." in ended.err
    assert "rapport unmerge 1" in ended.err


def test_the_one_who_stays_can_be_named(shop: Rapport, config: Path) -> None:
    shop("duplicates", "merge", "1", "--survivor", "2")

    assert survivor(config, 1) == 2


def test_a_stranger_to_the_proposal_is_refused(shop: Rapport) -> None:
    ended = shop("duplicates", "merge", "1", "--survivor", "3")

    assert ended.code == 1
    assert "It is about 1 and 2." in ended.err


def test_two_are_kept_apart(shop: Rapport) -> None:
    ended = shop("duplicates", "apart", "1")

    assert "Customers 1 and 2 stay two." in ended.err
    assert "No pair waits" in shop("duplicates", "list").err


def test_any_two_are_merged_and_parted_again(shop: Rapport, config: Path) -> None:
    shop("merge", "3", "1")

    ended = shop("unmerge", "1")

    assert survivor(config, 1) == 1
    assert "Customers 3 and 1 are two again" in ended.err
    assert "undone" in shop("duplicates", "list").out


def test_a_merge_that_cannot_be_is_told(shop: Rapport) -> None:
    ended = shop("merge", "1", "99")

    assert ended.code == 1
    assert "there is no customer 99" in ended.err


def test_customers_are_compared_on_request(shop: Rapport) -> None:
    ended = shop("duplicates", "find", "--all")

    assert "3 customers compared, 0 merged" in ended.err
