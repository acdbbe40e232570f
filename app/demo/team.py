"""The demo's team: who works when, how fast, and who takes the next customer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from app.demo.purchases import ZONE
from app.demo.records import Staffer
from core.model import Role

# Each agent talks to so many customers at once.
PARALLEL = 2
WEEKDAYS = (0, 1, 2, 3, 4)
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: `pace` multiplies the time for a reply, `kindness` adds to scores."""

    person: Staffer
    begins: time
    ends: time
    saturdays: bool
    pace: float
    kindness: float

    def on_shift(self, at: datetime) -> bool:
        """Whether the agent works at this moment."""
        local = at.astimezone(ZONE)
        works = local.weekday() in WEEKDAYS
        if local.weekday() == SATURDAY:
            works = self.saturdays
        return works and self.begins <= local.time() < self.ends

    def next_shift(self, at: datetime) -> datetime:
        """The first moment from `at` on at which the agent works."""
        if self.on_shift(at):
            return at
        local = at.astimezone(ZONE)
        for days in range(8):
            day = local.date() + timedelta(days=days)
            begin = datetime.combine(day, self.begins, ZONE).astimezone(at.tzinfo)
            if begin >= at and self.on_shift(begin):
                return begin
        message = "an agent works on some day of each week"
        raise RuntimeError(message)


AGENTS = (
    Agent(
        Staffer("mia@example.com", "Mia Hoffmann", Role.AGENT),
        time(8, 0),
        time(16, 0),
        False,
        0.75,
        0.15,
    ),
    Agent(
        Staffer("jonas@example.com", "Jonas Weber", Role.AGENT),
        time(9, 30),
        time(18, 0),
        True,
        1.0,
        0.0,
    ),
    Agent(
        Staffer("na@example.com", "李娜", Role.AGENT),
        time(12, 0),
        time(20, 30),
        True,
        1.35,
        -0.1,
    ),
)
STAFF = (
    *(agent.person for agent in AGENTS),
    Staffer("ruth@example.com", "Ruth Albers", Role.LEAD),
    Staffer("tom@example.com", "Tom Becker", Role.MARKETER),
)


def staffed(at: datetime) -> bool:
    """Whether anybody works at this moment."""
    return any(agent.on_shift(at) for agent in AGENTS)


@dataclass(slots=True)
class Roster:
    """Who is free when, and who waits."""

    free_at: list[list[datetime]] = field(default_factory=list)
    waits: list[tuple[datetime, datetime]] = field(default_factory=list)

    @classmethod
    def from_start(cls, start: datetime) -> Roster:
        """Everybody free."""
        return cls([[start] * PARALLEL for _ in AGENTS])

    def waiting(self, at: datetime) -> int:
        """How many customers wait at this moment."""
        return sum(begun <= at < taken for begun, taken in self.waits)

    def first_free(self, at: datetime) -> tuple[int, int, datetime]:
        """Agent, place at the agent's desk, and when; the soonest from `at` on."""
        choices = [
            (agent.next_shift(max(at, free)), number, place)
            for number, agent in enumerate(AGENTS)
            for place, free in enumerate(self.free_at[number])
        ]
        when, number, place = min(choices)
        return number, place, when

    def wait(self, begun: datetime, until: datetime) -> None:
        """Note a customer who waits; those of long ago are forgotten."""
        self.waits = [row for row in self.waits if row[1] > begun - timedelta(days=3)]
        self.waits.append((begun, until))
