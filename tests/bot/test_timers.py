"""Surveys and idle closes happen when they are due, once, and not after silence."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from core.model import EpisodeEnd, Sender, system
from storage import schema
from tests.bot.house import House

pytestmark = pytest.mark.anyio


async def closed_by_bot(house: House) -> None:
    await house.say("where is my parcel")
    await house.say(button="yes")
    await house.say(button="done")


async def test_asks_a_minute_after_the_close(house: House) -> None:
    await closed_by_bot(house)
    house.clock.advance(59)
    early = await house.service.timers.tick()
    house.clock.advance(1)
    await house.service.timers.tick()

    assert early == 0
    assert "How satisfied" in house.thread()[-1].text
    assert len(house.thread()[-1].buttons) == 5


async def test_one_broken_dialogue_stops_no_other(house: House) -> None:
    await closed_by_bot(house)
    broken = update(schema.conversations).values(dialogue={"stage": "nowhere"})
    house.database.write_now(system("test"), lambda c: c.execute(broken))
    await house.say("where is my parcel", who="bob")
    house.clock.advance(24 * 3600)
    await house.service.timers.tick()

    assert house.events("bob")[-1] == "closed"


async def test_asks_once(house: House) -> None:
    await closed_by_bot(house)
    house.clock.advance(60)
    await house.service.timers.tick()
    house.clock.advance(60)

    assert await house.service.timers.tick() == 0
    assert house.events().count("survey_sent") == 1


async def test_the_survey_knows_what_it_is_about(house: House) -> None:
    await closed_by_bot(house)
    house.clock.advance(60)
    await house.service.timers.tick()

    about = house.feedback()
    assert about is not None
    assert (about.answered_by, about.topic, about.channel) == (
        Sender.BOT,
        "parcel",
        "webchat",
    )


async def test_the_survey_knows_which_person_answered(house: House) -> None:
    lea = house.member()
    await house.say("/human")
    waiting = house.conversation()
    taken = await house.desk.take(waiting.id, lea, waiting.version)
    await house.desk.reply(waiting.id, lea, taken.version, "Here you are.")
    await house.desk.close(waiting.id, lea, taken.version)
    house.clock.advance(60)
    await house.service.timers.tick()

    about = house.feedback()
    assert about is not None
    assert (about.answered_by, about.staff_id) == (Sender.AGENT, lea.id)


async def test_a_low_score_asks_for_the_issue_and_a_comment(house: House) -> None:
    await closed_by_bot(house)
    house.clock.advance(60)
    await house.service.timers.tick()
    episode_id = house.episode().id

    await house.say(button=f"score:{episode_id}:2")
    await house.say(button="issue:late_delivery")
    await house.say("It took three weeks")

    answer = house.feedback()
    assert answer is not None
    assert (answer.score, answer.issue, answer.comment) == (
        2,
        "late_delivery",
        "It took three weeks",
    )
    assert "scored" in house.events()


async def test_no_second_survey_within_the_cool_down(house: House) -> None:
    await closed_by_bot(house)
    house.clock.advance(60)
    await house.service.timers.tick()
    house.clock.advance(2 * 24 * 3600)
    await closed_by_bot(house)
    house.clock.advance(60)
    await house.service.timers.tick()

    assert house.events().count("survey_sent") == 1


async def test_a_survey_that_is_hours_late_is_not_asked(house: House) -> None:
    await closed_by_bot(house)
    house.clock.advance(3 * 3600)
    await house.service.timers.tick()

    assert house.feedback() is None


async def test_who_writes_again_before_the_survey_is_not_asked_in_between(
    house: House,
) -> None:
    await closed_by_bot(house)
    await house.say("how do I return it")
    house.clock.advance(60)
    await house.service.timers.tick()

    assert house.feedback() is None


async def test_silence_closes_the_bots_episode_without_a_survey(house: House) -> None:
    await house.say("where is my parcel")
    house.clock.advance(30 * 60)
    await house.service.timers.tick()
    house.clock.advance(60)
    await house.service.timers.tick()

    assert house.episode().ended is EpisodeEnd.CONTAINED
    assert house.feedback() is None


async def test_who_waits_for_a_person_is_not_closed_by_silence(house: House) -> None:
    await house.say("/human")
    house.clock.advance(24 * 3600)
    await house.service.timers.tick()

    assert house.conversation().open


async def test_an_abandoned_episode_is_not_asked_about(house: House) -> None:
    lea = house.member()
    await house.say("/human")
    waiting = house.conversation()
    taken = await house.desk.take(waiting.id, lea, waiting.version)
    await house.desk.close(waiting.id, lea, taken.version, EpisodeEnd.ABANDONED)
    house.clock.advance(60)
    await house.service.timers.tick()

    assert house.feedback() is None
