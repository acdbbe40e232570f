"""Moments keep their instant and sort; a sound SQLite is known by its version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text
from sqlalchemy.exc import StatementError

from storage import dialect
from storage.database import Connection, Database
from storage.dialect import UtcDateTime, is_sound, sqlite_file, utc_text
from storage.schema import sign_in_attempts
from tests.storage.shop import TEST, sqlite_only

moments = st.datetimes(timezones=st.timezones())
INDIA = timezone(timedelta(hours=5, minutes=30))
MOMENTS = [
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 6, 0, 0, 1, tzinfo=INDIA),
    datetime(999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]


def store(connection: Connection, moment: datetime) -> None:
    connection.execute(insert(sign_in_attempts).values(subject="a", at=moment))


def stored(connection: Connection) -> list[datetime]:
    query = select(sign_in_attempts.c.at).order_by(sign_in_attempts.c.at)
    return list(connection.scalars(query))


def test_moments_come_back_in_utc_and_in_order(database: Database) -> None:
    for moment in MOMENTS:
        database.write_now(TEST, lambda c, moment=moment: store(c, moment))

    found = database.read_now(stored)

    assert found == sorted(MOMENTS)
    assert {each.tzinfo for each in found} == {UTC}


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 1, 31, 8, 5)  # noqa: DTZ001  it must not pass

    with pytest.raises(StatementError, match="needs a time zone"):
        database.write_now(TEST, lambda c: store(c, naive))


def test_a_comparison_refuses_a_moment_without_a_zone(database: Database) -> None:
    naive = datetime(2026, 1, 31, 8, 5)  # noqa: DTZ001  it must not pass

    with pytest.raises(StatementError, match="needs a time zone"):
        database.read_now(
            lambda c: c.execute(
                select(sign_in_attempts).where(sign_in_attempts.c.at < naive)
            )
        )


def test_sqlite_keeps_one_fixed_form() -> None:
    whole_second = datetime(2026, 1, 31, 9, 5, tzinfo=timezone(timedelta(hours=1)))

    assert utc_text(whole_second) == "2026-01-31T08:05:00.000000Z"


@given(moments, moments)
def test_the_text_sorts_as_the_moments(one: datetime, other: datetime) -> None:
    as_moments = one.astimezone(UTC) < other.astimezone(UTC)

    assert (utc_text(one) < utc_text(other)) is as_moments


@given(moments)
def test_the_text_is_read_back(moment: datetime) -> None:
    kind = UtcDateTime()

    assert kind.process_result_value(utc_text(moment), None) == moment.astimezone(UTC)


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ((3, 53, 4), True),
        ((3, 51, 3), True),
        ((3, 51, 2), False),
        # Two older lines got the fix as well.
        ((3, 50, 7), True),
        ((3, 50, 6), False),
        ((3, 44, 6), True),
        ((3, 44, 5), False),
        ((3, 40, 1), False),
    ],
)
def test_a_sound_sqlite_is_known_by_its_version(
    version: tuple[int, int, int], sound: bool
) -> None:
    assert is_sound(version) is sound


def test_the_module_in_use_is_sound() -> None:
    assert is_sound(dialect.sqlite_module().sqlite_version_info)


def test_only_sqlite_has_a_file() -> None:
    assert sqlite_file("sqlite:///data/rapport.db") == Path("data/rapport.db")
    assert sqlite_file("postgresql+psycopg://localhost/rapport") is None


@sqlite_only
@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)],
)
def test_connections_are_careful(
    database: Database, pragma: str, value: str | int
) -> None:
    found = database.read_now(lambda c: c.execute(text(f"PRAGMA {pragma}")).scalar())

    assert found == value
