"""What the bot knows: articles from the database, and the model trained on them.

The articles of `templates/knowledge` become the first versions where there are none.
Training runs in a child process and loading in a thread, so the program serves at
once; until the model is there, fixed words are understood and questions wait a moment.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.reply import render_reply
from bot.states import Reply
from bot.understand import Understander, Understanding, load_model
from bot.words import Kind
from content.articles import OUT_OF_SCOPE, load_knowledge
from content.articles import Knowledge as Articles
from content.phrases import Phrases, load_phrases
from content.profile import content_root
from core.clock import Clock
from core.errors import DataError
from core.log import get_logger
from core.model import Button, system
from core.settings import Settings
from storage import changes, feedback, versions
from storage.changes import ChangeFeed
from storage.database import Connection, Database
from storage.versions import ContentKind

ACTOR = system("knowledge")
FILE = "article.json"
# A question waits so long for the model at the first start, then for a person.
PATIENCE_SECONDS = 45.0
# Several articles saved in a row make one training.
QUIET_SECONDS = 2.0
# Offered with the greeting until customers have shown what they ask for.
STARTERS = ("order-status", "how-to-return", "delivery-time")
STARTERS_COUNT = 3

log = get_logger("knowledge")


@dataclass(frozen=True, slots=True)
class Content:
    """The articles of one moment, ready to be shown."""

    articles: Articles = field(default_factory=lambda: Articles({}))
    keys: frozenset[str] = frozenset()
    popular: tuple[str, ...] = ()


class Knowledge:
    """The newest articles and model; also the voice that turns replies into words."""

    def __init__(
        self, database: Database, clock: Clock, settings: Settings, base: Path
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._directory = base / "models" / "understanding"
        shop = settings.shop
        self._company = {
            "name": shop.name,
            "support_email": shop.support_email,
            "url": shop.url,
        }
        self._phrases: Phrases | None = None
        self._content = Content()
        self._understander: Understander | None = None
        self._read = asyncio.Event()
        self._trained = asyncio.Event()
        # Set while the newest model could not be made or loaded; the reason.
        self.problem: str | None = None

    @property
    def articles(self) -> frozenset[str]:
        return self._content.keys

    @property
    def popular(self) -> tuple[str, ...]:
        return self._content.popular

    def words(self, reply: Reply, language: str) -> tuple[str, tuple[Button, ...]]:
        """A reply's text and buttons."""
        if self._phrases is None:
            message = "the phrases were not read yet"
            raise RuntimeError(message)
        return render_reply(
            reply,
            self._phrases,
            self._content.articles.articles,
            language,
            self._company,
        )

    async def understand(
        self, text: str, language: str, *, patient: bool = True
    ) -> Understanding:
        """What a text means; a patient question waits for the first model."""
        await self._read.wait()
        found = self._ask(text, language)
        if found.kind is Kind.UNREADY and patient and self.problem is None:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._trained.wait()
            except TimeoutError:
                return found
            found = self._ask(text, language)
        return found

    async def ready(self) -> None:
        """Wait until questions are answered."""
        await self._trained.wait()

    async def prepare(self) -> None:
        """Read words, phrases and articles; after this the bot can speak."""
        shop = self._settings.shop
        self._phrases = await asyncio.to_thread(
            load_phrases,
            shop.name,
            shop.support_email,
            tuple(shop.languages),
            own=content_root(shop.profile) / "bot",
        )
        if self._understander is None:
            self._understander = await asyncio.to_thread(load_model, None)
        await self._push_starting_set()
        await self._read_articles()
        self._read.set()

    async def run(self) -> None:
        """Keep the model that of the newest articles, for ever."""
        last_id = await self._database.read(changes.newest_id)
        await self.prepare()
        await self.renew_model()
        feed = ChangeFeed(self._database).follow(last_id)
        async for change in feed:
            if change.kind == ContentKind.ARTICLES and change.actor != str(ACTOR):
                await asyncio.sleep(QUIET_SECONDS)
                await self._read_articles()
                await self.renew_model()

    def _ask(self, text: str, language: str) -> Understanding:
        if self._understander is None:
            message = "the words were not read yet"
            raise RuntimeError(message)
        return self._understander.understand(text, language)

    async def _push_starting_set(self) -> None:
        count = await self._database.read(
            lambda c: versions.counts(c, ContentKind.ARTICLES)
        )
        if count:
            return
        root = content_root(self._settings.shop.profile)
        shipped = await asyncio.to_thread(load_knowledge, root / "knowledge")
        now = self._clock.now()
        await self._database.write(ACTOR, lambda c: push(c, shipped, now))

    async def _read_articles(self) -> None:
        articles, asked = await self._database.read(
            lambda c: (newest(c), feedback.most_answered(c, STARTERS_COUNT))
        )
        self._show(articles, asked)

    def _show(self, articles: Articles, asked: tuple[str, ...]) -> None:
        popular = dict.fromkeys((*asked, *STARTERS))
        self._content = Content(
            articles,
            frozenset(articles.articles),
            tuple(key for key in popular if key in articles.articles)[:STARTERS_COUNT],
        )

    async def renew_model(self) -> None:
        """Load the model of the newest articles, trained where there is none."""
        articles = self._content.articles
        try:
            self._understander = await asyncio.to_thread(self._load_or_train, articles)
        except Exception as error:
            # The model before stays: it still answers what has not changed.
            self.problem = str(error)
            log.exception("training_failed")
            return
        self.problem = None
        self._trained.set()
        manifest = self._understander.manifest
        accuracy = manifest.metrics.get("accuracy") if manifest else None
        log.info("model_ready", articles=len(articles.articles), accuracy=accuracy)

    def _load_or_train(self, articles: Articles) -> Understander:
        directory = self._directory / self._name(articles)
        try:
            return load_model(directory)
        except DataError:
            self._train(articles, directory)
        return load_model(directory)

    def _train(self, articles: Articles, directory: Path) -> None:
        from bot.train import Task, Wording, train_in_child

        bot = self._settings.bot
        wordings = tuple(Wording(text, key) for text, key in articles.wordings())
        task = Task(
            wordings, bot.embedder, bot.wanted_precision_ratio, articles.content_hash
        )
        report = train_in_child(task, directory)
        log.info("model_trained", sha256=report.sha256[:12])

    def _name(self, articles: Articles) -> str:
        bot = self._settings.bot
        parts = [articles.content_hash, bot.embedder, bot.wanted_precision_ratio]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def push(connection: Connection, articles: Articles, now: datetime) -> None:
    """Make each article that differs from its newest version a newer one."""
    for key, article in sorted(articles.articles.items()):
        _push(connection, key, article.to_json(), now)
    _push(connection, OUT_OF_SCOPE, dict(articles.out_of_scope), now)


def newest(connection: Connection) -> Articles:
    """The newest version of every article."""
    stored = {
        key: _newest(connection, key)
        for key in versions.keys(connection, ContentKind.ARTICLES)
    }
    out_of_scope = stored.pop(OUT_OF_SCOPE, {})
    return Articles.from_json(
        {"articles": list(stored.values()), "out_of_scope": out_of_scope}
    )


def _push(connection: Connection, key: str, content: Any, now: datetime) -> None:
    # One text a line, so that versions can be compared by eye.
    text = json.dumps(content, ensure_ascii=False, indent=1)
    versions.push(connection, ContentKind.ARTICLES, key, {FILE: text}, now)


def _newest(connection: Connection, key: str) -> Any:
    found = versions.newest(connection, ContentKind.ARTICLES, key)
    return json.loads(found.files[FILE]) if found else {}
