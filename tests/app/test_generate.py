"""`rapport generate`: the same files for the same words, and a key that is complete."""

from __future__ import annotations

import csv
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import phonenumbers
import pytest

from app.demo.names import WIDE_ORIGINS
from app.demo.profile import load_profile
from app.generator.copies import BY_DUPLICATE, DUPLICATE
from app.generator.dirt import REJECTED, REPEATED
from app.generator.homes import LANDS, draw_home
from app.generator.plan import Plan
from app.generator.sheet import KEY_FILE
from app.generator.typist import mistyped
from app.generator.write import FILES, write_files
from app.importing import import_file
from content.mapping_file import find_mapping
from content.profile import PROFILES, TEMPLATES
from content.rejected import LINE
from core.clock import SystemClock
from core.settings import ROOT, Settings, Storage
from storage.database import Database, open_database
from tests.app.conftest import Rapport

SMALL = Plan(customers=300, seed=7, block_customers=100)
DIRTY = Plan(customers=300, seed=7, dirty_ratio=0.2, block_customers=300)
MAPPINGS = {name: name.removesuffix(".csv") for name in FILES}
CITIES = sorted({place for origin in WIDE_ORIGINS for place in origin.places})

Row = dict[str, str]


def quiet(_done: int, _rows: int) -> None:
    """Nobody looks."""


def write(plan: Plan, folder: Path, workers: int = 1) -> Path:
    write_files(plan, folder, quiet, workers)
    return folder


def rows(folder: Path, name: str) -> list[Row]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def planted_in(files: dict[str, list[Row]], row: Row) -> Row:
    """The row that a row of the key is about."""
    return files[row["file"]][int(row["line"]) - 2]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(SMALL, tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(DIRTY, tmp_path_factory.mktemp("dirty"))


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the dirty files would be if nothing were wrong."""
    return write(replace(DIRTY, dirty_ratio=0.0), tmp_path_factory.mktemp("right"))


@pytest.fixture(scope="module")
def key(dirty: Path) -> list[Row]:
    return rows(dirty, KEY_FILE)


# --- what is written ------------------------------------------------------------------


def test_the_same_plan_gives_the_same_bytes(dirty: Path, tmp_path: Path) -> None:
    assert contents(write(DIRTY, tmp_path)) == contents(dirty)


def test_two_processes_write_what_one_writes(clean: Path, tmp_path: Path) -> None:
    assert contents(write(SMALL, tmp_path, workers=2)) == contents(clean)


def test_another_seed_gives_other_people(clean: Path, tmp_path: Path) -> None:
    write(replace(SMALL, customers=100, seed=8), tmp_path)

    assert rows(tmp_path, "customers.csv") != rows(clean, "customers.csv")[:100]


def test_clean_files_have_no_key(clean: Path) -> None:
    assert {path.name for path in clean.iterdir()} == set(FILES)


def test_memory_does_not_grow_with_the_customers(tmp_path: Path) -> None:
    peaks = [_peak(replace(SMALL, customers=each), tmp_path) for each in (100, 400)]

    assert peaks[1] < 1.6 * peaks[0]


def _peak(plan: Plan, folder: Path) -> int:
    tracemalloc.start()
    try:
        write(plan, folder)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["customers.csv", "events.csv", "conversations.csv"])
def test_an_id_is_there_once(clean: Path, name: str) -> None:
    ids = [row["id"] for row in rows(clean, name)]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", ["email", "telegram"])
def test_nobody_shares_an_address(clean: Path, name: str) -> None:
    known = [row[name] for row in rows(clean, "customers.csv") if row[name]]

    assert len(known) == len(set(known))


def test_orders_follow_the_year_and_the_week(clean: Path) -> None:
    days = [
        datetime.fromisoformat(row["ordered_at"]) for row in rows(clean, "orders.csv")
    ]
    months, weekdays = (
        Counter(d.month for d in days),
        Counter(d.weekday() for d in days),
    )

    assert months[11] + months[12] > 1.3 * (months[7] + months[8])
    assert weekdays[0] > 1.2 * weekdays[5]


def test_who_takes_the_teapot_takes_the_tea(clean: Path) -> None:
    baskets: dict[str, set[str]] = {}
    for row in rows(clean, "orders.csv"):
        baskets.setdefault(row["order_id"], set()).add(row["product_name"])
    teapot = [b for b in baskets.values() if "Glass teapot Aster, 1.2 l" in b]
    tea = [b for b in baskets.values() if "Darjeeling First Flush, 100 g" in b]

    both = sum("Darjeeling First Flush, 100 g" in basket for basket in teapot)
    assert both / len(teapot) > 3 * len(tea) / len(baskets)


def test_there_are_returns_coupons_and_discounts(clean: Path) -> None:
    orders = rows(clean, "orders.csv")

    assert all(
        int(row["quantity"]) < 0 for row in orders if row["status"] == "returned"
    )
    assert any(row["status"] == "returned" for row in orders)
    assert any(row["coupon"] and float(row["discount"]) > 0 for row in orders)
    assert any(row["discount"] and not row["coupon"] for row in orders)


@pytest.mark.parametrize("profile", PROFILES)
def test_customers_have_the_attributes_of_their_trade(
    tmp_path: Path, profile: str
) -> None:
    write(Plan(60, 7, profile), tmp_path)

    known = rows(tmp_path, "customers.csv")
    wanted = {each.name: set(each.choices) for each in load_profile(profile).attributes}
    found = {name: {row[name] for row in known} for name in wanted}
    assert all(found[name] <= wanted[name] for name in wanted)


@pytest.mark.parametrize(("city", "country"), CITIES)
def test_a_home_has_a_number_that_can_be_dialled(city: str, country: str) -> None:
    home = draw_home(SMALL.rng(0, 0), city, country)

    assert country in LANDS
    assert home.postcode
    assert phonenumbers.is_valid_number(phonenumbers.parse(home.phone))


@pytest.mark.parametrize("text", ["", "ab", "Müller", "王小明", "12345"])
def test_a_typing_error_keeps_the_first_letter(text: str) -> None:
    assert mistyped(SMALL.rng(0, 0), text)[:1] == text[:1]


# --- the key --------------------------------------------------------------------------


def test_every_planted_row_is_found(dirty: Path, key: list[Row]) -> None:
    files = {name: rows(dirty, name) for name in FILES}
    known = [row for row in key if row["what"] != "nobody"]

    missing = [row for row in known if row["id"] not in planted_in(files, row).values()]
    assert missing == []


def test_what_is_wrong_differs_from_what_is_right(dirty: Path, key: list[Row]) -> None:
    files = {name: rows(dirty, name) for name in FILES}
    values = [row for row in key if row["what"] not in {DUPLICATE, REPEATED}]

    right = [
        row for row in values if planted_in(files, row)[row["field"]] == row["truth"]
    ]
    assert right == []


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_wrong_that_the_key_does_not_tell(
    dirty: Path, key: list[Row], right: Path, name: str
) -> None:
    told = {int(row["line"]) for row in key if row["file"] == name}

    found = enumerate(rows(dirty, name), start=2)
    rest = Counter(tuple(row.values()) for line, row in found if line not in told)
    assert rest <= Counter(tuple(row.values()) for row in rows(right, name))


@pytest.mark.parametrize("name", FILES[1:])
def test_about_one_row_in_five_is_wrong(dirty: Path, key: list[Row], name: str) -> None:
    lines = {row["line"] for row in key if row["file"] == name}

    assert 0.1 < len(lines) / len(rows(dirty, name)) < 0.45


def test_a_duplicate_names_the_person_that_it_is(dirty: Path, key: list[Row]) -> None:
    ids = {row["id"] for row in rows(dirty, "customers.csv")}
    others = {row["id"]: row["truth"] for row in key if row["what"] == DUPLICATE}

    assert set(others) | set(others.values()) <= ids
    assert not set(others) & set(others.values())
    assert 40 < len(others) < 160


def test_orders_of_a_duplicate_name_who_placed_them(
    dirty: Path, key: list[Row]
) -> None:
    others = {row["id"]: row["truth"] for row in key if row["what"] == DUPLICATE}
    orders = rows(dirty, "orders.csv")
    shared = [row for row in key if row["what"] == BY_DUPLICATE]

    placed = [others[orders[int(row["line"]) - 2]["customer_id"]] for row in shared]
    assert placed == [row["truth"] for row in shared]
    assert len(placed) > 20


def test_the_papers_tell_what_may_be_wrong(key: list[Row]) -> None:
    told = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")

    found = {row["what"] for row in key}
    assert {what for what in found | REJECTED if f"`{what}`" not in told} == set()
    assert len(found) > 35


# --- imported -------------------------------------------------------------------------


@dataclass(frozen=True)
class Imported:
    """What an import of one file left out, by line."""

    rejected: frozenset[int]
    accepted: int


Import = Callable[[Path, str], Imported]


@pytest.fixture
def bring_in(sqlite_template: Path, tmp_path: Path) -> Import:
    file = tmp_path / "rapport.db"
    file.write_bytes(sqlite_template.read_bytes())
    settings = Settings(storage=Storage(data_directory=tmp_path))

    def work(folder: Path, name: str) -> Imported:
        with open_database(f"sqlite:///{file}") as database:
            return _imported(database, settings, folder / name)

    return work


def _imported(database: Database, settings: Settings, file: Path) -> Imported:
    mapping = find_mapping(MAPPINGS[file.name], TEMPLATES)
    outcome = import_file(database, SystemClock(), settings, file, mapping)
    lines: frozenset[int] = frozenset()
    if outcome.rejects is not None:
        with outcome.rejects.open(encoding="utf-8-sig", newline="") as rejects:
            lines = frozenset(int(row[LINE]) for row in csv.DictReader(rejects))
    return Imported(lines, outcome.row.progress.rows_accepted)


def test_clean_files_are_imported_whole(clean: Path, bring_in: Import) -> None:
    found = {name: bring_in(clean, name) for name in FILES}

    whole = {name: Imported(frozenset(), len(rows(clean, name))) for name in FILES}
    assert found == whole


def test_dirty_files_lose_what_the_key_says(
    dirty: Path, key: list[Row], bring_in: Import
) -> None:
    found = {name: bring_in(dirty, name).rejected for name in FILES}

    bad = [row for row in key if row["what"] in REJECTED]
    wrong = {
        name: {int(row["line"]) for row in bad if row["file"] == name} for name in FILES
    }
    assert found == wrong


# --- the command ----------------------------------------------------------------------


def test_the_command_tells_what_comes_next(rapport: Rapport, tmp_path: Path) -> None:
    out = tmp_path / "shop"

    ended = rapport(
        "generate", "--customers", "50", "--out", str(out), "--dirty", "0.2"
    )

    assert ended.code == 0
    assert "rows/s" in ended.out
    assert f"rapport import {out}/customers.csv --mapping customers" in ended.out
    assert (out / KEY_FILE).exists()


def test_files_of_an_earlier_time_go(rapport: Rapport, tmp_path: Path) -> None:
    out = tmp_path / "shop"
    words = ("generate", "--customers", "40", "--out", str(out))
    rapport(*words, "--dirty", "0.2")

    ended = rapport(*words, "--until", "2025-12-31")

    assert ended.code == 0
    assert not (out / KEY_FILE).exists()


def test_a_folder_of_something_else_stays(rapport: Rapport, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ann")

    ended = rapport("generate", "--customers", "40", "--out", str(tmp_path))

    assert ended.code == 1
    assert "letter.txt" in ended.err
    assert (tmp_path / "letter.txt").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--customers", "0"), "1 to 5,000,000 customers"),
        (("--dirty", "10"), "a share from 0 to 1"),
        (("--seed", "-1"), "a seed of 0 or more"),
        (("--profile", "bnak"), "bank"),
    ],
)
def test_what_can_not_be_is_told(
    rapport: Rapport, tmp_path: Path, words: tuple[str, str], told: str
) -> None:
    ended = rapport("generate", "--out", str(tmp_path / "x"), *words)

    assert ended.code == 1
    assert told in ended.err
