"""Articles become versions, versions become a model, and changes a newer one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot import knowledge
from bot.artefact import ARRAYS
from bot.knowledge import Knowledge
from bot.words import Kind
from content.articles import Article, ArticleText, load_knowledge
from content.articles import Knowledge as Articles
from core.clock import SystemClock
from core.model import system
from core.settings import Bot, Settings
from storage import versions
from storage.database import Database
from storage.versions import ContentKind

# Training takes seconds, and the versions are the same on both databases.
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("database_kind", ["sqlite"]),
]

LEAD = system("lead")
SETTINGS = Settings(bot=Bot(embedder="none", wanted_precision_ratio=0.6))


def article(key: str, *questions: str) -> Article:
    return Article(key, "orders", {"en": ArticleText(key, "Answer.", questions)})


SMALL = Articles(
    {
        "parcel": article("parcel", "where is my parcel", "track parcel", "my parcel"),
        "size": article("size", "which size fits me", "size chart", "size of shoes"),
    },
    {"en": ("what is the weather", "tell me a joke", "who won the match")},
)


def push(database: Database, articles: Articles) -> None:
    now = SystemClock().now()
    database.write_now(LEAD, lambda c: knowledge.push(c, articles, now))


def open_at(database: Database, base: Path) -> Knowledge:
    return Knowledge(database, SystemClock(), SETTINGS, base)


@pytest.fixture
async def running(
    anyio_backend: str, database: Database, tmp_path: Path
) -> AsyncIterator[Knowledge]:
    """Knowledge of two articles that follows their versions."""
    push(database, SMALL)
    found = open_at(database, tmp_path)
    task = asyncio.ensure_future(found.run())
    await found.ready()
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_shipped_articles_are_the_first_versions(
    database: Database, tmp_path: Path
) -> None:
    await open_at(database, tmp_path).prepare()

    assert database.read_now(knowledge.newest) == load_knowledge()


async def test_the_shipped_articles_do_not_come_again(
    database: Database, tmp_path: Path
) -> None:
    push(database, SMALL)

    await open_at(database, tmp_path).prepare()

    assert database.read_now(knowledge.newest) == SMALL


async def test_an_article_that_is_the_same_makes_no_version(
    database: Database,
) -> None:
    changed = replace(SMALL.articles["size"], topic="products")
    push(database, SMALL)
    push(database, replace(SMALL, articles={**SMALL.articles, "size": changed}))

    numbers = [
        database.read_now(
            lambda c, k=key: versions.newest(c, ContentKind.ARTICLES, k).version
        )
        for key in ("parcel", "size")
    ]
    assert numbers == [1, 2]


async def test_questions_are_understood_by_the_model(running: Knowledge) -> None:
    found = await running.understand("where is my parcel", "en")

    assert found.candidates[0].article == "parcel"


async def test_fixed_words_need_no_model(database: Database, tmp_path: Path) -> None:
    push(database, SMALL)
    found = open_at(database, tmp_path)
    await found.prepare()

    understood = await found.understand("hello", "en")

    assert understood.kind is Kind.GREETING


async def test_a_new_article_is_learnt(running: Knowledge, database: Database) -> None:
    gift = article("gift", "gift wrapping", "wrap it as a gift", "gift box")
    push(database, replace(SMALL, articles={**SMALL.articles, "gift": gift}))

    async with asyncio.timeout(60):
        while await best(running, "gift box") != "gift":  # noqa: ASYNC110  no event says it
            await asyncio.sleep(0.05)

    assert "gift" in running.articles


async def test_a_damaged_model_is_trained_again(
    running: Knowledge, database: Database, tmp_path: Path
) -> None:
    damage(tmp_path)

    again = open_at(database, tmp_path)
    await again.prepare()
    await again.renew_model()

    found = await again.understand("size chart", "en")
    assert found.candidates[0].article == "size"


async def test_without_a_model_questions_go_to_a_person(
    database: Database, tmp_path: Path
) -> None:
    lonely = replace(SMALL, articles={"size": SMALL.articles["size"]})
    push(database, lonely)
    found = open_at(database, tmp_path)
    await found.prepare()
    await found.renew_model()

    understood = await found.understand("size chart", "en")

    assert understood.kind is Kind.UNREADY
    assert found.problem is not None


async def best(knowledge: Knowledge, text: str) -> str:
    """The article that fits best."""
    return (await knowledge.understand(text, "en")).candidates[0].article


def damage(base: Path) -> None:
    """Cut the end of the model's file off."""
    arrays = next(base.rglob(ARRAYS))
    arrays.write_bytes(arrays.read_bytes()[:-100])
