"""Shop, bank and travel agency: each has what its demo and its customers need."""

from __future__ import annotations

from pathlib import Path
from shutil import copy

import pytest

from app.demo.check import check_demo
from app.demo.installation import directory_of, write_config
from app.demo.profile import Profile, load_profile
from app.demo.show import show_demo
from app.wiring import open_program
from content.articles import Knowledge, load_knowledge
from content.files import (
    CampaignSource,
    list_campaigns,
    read_campaign,
    read_layout,
)
from content.lint import lint
from content.phrases import Phrases, load_phrases
from content.profile import PROFILES, TEMPLATES, content_root
from content.reasons import read_reasons
from core.clock import SystemClock
from core.errors import DataError
from core.settings import Settings, Shop, Storage
from storage import versions
from storage.versions import ContentKind

OTHERS = [name for name in PROFILES if name != "shop"]
LANGUAGES = ("en", "zh")
CAMPAIGNS = [
    (name, key) for name in OTHERS for key in list_campaigns(content_root(name))
]


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> Profile:
    return load_profile(request.param)


@pytest.fixture
def knowledge(profile: Profile) -> Knowledge:
    return load_knowledge(content_root(profile.key) / "knowledge")


def phrases_of(name: str) -> Phrases:
    own = content_root(name) / "bot"
    return load_phrases("Ours", "help@ours.example", own=own)


# --- content --------------------------------------------------------------------------


def test_every_topic_has_its_article(profile: Profile, knowledge: Knowledge) -> None:
    named = {
        *profile.topics,
        *profile.popular_topics,
        *profile.unhappy_topics,
        *profile.open_topics,
        profile.relief.article,
        profile.trouble.topic,
    }

    assert named <= set(knowledge.articles)


def test_every_article_is_there_in_both_languages(knowledge: Knowledge) -> None:
    languages = {tuple(article.texts) for article in knowledge.articles.values()}

    assert languages == {LANGUAGES}
    assert all(len(knowledge.out_of_scope[each]) > 50 for each in LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_issue_has_its_words(profile: Profile, language: str) -> None:
    keys = phrases_of(profile.key).keys

    assert {f"issue_{issue}" for issue in profile.issues} <= keys
    assert {topic.issue for topic in profile.topics.values()} <= {*profile.issues, None}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_bot_of_another_trade_is_no_shop_assistant(
    name: str, language: str
) -> None:
    greeting = phrases_of(name).render("greeting", language)

    assert greeting != phrases_of("shop").render("greeting", language)
    assert "shop" not in greeting


def test_phrases_that_do_not_differ_stay(tmp_path: Path) -> None:
    phrases = load_phrases("Ours", "help@ours.example", own=tmp_path)

    assert phrases.keys == phrases_of("shop").keys


@pytest.mark.parametrize(("name", "key"), CAMPAIGNS)
def test_a_campaign_has_no_finding(name: str, key: str) -> None:
    source = read_campaign(content_root(name), key)

    assert lint(CampaignSource(key, {**source.files, **read_layout(TEMPLATES)})) == []


def test_the_earlier_runs_are_of_a_campaign_that_ships(profile: Profile) -> None:
    assert profile.campaign in list_campaigns(content_root(profile.key))


def test_reasons_are_complete(profile: Profile) -> None:
    reasons = read_reasons(content_root(profile.key), LANGUAGES)

    assert set(reasons.sentences["en"]) >= {"bought_before", "goes_with", "popular"}


def test_products_have_codes_and_prices_of_their_own(profile: Profile) -> None:
    goods = profile.catalogue.products

    assert len({one.code for one in goods}) == len(goods) >= 40
    assert len({one.url for one in goods}) == len(goods)
    assert all(one.price_minor > 0 for one in goods)


def test_settings_and_profiles_name_the_same() -> None:
    choices = Settings.model_fields["shop"].annotation.model_fields["profile"]

    assert choices.annotation.__args__ == PROFILES


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(DataError, match="travel"):
        load_profile("travle")


# --- the demo -------------------------------------------------------------------------


@pytest.mark.flow
@pytest.mark.parametrize("name", OTHERS)
def test_the_check_of_a_profile_ends_well(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = check_demo(customers=80, profile=name)

    told = capsys.readouterr()
    assert code == 0, told.err
    assert load_profile(name).campaign in told.out


@pytest.mark.parametrize("name", OTHERS)
def test_an_installation_starts_with_its_profile(
    name: str, sqlite_template: Path, tmp_path: Path
) -> None:
    copy(sqlite_template, tmp_path / "rapport.db")
    url = f"sqlite:///{tmp_path / 'rapport.db'}"
    storage = Storage(url=url, data_directory=tmp_path)
    settings = Settings(shop=Shop(profile=name), storage=storage)

    with open_program(settings, SystemClock()) as program:
        keys = program.database.read_now(
            lambda c: versions.keys(c, ContentKind.CAMPAIGN)
        )

    assert sorted(keys) == list_campaigns(content_root(name))


def test_profiles_keep_their_data_apart() -> None:
    assert len({directory_of(name) for name in PROFILES}) == len(PROFILES)


def test_a_folder_of_another_profile_is_refused(tmp_path: Path) -> None:
    write_config(tmp_path, 8080, 2525, load_profile("bank"))

    with pytest.raises(DataError, match="--profile bank"):
        show_demo(0, tmp_path, fresh=False, profile="travel")
