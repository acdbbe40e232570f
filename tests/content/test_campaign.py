"""Campaign definitions: marketers' words in, one frozen value out."""

from datetime import time, timedelta

import pytest

from content.campaign import (
    Campaign,
    CampaignKind,
    Goal,
    GoalEvent,
    Limits,
    Offer,
    OfferFallback,
    OfferSource,
    Schedule,
    StopIf,
    parse_campaign,
)
from content.condition import FieldKind
from content.notation import Cap, QuietHours
from core.errors import CampaignError
from core.model import Channel, OnUncertain

FILE = "win-back/campaign.yaml"
SMALL = "campaign: a\ntitle: A\ntopic: offers\nchannel: email\n"
FULL = """\
campaign: win-back
title: Win back quiet customers
version: 2
topic: offers
kind: promotion
segment: at-risk
where: orders_count > 2
channel: [telegram, email]
schedule: {cron: "0 10 * * TUE", timezone: Asia/Shanghai, catch_up: 6h}
limits: {per_customer: 1 per 14d, per_hour: 2000}
quiet_hours: "21:00-08:00"
holdout: 10%
goal: {event: order, within: 2w}
offer: {from: recommender, top: 3, fallback: bestsellers}
on_uncertain: resend
stop_if: {bounce_rate: 5%, complaint_rate: 0.1%, render_errors: 5%}
"""


def problems_of(text, **options):
    with pytest.raises(CampaignError) as caught:
        parse_campaign(text, FILE, **options)
    return caught.value.problems


def test_reads_every_key():
    assert parse_campaign(FULL, FILE) == Campaign(
        key="win-back",
        title="Win back quiet customers",
        version=2,
        topic="offers",
        kind=CampaignKind.PROMOTION,
        segment="at-risk",
        where="orders_count > 2",
        channels=(Channel.TELEGRAM, Channel.EMAIL),
        schedule=Schedule("0 10 * * tue", "Asia/Shanghai", timedelta(hours=6)),
        limits=Limits(Cap(1, timedelta(days=14)), 2000),
        quiet_hours=QuietHours(time(21), time(8)),
        holdout_ratio=0.1,
        goal=Goal(GoalEvent.ORDER, timedelta(weeks=2)),
        offer=Offer(OfferSource.RECOMMENDER, 3, OfferFallback.BESTSELLERS),
        on_uncertain=OnUncertain.RESEND,
        stop_if=StopIf(0.05, 0.001, 0.05),
    )


def test_what_is_left_out_follows_the_settings():
    campaign = parse_campaign(SMALL, FILE)

    assert campaign.on_uncertain is OnUncertain.HOLD
    assert (campaign.holdout_ratio, campaign.quiet_hours) == (None, None)
    assert campaign.offer.source is OfferSource.NONE


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("TUE", "tue"),
        ("1-5", "mon,tue,wed,thu,fri"),
        ("0,6", "sun,sat"),
        ("fri-7", "fri,sat,sun"),
        ("0-2", "sun,mon,tue"),
        ("1-7/3", "mon,thu,sun"),
        ("*/2", "*/2"),
    ],
)
def test_weekdays_are_kept_by_name(written, read):
    text = SMALL + f'schedule: {{cron: "0 10 * * {written}"}}\n'

    schedule = parse_campaign(text, FILE).schedule

    assert schedule == Schedule(f"0 10 * * {read}")


def test_yaml_traps_of_older_readers_are_not_sprung():
    text = SMALL.replace("title: A", "title: NO") + "quiet_hours: 12:30-13:00\n"

    campaign = parse_campaign(text, FILE)

    assert campaign.title == "NO"
    assert campaign.quiet_hours == QuietHours(time(12, 30), time(13))


@pytest.mark.parametrize(
    ("line", "word", "hint"),
    [
        ("segmnt: at-risk", "segmnt", "`segment`"),
        ("channels: email", "channels", "`channel`"),
        ("goal: {event: order, whithin: 14d}", "goal.whithin", "`within`"),
        ("limits: {holdout: 10%}", "limits.holdout", "left margin"),
        ("xyz: 1", "xyz", "Known here"),
    ],
)
def test_unknown_keys_name_line_word_and_nearest(line, word, hint):
    told = problems_of(SMALL + line)

    found = next(problem for problem in told if problem.value == word)
    assert (found.file, found.line) == (FILE, 5)
    assert hint in found.hint


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("version: 0", "whole number"),
        ("kind: promo", "`kind` takes one of promotion, service"),
        ("segment: At Risk", "lower-case"),
        ("holdout: 10", "a percentage, as 10%"),
        ("holdout: 100%", "below 100%"),
        ("goal: {event: order, within: 14}", "a duration, as 14d"),
        ("goal: order", "`goal` has keys of its own: event, within"),
        ("goal: {event: order}", "`goal.within` is missing"),
        ("limits: {per_customer: once}", "a number and a duration"),
        ('quiet_hours: "9pm-8am"', "two times"),
        ('quiet_hours: "08:00-08:00"', "two different times"),
        ('schedule: {cron: "0 10 * *"}', "five fields"),
        ('schedule: {cron: "0 25 * * *"}', "`25` is no hour"),
        ('schedule: {cron: "0 10 * * TUS"}', "`TUS` is no weekday"),
        ('schedule: {cron: "5-1 10 * * *"}', "`5-1` is no minute"),
        ('schedule: {cron: "*/0 10 * * *"}', "`*/0` is no minute"),
        ('schedule: {cron: "0 10 * * *", timezone: Mars/Base}', "a time zone"),
        ("offer: {top: 3}", "`offer.from` is missing"),
        ("offer: {from: model}", "`offer.from` takes one of"),
        ("on_uncertain: resnd", "`on_uncertain` takes one of hold, resend"),
        ("stop_if: {bounce_rate: high}", "`stop_if.bounce_rate` takes a percentage"),
    ],
)
def test_unusable_values_say_what_would_do(line, expected):
    (problem,) = problems_of(SMALL + line)

    assert expected in problem.expected
    assert (problem.file, problem.line) == (FILE, 5)


def test_a_misspelt_choice_names_the_nearest():
    (problem,) = problems_of(SMALL + "on_uncertain: resnd")

    assert problem.hint == "Did you mean `resend`?"


def test_all_problems_of_a_file_come_at_once():
    told = problems_of("campaign: a\nsegmnt: x\nholdout: 10\nchannel: [email, fax]\n")

    assert [(problem.line, problem.value) for problem in told] == [
        (1, None),
        (1, None),
        (2, "segmnt"),
        (3, "10"),
        (4, "['email', 'fax']"),
    ]


def test_a_repeated_key_is_refused():
    (problem,) = problems_of(SMALL + "title: B\n")

    assert "duplicate key" in problem.expected
    assert problem.line == 5


@pytest.mark.parametrize("text", ["", "- a\n", "just words"])
def test_a_file_without_keys_is_refused(text):
    (problem,) = problems_of(text)

    assert "key: value" in problem.expected


def test_yaml_tags_make_no_objects():
    told = problems_of(SMALL + "where: !!python/object/apply:os.system [ls]\n")

    assert told


def test_a_service_message_has_no_holdout():
    (problem,) = problems_of(SMALL + "kind: service\nholdout: 5%\n")

    assert "no hold-out" in problem.expected
    assert problem.line == 6


def test_a_condition_is_checked_against_the_known_fields():
    fields = {"orders_count": FieldKind.NUMBER}

    (problem,) = problems_of(SMALL + "where: order_count > 3\n", fields=fields)

    assert (problem.line, problem.value) == (5, "order_count")
    assert problem.hint == "Did you mean `orders_count`?"
