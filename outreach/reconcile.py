"""Compares what the database says was sent with what the far side says it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from core.model import DeliveryState

_SHOWN = 5


class Taken(NamedTuple):
    """One message that the far side took, from its journal."""

    message_id: str
    address: str


class Recorded(NamedTuple):
    """One delivery of the database."""

    message_id: str
    address: str
    state: DeliveryState


@dataclass(frozen=True, slots=True)
class Verdict:
    """Message-IDs that disagree, sorted.

    `uncertain_delivered` is no disagreement: these arrived, and the database says
    that it does not know.
    """

    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()
    uncertain_delivered: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not (self.lost or self.doubled or self.unrecorded)

    def __str__(self) -> str:
        findings = (
            ("accepted in the database, but never taken (lost)", self.lost),
            ("taken more than once (doubled)", self.doubled),
            ("taken, but not accepted in the database (unrecorded)", self.unrecorded),
            ("taken, and held as uncertain", self.uncertain_delivered),
        )
        lines = [_line(words, ids) for words, ids in findings if ids]
        return "\n".join(lines) or "journal and database agree"


def check(taken: Iterable[Taken], recorded: Iterable[Recorded]) -> Verdict:
    """What of the two does not agree.

    A message belongs to its Message-ID and its address together, so one that went
    to the wrong address is lost for one and unrecorded for the other. A delivery
    that was never tried needs no Message-ID.
    """
    arrived = Counter(_key(each.message_id, each.address) for each in taken)
    states = {
        _key(each.message_id, each.address): each.state
        for each in recorded
        if each.message_id
    }
    accepted = {key for key, state in states.items() if state == DeliveryState.ACCEPTED}
    uncertain = {
        key for key, state in states.items() if state == DeliveryState.UNCERTAIN
    }
    return Verdict(
        lost=_ids(accepted - arrived.keys()),
        doubled=_ids(key for key, count in arrived.items() if count > 1),
        unrecorded=_ids(arrived.keys() - accepted - uncertain),
        uncertain_delivered=_ids(arrived.keys() & uncertain),
    )


def _key(message_id: str, address: str) -> tuple[str, str]:
    return message_id.strip().strip("<>"), address.strip().casefold()


def _ids(keys: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted(message_id for message_id, _ in keys))


def _line(words: str, ids: tuple[str, ...]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{len(ids)} {words}: {', '.join(ids[:_SHOWN])}{more}"
