"""What the demo writes of a conversation is what the program writes of the same one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.demo.profile import load_profile
from app.demo.service import World
from app.demo.talk import Book, Conversation, Voice
from bot.states import Context, State
from bot.understand import Understanding
from bot.words import Kind
from content.phrases import load_phrases
from core.model import Channel, EpisodeEnd
from core.settings import Settings
from storage import schema
from storage.database import Connection, Database
from tests.bot.house import ARTICLES, MORNING, House

pytestmark = pytest.mark.anyio

ANSWER = Understanding(Kind.ANSWER, "en", "parcel", 0.9)
UNKNOWN = Understanding(Kind.UNKNOWN, "en")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Twice:
    """One conversation, led in the program and in the demo's book at once."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.lea = house.member()
        house.sign_in(self.lea)
        self.book = Book()
        shop = house.settings.shop
        company = {
            "name": shop.name,
            "support_email": shop.support_email,
            "url": shop.url,
        }
        phrases = load_phrases(shop.name, shop.support_email)
        voice = Voice(phrases, ARTICLES, company)
        rules = World.of(Settings(), MORNING, voice, load_profile()).rules
        self.told = Conversation(
            0, 0, Channel.WEBCHAT, "ann", "en", self.book, voice, rules
        )

    def context(self) -> Context:
        bot = self.house.settings.bot
        return Context(
            survey_delay_seconds=bot.survey_delay_seconds,
            articles=frozenset(ARTICLES.articles),
            popular=("parcel",),
            issues=tuple(bot.issues),
        )

    def after(self, seconds: float) -> Any:
        self.house.clock.advance(seconds)
        return self.house.clock.now()

    async def say(self, seconds: float, text: str, meaning: Understanding) -> None:
        at = self.after(seconds)
        await self.house.say(text)
        self.told.say(text, meaning, at, self.context())

    async def press(self, seconds: float, action: str) -> None:
        at = self.after(seconds)
        await self.house.say(button=action)
        self.told.press(action, at, self.context())

    async def take(self, seconds: float) -> None:
        at, live = self.after(seconds), self.house.conversation()
        await self.house.desk.take(live.id, self.lea, live.version)
        self.told.take(0, self.lea.name, at, self.context())

    async def answer(self, seconds: float, text: str, *, leave: bool) -> None:
        at, live = self.after(seconds), self.house.conversation()
        await self.house.desk.reply(live.id, self.lea, live.version, text, leave=leave)
        self.told.answer(text, at, self.context(), leave=leave)

    async def close(self, seconds: float) -> None:
        at, live = self.after(seconds), self.house.conversation()
        await self.house.desk.close(live.id, self.lea, live.version)
        self.told.close(EpisodeEnd.RESOLVED, at, self.context())

    async def ask_survey(self, seconds: float) -> None:
        at = self.after(seconds)
        await self.house.service.timers.tick()
        self.told.ask_survey(at, self.context())

    async def fall_silent(self) -> None:
        at = self.after(timedelta(minutes=30).total_seconds())
        await self.house.service.timers.tick()
        self.told.fall_silent(at, self.context())

    def rows(self, *columns: Any) -> list[Any]:
        table = columns[0].table

        def work(connection: Connection) -> list[Any]:
            found = connection.execute(select(*columns).order_by(table.c.id))
            return [tuple(row) for row in found]

        return self.house.database.read_now(work)


@pytest.fixture
async def served(anyio_backend: str, database: Database, tmp_path: Path) -> Twice:
    """A question, a person with two stretches of work, a low score with a comment."""
    both = Twice(await House(database, tmp_path).open())
    await both.say(0, "where is my parcel", ANSWER)
    await both.press(20, "no")
    await both.say(30, "that is not it", UNKNOWN)
    await both.take(60)
    await both.answer(70, "Here it is.", leave=False)
    await both.say(40, "ok", UNKNOWN)
    await both.answer(400, "Anything else?", leave=True)
    await both.close(35)
    await both.ask_survey(61)
    await both.press(12, "score:1:2")
    await both.press(9, "issue:late_delivery")
    await both.say(30, "too slow", UNKNOWN)
    await both.say(90_000, "where is my parcel", ANSWER)
    await both.fall_silent()
    return both


async def test_the_same_messages_are_kept(served: Twice) -> None:
    table = schema.messages.c
    live = served.rows(table.sender, table.text, table.episode_id, table.created_at)

    told = [
        (row.sender, row.text, None if row.episode is None else row.episode + 1, row.at)
        for row in served.book.messages
    ]

    assert told == live


async def test_the_same_buttons_stand_under_them(served: Twice) -> None:
    live = [row[0] for row in served.rows(schema.messages.c.buttons)]

    told = [
        [{"label": each.label, "data": each.data} for each in row.buttons]
        for row in served.book.messages
    ]

    assert told == live


async def test_the_same_events_are_logged(served: Twice) -> None:
    table = schema.conversation_events.c
    live = served.rows(table.kind, table.actor, table.episode_id, table.at)
    actors = {"customer": "customer:1", "staff": f"staff:{served.lea.id}"}

    told = [
        (
            row.kind,
            actors.get(row.actor, row.actor),
            None if row.episode is None else row.episode + 1,
            row.at,
        )
        for row in served.book.happenings
    ]

    assert told == live


async def test_the_same_handling_is_counted(served: Twice) -> None:
    table = schema.handling_intervals.c
    live = served.rows(table.started_at, table.ended_at, table.active_at)

    told = [
        (row.started_at, row.ended_at, row.active_at) for row in served.book.handlings
    ]

    assert told == live
    assert len(told) == 2


async def test_the_same_feedback_is_kept(served: Twice) -> None:
    table = schema.feedback.c
    live = served.rows(
        table.asked_at,
        table.answered_at,
        table.score,
        table.issue,
        table.comment,
        table.answered_by,
        table.topic,
    )

    told = [
        (
            row.asked_at,
            row.answered_at,
            row.score,
            row.issue,
            row.comment,
            row.answered_by,
            row.topic,
        )
        for row in served.book.surveys
    ]

    assert told == live


async def test_the_same_words_are_learnt(served: Twice) -> None:
    table = schema.utterances.c
    live = served.rows(table.text, table.outcome, table.article_key, table.score)

    told = [
        (row.text, row.outcome, row.article, row.score) for row in served.book.words
    ]

    assert told == live


async def test_the_conversation_ends_in_the_same_state(served: Twice) -> None:
    live = served.house.conversation()

    told = served.told.row()

    assert told.state == State.from_json(live.dialogue)
    assert (told.owner, told.version) == (live.owner, live.version)
    assert (told.open, told.waiting_since) == (live.open, live.waiting_since)
    assert (told.due_at, told.due_event) == (live.due_at, live.due_event)
    assert told.last_message_at == live.last_message_at


async def test_the_same_episodes_are_closed(served: Twice) -> None:
    table = schema.episodes.c
    live = served.rows(table.topic, table.opened_at, table.closed_at, table.ended)

    told = [
        (row.topic, row.opened_at, row.closed_at, row.ended)
        for row in served.book.episodes
    ]

    assert told == live
