"""A worker's journal: what it says after the worker is gone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from core.model import DeliveryState
from outreach.journal import Journal, Remains, boot_id, read_journal, remains
from storage.deliveries import Claim, Result
from tests.outreach.house import NOON

CLAIM = Claim("sender-a", 7)
ACCEPTED = Result(1, DeliveryState.ACCEPTED, detail="250 OK")
LATER = Result(2, DeliveryState.DEFERRED, "deferred_451", NOON + timedelta(hours=1))


def abandoned(folder: Path, *results: Result, started: int = 0) -> Remains:
    """What is left of a worker that had these results and died."""
    journal = Journal(folder, CLAIM, "boot-1")
    for result in results:
        journal.start(result.delivery_id)
        journal.done(result)
    if started:
        journal.start(started)
    journal.abandon()
    [left] = remains(folder)
    return left


def test_remembers_what_was_started_and_how_it_ended(tmp_path: Path) -> None:
    left = abandoned(tmp_path, ACCEPTED, LATER, started=3)

    assert (left.worker, left.boot) == ("sender-a", "boot-1")
    assert left.started == {1, 2, 3}
    assert left.done == {1: ACCEPTED, 2: LATER}


def test_a_living_worker_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CLAIM, "boot-1")
    journal.start(1)

    assert list(remains(tmp_path)) == []
    found = read_journal(tmp_path, "sender-a")
    assert found is not None
    assert found.started == {1}
    journal.close()


def test_a_worker_that_ended_well_leaves_no_file(tmp_path: Path) -> None:
    Journal(tmp_path, CLAIM, "boot-1").close()

    assert list(tmp_path.iterdir()) == []
    assert read_journal(tmp_path, "sender-a") is None


def test_what_is_committed_is_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path, CLAIM, "boot-1")
    journal.start(1)
    journal.done(ACCEPTED)

    journal.committed()
    journal.start(2)
    journal.abandon()

    [left] = remains(tmp_path)
    assert (left.boot, left.started, left.done) == ("boot-1", {2}, {})


@pytest.mark.parametrize("torn", ['{"sta', '{"start": ', "\x00\x00\x00"])
def test_a_torn_last_line_is_left_out(tmp_path: Path, torn: str) -> None:
    left = abandoned(tmp_path, ACCEPTED)
    with left.path.open("a") as file:
        file.write(torn)

    [again] = remains(tmp_path)

    assert again == left


def test_a_journal_without_a_head_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "sender-b.journal").write_text("")

    [left] = remains(tmp_path)

    assert (left.worker, left.boot) == ("sender-b", "")


def test_no_folder_is_no_journal(tmp_path: Path) -> None:
    assert list(remains(tmp_path / "nowhere")) == []


def test_the_machine_has_one_word_for_its_life() -> None:
    assert boot_id() == boot_id()
