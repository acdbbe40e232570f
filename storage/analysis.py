"""Results of the analysis: written in batches, counted once their run is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, insert, select, tuple_, update

from core.model import Actor
from storage import changes
from storage.database import Database
from storage.schema import (
    customer_features,
    memberships,
    model_runs,
    recommendations,
    rules,
    segments,
)

T = TypeVar("T")

# About 20 ms of a write transaction, so that a serving process is not held up.
ROWS_PER_WRITE = 1000
# The newest and the one before, to compare with; older runs keep their metrics.
RUNS_KEPT = 2
# Memberships come before the segments that they name.
RESULTS = (customer_features, memberships, segments, rules, recommendations)


@dataclass(frozen=True, slots=True)
class NewModelRun:
    """What is stored of one analysis beside its results."""

    kind: str
    name: str
    window_start: datetime | None
    window_end: datetime | None
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    baseline: Mapping[str, Any]
    rows: int
    artefact_hash: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One complete model run."""

    id: int
    kind: str
    name: str
    window_end: datetime | None
    parameters: dict[str, Any]
    metrics: dict[str, Any]
    baseline: dict[str, Any]
    rows: int
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """One segment of a model run; `profile` holds n, mean and sum per feature."""

    key: str
    name: str
    rule: str | None
    size: int
    profile: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewRule:
    """One association rule; products by id, ascending."""

    antecedent: Sequence[int]
    consequent: Sequence[int]
    support_ratio: float
    confidence_ratio: float
    lift: float
    leverage: float
    baskets_count: int


@dataclass(frozen=True, slots=True)
class NewRecommendation:
    """One product for one customer, with the reason as data."""

    customer_id: int
    rank: int
    product_id: int
    score: float
    method: str
    reason: str
    reason_product_id: int | None
    reason_share_ratio: float | None


class ResultWriter:
    """Writes the results of analyses, each run whole or not at all.

    The next complete run of the same name removes the rows of runs that were never
    completed, and those of complete ones but the newest `RUNS_KEPT`.
    """

    def __init__(self, database: Database, actor: Actor, now: datetime) -> None:
        self._database = database
        self._actor = actor
        self._now = now

    def figures(self, run: NewModelRun) -> int:
        """Store a run whose results stand elsewhere; returns its id."""
        return self._complete(self._write(lambda c: _begin(c, run, self._now)))

    def features(
        self, run: NewModelRun, rows: Iterable[tuple[int, Mapping[str, Any]]]
    ) -> int:
        """Store each customer's features; returns the run's id."""
        return self._store(
            run,
            customer_features,
            ({"customer_id": key, "features": dict(row)} for key, row in rows),
        )

    def segmentation(
        self,
        run: NewModelRun,
        found: Sequence[StoredSegment],
        members: Iterable[tuple[int, str]],
    ) -> int:
        """Store segments and who is in which (customer id, segment key)."""
        run_id = self._write(lambda c: _begin(c, run, self._now))
        ids = self._write(lambda c: _add_segments(c, run_id, found))
        rows = (
            {"customer_id": customer_id, "segment_id": ids[key]}
            for customer_id, key in members
        )
        self._fill(run_id, memberships, rows)
        return self._complete(run_id)

    def rules(self, run: NewModelRun, found: Iterable[NewRule]) -> int:
        """Store association rules."""
        rows = (
            {
                "antecedent": list(rule.antecedent),
                "consequent": list(rule.consequent),
                "support_ratio": rule.support_ratio,
                "confidence_ratio": rule.confidence_ratio,
                "lift": rule.lift,
                "leverage": rule.leverage,
                "baskets_count": rule.baskets_count,
            }
            for rule in found
        )
        return self._store(run, rules, rows)

    def recommendations(
        self, run: NewModelRun, found: Iterable[NewRecommendation]
    ) -> int:
        """Store recommendations."""
        names = NewRecommendation.__slots__
        rows = ({name: getattr(each, name) for name in names} for each in found)
        return self._store(run, recommendations, rows)

    def _store(
        self, run: NewModelRun, table: Table, rows: Iterable[dict[str, Any]]
    ) -> int:
        run_id = self._write(lambda c: _begin(c, run, self._now))
        self._fill(run_id, table, rows)
        return self._complete(run_id)

    def _fill(self, run_id: int, table: Table, rows: Iterable[dict[str, Any]]) -> None:
        for batch in _batches(rows):
            values = [{"model_run_id": run_id, **row} for row in batch]
            self._write(partial(_insert, table=table, rows=values))

    def _complete(self, run_id: int) -> int:
        def work(connection: Connection) -> int:
            connection.execute(
                update(model_runs)
                .where(model_runs.c.id == run_id)
                .values(complete=True)
            )
            changes.record(connection, "model_run", run_id, self._now)
            return run_id

        self._write(work)
        self._sweep(run_id)
        return run_id

    def _sweep(self, run_id: int) -> None:
        for old in self._database.read_now(lambda c: _outdated(c, run_id)):
            for table in RESULTS:
                while self._write(partial(_delete_some, table=table, run_id=old)):
                    pass

    def _write(self, work: Callable[[Connection], T]) -> T:
        return self._database.write_now(self._actor, work)


def retire_others(connection: Connection, kind: str, names: Sequence[str]) -> int:
    """Take results that nobody asks for any more out of use; returns how many runs."""
    return connection.execute(
        update(model_runs)
        .where(
            model_runs.c.kind == kind,
            model_runs.c.name.not_in(names),
            model_runs.c.complete.is_(True),
        )
        .values(complete=False, reason="no longer in the settings")
    ).rowcount


def current(connection: Connection, kind: str, name: str) -> StoredRun | None:
    """The newest complete run of a model, or None."""
    row = connection.execute(
        select(model_runs)
        .where(
            model_runs.c.kind == kind,
            model_runs.c.name == name,
            model_runs.c.complete.is_(True),
        )
        .order_by(model_runs.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _stored(row)


def segments_of(connection: Connection, run_id: int) -> list[StoredSegment]:
    """The segments of a run, largest first."""
    rows = connection.execute(
        select(segments)
        .where(segments.c.model_run_id == run_id)
        .order_by(segments.c.size.desc(), segments.c.key)
    )
    return [
        StoredSegment(row.key, row.name, row.rule, row.size, row.profile)
        for row in rows
    ]


def _begin(connection: Connection, run: NewModelRun, now: datetime) -> int:
    run_id: int = connection.execute(
        insert(model_runs)
        .values(
            kind=run.kind,
            name=run.name,
            complete=False,
            window_start=run.window_start,
            window_end=run.window_end,
            parameters=dict(run.parameters),
            metrics=dict(run.metrics),
            baseline=dict(run.baseline),
            rows=run.rows,
            artefact_hash=run.artefact_hash,
            reason=run.reason,
            created_at=now,
        )
        .returning(model_runs.c.id)
    ).scalar_one()
    return run_id


def _outdated(connection: Connection, run_id: int) -> list[int]:
    """Runs of the same kind and name whose rows nobody reads any more."""
    this = select(model_runs.c.kind, model_runs.c.name).where(model_runs.c.id == run_id)
    older = connection.execute(
        select(model_runs.c.id, model_runs.c.complete)
        .where(
            tuple_(model_runs.c.kind, model_runs.c.name).in_(this),
            model_runs.c.id <= run_id,
        )
        .order_by(model_runs.c.id.desc())
    ).all()
    kept = [row.id for row in older if row.complete][:RUNS_KEPT]
    return [row.id for row in older if row.id not in kept]


def _delete_some(connection: Connection, table: Table, run_id: int) -> int:
    key = tuple_(*table.primary_key.columns)
    some = (
        select(*table.primary_key.columns)
        .where(table.c.model_run_id == run_id)
        .limit(ROWS_PER_WRITE)
    )
    return connection.execute(delete(table).where(key.in_(some))).rowcount


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(table), rows)


def _add_segments(
    connection: Connection, run_id: int, found: Sequence[StoredSegment]
) -> dict[str, int]:
    return {
        each.key: connection.execute(
            insert(segments)
            .values(
                model_run_id=run_id,
                key=each.key,
                name=each.name,
                rule=each.rule,
                size=each.size,
                profile=each.profile,
            )
            .returning(segments.c.id)
        ).scalar_one()
        for each in found
    }


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, ROWS_PER_WRITE)):
        yield batch


def _stored(row: Any) -> StoredRun:
    return StoredRun(**{name: getattr(row, name) for name in StoredRun.__slots__})
