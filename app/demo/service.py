"""Ninety days of customer service, played through the program's own dialogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from app.demo.arrivals import DAYS, Arrival, Matter
from app.demo.moods import draw_score, issue_of
from app.demo.people import Cast
from app.demo.profile import Profile
from app.demo.records import Service
from app.demo.talk import Book, Conversation, Rules, Voice
from app.demo.team import AGENTS, Roster, staffed
from app.demo.wordings import ELSE, Lines
from bot.states import Context
from bot.understand import Candidate, Understanding
from bot.words import Kind
from core.model import Channel, EpisodeEnd, IdentityKind, Owner
from core.settings import Settings

# The article that helps was added then.
RELIEF_DAYS_AGO = 20.0
RELIEF_PERSON_RATIO = 0.12
RESPONSE_RATIO = 0.4
RESPONSE_TROUBLE_RATIO = 0.72
# Who writes again within a day may be taken for going on with the survey.
PAUSE = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class World:
    """What the conversations of a shop have in common."""

    asof: datetime
    voice: Voice
    rules: Rules
    profile: Profile
    survey_cool_down: timedelta

    @classmethod
    def of(
        cls, settings: Settings, asof: datetime, voice: Voice, profile: Profile
    ) -> World:
        """As the settings say."""
        bot = settings.bot
        rules = Rules(
            handling_idle=timedelta(minutes=bot.handling_idle_minutes),
            idle_close=timedelta(minutes=bot.idle_close_minutes),
            survey_delay=timedelta(seconds=bot.survey_delay_seconds),
        )
        cool_down = timedelta(days=bot.survey_cool_down_days)
        return cls(asof, voice, rules, profile, cool_down)


def play(
    rng: np.random.Generator, world: World, cast: Cast, arrivals: list[Arrival]
) -> Service:
    """What was said, by all who arrived, and what is being said now."""
    hall = _Hall(rng, world, cast)
    for arrival in arrivals:
        hall.serve(arrival)
    hall.leave_open()
    return _sorted(hall.book, hall.conversations)


class _Hall:
    """All conversations as they go on, one arrival after the other."""

    def __init__(self, rng: np.random.Generator, world: World, cast: Cast) -> None:
        self.book = Book()
        self.conversations: list[Conversation] = []
        self._rng = rng
        self._world = world
        self._profile = world.profile
        self._words = world.profile.words
        self._cast = cast
        self._roster = Roster.from_start(world.asof - timedelta(days=DAYS + 1))
        self._by_address: dict[tuple[int, Channel], Conversation] = {}
        self._busy_until: dict[int, datetime] = {}
        self._asked_at: dict[int, datetime] = {}
        self._articles = frozenset(world.voice.knowledge.articles)
        self._articles_before = self._articles - {self._profile.relief.article}

    def serve(self, arrival: Arrival) -> None:
        """One episode from the first word to the survey."""
        if arrival.at < self._busy_until.get(arrival.customer, arrival.at):
            return
        talk = self._talk(arrival.customer, arrival.channel)
        end, waited = self._scene(arrival)(talk, arrival)
        if talk.owner is Owner.BOT and end < self._world.asof - timedelta(minutes=30):
            end = self._survey(talk, arrival, end, waited)
        self._busy_until[arrival.customer] = end + PAUSE

    def leave_open(self) -> None:
        """Two customers wait at this moment, and one talks to a person."""
        asof, topics = self._world.asof, self._profile.open_topics
        for number, customer in enumerate(self._cast.cases["waiting"]):
            at = asof - timedelta(minutes=13 - 7 * number, seconds=20)
            topic = topics[number % len(topics)]
            self._to_queue(self._talk(customer, Channel.WEBCHAT), topic, at)
        for customer in self._cast.cases["with_agent"]:
            talk = self._talk(customer, Channel.WEBCHAT)
            at = self._to_queue(talk, topics[0], asof - timedelta(minutes=16))
            self._talk_now(talk, at)

    def _talk_now(self, talk: Conversation, at: datetime) -> None:
        taken = at + timedelta(minutes=4)
        staff = len(AGENTS) - 1
        talk.take(staff, AGENTS[staff].person.name, taken, self._context(taken))
        reply = taken + timedelta(seconds=95)
        talk.act(taken + timedelta(seconds=45))
        opening = self._line(self._words.opening(ELSE), talk)
        talk.answer(opening, reply, self._context(reply))
        said = reply + timedelta(seconds=70)
        self._say(talk, self._line(self._words.answers, talk), Kind.UNKNOWN, said)

    # Scenes: what becomes of one question. Each returns its end and the wait.

    def _scene(
        self, arrival: Arrival
    ) -> Callable[[Conversation, Arrival], tuple[datetime, float]]:
        chance = float(self._rng.random())
        ratio = self._profile.topics[arrival.topic].person_ratio
        if self._is_relieved(arrival):
            ratio = RELIEF_PERSON_RATIO
        if arrival.matter is not Matter.ORDINARY or chance < ratio:
            return self._with_person
        rest = (chance - ratio) / (1 - ratio)
        if rest < 0.5:
            return self._answered
        if rest < 0.8:
            return self._answered_and_gone
        return self._clarified if rest < 0.93 else self._given_up

    def _answered(self, talk: Conversation, arrival: Arrival) -> tuple[datetime, float]:
        at = self._ask(talk, self._article(arrival), arrival.at)
        return self._thank(talk, at), 0.0

    def _answered_and_gone(
        self, talk: Conversation, arrival: Arrival
    ) -> tuple[datetime, float]:
        at = self._ask(talk, self._article(arrival), arrival.at)
        end = at + self._world.rules.idle_close
        talk.fall_silent(end, self._context(end))
        return end, 0.0

    def _clarified(
        self, talk: Conversation, arrival: Arrival
    ) -> tuple[datetime, float]:
        key = self._article(arrival)
        near = [key, *self._neighbours(key)][:3]
        order = self._rng.permutation(len(near))
        candidates = tuple(
            Candidate(near[place], round(0.5 - 0.1 * number, 3))
            for number, place in enumerate(order)
        )
        meaning = Understanding(Kind.SUGGEST, talk.language, None, 0.5, candidates)
        at = arrival.at
        talk.say(self._question(key, talk.language), meaning, at, self._context(at))
        at = self._later(at, 6, 40)
        talk.press(f"article:{key}", at, self._context(at))
        return self._thank(talk, at), 0.0

    def _given_up(self, talk: Conversation, arrival: Arrival) -> tuple[datetime, float]:
        at = arrival.at
        texts = self._world.voice.knowledge.out_of_scope[talk.language]
        self._say(talk, texts[int(self._rng.integers(len(texts)))], Kind.UNKNOWN, at)
        end = at + self._world.rules.idle_close
        talk.fall_silent(end, self._context(end))
        return end, 0.0

    def _with_person(
        self, talk: Conversation, arrival: Arrival
    ) -> tuple[datetime, float]:
        trouble = arrival.matter is Matter.TROUBLE
        at = self._to_queue(talk, arrival.topic, arrival.at, trouble=trouble)
        agent, place, free = self._roster.first_free(at)
        taken = self._later(free, 25, 170)
        patience = timedelta(minutes=6 + float(self._rng.exponential(70)))
        stays = arrival.matter is not Matter.ORDINARY
        last = self._world.asof - timedelta(minutes=50)
        if taken > last or (taken - at > patience and not stays):
            return self._leave_queue(talk, at, min(at + patience, last)), 0.0
        self._roster.wait(at, taken)
        end = self._served(talk, arrival, agent, taken)
        self._roster.free_at[agent][place] = end
        return end, (taken - at).total_seconds() / 60

    def _leave_queue(
        self, talk: Conversation, begun: datetime, at: datetime
    ) -> datetime:
        self._roster.wait(begun, at)
        at = max(at, begun + timedelta(seconds=30))
        talk.press("back", at, self._context(at))
        end = at + self._world.rules.idle_close
        talk.fall_silent(end, self._context(end))
        return end

    def _served(
        self, talk: Conversation, arrival: Arrival, agent: int, at: datetime
    ) -> datetime:
        """A person takes over, writes, listens, writes and closes."""
        who = AGENTS[agent]
        talk.take(agent, who.person.name, at, self._context(at))
        if arrival.matter is Matter.ORDINARY and self._rng.random() < 0.05:
            # The customer has gone; nothing is left to answer.
            at = self._work(talk, at, 20, 60, who.pace)
            talk.close(EpisodeEnd.ABANDONED, at, self._context(at))
            return at
        openings = self._words.opening(arrival.topic)
        rounds = 1 + int(self._rng.random() < 0.55) + int(self._rng.random() < 0.2)
        for number in range(rounds):
            at = self._work(talk, at, 45, 150, who.pace)
            lines = openings if number == 0 else self._words.closings
            leave = bool(self._rng.random() < 0.35)
            text = self._line(lines, talk)
            talk.answer(text, at, self._context(at), leave=leave)
            at = self._later(at, 20, 420 if leave else 150)
            said = self._words.answers if number < rounds - 1 else self._words.thanks
            self._say(talk, self._line(said, talk), Kind.UNKNOWN, at)
        at = self._work(talk, at, 10, 45, who.pace)
        talk.close(EpisodeEnd.RESOLVED, at, self._context(at))
        return at

    # Parts of scenes.

    def _to_queue(
        self, talk: Conversation, topic: str, at: datetime, *, trouble: bool = False
    ) -> datetime:
        """Ask, hear an answer that does not help, and want a person."""
        question = self._line(self._words.trouble_questions, talk) if trouble else None
        at = self._ask(talk, topic, at, question)
        chance = self._rng.random()
        if chance < 0.35:
            at = self._later(at, 8, 30)
            talk.press("human", at, self._context(at))
            return at
        at = self._later(at, 8, 40)
        talk.press("no", at, self._context(at))
        details = self._words.trouble_details if trouble else self._words.details
        at = self._later(at, 15, 60)
        kind = Kind.UNKNOWN if chance < 0.8 else Kind.UPSET
        self._say(talk, self._line(details, talk), kind, at)
        return at

    def _ask(
        self, talk: Conversation, key: str, at: datetime, text: str | None = None
    ) -> datetime:
        score = round(float(self._rng.uniform(0.71, 0.99)), 3)
        meaning = Understanding(Kind.ANSWER, talk.language, key, score)
        words = text or self._question(key, talk.language)
        talk.say(words, meaning, at, self._context(at))
        return at

    def _thank(self, talk: Conversation, at: datetime) -> datetime:
        at = self._later(at, 10, 80)
        talk.press("yes", at, self._context(at))
        at = self._later(at, 4, 30)
        talk.press("done", at, self._context(at))
        return at

    def _say(self, talk: Conversation, text: str, kind: Kind, at: datetime) -> None:
        talk.say(text, Understanding(kind, talk.language), at, self._context(at))

    def _work(
        self, talk: Conversation, at: datetime, low: float, high: float, pace: float
    ) -> datetime:
        """The agent reads and types; the console notes it every minute."""
        end = at + timedelta(seconds=float(self._rng.uniform(low, high)) * pace)
        while at < end:
            talk.act(at)
            at += timedelta(seconds=60)
        return end

    # The survey.

    def _survey(
        self, talk: Conversation, arrival: Arrival, end: datetime, waited: float
    ) -> datetime:
        row = talk.row()
        if row.due_at is None:
            return end
        at = row.due_at
        asked = self._asked_at.get(talk.customer)
        if asked is not None and at - asked < self._world.survey_cool_down:
            talk.forget_survey()
            return end
        self._asked_at[talk.customer] = at
        place = talk.ask_survey(at, self._context(at))
        ratio = RESPONSE_RATIO
        if arrival.matter is Matter.TROUBLE:
            ratio = RESPONSE_TROUBLE_RATIO
        if arrival.matter is not Matter.UNHAPPY and self._rng.random() >= ratio:
            return at
        staff = self.book.surveys[place].staff
        kindness = AGENTS[staff].kindness if staff is not None else 0.0
        score = draw_score(self._rng, self._profile, arrival, waited, kindness)
        return self._answer_survey(talk, arrival, score, waited, at)

    def _answer_survey(
        self,
        talk: Conversation,
        arrival: Arrival,
        score: int,
        waited: float,
        at: datetime,
    ) -> datetime:
        at = self._later(at, 8, 400)
        episode = talk.state.surveyed_episode
        talk.press(f"score:{episode}:{score}", at, self._context(at))
        if score <= 3 and self._rng.random() < 0.85:
            at = self._later(at, 5, 25)
            issue = issue_of(self._profile, arrival, waited)
            talk.press(f"issue:{issue}", at, self._context(at))
        words = self._words
        comments = words.high_comments if score > 3 else words.low_comments
        ratio = 0.14 if score > 3 else 0.3
        if arrival.matter is Matter.TROUBLE:
            comments, ratio = words.trouble_comments, 0.6
        if self._rng.random() < ratio:
            at = self._later(at, 15, 90)
            self._say(talk, self._line(comments, talk), Kind.UNKNOWN, at)
        return at

    # What scenes need to know.

    def _talk(self, customer: int, channel: Channel) -> Conversation:
        found = self._by_address.get((customer, channel))
        if found is not None:
            return found
        person = self._cast.people[customer]
        address = person.address(IdentityKind(channel.value))
        if address is None:
            message = f"customer {customer} has no address for {channel}"
            raise RuntimeError(message)
        made = Conversation(
            len(self.conversations),
            customer,
            channel,
            address,
            "zh" if person.language == "zh" else "en",
            self.book,
            self._world.voice,
            self._world.rules,
        )
        self.conversations.append(made)
        self._by_address[customer, channel] = made
        return made

    def _context(self, at: datetime) -> Context:
        articles = self._articles
        if not self._has_new_article(at):
            articles = self._articles_before
        return Context(
            queue_length=self._roster.waiting(at),
            staffed=staffed(at) or at > self._world.asof - timedelta(hours=1),
            email_known=True,
            survey_delay_seconds=self._world.rules.survey_delay.total_seconds(),
            articles=articles,
            popular=self._profile.popular_topics,
            issues=self._profile.issues,
        )

    def _article(self, arrival: Arrival) -> str:
        """What the bot shows; the new article takes many questions from another."""
        new = self._is_relieved(arrival)
        article = self._profile.relief.article
        return article if new and self._rng.random() < 0.6 else arrival.topic

    def _neighbours(self, key: str) -> list[str]:
        articles, new = (
            self._world.voice.knowledge.articles,
            self._profile.relief.article,
        )
        topic = articles[key].topic
        others = [each for each in articles if each not in {key, new}]
        return [each for each in others if articles[each].topic == topic]

    def _is_relieved(self, arrival: Arrival) -> bool:
        about = arrival.topic == self._profile.relief.topic
        return about and self._has_new_article(arrival.at)

    def _has_new_article(self, at: datetime) -> bool:
        return at > self._world.asof - timedelta(days=RELIEF_DAYS_AGO)

    def _question(self, key: str, language: str) -> str:
        asked = self._world.voice.knowledge.articles[key].text(language).questions
        return asked[int(self._rng.integers(len(asked)))]

    def _line(self, lines: Lines, talk: Conversation) -> str:
        choices = lines[talk.language]
        return choices[int(self._rng.integers(len(choices)))]

    def _later(self, at: datetime, low: float, high: float) -> datetime:
        """Some seconds later, rather the fewer."""
        share = float(self._rng.beta(1.3, 2.5))
        return at + timedelta(seconds=round(low + (high - low) * share, 3))


def _sorted(book: Book, conversations: list[Conversation]) -> Service:
    """What all conversations left behind, in the order of time but for messages."""
    return Service(
        talks=tuple(talk.row() for talk in conversations),
        episodes=tuple(book.episodes),
        messages=tuple(book.messages),
        happenings=tuple(sorted(book.happenings, key=lambda row: row.at)),
        handlings=tuple(sorted(book.handlings, key=lambda row: row.started_at)),
        surveys=tuple(book.surveys),
        words=tuple(sorted(book.words, key=lambda row: row.at)),
    )
