"""Backups hold everything; restores bring exactly that back, and double nothing."""

from __future__ import annotations

import shutil
import stat
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, delete, select, text, update

from core.errors import DataError, SchemaOutdated
from core.model import Channel, DeliveryState, IdentityKind, RunState
from storage import backup as backups
from storage import changes, deliveries, lease, migrate, runs, schedules
from storage.backup import StillRunning, backup, check, restore, upgrade
from storage.customers import add_identity, is_suppressed, suppress
from storage.database import Connection, Database, DatabaseCorrupt, open_database
from storage.erasure import erase
from storage.installation import key as installation_key
from storage.migrate import newest_revision, prepare
from storage.schema import (
    campaign_runs,
    customers,
    identities,
    installation,
    jobs,
    leases,
    metadata,
)
from tests.storage.shop import (
    NOW,
    TEST,
    new_customer,
    new_run,
    plan,
    postgresql_only,
    sqlite_only,
)
from tests.storage.writers import Child

LATER = NOW + timedelta(hours=1)
CRON = "0 2 * * *"
# Rows that say what is in hand now; a restore lets go of it.
LET_GO = {"leases", "schedules"}


def fill(connection: Connection) -> None:
    """Rows of many kinds, with texts that a careless copy would spoil."""
    run = new_run(connection)
    plan(connection, run, 20)
    runs.move(connection, run.id, RunState.PAUSED, NOW, "tab\there\nand \\N 你好")
    alias = new_customer(connection, "old@shop.example")
    values = {"alias_of": 1, "name": "O'Neil \"\\", "attributes": {"a": [1.5, None]}}
    connection.execute(
        update(customers).where(customers.c.id == alias).values(**values)
    )
    schedules.put(
        connection, "nightly", "pipeline", {}, CRON, "UTC", timedelta(hours=6), NOW
    )


def everything(connection: Connection) -> dict[str, list[Any]]:
    found = {
        name: [tuple(row) for row in connection.execute(select(table))]
        for name, table in metadata.tables.items()
        if name not in LET_GO
    }
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


@pytest.fixture
def filled(database_url: str) -> str:
    """The URL of a database with something in it, which nobody has open."""
    with open_database(database_url) as database:
        database.write_now(TEST, fill)
    return database_url


def make_backup(url: str, folder: Path) -> Path:
    with open_database(url) as database:
        return backup(database, folder, NOW)


def rows_of(url: str) -> dict[str, list[Any]]:
    with open_database(url) as database:
        prepare(database)
        return database.read_now(everything)


def spoil(url: str) -> None:
    """What must be gone after a restore."""
    with open_database(url) as database:
        database.write_now(TEST, lambda c: new_customer(c, "new@shop.example"))
        database.write_now(
            TEST, lambda c: c.execute(update(customers).values(name="wrong"))
        )


def test_a_restore_brings_back_exactly_the_rows(filled: str, tmp_path: Path) -> None:
    before = rows_of(filled)
    file = make_backup(filled, tmp_path)
    spoil(filled)

    restored = restore(filled, file, LATER)

    assert rows_of(filled) == before
    assert restored.contents.rows["deliveries"] == 20
    assert restored.contents.revision == newest_revision()


def test_a_restore_makes_the_database_where_there_is_none(
    filled: str, empty_database_url: str, tmp_path: Path
) -> None:
    restored = restore(empty_database_url, make_backup(filled, tmp_path), LATER)

    assert rows_of(empty_database_url) == rows_of(filled)
    assert restored.replaced is None


def test_new_rows_get_new_ids_after_a_restore(filled: str, tmp_path: Path) -> None:
    with open_database(filled) as database:
        database.write_now(TEST, lambda c: changes.forget(c, LATER, keep=timedelta(0)))
        used = database.write_now(TEST, lambda c: new_customer(c, "a@b.example"))
        newest_change = database.read_now(changes.newest_id)
        database.write_now(TEST, lambda c: changes.forget(c, LATER, keep=timedelta(0)))
    restore(filled, make_backup(filled, tmp_path), LATER)

    with open_database(filled) as database:
        fresh = database.write_now(TEST, lambda c: new_customer(c, "b@b.example"))
        assert fresh > used
        assert database.read_now(changes.newest_id) > newest_change


def test_a_backup_is_whole_while_others_write(filled: str, tmp_path: Path) -> None:
    with Child("write_many", filled, "4", "50") as writer:
        assert writer.hear() == "ready"
        writer.say()
        files = [make_backup(filled, tmp_path) for _ in range(3)]

    assert len({file.name for file in files}) == 3
    assert {check(file).rows["deliveries"] for file in files} == {20}


def test_a_backup_is_for_its_owner_alone(filled: str, tmp_path: Path) -> None:
    file = make_backup(filled, tmp_path / "new")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_folder_that_is_no_folder_is_named(filled: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(DataError, match="taken"):
        make_backup(filled, tmp_path / "taken")


# --- what a restore refuses -----------------------------------------------------------


@pytest.mark.parametrize("name", backups.RUNNING_LEASES)
def test_a_running_program_is_not_overwritten(
    filled: str, tmp_path: Path, name: str
) -> None:
    file = make_backup(filled, tmp_path)
    with open_database(filled) as database:
        database.write_now(TEST, lambda c: lease.acquire(c, name, "host-7", NOW, 30))

    with pytest.raises(StillRunning, match="host-7"):
        restore(filled, file, NOW)

    restore(filled, file, LATER)


@sqlite_only
def test_a_process_that_writes_to_the_file_is_seen(filled: str, tmp_path: Path) -> None:
    file = make_backup(filled, tmp_path)
    with Child("hold_lock", filled.removeprefix("sqlite:///")) as child:
        assert child.hear() == "locked"

        with pytest.raises(StillRunning, match="open"):
            restore(filled, file, LATER)


@sqlite_only
def test_an_idle_program_without_a_lease_is_seen(filled: str, tmp_path: Path) -> None:
    file = make_backup(filled, tmp_path)
    with Child("write_many", filled, "1", "1") as child:
        assert child.hear() == "ready"

        with pytest.raises(StillRunning, match="open"):
            restore(filled, file, LATER)


@postgresql_only
def test_a_connection_in_a_transaction_is_seen(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.postgresql_backup.LOCK_PATIENCE_SECONDS", 0.2)
    file = make_backup(filled, tmp_path)
    before = rows_of(filled)
    with open_database(filled) as other:

        def work(connection: Connection) -> None:
            connection.execute(text("SELECT 1 FROM customers"))
            with pytest.raises(DataError, match="somebody is using"):
                restore(filled, file, LATER)

        other.read_now(work)

    assert rows_of(filled) == before


def test_a_newer_backup_is_refused(filled: str, tmp_path: Path) -> None:
    newer = text("UPDATE alembic_version SET version_num = '9999'")
    with open_database(filled) as database:
        database.write_now(TEST, lambda c: c.execute(newer))
    file = make_backup(filled, tmp_path)

    with pytest.raises(SchemaOutdated, match="Install the newer program"):
        restore(filled, file, LATER)


def test_a_damaged_backup_is_refused_and_nothing_changes(
    filled: str, tmp_path: Path
) -> None:
    before = rows_of(filled)
    file = make_backup(filled, tmp_path)
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 5000] = bytes(5000)
    file.write_bytes(content)

    with pytest.raises(DataError, match=r"damaged|no backup"):
        restore(filled, file, LATER)

    assert rows_of(filled) == before


@pytest.mark.parametrize(
    "content", [b"", b"a letter", b"PK\x03\x04 and nothing", b"SQLite format 3\0"]
)
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "some.file"
    file.write_bytes(content)

    with pytest.raises(DataError, match=r"no backup|damaged"):
        check(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.db"):
        check(tmp_path / "missing.db")


@postgresql_only
def test_a_backup_of_the_other_kind_is_refused(
    filled: str, sqlite_template: Path
) -> None:
    with pytest.raises(DataError, match="another kind"):
        restore(filled, sqlite_template, LATER)


@postgresql_only
def test_a_database_of_another_program_is_left_alone(
    filled: str, empty_database_url: str, tmp_path: Path
) -> None:
    file = make_backup(filled, tmp_path)
    with open_database(empty_database_url) as other:
        other.write_now(TEST, lambda c: c.execute(text("CREATE TABLE theirs (a int)")))

    with pytest.raises(DataError, match="theirs"):
        restore(empty_database_url, file, LATER)


@postgresql_only
def test_a_backup_with_a_changed_row_is_damaged(filled: str, tmp_path: Path) -> None:
    file = make_backup(filled, tmp_path)
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"planned0@", b"planned9@"))

    with pytest.raises(DataError, match=r"tables/identities\.copy"):
        check(changed)


# --- SQLite: the file that is replaced ------------------------------------------------


# --- who was forgotten since ----------------------------------------------------------


def forget_first(connection: Connection) -> None:
    """Erase customer 1, whose address is another's by now, and suppress somebody."""
    erase(connection, 1, LATER)
    suppress(connection, Channel.EMAIL, "stop@shop.example", "opt_out", LATER)


def name_in_source(connection: Connection) -> None:
    kind = IdentityKind.EXTERNAL
    for key in (1, 2):
        add_identity(connection, key, kind, f"shop:{key}", NOW)
        is_one = customers.c.id == key
        named = update(customers).where(is_one).values(name=f"Zanzibar {key}")
        connection.execute(named)
    installation_key(connection, "address")


@pytest.fixture
def named(filled: str) -> str:
    with open_database(filled) as database:
        database.write_now(TEST, name_in_source)
    return filled


def test_who_was_erased_since_is_erased_again(named: str, tmp_path: Path) -> None:
    copy = make_backup(named, tmp_path)
    with open_database(named) as database:
        database.write_now(TEST, forget_first)

    done = restore(named, copy, LATER)

    assert done.erased_again == 1
    words = str(rows_of(named))
    assert "Zanzibar 1" not in words
    assert "Zanzibar 2" in words


def test_who_is_never_written_to_stays_so(named: str, tmp_path: Path) -> None:
    copy = make_backup(named, tmp_path)
    with open_database(named) as database:
        database.write_now(TEST, forget_first)

    restore(named, copy, LATER)

    with open_database(named) as database:
        for address in ("stop@shop.example", "planned0@run1.example"):
            assert database.read_now(
                lambda c, a=address: is_suppressed(c, Channel.EMAIL, a)
            )


def test_another_customer_of_the_same_number_is_left_alone(
    named: str, tmp_path: Path
) -> None:
    copy = make_backup(named, tmp_path)
    with open_database(named) as database:
        database.write_now(
            TEST,
            lambda c: c.execute(update(customers).values(created_at=LATER)),
        )
        database.write_now(TEST, lambda c: c.execute(delete(identities)))
        database.write_now(TEST, lambda c: erase(c, 1, LATER))

    assert restore(named, copy, LATER).erased_again == 0


def test_a_backup_of_another_installation_is_restored_as_it_is(
    named: str, tmp_path: Path
) -> None:
    copy = make_backup(named, tmp_path)
    with open_database(named) as database:
        database.write_now(TEST, forget_first)
        database.write_now(
            TEST, lambda c: c.execute(update(installation).values(value=b"x" * 32))
        )

    assert restore(named, copy, LATER).erased_again == 0
    assert "Zanzibar 1" in str(rows_of(named))


@sqlite_only
def test_the_replaced_file_is_kept(filled: str, tmp_path: Path) -> None:
    file = make_backup(filled, tmp_path)
    spoil(filled)
    spoilt = rows_of(filled)

    restored = restore(filled, file, LATER)

    assert restored.replaced is not None
    assert restored.replaced.name == "rapport.db.before-restore-20261124T100000Z"
    assert rows_of(f"sqlite:///{restored.replaced}") == spoilt


@sqlite_only
def test_the_log_of_the_replaced_file_is_not_played_into_the_new_one(
    filled: str, tmp_path: Path
) -> None:
    before = rows_of(filled)
    file = make_backup(filled, tmp_path / "backups")
    target = Path(filled.removeprefix("sqlite:///"))
    with open_database(filled) as database:
        # A copy of both files now is what a killed program leaves.
        database.write_now(TEST, lambda c: new_customer(c, "late@shop.example"))
        left = tmp_path / "left"
        left.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{target}{suffix}", left / f"rapport.db{suffix}")
    for suffix in ("", "-wal"):
        shutil.copy(left / f"rapport.db{suffix}", f"{target}{suffix}")

    restored = restore(filled, file, LATER)

    assert rows_of(filled) == before
    kept = rows_of(f"sqlite:///{restored.replaced}")
    assert len(kept["customers"]) == len(before["customers"]) + 1


@sqlite_only
def test_a_damaged_database_is_replaced_and_kept(filled: str, tmp_path: Path) -> None:
    before = rows_of(filled)
    file = make_backup(filled, tmp_path / "backups")
    target = Path(filled.removeprefix("sqlite:///"))
    target.write_bytes(b"\xff" * target.stat().st_size)

    restored = restore(filled, file, LATER)

    assert rows_of(filled) == before
    assert restored.replaced is not None
    assert restored.replaced.read_bytes()[:4] == b"\xff" * 4


@sqlite_only
def test_a_damaged_database_is_not_backed_up(filled: str, tmp_path: Path) -> None:
    target = Path(filled.removeprefix("sqlite:///"))
    content = bytearray(target.read_bytes())
    # The first page stays, so that it can be opened.
    content[4096 : 4096 * 9] = b"\xff" * (4096 * 8)
    target.write_bytes(content)

    with pytest.raises(DatabaseCorrupt):
        make_backup(filled, tmp_path / "backups")

    assert list((tmp_path / "backups").iterdir()) == []


# --- after a restore ------------------------------------------------------------------


def test_what_was_being_sent_waits_for_a_person(
    database_url: str, tmp_path: Path
) -> None:
    with open_database(database_url) as database:
        run = database.write_now(TEST, new_run)
        database.write_now(TEST, lambda c: plan(c, run, 3))
    file = make_backup(database_url, tmp_path)

    restored = restore(database_url, file, LATER)

    with open_database(database_url) as database:
        claim = deliveries.Claim("worker", 1)
        taken = database.write_now(
            TEST, lambda c: deliveries.claim(c, claim, LATER, 30, 10)
        )
        found = database.read_now(lambda c: runs.get(c, run.id))
    assert (restored.paused_runs, taken) == (1, [])
    assert found is not None
    assert (found.state, found.state_reason) == (
        RunState.PAUSED,
        "restored from a backup",
    )


def test_leases_and_schedules_begin_anew(database_url: str, tmp_path: Path) -> None:
    with open_database(database_url) as database:
        database.write_now(TEST, fill)
        database.write_now(TEST, lambda c: lease.acquire(c, "serve", "a", NOW, 9999))
        file = backup(database, tmp_path, NOW)
        database.write_now(TEST, lambda c: c.execute(leases.delete()))

    restore(database_url, file, LATER)

    with open_database(database_url) as database:
        assert database.read_now(lambda c: lease.holder(c, "serve", LATER)) is None
        [schedule] = database.read_now(schedules.all_of_them)
        assert schedule.since == LATER


# --- upgrade --------------------------------------------------------------------------


@pytest.fixture
def outdated(filled: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A database of the program before the one that has a second migration."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, folder)
    (folder / "versions" / "9999_more.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '9999'\ndown_revision = {newest_revision()!r}\n"
        "def upgrade():\n    op.add_column('jobs', sa.Column('note', sa.Text()))\n"
    )
    monkeypatch.setattr(migrate, "MIGRATIONS", folder)
    return filled


def columns_of_jobs(database: Database) -> set[str]:
    reflected = MetaData()
    database.read_now(lambda c: reflected.reflect(c, only=[jobs.name]))
    return set(reflected.tables[jobs.name].columns.keys())


def test_an_upgrade_makes_a_backup_and_migrates(outdated: str, tmp_path: Path) -> None:
    with open_database(outdated) as database:
        with pytest.raises(SchemaOutdated, match="rapport upgrade"):
            prepare(database)

        done = upgrade(database, tmp_path / "backups", NOW)

        prepare(database)
        assert "note" in columns_of_jobs(database)
    assert done.backup is not None
    assert check(done.backup).revision == done.before != done.after == "9999"


def test_a_restore_of_an_older_backup_brings_it_up_to_date(
    outdated: str, tmp_path: Path
) -> None:
    file = make_backup(outdated, tmp_path / "backups")
    with open_database(outdated) as database:
        rows = database.read_now(everything)

    restore(outdated, file, LATER)

    with open_database(outdated) as database:
        prepare(database)
        assert "note" in columns_of_jobs(database)
        assert database.read_now(everything) == rows


def test_an_upgrade_of_the_newest_schema_does_nothing(
    filled: str, tmp_path: Path
) -> None:
    with open_database(filled) as database:
        done = upgrade(database, tmp_path / "backups", NOW)

    assert done.backup is None
    assert not (tmp_path / "backups").exists()


def test_an_upgrade_waits_for_the_program_to_end(outdated: str, tmp_path: Path) -> None:
    with open_database(outdated) as database:
        database.write_now(TEST, lambda c: lease.acquire(c, "clock", "b", NOW, 30))

        with pytest.raises(StillRunning, match="clock"):
            upgrade(database, tmp_path, NOW)


def test_a_newer_database_is_not_upgraded(filled: str, tmp_path: Path) -> None:
    newer = text("UPDATE alembic_version SET version_num = '9999'")
    with open_database(filled) as database:
        database.write_now(TEST, lambda c: c.execute(newer))

        with pytest.raises(SchemaOutdated, match="newer version"):
            upgrade(database, tmp_path, NOW)


def test_a_restored_run_can_go_on(database_url: str, tmp_path: Path) -> None:
    with open_database(database_url) as database:
        run = database.write_now(TEST, new_run)
        database.write_now(TEST, lambda c: plan(c, run, 1))
        file = backup(database, tmp_path, NOW)
    restore(database_url, file, LATER)

    with open_database(database_url) as database:
        database.write_now(
            TEST, lambda c: runs.move(c, run.id, RunState.RUNNING, LATER)
        )
        states = database.read_now(
            lambda c: c.scalars(select(campaign_runs.c.state)).all()
        )
        funnel = database.read_now(lambda c: runs.funnel(c, run.id))
    assert states == [RunState.RUNNING]
    assert [(row.state, row.count) for row in funnel] == [(DeliveryState.PLANNED, 1)]
