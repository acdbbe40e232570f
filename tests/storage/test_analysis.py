from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select

from core.model import IdentityKind, system
from storage import analysis, customers
from storage.analysis import (
    NewModelRun,
    NewRecommendation,
    NewRule,
    ResultWriter,
    StoredSegment,
)
from storage.schema import (
    customer_features,
    memberships,
    products,
    recommendations,
    rules,
    segments,
    sources,
)

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEST = system("test")
LOYAL = StoredSegment("loyal", "Loyal customers", "recency_days < 30", 2, {"n": 2})


@pytest.fixture
def writer(database) -> ResultWriter:
    return ResultWriter(database, TEST, NOW)


@pytest.fixture
def people(database) -> list[int]:
    def make(connection):
        return [
            customers.identify(connection, IdentityKind.EXTERNAL, name, NOW).id
            for name in ("a", "b")
        ]

    return database.write_now(TEST, make)


def run(kind: str, name: str = "behaviour") -> NewModelRun:
    return NewModelRun(kind, name, None, NOW, {"k": 4}, {"s": 0.5}, {}, 2, None, None)


def current(database, kind: str):
    return database.read_now(lambda c: analysis.current(c, kind, "behaviour"))


def count(database, table) -> int:
    return database.read_now(
        lambda c: c.scalar(select(func.count()).select_from(table))
    )


def test_a_complete_run_is_the_current_one_with_its_metrics(database, writer, people):
    run_id = writer.features(run("features"), [(key, {"x": 1.5}) for key in people])

    found = current(database, "features")
    assert (found.id, found.parameters, found.metrics) == (run_id, {"k": 4}, {"s": 0.5})
    assert count(database, customer_features) == 2


def test_segments_come_with_their_members(database, writer, people):
    run_id = writer.segmentation(
        run("segmentation"), [LOYAL], [(key, "loyal") for key in people]
    )

    assert database.read_now(lambda c: analysis.segments_of(c, run_id)) == [LOYAL]
    assert count(database, memberships) == 2


def test_rules_and_recommendations_are_kept(database, writer, people):
    def make(connection):
        connection.execute(insert(sources).values(id=1, name="shop"))
        connection.execute(
            insert(products).values(id=1, source_id=1, external_id="P", name="Lamp")
        )

    database.write_now(TEST, make)

    writer.rules(run("rules"), [NewRule([1], [1], 0.1, 0.5, 2.0, 0.05, 40)])
    writer.recommendations(
        run("recommendations"),
        [
            NewRecommendation(
                people[0], 1, 1, 0.5, "own_past", "bought_before", None, None
            )
        ],
    )

    assert count(database, rules) == count(database, recommendations) == 1


def test_a_run_that_breaks_off_does_not_count(database, writer, people):
    def rows():
        yield people[0], {"x": 1.0}
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        writer.features(run("features"), rows())

    assert current(database, "features") is None


def test_the_next_run_removes_what_nobody_reads(database, writer, people, monkeypatch):
    monkeypatch.setattr(analysis, "ROWS_PER_WRITE", 1)
    members = [(key, "loyal") for key in people]
    first = writer.segmentation(run("segmentation"), [LOYAL], members)
    with pytest.raises(KeyError):
        writer.segmentation(run("segmentation"), [LOYAL], [(people[0], "gone")])

    kept = [
        writer.segmentation(run("segmentation"), [LOYAL], members) for _ in range(2)
    ]

    assert first not in kept
    assert count(database, memberships) == 4
    assert count(database, segments) == 2
    assert current(database, "segmentation").id == kept[-1]


def test_runs_of_other_names_stay(database, writer, people):
    for name in ("one", "two", "three"):
        writer.features(run("features", name), [(people[0], {"x": 1.0})])

    assert count(database, customer_features) == 3
