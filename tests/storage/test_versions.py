"""Versions of content: never changed, made only where something is new."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import StaleBase
from core.model import staff_member
from storage import versions
from storage.database import Database
from storage.versions import ContentKind, Version, hash_of
from tests.storage.shop import NOW, TEST
from tests.storage.test_lease import at_once

HELLO, HI = {"subject.txt": "Hello"}, {"subject.txt": "Hi"}
CAMPAIGN = ContentKind.CAMPAIGN


def push(
    database: Database,
    files: dict[str, str],
    base: int | None = None,
    key: str = "win_back",
) -> Version:
    return database.write_now(
        staff_member(7), lambda c: versions.push(c, CAMPAIGN, key, files, NOW, base)
    )


def newest(database: Database) -> Version | None:
    return database.read_now(lambda c: versions.newest(c, CAMPAIGN, "win_back"))


def test_the_first_version_has_its_author_and_number_one(database: Database) -> None:
    made = push(database, HELLO)

    assert (made.version, made.author, made.files) == (1, "staff:7", HELLO)
    assert newest(database) == made
    assert database.read_now(lambda c: versions.get(c, made.id)) == made


def test_the_same_content_makes_no_version(database: Database) -> None:
    first = push(database, HELLO)

    assert push(database, dict(HELLO)) == first


def test_an_older_content_may_come_back(database: Database) -> None:
    push(database, HELLO)
    push(database, HI)

    assert push(database, HELLO).version == 3


def test_a_stale_base_is_refused_with_the_way_out(database: Database) -> None:
    push(database, HELLO)
    push(database, HI, base=1)

    with pytest.raises(StaleBase, match="rapport campaign pull win_back"):
        push(database, {"subject.txt": "Dear"}, base=1)

    assert newest(database) is not None
    assert newest(database).version == 2  # type: ignore[union-attr]


def test_two_who_change_the_same_base_do_not_both_win(database: Database) -> None:
    push(database, HELLO)

    def change(number: int) -> object:
        try:
            return push(database, {"subject.txt": str(number)}, base=1).version
        except StaleBase as error:
            return type(error)

    outcomes = at_once(3, change)

    assert sorted(map(str, outcomes)) == sorted(map(str, [2, StaleBase, StaleBase]))


def test_two_who_push_the_same_at_once_make_one_version(database: Database) -> None:
    made = at_once(3, lambda _: push(database, HELLO))

    assert {each.version for each in made} == {1}
    assert database.read_now(lambda c: versions.counts(c, CAMPAIGN)) == 1


def test_keys_are_told_once_and_in_order(database: Database) -> None:
    for key, files in (("b", HELLO), ("a", HELLO), ("b", HI)):
        push(database, files, key=key)

    assert database.read_now(lambda c: versions.keys(c, CAMPAIGN)) == ["a", "b"]


def test_kinds_are_apart(database: Database) -> None:
    push(database, HELLO)

    articles = ContentKind.ARTICLES
    assert database.read_now(lambda c: versions.counts(c, articles)) == 0
    assert database.read_now(lambda c: versions.newest(c, articles, "win_back")) is None


def test_a_push_is_told(database: Database) -> None:
    from storage import changes

    made = push(database, HELLO)

    [told] = database.read_now(lambda c: changes.after(c, 0))
    assert (told.kind, told.entity_id, told.actor) == ("campaign", made.id, "staff:7")


@given(st.dictionaries(st.text(), st.text()), st.randoms())
def test_the_order_of_files_does_not_matter(
    files: dict[str, str], chance: object
) -> None:
    names = list(files)
    chance.shuffle(names)  # type: ignore[attr-defined]

    assert hash_of({name: files[name] for name in names}) == hash_of(files)


def test_names_and_texts_are_not_confused() -> None:
    assert hash_of({"a": "b", "c": "d"}) != hash_of({"a": "d", "c": "b"})


def test_the_system_can_be_an_author(database: Database) -> None:
    made = database.write_now(
        TEST, lambda c: versions.push(c, CAMPAIGN, "x", HELLO, NOW)
    )

    assert made.author == "system:test"
