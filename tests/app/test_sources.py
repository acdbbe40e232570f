"""Sources of the settings are fetched, taken up again, and missed when late."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from sqlalchemy import func, select

from app import sources as pulling
from app.sources import SourceWatch, late_sources, pull_source
from app.wiring import Program, anchored, open_program
from core.clock import SimulatedClock
from core.errors import DataError
from core.model import system
from core.settings import Source, load_settings
from storage import schema, sources
from storage.sources import SourceState
from tests.servers.sink import Sink

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
TEST = system("test")
QUERY = "SELECT * FROM orders WHERE changed_at >= :watermark ORDER BY changed_at"
ERP: dict[str, Any] = {
    "name": "erp",
    "mapping": "orders",
    "url_from": "ERP_URL",
    "query": QUERY,
    "watermark": "changed_at",
    "cron": "0 1 * * *",
}


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOON)


@pytest.fixture
def erp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[sqlite3.Connection]:
    """Somebody else's database."""
    file = tmp_path / "erp.db"
    monkeypatch.setenv("ERP_URL", f"sqlite:///{file}")
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TABLE orders (order_id, ordered_at, customer_id, product_id,"
            " quantity, price, changed_at)"
        )
        yield connection


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Sink(tmp_path) as running:
        yield running


def sell(
    erp: sqlite3.Connection, order: str, changed_at: str, price: str = "5"
) -> None:
    row = (order, "2026-03-01", "ann", "tea", 2, price, changed_at)
    erp.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    erp.commit()


@pytest.fixture
def open_with(config: Path, clock: SimulatedClock) -> Any:
    def opened(*configured: dict[str, Any], **sections: Any) -> Any:
        values = YAML(typ="safe").load(config.read_text())
        collect = {"sources": list(configured), "alert_email": "ops@shop.example"}
        values |= {"collect": collect, **sections}
        with config.open("w") as stream:
            YAML().dump(values, stream)
        return open_program(anchored(load_settings(config), config.parent), clock)

    return opened


def order_count(program: Program) -> int:
    count = select(func.count()).select_from(schema.orders)
    return program.database.read_now(lambda c: c.scalar(count)) or 0


def state(program: Program, name: str = "erp") -> SourceState:
    found = program.database.read_now(lambda c: sources.state_of(c, name))
    assert found is not None
    return found


def test_a_query_brings_what_is_new_since_its_watermark(
    open_with: Any, erp: sqlite3.Connection
) -> None:
    sell(erp, "1", "2026-03-01 10:00")
    with open_with(ERP) as program:
        pull_source(program, "erp")
        sell(erp, "2", "2026-03-02 10:00")

        [outcome] = pull_source(program, "erp")

        # The order at the watermark comes again, for another may share its moment.
        assert outcome.row.progress.rows_read == 2
        assert order_count(program) == 2
        assert state(program).watermark == "2026-03-02 10:00"
        assert state(program).succeeded_at == NOON


def test_a_pull_without_rows_changes_nothing(
    open_with: Any, erp: sqlite3.Connection
) -> None:
    with open_with(ERP) as program:
        assert pull_source(program, "erp") == []

        assert state(program).watermark is None
        assert state(program).succeeded_at == NOON


def test_a_pull_that_was_killed_is_imported_before_the_next(
    open_with: Any, erp: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(erp, "1", "2026-03-01 10:00")

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with open_with(ERP) as program:
        with monkeypatch.context() as killed:
            killed.setattr(pulling, "_import", die)
            with pytest.raises(KeyboardInterrupt):
                pull_source(program, "erp")
        sell(erp, "2", "2026-03-02 10:00")

        pull_source(program, "erp")
        assert order_count(program) == 1
        pull_source(program, "erp")

        assert order_count(program) == 2
        assert list((program.data_directory / "pulls").iterdir()) == []


def test_a_query_can_change_nothing(open_with: Any, erp: sqlite3.Connection) -> None:
    sell(erp, "1", "2026-03-01 10:00")
    greedy = ERP | {"query": "DELETE FROM orders RETURNING *", "watermark": ""}
    with open_with(greedy) as program, pytest.raises(DataError, match="query failed"):
        pull_source(program, "erp")

    assert erp.execute("SELECT count(*) FROM orders").fetchone() == (1,)


def test_what_goes_wrong_stands_beside_the_source_without_its_password(
    open_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP_URL", "postgresql+psycopg://reader:s3cret@127.0.0.1:9/x")
    with open_with(ERP) as program:
        with pytest.raises(DataError):
            pull_source(program, "erp")

        assert "erp" in (state(program).error or "")
        assert "s3cret" not in (state(program).error or "")
        assert state(program).failed_at == NOON


def test_a_source_without_its_address_says_which_variable_to_set(
    open_with: Any,
) -> None:
    with open_with(ERP) as program, pytest.raises(DataError, match="Set ERP_URL"):
        pull_source(program, "erp")


def test_a_folder_brings_new_files_alone(open_with: Any, tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    file = folder / "monday.csv"
    file.write_text("order_id,ordered_at,price\n1,2026-03-01,5\n")
    long_ago = (NOON - timedelta(hours=1)).timestamp()
    os.utime(file, (long_ago, long_ago))
    growing = folder / "tuesday.csv"
    growing.write_text("order_id,ordered_at,pri")
    os.utime(growing, (NOON.timestamp(), NOON.timestamp()))
    daily = {"name": "shop", "mapping": "orders", "file": str(folder)}
    with open_with(daily) as program:
        assert [each.was_complete for each in pull_source(program, "shop")] == [False]

        assert [each.was_complete for each in pull_source(program, "shop")] == [True]
        assert order_count(program) == 1


def test_somebody_is_told_of_a_failure_once(
    open_with: Any, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP_URL", "sqlite:////nowhere/erp.db")
    mail = {"port": sink.port, "tls": "none"}
    with open_with(ERP, mail=mail) as program:
        for _ in range(2):
            with pytest.raises(DataError):
                pull_source(program, "erp")

    [taken] = sink.accepted()
    assert taken["recipients"] == ["ops@shop.example"]


def test_a_source_is_late_after_its_hours(clock: SimulatedClock) -> None:
    source = Source(**ERP)
    known = SourceState(1, "erp", 50, None, NOON, None, None, None)

    on_time = late_sources([source], [known], NOON + timedelta(hours=26))
    late = late_sources([source], [known], NOON + timedelta(hours=26, seconds=1))

    assert on_time == []
    assert late == [(source, known)]


def test_the_watch_tells_of_a_late_source_once(
    open_with: Any, sink: Sink, erp: sqlite3.Connection, clock: SimulatedClock
) -> None:
    mail = {"port": sink.port, "tls": "none"}
    with open_with(ERP, mail=mail) as program:
        pull_source(program, "erp")
        clock.advance(27 * 3600)

        SourceWatch(program).look()
        SourceWatch(program).look()

    assert len(sink.accepted()) == 1
