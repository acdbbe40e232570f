"""Whole imports, in processes of their own where they are killed."""

from __future__ import annotations

import csv
import io
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from app.import_commands import (
    close_import_command,
    import_command,
)
from app.importing import EXIT_OK, EXIT_REJECTS, import_file
from content.mapping_file import find_mapping
from content.profile import TEMPLATES
from core.clock import SystemClock
from core.errors import DataError
from core.settings import ROOT, Settings
from storage import ingest
from storage.database import Database, open_database
from storage.schema import (
    consents,
    customers,
    identities,
    order_lines,
    orders,
    products,
)

START = "from app.cli import main; main()"


@pytest.fixture
def settings(database_url, tmp_path) -> Settings:
    return Settings(storage={"url": database_url, "data_directory": tmp_path / "data"})


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "shop.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def retail_lines(count: int) -> str:
    """Invoices like those of the public set, made here; some lines are broken."""
    chance = random.Random(11)
    lines = ["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,"]
    lines[0] += "CustomerID,Country"
    for number in range(count):
        invoice = 1000 + number // 9
        # Now and then a line of an invoice of long ago.
        invoice -= 300 if number % 500 == 7 and number > 3000 else 0
        quantity = "many" if number % 1009 == 5 else chance.randint(1, 12)
        price = f"{chance.randint(1, 999) / 100:.2f}"
        code, customer = chance.randint(1, 200), invoice % 70 or ""
        day = f"2011-{1 + invoice % 12:02}-03 10:00:00"
        lines.append(
            f"{invoice},P{code},Thing {code},{quantity},{day},{price},{customer},France"
        )
    return "\n".join(lines) + "\n"


def stored(settings: Settings) -> list[list[tuple[object, ...]]]:
    """All that an import brings, without ids and the time of the import."""
    found = (
        select(
            orders.c.external_id,
            orders.c.kind,
            orders.c.ordered_at,
            orders.c.total_minor,
            identities.c.value,
        ).outerjoin(identities, identities.c.customer_id == orders.c.customer_id),
        select(
            orders.c.external_id,
            order_lines.c.line_no,
            products.c.external_id,
            order_lines.c.quantity,
            order_lines.c.amount_minor,
        )
        .join(orders, orders.c.id == order_lines.c.order_id)
        .outerjoin(products, products.c.id == order_lines.c.product_id),
        select(products.c.external_id, products.c.name, products.c.price_minor),
        select(identities.c.value, customers.c.country).join(
            customers, customers.c.id == identities.c.customer_id
        ),
        select(consents.c.id),
    )
    with open_database(settings.storage.url) as database:
        return database.read_now(
            lambda c: [sorted(map(tuple, c.execute(query))) for query in found]
        )


def start(settings: Settings, file: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "RAPPORT_STORAGE__URL": settings.storage.url,
        "RAPPORT_STORAGE__DATA_DIRECTORY": str(settings.storage.data_directory),
    }
    command = [sys.executable, "-c", START, "import", str(file)]
    return subprocess.Popen(
        [*command, "--mapping", "online-retail"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def rows_read(database: Database) -> int:
    found = database.read_now(ingest.all_imports)
    return found[0].progress.rows_read if found else 0


def kill_after_progress(settings: Settings, file: Path, pause: float) -> int:
    """How many rows are stored when a child was killed, a while after its first."""
    with open_database(settings.storage.url) as database:
        before = rows_read(database)
        process = start(settings, file)
        while process.poll() is None and rows_read(database) == before:
            time.sleep(0.002)
        time.sleep(pause)
        process.kill()
        process.wait()
        return rows_read(database)


@pytest.mark.flow
def test_an_import_that_is_killed_again_and_again_ends_as_one_that_is_not(
    settings, write, tmp_path
):
    file = write(retail_lines(40_000))
    chance = random.Random(5)

    killed_at = [
        kill_after_progress(settings, file, chance.uniform(0, 0.05)) for _ in range(3)
    ]
    exit_code = import_command(settings, str(file), "online-retail")

    calm = Settings(
        storage={
            "url": f"sqlite:///{tmp_path / 'calm.db'}",
            "data_directory": tmp_path / "calm",
        }
    )
    import_command(calm, str(file), "online-retail")
    assert 0 < killed_at[0] < 40_000
    assert exit_code == EXIT_REJECTS
    assert stored(settings) == stored(calm)
    assert rejects_of(settings) == rejects_of(calm)


def rejects_of(settings: Settings) -> str:
    return (settings.storage.data_directory / "rejects" / "1.csv").read_text()


def test_a_summary_tells_what_was_read_corrected_and_rejected(settings, write, capsys):
    file = write(
        "order_id,ordered_at,customer_id,product_id,quantity,price\n"
        "A1,2011-03-01,7,P1,3,0.335\n"
        "A1,2011-03-01,7,P2,x,1\n"
    )

    exit_code = import_command(settings, str(file), "orders")

    said = " ".join(capsys.readouterr().out.split())
    assert exit_code == EXIT_REJECTS
    assert "read 2 accepted 1 of these corrected 1" in said
    assert "rejected 1 not a whole number of units 1" in said
    assert str(settings.storage.data_directory / "rejects") in said.replace(" ", "")


def test_rejected_rows_stand_in_a_file_with_their_lines(settings, write):
    file = write(
        'order_id,ordered_at,price\nA1,2011-03-01,"1\n2"\nA2,yesterday,1\nA3,2011-03-01,1\n'
    )

    import_command(settings, str(file), "orders")

    rows = list(csv.reader(io.StringIO(rejects_of(settings).lstrip("\ufeff"))))
    marks = ["rejected_line", "rejected_reason", "rejected_value", "rejected_from"]
    assert rows == [
        ["order_id", "ordered_at", "price", *marks],
        ["A1", "2011-03-01", "1\n2", "2", "bad_number (price)", "1\n2", "1"],
        ["A2", "yesterday", "1", "4", "bad_date (ordered_at)", "yesterday", "1"],
    ]


def test_the_same_file_again_changes_nothing_and_says_so(settings, write, capsys):
    file = write(retail_lines(500))
    import_command(settings, str(file), "online-retail")
    before = stored(settings)

    import_command(settings, str(file), "online-retail")

    assert stored(settings) == before
    assert "nothing has changed" in capsys.readouterr().out


def test_the_same_rows_in_another_file_change_nothing(settings, write):
    import_command(settings, str(write(retail_lines(500))), "online-retail")
    before = stored(settings)

    again = write(retail_lines(500) + "\n", "again.csv")
    import_command(settings, str(again), "online-retail")

    assert stored(settings) == before


def test_a_longer_file_brings_what_is_new(settings, write):
    import_command(settings, str(write(retail_lines(500))), "online-retail")

    file = write(retail_lines(900))
    import_command(settings, str(file), "online-retail")

    heads, lines, *_ = stored(settings)
    assert (len(heads), len(lines)) == (100, 899)


def test_standard_input_is_read_like_a_file(settings, monkeypatch):
    text = retail_lines(90)[:-1]
    standard = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr(sys, "stdin", standard)

    import_command(settings, "-", "online-retail")

    assert len(stored(settings)[0]) == 10


def test_another_source_has_customers_of_its_own(settings, write):
    file = write(retail_lines(90))
    import_command(settings, str(file), "online-retail")

    import_command(settings, str(file), "online-retail", source="branch")

    names = {value.split(":")[0] for value, _ in stored(settings)[3]}
    assert names == {"online-retail", "branch"}


@pytest.fixture
def unfinished(settings, write):
    """An import whose command was stopped after its first batch."""
    mapping = find_mapping("online-retail", TEMPLATES)
    file = write(retail_lines(5000))

    def interrupt(_: object) -> None:
        raise InterruptedError

    with open_database(settings.storage.url) as database:
        with pytest.raises(InterruptedError):
            import_file(
                database, SystemClock(), settings, file, mapping, report=interrupt
            )
        (row,) = database.read_now(ingest.incomplete_imports)
    return row


def test_an_unfinished_import_says_how_far_it_came(unfinished):
    assert unfinished.file_name == "shop.csv"
    assert 2000 <= unfinished.progress.rows_read < 5000


def test_an_unfinished_import_can_be_given_up(settings, unfinished):
    assert close_import_command(settings, unfinished.id) == EXIT_OK

    with open_database(settings.storage.url) as database:
        assert database.read_now(ingest.incomplete_imports) == []


def test_giving_up_another_one_tells_which_there_are(settings, unfinished):
    with pytest.raises(DataError, match=r"Unfinished: 1 \(shop\.csv\)"):
        close_import_command(settings, 99)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_real_retail_file_comes_in_whole(settings, data_set):
    folder = data_set("online_retail")
    file = folder / "online_retail_to_2011-09-09.csv.gz"

    assert import_command(settings, str(file), "online-retail") == EXIT_OK

    with open_database(settings.storage.url) as database:
        (row,) = database.read_now(ingest.all_imports)
    assert row.progress.rows_accepted == 334_054
    assert row.progress.corrected == {"order_date_differs": 1527, "amount_rounded": 2}
    assert row.progress.flagged == {"quantity_over_limit": 2}


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_real_customer_file_comes_in_whole(settings, data_set):
    file = data_set("marketing_campaign") / "marketing_campaign_shared.csv"

    assert import_command(settings, str(file), "customer-personality") == EXIT_OK

    with open_database(settings.storage.url) as database:
        first = database.read_now(
            lambda c: c.execute(select(customers).order_by(customers.c.id)).first()
        )
    assert (first.birth_date.year, first.income_minor) == (1957, 5_813_800)
    assert first.created_at < datetime(2012, 9, 5, tzinfo=UTC)
    assert first.attributes["Education"] == "Graduation"
