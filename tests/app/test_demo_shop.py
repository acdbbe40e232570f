"""The seeded shop: its story in numbers, and what it becomes in a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy

import pandas as pd
import pytest

from analytics.features import customer_features
from analytics.rules import association_rules
from analytics.segments import SegmentationSpec, kmeans_segmentation
from app.demo.load import load_shop
from app.demo.profile import load_profile
from app.demo.records import Habit, Shop
from app.demo.shop import make_shop
from bot.states import State
from core.errors import DataError
from core.model import (
    Channel,
    DeliveryState,
    OrderKind,
    Owner,
    RunState,
    SkipReason,
    system,
)
from core.settings import load_settings
from outreach.campaigns import newest_campaign
from outreach.compose import limits_of
from outreach.policy import Skip, decide
from storage import (
    audience,
    conversations,
    feature_frames,
    ingest,
    installation,
    runs,
    totals,
)
from storage.audience import Asking
from storage.database import Connection, Database, open_database
from storage.outcomes import Arm, of_run

ASOF = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SMALL = 60
# Those that a run of the campaign on customers at risk can give when it is planned.
PLANNING_REASONS = {
    SkipReason.HOLDOUT,
    SkipReason.NO_CONSENT,
    SkipReason.NO_ADDRESS,
    SkipReason.SUPPRESSED,
    SkipReason.UNREACHABLE,
    SkipReason.CAPPED,
    SkipReason.OPEN_CONVERSATION,
    SkipReason.LOW_SCORE,
}


@pytest.fixture(scope="module")
def shop() -> Shop:
    return make_shop(7, ASOF)


@pytest.fixture(scope="module")
def small_shop() -> Shop:
    return make_shop(7, ASOF, customers=SMALL)


@pytest.fixture(scope="module")
def loaded(
    shop: Shop, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """The whole shop in a database, loaded once and only read."""
    file = tmp_path_factory.mktemp("demo") / "rapport.db"
    copy(sqlite_template, file)
    with open_database(f"sqlite:///{file}") as database:
        load_shop(database, shop, ASOF)
        yield database


# --- the story ------------------------------------------------------------------------


def test_a_shop_has_two_thousand_customers_and_two_years_of_orders(shop: Shop) -> None:
    oldest, newest = shop.orders[0].ordered_at, shop.orders[-1].ordered_at

    assert len(shop.people) == 2000
    assert len(shop.products) == 120
    assert 12_000 < len(shop.orders) < 20_000
    assert timedelta(days=700) < newest - oldest < timedelta(days=731)
    assert newest < ASOF


def test_customers_at_risk_used_to_buy_often_and_have_fallen_silent(
    shop: Shop,
) -> None:
    silent = [
        place
        for place, person in enumerate(shop.people)
        if person.habit is Habit.AT_RISK
    ]
    sales = [order for order in shop.orders if order.kind is OrderKind.SALE]
    newest = {order.customer: order.ordered_at for order in sales}
    counts = Counter(order.customer for order in sales)

    assert 240 <= len(silent) <= 300
    assert all(ASOF - newest[place] > timedelta(days=90) for place in silent)
    assert pd.Series([counts[place] for place in silent]).median() >= 8


def test_a_third_of_the_customers_is_chinese_and_written_to_in_chinese(
    shop: Shop,
) -> None:
    chinese = [person for person in shop.people if person.language == "zh"]

    assert 0.26 < len(chinese) / len(shop.people) < 0.34
    assert not any(person.name.isascii() for person in chinese)


def test_addresses_are_such_as_nobody_has(shop: Shop) -> None:
    addresses = [row.address for row in shop.suppressions]
    addresses += [
        identity.value
        for person in shop.people
        for identity in person.identities
        if identity.kind == "email"
    ]

    domains = {address.partition("@")[2] for address in addresses}

    assert domains == {"example.com", "example.org", "example.net"}
    assert len(addresses) - len(shop.suppressions) == pytest.approx(1800, abs=60)


def test_every_week_has_about_175_conversations(shop: Shop) -> None:
    opened = [row.opened_at for row in shop.service.episodes]

    assert 2000 < len(opened) < 2500
    assert min(opened) > ASOF - timedelta(days=91)


def test_satisfaction_falls_because_of_the_teapot(shop: Shop) -> None:
    surveys = pd.DataFrame(shop.service.surveys).dropna(subset=["score"])
    since = ASOF - timedelta(days=40)
    lately = surveys[pd.to_datetime(surveys["asked_at"], utc=True) >= since]
    damaged = lately["topic"] == "damaged-item"

    assert surveys["score"].mean() == pytest.approx(4.2, abs=0.1)
    assert lately["score"].mean() < surveys["score"].mean() - 0.1
    assert lately.loc[damaged, "score"].mean() < 2.5
    assert lately.loc[~damaged, "score"].mean() > 4.0


def test_four_in_ten_answer_the_survey(shop: Shop) -> None:
    surveys = shop.service.surveys

    answered = [row for row in surveys if row.score is not None]

    assert len(answered) / len(surveys) == pytest.approx(0.42, abs=0.04)


def test_the_new_article_leaves_fewer_questions_about_returns_to_people(
    shop: Shop,
) -> None:
    handed = {
        row.episode for row in shop.service.happenings if row.kind == "handed_over"
    }
    about = [
        (row.opened_at > ASOF - timedelta(days=20), place in handed)
        for place, row in enumerate(shop.service.episodes)
        if row.topic in {"how-to-return", "return-cost"}
    ]

    shares = pd.DataFrame(about, columns=["since", "handed"]).groupby("since").mean()

    assert shares.loc[False, "handed"] > 0.4
    assert shares.loc[True, "handed"] < 0.25


def test_who_buys_the_teapot_takes_the_tea(shop: Shop) -> None:
    catalogue = load_profile().catalogue
    teapot = catalogue.trouble
    tea = catalogue.place_of("Darjeeling First Flush, 100 g")
    baskets = pd.DataFrame(
        [
            (number, line.product)
            for number, order in enumerate(shop.orders)
            for line in order.lines
            if order.kind is OrderKind.SALE
        ],
        columns=["order_id", "product_id"],
    )

    rules = association_rules(baskets).rules.set_index(["antecedent", "consequent"])

    assert rules.loc[((teapot,), (tea,)), "lift"].item() > 2


def test_two_wait_in_the_queue_and_one_talks_to_a_person(shop: Shop) -> None:
    owners = Counter(row.owner for row in shop.service.talks if row.open)

    assert owners == {Owner.QUEUE: 2, Owner.AGENT: 1}


def test_a_customer_has_one_conversation_on_a_channel(shop: Shop) -> None:
    places = Counter((row.customer, row.channel) for row in shop.service.talks)

    assert max(places.values()) == 1


def test_the_same_seed_makes_the_same_shop(small_shop: Shop) -> None:
    assert make_shop(7, ASOF, customers=SMALL).digest() == small_shop.digest()


def test_another_seed_makes_another_shop(small_shop: Shop) -> None:
    assert make_shop(8, ASOF, customers=SMALL).digest() != small_shop.digest()


def test_a_shop_without_room_for_a_story_is_refused() -> None:
    with pytest.raises(ValueError, match="40 customers"):
        make_shop(7, ASOF, customers=10)


# --- in a database --------------------------------------------------------------------


def test_a_loaded_shop_is_whole_and_counts(
    database: Database, small_shop: Shop
) -> None:
    counts = load_shop(database, small_shop, ASOF).counts

    assert counts["customers"] == SMALL
    assert counts["episodes"] == len(small_shop.service.episodes)
    assert counts["messages"] == len(small_shop.service.messages)
    assert not database.read_now(ingest.incomplete_imports)
    assert {run.state for run in database.read_now(runs.newest)} == {RunState.FINISHED}


def test_a_database_with_customers_is_left_alone(
    database: Database, small_shop: Shop
) -> None:
    load_shop(database, small_shop, ASOF)

    with pytest.raises(DataError, match="without customers"):
        load_shop(database, small_shop, ASOF)


def test_a_loaded_dialogue_can_go_on(loaded: Database, shop: Shop) -> None:
    row = shop.service.talks[0]

    found = loaded.read_now(
        lambda c: conversations.find(c, Channel(row.channel), row.address)
    )

    assert found is not None
    assert State.from_json(found.dialogue).stage is row.state.stage


def test_the_analysis_finds_those_at_risk_and_the_loyal(
    loaded: Database, shop: Shop
) -> None:
    totals.refresh(loaded, system("test"), "EUR", ASOF)
    tables = loaded.read_now(lambda c: feature_frames.customer_frames(c, "EUR", ASOF))
    features = customer_features(
        tables.customers,
        tables.totals,
        tables.feedback,
        tables.conversations,
        tables.events,
        tables.figures,
        asof=ASOF,
    )

    found = kmeans_segmentation(features, SegmentationSpec())

    habits = pd.Series([person.habit for person in shop.people], features.index)
    silent = found.labels[habits.reindex(found.labels.index) == Habit.AT_RISK]
    assert {"at-risk", "loyal"} <= {segment.key for segment in found.segments}
    assert (silent == "at-risk").mean() > 0.95


def test_every_reason_to_leave_somebody_out_occurs(
    loaded: Database, shop: Shop
) -> None:
    places = range(len(shop.people))
    silent = [p + 1 for p in places if shop.people[p].habit is Habit.AT_RISK]

    def decisions(connection: Connection) -> list[object]:
        _, campaign = newest_campaign(connection, "win-back")
        key = installation.key(connection, "holdout")
        within = timedelta(days=30)
        asking = Asking(
            0, "win-back", "offers", ASOF - timedelta(days=7), ASOF - within
        )
        people = audience.candidates(connection, silent, asking)
        return list(decide(people, limits_of(campaign, load_settings(), key), ASOF))

    found = loaded.read_now(decisions)

    reasons = {each.reason for each in found if isinstance(each, Skip)}
    assert reasons == PLANNING_REASONS
    assert sum(not isinstance(each, Skip) for each in found) > 20


def test_who_was_written_to_bought_more_than_who_was_not(loaded: Database) -> None:
    first = min(loaded.read_now(runs.newest), key=lambda run: run.scheduled_for)
    until = first.scheduled_for + timedelta(days=14)

    outcomes = loaded.read_now(
        lambda c: of_run(c, first.id, first.scheduled_for, until)
    )

    bought = pd.DataFrame(
        [(row.arm, row.orders_count > 0) for row in outcomes], columns=["arm", "bought"]
    )
    shares = bought.groupby("arm")["bought"].agg(["mean", "size"])
    assert shares["mean"].max() == shares["mean"].drop(Arm.HOLDOUT).item()
    assert shares.loc[Arm.HOLDOUT, "size"] >= 10


def test_an_earlier_run_has_a_row_for_everybody_and_its_bounces(
    loaded: Database, shop: Shop
) -> None:
    first = min(loaded.read_now(runs.newest), key=lambda run: run.scheduled_for)

    funnel = loaded.read_now(lambda c: runs.funnel(c, first.id))

    assert sum(row.count for row in funnel) == len(shop.mailings[0].audience)
    assert all(row.state.terminal for row in funnel)
    assert any(row.state is DeliveryState.REJECTED for row in funnel)
