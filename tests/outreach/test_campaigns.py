"""Campaigns as versions: what is pushed, what a run keeps, when runs begin."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from core.errors import CampaignError, StaleBase, TemplateError
from core.settings import ROOT
from outreach.campaigns import (
    begin_run,
    newest_campaign,
    push_campaign,
    push_starting_set,
    set_schedules,
)
from storage import schedules
from tests.outreach.house import NOON, House, campaign

TEMPLATES = ROOT / "templates"
LANGUAGES = ("en", "zh")


def test_the_shipped_campaigns_are_pushed_once(house: House) -> None:
    first = house.write(lambda c: push_starting_set(c, TEMPLATES, LANGUAGES, NOON))

    second = house.write(lambda c: push_starting_set(c, TEMPLATES, LANGUAGES, NOON))

    assert (first, second) == (3, 0)


def test_the_same_files_are_the_same_version(house: House) -> None:
    house.push()
    house.push()

    version, found = house.read(lambda c: newest_campaign(c, "hello"))

    assert version.version == 1
    assert version.author == "system:test"
    assert found.title == "Hello"


def test_an_unknown_campaign_is_named_with_the_nearest(house: House) -> None:
    house.push(campaign("win-back"))

    with pytest.raises(CampaignError, match="Did you mean `win-back`"):
        house.read(lambda c: newest_campaign(c, "winback"))


def test_broken_files_make_no_version(house: House) -> None:
    broken = campaign(body="{{ customer.nam }}\n")

    with pytest.raises(TemplateError, match="Did you mean"):
        house.push(broken)
    with pytest.raises(CampaignError, match="There are: none"):
        house.read(lambda c: newest_campaign(c, "hello"))


def test_a_stale_base_is_refused(house: House) -> None:
    house.push()
    house.push(campaign(body="Second\n"))
    third = campaign(body="Third\n")

    with pytest.raises(StaleBase, match="version 1, newest is 2"):
        house.write(lambda c: push_campaign(c, third, LANGUAGES, NOON, base_version=1))


def test_a_run_keeps_the_version_that_it_was_begun_with(house: House) -> None:
    house.push()
    run = house.write(lambda c: begin_run(c, "hello", NOON, NOON))
    house.push(campaign(body="Changed\n"))

    again = house.write(lambda c: begin_run(c, "hello", NOON, NOON))
    next_one = house.write(
        lambda c: begin_run(c, "hello", NOON + timedelta(days=7), NOON)
    )

    assert again == run
    assert next_one.content_hash != run.content_hash


def test_schedules_follow_settings_and_campaigns(house: House, tmp_path: Path) -> None:
    timed = 'schedule: {cron: "0 10 * * TUE", catch_up: 6h}\n'
    house.push(campaign("weekly", timed))
    house.push(campaign("by-hand"))
    house.write(lambda c: set_schedules(c, house.settings, NOON))

    found = {each.name: each for each in house.read(schedules.all_of_them)}

    assert set(found) == {"pipeline", "campaign:weekly"}
    weekly = found["campaign:weekly"]
    assert (weekly.cron, weekly.timezone) == ("0 10 * * tue", "Europe/Berlin")
    assert weekly.catch_up == timedelta(hours=6)
    assert weekly.payload == {"campaigns": ["weekly"]}


def test_a_schedule_that_is_taken_out_is_gone(house: House) -> None:
    house.push(campaign("weekly", 'schedule: {cron: "0 10 * * TUE"}\n'))
    house.write(lambda c: set_schedules(c, house.settings, NOON))
    house.push(campaign("weekly"))

    house.write(lambda c: set_schedules(c, house.settings, NOON))

    assert [each.name for each in house.read(schedules.all_of_them)] == ["pipeline"]
