"""A small shop for tests: a bot with two articles, a clock that stands still, staff."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.knowledge import Knowledge
from bot.service import BotService
from bot.understand import Candidate, Understander, Understanding, load_model
from bot.words import Kind
from content.articles import Article, ArticleText
from content.articles import Knowledge as Articles
from core.clock import SimulatedClock
from core.model import Channel, Role, Update, system
from core.settings import Settings
from storage import (
    conversations,
    customers,
    episodes,
    feedback,
    inbox,
    messages,
    staff,
)
from storage.database import Database
from storage.messages import Message
from storage.staff import Member, NewMember

MORNING = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TEST = system("test")


def article(key: str, question: str, answer: str) -> Article:
    text = ArticleText(key.capitalize(), answer, (question, f"{question} 2", "3"))
    return Article(key, "orders", {"en": text})


ARTICLES = Articles(
    {
        "parcel": article("parcel", "where is my parcel", "It is on its way."),
        "returns": article("returns", "how do I return it", "Send it back."),
    }
)


class Literal(Understander):
    """Knows the articles' questions word by word; `perhaps` makes it doubt."""

    def __init__(self) -> None:
        self._words = load_model(None)

    @property
    def manifest(self) -> None:
        return None

    def understand(self, text: str, language_hint: str | None = None) -> Understanding:
        found = self._words.understand(text, language_hint)
        if found.kind is not Kind.UNREADY:
            return found
        for key, known in ARTICLES.articles.items():
            if text == known.texts["en"].questions[0]:
                return Understanding(Kind.ANSWER, found.language, key, 0.9)
        if "perhaps" in text:
            both = tuple(Candidate(key, 0.5) for key in ARTICLES.articles)
            return Understanding(Kind.SUGGEST, found.language, candidates=both)
        return Understanding(Kind.UNKNOWN, found.language)


class LiteralKnowledge(Knowledge):
    """Two articles instead of the shipped ones, and no training."""

    async def _push_starting_set(self) -> None:
        return

    async def _read_articles(self) -> None:
        self._show(ARTICLES, ("parcel",))

    def _load_or_train(self, articles: Articles) -> Understander:
        return Literal()


@dataclass
class House:
    """The service, and what tests ask of it."""

    database: Database
    base: Path
    settings: Settings = field(default_factory=Settings)
    clock: Any = field(default_factory=lambda: SimulatedClock(MORNING))

    def __post_init__(self) -> None:
        knowledge = LiteralKnowledge(
            self.database, self.clock, self.settings, self.base
        )
        self.service = BotService(
            self.database, self.clock, self.settings, self.base, knowledge
        )
        self.desk = self.service.desk
        self._count = 0

    async def open(self) -> House:
        await self.service.knowledge.prepare()
        await self.service.knowledge.renew_model()
        return self

    async def say(
        self,
        text: str = "",
        *,
        who: str = "ann",
        button: str | None = None,
        channel: Channel = Channel.WEBCHAT,
        language: str | None = None,
    ) -> list[Message]:
        """What the bot answered to these words or this button."""
        known = self.thread(who, channel)
        self._count += 1
        update = self.update(f"u{self._count}", text, who, button, channel, language)
        await self.service.turns.store(update)
        await self.service.turns.drain()
        return [
            message
            for message in self.thread(who, channel)[len(known) :]
            if message.sender != "customer"
        ]

    def update(
        self,
        key: str,
        text: str = "",
        who: str = "ann",
        button: str | None = None,
        channel: Channel = Channel.WEBCHAT,
        language: str | None = None,
    ) -> Update:
        return Update(
            source=channel.value,
            external_id=key,
            channel=channel,
            address=who,
            received_at=self.clock.now(),
            text=text,
            button=button,
            display_name=who.capitalize(),
            language=language,
        )

    def waiting_updates(self) -> int:
        return len(self.database.read_now(lambda c: inbox.unhandled(c, 0, 1000)))

    def member(self, name: str = "Lea") -> Member:
        new = NewMember(f"{name}@shop.example".lower(), name, Role.AGENT, "x")
        staff_id = self.database.write_now(
            TEST, lambda c: staff.add_member(c, new, self.clock.now())
        )
        found = self.database.read_now(lambda c: staff.member(c, staff_id))
        assert found is not None
        return found

    def sign_in(self, member: Member) -> None:
        self.database.write_now(
            TEST, lambda c: staff.open_session(c, "hash", member.id, self.clock.now())
        )

    def conversation(
        self, who: str = "ann", channel: Channel = Channel.WEBCHAT
    ) -> conversations.Conversation:
        found = self.database.read_now(lambda c: conversations.find(c, channel, who))
        assert found is not None
        return found

    def thread(
        self, who: str = "ann", channel: Channel = Channel.WEBCHAT
    ) -> list[Message]:
        found = self.database.read_now(lambda c: conversations.find(c, channel, who))
        if found is None:
            return []
        return self.database.read_now(lambda c: messages.thread(c, found.id))

    def episode(self, who: str = "ann") -> episodes.Episode:
        conversation_id = self.conversation(who).id
        found = self.database.read_now(lambda c: episodes.newest(c, conversation_id))
        assert found is not None
        return found

    def events(self, who: str = "ann") -> list[str]:
        conversation_id = self.conversation(who).id
        return self.database.read_now(
            lambda c: [kind.value for kind in episodes.events_of(c, conversation_id)]
        )

    def feedback(self, who: str = "ann") -> feedback.Feedback | None:
        episode_id = self.episode(who).id
        return self.database.read_now(lambda c: feedback.of_episode(c, episode_id))

    def consent(self, channel: Channel) -> bool:
        customer_id = self.conversation().customer_id
        return self.database.read_now(
            lambda c: customers.has_consent(c, customer_id, channel, "offers")
        )
