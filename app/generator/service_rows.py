"""Conversations and ratings of a block, as rows of their files."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from app.demo.arrivals import Arrival, Matter
from app.demo.moods import draw_score, issue_of
from app.demo.records import Order
from app.demo.team import AGENTS
from app.demo.wordings import Lines
from app.generator.block import Block
from app.generator.moments import write
from app.generator.sheet import Row, Sheet
from core.model import CaseKind, Channel, EpisodeEnd, OrderKind

CONVERSATIONS = (
    *("id", "customer_id", "kind", "opened_at", "closed_at", "ended", "topic", "agent"),
    *("first_response_seconds", "handling_seconds", "reopened"),
    *("score", "issue", "comment"),
)
FEEDBACK = (
    *("id", "customer_id", "answered_at", "score", "issue", "comment", "agent"),
    *("topic", "channel", "conversation_id"),
)
# Of conversations that a person had, so many were by mail, and so many by phone.
MAIL_RATIO, CALL_RATIO = 0.22, 0.18
RATED_RATIO, COMMENT_RATIO = 0.4, 0.3
REOPENED_RATIO, ABANDONED_RATIO = 0.06, 0.04
# Of orders so many are rated, some days after they came.
ORDER_RATED_RATIO = 0.05
LOW_SCORE_MAX = 3
# Nothing is closed after the moment of the data.
LATEST = timedelta(minutes=30)


def conversation_sheet(block: Block, rng: np.random.Generator) -> Sheet:
    """A row for each conversation of the last ninety days."""
    sheet = Sheet("conversations.csv", CONVERSATIONS)
    for number, arrival in enumerate(block.arrivals):
        sheet.rows.append(_conversation(block, rng, number, arrival))
    return sheet


def feedback_sheet(block: Block, rng: np.random.Generator) -> Sheet:
    """A row for each rating of an order."""
    sheet = Sheet("feedback.csv", FEEDBACK)
    chances = rng.random(len(block.orders))
    for order, chance in zip(block.orders, chances.tolist(), strict=True):
        days = timedelta(days=4 + 6 * chance / ORDER_RATED_RATIO)
        rated = chance < ORDER_RATED_RATIO and order.kind is OrderKind.SALE
        if rated and order.ordered_at + days < block.crowd.asof:
            sheet.rows.append(_rating(block, rng, order, days))
    return sheet


def _conversation(
    block: Block, rng: np.random.Generator, number: int, arrival: Arrival
) -> Row:
    draws = rng.random(8)
    topic = block.profile.topics[arrival.topic]
    person = arrival.matter is not Matter.ORDINARY or draws[0] < topic.person_ratio
    kind = _kind(float(draws[1])) if person else CaseKind.CHAT
    agent = int(draws[2] * len(AGENTS))
    waited = float(rng.exponential(6.0)) if person else 0.05
    worked = float(rng.gamma(3.0, 2.2)) * AGENTS[agent].pace if person else 0.0
    end = min(
        arrival.at + timedelta(minutes=waited + worked * (1 + float(draws[3])) + 1),
        block.crowd.asof,
    )
    ended = _end(float(draws[4]), person=person)
    row = [
        f"V{block.crowd.number}-{number}",
        block.people[arrival.customer].code,
        kind.value,
        write(arrival.at),
        write(end),
        ended.value,
        arrival.topic,
        AGENTS[agent].person.name if person else "",
        str(round(waited * 60)),
        str(round(worked * 60)) if person else "",
        str(int(draws[5] < REOPENED_RATIO)),
    ]
    if draws[6] > RATED_RATIO or ended is EpisodeEnd.ABANDONED:
        return [*row, "", "", ""]
    kindness = AGENTS[agent].kindness if person else 0.0
    score = draw_score(rng, block.profile, arrival, waited, kindness)
    issue = issue_of(block.profile, arrival, waited) if score <= LOW_SCORE_MAX else ""
    return [*row, str(score), issue, _comment(block, rng, arrival, score)]


def _rating(
    block: Block, rng: np.random.Generator, order: Order, days: timedelta
) -> Row:
    """An order's rating is a conversation's without the conversation."""
    profile = block.profile
    troubled = any(line.product == profile.catalogue.trouble for line in order.lines)
    since = block.crowd.asof - order.ordered_at < timedelta(days=46)
    matter = Matter.TROUBLE if troubled and since else Matter.ORDINARY
    topic = profile.trouble.topic if matter is Matter.TROUBLE else profile.relief.topic
    at = order.ordered_at + days
    arrival = Arrival(at, order.customer, Channel.EMAIL, topic, matter)
    score = draw_score(rng, profile, arrival, 0.0, 0.0)
    issue = issue_of(profile, arrival, 0.0) if score <= LOW_SCORE_MAX else ""
    told = matter is Matter.TROUBLE
    return [
        f"F-{order.code}",
        block.people[order.customer].code,
        write(at),
        str(score),
        issue,
        # What else people write is about conversations.
        _comment(block, rng, arrival, score) if told else "",
        "",
        topic if told else "",
        Channel.EMAIL.value,
        "",
    ]


def _kind(chance: float) -> CaseKind:
    if chance < MAIL_RATIO:
        return CaseKind.MAIL
    return CaseKind.CALL if chance < MAIL_RATIO + CALL_RATIO else CaseKind.CHAT


def _end(chance: float, *, person: bool) -> EpisodeEnd:
    if not person:
        return EpisodeEnd.CONTAINED
    abandoned = chance < ABANDONED_RATIO
    return EpisodeEnd.ABANDONED if abandoned else EpisodeEnd.RESOLVED


def _comment(
    block: Block, rng: np.random.Generator, arrival: Arrival, score: int
) -> str:
    if rng.random() > COMMENT_RATIO:
        return ""
    words = block.profile.words
    lines: Lines = words.low_comments if score <= LOW_SCORE_MAX else words.high_comments
    if arrival.matter is Matter.TROUBLE:
        lines = words.trouble_comments
    language = block.people[arrival.customer].language
    choices = lines.get(language, lines["en"])
    return choices[int(rng.integers(len(choices)))]
