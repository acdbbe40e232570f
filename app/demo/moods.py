"""How satisfied a customer is after a conversation, and why not."""

from __future__ import annotations

import numpy as np

from app.demo.arrivals import Arrival, Matter
from app.demo.profile import Profile

MOOD = 4.62
SLOW_MINUTES = 12.0
SLOWNESS = 0.9
UNANSWERED = "no_answer_from_a_person"


def draw_score(
    rng: np.random.Generator,
    profile: Profile,
    arrival: Arrival,
    waited_minutes: float,
    kindness: float,
) -> int:
    """1 to 5: by the matter, the wait, and who answered."""
    chance = float(rng.random())
    if arrival.matter is Matter.TROUBLE:
        return 1 if chance < 0.55 else 2 if chance < 0.93 else 3
    if arrival.matter is Matter.UNHAPPY:
        return 1 if chance < 0.5 else 2
    mood = MOOD + profile.topics[arrival.topic].mood + kindness
    mood -= SLOWNESS if waited_minutes > SLOW_MINUTES else 0.0
    drawn = mood + 0.75 * float(rng.standard_normal())
    return int(np.clip(round(drawn), 1, 5))


def issue_of(profile: Profile, arrival: Arrival, waited_minutes: float) -> str:
    """What a customer with a low score says was wrong."""
    found = profile.topics[arrival.topic].issue
    if waited_minutes > SLOW_MINUTES and arrival.matter is Matter.ORDINARY:
        found = UNANSWERED
    return found if found in profile.issues else profile.issues[-1]
