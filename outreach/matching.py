"""The matching as a step: who is one person becomes one, in doubt a person decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from core.clock import Clock
from core.log import get_logger
from core.model import MergeMethod, system
from core.settings import Matching as MatchingSettings
from storage import analysis, candidates, customers, merges, pairs
from storage.analysis import NewModelRun, ResultWriter, StoredRun
from storage.candidates import Proposal
from storage.database import Connection, Database
from storage.merges import MergeError
from storage.pairs import Pair

if TYPE_CHECKING:
    from analytics.matching import Matching
    from analytics.matching_words import Evidence

T = TypeVar("T")

log = get_logger("matching")
MATCHER = system("matcher")
KIND, NAME = "matching", "people"
# A merge takes 3 to 20 ms. As many share a write as keep it from holding up others.
MERGES_PER_WRITE, WRITE_SECONDS = 20, 0.03
PROPOSALS_PER_WRITE = 200
# A write that was open when the last look began may have carried an earlier moment.
OVERLAP = timedelta(minutes=10)
# More proposals than these say something about the learning, not about customers.
PROPOSALS_LEAST, PROPOSALS_RATIO = 100, 0.5
# Where more have changed, or what was learnt is older, all are compared.
CHANGED_RATIO = 0.1
LEARN_EVERY = timedelta(days=7)
# What a model run says of when its weights were learnt.
LEARNT_AT = "learnt_at"
# So many comparisons tell why; the rest says no more.
REASONS = 4
# `analytics.matching.MatchDecision.MERGE`; the analysis loads only when it is used.
MERGE = "merge"


@dataclass(frozen=True, slots=True)
class Matched:
    """What one look at the customers found; `reason` says why it has no result.

    `changed` says how many were compared with all `people`, None where everybody was.
    """

    people: int = 0
    merged: int = 0
    proposed: int = 0
    waiting: int = 0
    reason: str | None = None
    changed: int | None = None


@dataclass(frozen=True, slots=True)
class _Merge:
    """A pair that is to be merged."""

    pair: Pair
    method: MergeMethod
    probability_ratio: float | None
    reason: str


async def match_customers(
    database: Database,
    clock: Clock,
    settings: MatchingSettings,
    *,
    everything: bool = False,
) -> Matched:
    """Merge who is certainly one person, and propose who may be.

    Where nothing that is compared has changed since the last look, nobody is compared
    again. Where little has, those who changed are compared with all others by what was
    learnt before. Else, once a week, and where `everything` is asked for, all are
    compared, and what agreements are worth is learnt anew.
    """
    last = await database.read(lambda c: analysis.current(c, KIND, NAME))
    if everything or last is None:
        return await _Look(database, clock, settings).run()
    if not await database.read(partial(_changed, last=last)):
        waiting = await database.read(candidates.count)
        return Matched(
            waiting=waiting, reason="nothing has changed since the last look"
        )
    return await _Look(database, clock, settings, last).run()


class _Look:
    """One look, at everybody or at those who changed since the `last` one."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: MatchingSettings,
        last: StoredRun | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._now = clock.now()
        self._last = last

    async def run(self) -> Matched:
        apart = await self._database.read(pairs.apart)
        merged = await self._merge(await self._database.read(_proven))
        found = await self._compare(apart)
        reason, proposed = found.reason or _implausible(found), 0
        if reason is None:
            safe, doubtful = _divide(found, apart)
            merged += await self._merge(safe)
            proposed = await self._propose(doubtful, found.changed)
        self._keep(found, reason)
        waiting = await self._database.read(candidates.count)
        log.info("matching_done", people=found.people, merged=merged, proposed=proposed)
        changed = None if found.changed is None else len(found.changed)
        return Matched(found.people, merged, proposed, waiting, reason, changed)

    def _keep(self, found: Matching, reason: str | None) -> None:
        if found.changed is None or self._last is None:
            since, learnt_at = None, self._now.isoformat()
        else:
            since = self._last.created_at
            learnt_at = self._last.parameters[LEARNT_AT]
        run = found.model_run(since, self._now)
        values = {name: getattr(run, name) for name in NewModelRun.__slots__}
        values["parameters"] = {**run.parameters, LEARNT_AT: learnt_at}
        ResultWriter(self._database, MATCHER, self._now).figures(
            NewModelRun(**values | {"reason": reason})
        )

    async def _compare(self, apart: Mapping[Pair, bool]) -> Matching:
        from analytics.matching import MatchingSpec, match_changed, match_people
        from analytics.matching_model import MatchModel
        from storage import frames

        people = await self._database.read(
            lambda c: frames.people_frame(c, self._settings.id_attributes)
        )
        spec = MatchingSpec(self._settings.safe_ratio, self._settings.propose_ratio)
        settled = [pair for pair, is_newer in apart.items() if not is_newer]
        if self._last is not None and self._is_fresh(self._last):
            changed = await self._database.read(partial(_changed, last=self._last))
            model = MatchModel.read(self._last.parameters)
            if model is not None and len(changed) <= CHANGED_RATIO * len(people):
                return match_changed(people, spec, model, changed, apart=settled)
        return match_people(people, spec, apart=settled)

    def _is_fresh(self, last: StoredRun) -> bool:
        """Whether what it learnt is believed, not old, and of these thresholds."""
        learnt_at = last.parameters.get(LEARNT_AT)
        if learnt_at is None or last.reason is not None:
            return False
        wanted = self._settings.safe_ratio, self._settings.propose_ratio
        used = (last.parameters[name] for name in ("safe_ratio", "propose_ratio"))
        age = self._now - datetime.fromisoformat(learnt_at)
        return age < LEARN_EVERY and tuple(used) == wanted

    async def _merge(self, found: Iterable[_Merge]) -> int:
        merged, size = 0, 1
        rest = iter(found)
        while some := list(islice(rest, size)):
            begun = self._clock.boot_seconds()
            merged += await self._database.write(
                MATCHER, partial(_merge, found=some, now=self._now)
            )
            size = next_size(size, self._clock.boot_seconds() - begun)
        return merged

    async def _propose(
        self, found: Iterable[Proposal], among: AbstractSet[int] | None
    ) -> int:
        today = await self._database.read(partial(_of_survivors, found=found))
        proposed = 0
        for some in _batches(today.values(), PROPOSALS_PER_WRITE):
            proposed += await self._database.write(
                MATCHER, partial(candidates.propose, proposals=some, now=self._now)
            )
        await self._database.write(
            MATCHER,
            partial(
                candidates.forget_others,
                found=set(today),
                looked_at=self._now,
                among=among,
            ),
        )
        return proposed


def _implausible(found: Matching) -> str | None:
    """Why the pairs are not believed, or None.

    Where nobody is there twice, learning may take the next best likeness, such as one
    given name, for one person; it shows by far too many pairs.
    """
    people = found.people if found.changed is None else len(found.changed)
    doubtful = int((found.pairs["decision"] != MERGE).sum())
    if doubtful <= max(PROPOSALS_LEAST, PROPOSALS_RATIO * people):
        return None
    return (
        f"{doubtful:,} pairs of {people:,} customers look alike, which is too "
        "many to be believed: nothing was merged or proposed by it"
    )


def _changed(connection: Connection, last: StoredRun) -> set[int]:
    return pairs.changed(connection, last.created_at - OVERLAP)


def _proven(connection: Connection) -> list[_Merge]:
    """Who proved an address that a source gave for another."""
    apart = pairs.apart(connection)
    return [
        _Merge(pair, MergeMethod.SAME_IDENTITY, None, f"the same proven {kind}")
        for pair, kind in pairs.proven(connection)
        if pair not in apart
    ]


def _divide(
    found: Matching, apart: Mapping[Pair, bool]
) -> tuple[list[_Merge], list[Proposal]]:
    """What is merged, and what a person is asked about.

    Whom somebody found to be two is not merged again without a person, nor is
    anybody who would make them one by way of others.
    """
    asked = {found.clusters[low] for low, high in apart if _together(found, low, high)}
    safe: list[_Merge] = []
    doubtful: list[Proposal] = []
    for row in found.pairs.to_dict("records"):
        pair = int(row["low_id"]), int(row["high_id"])
        ratio, evidence = float(row["probability_ratio"]), row["evidence"]
        if row["decision"] == MERGE and found.clusters[pair[0]] not in asked:
            safe.append(_Merge(pair, MergeMethod.PROBABLE, ratio, _words(evidence)))
        else:
            told = [asdict(each) for each in evidence]
            doubtful.append(Proposal(*pair, ratio, told))
    return safe, doubtful


def _together(found: Matching, low: int, high: int) -> bool:
    head = found.clusters.get(low)
    return head is not None and head == found.clusters.get(high)


def _words(evidence: Iterable[Evidence]) -> str:
    """What spoke for the pair, the heaviest first."""
    told = [each.words for each in evidence if each.weight_bits >= 0]
    return "; ".join(told[:REASONS])


def _merge(connection: Connection, found: Iterable[_Merge], now: datetime) -> int:
    """Merge these pairs, the older customer survives; returns how many were two."""
    merged = 0
    for each in found:
        one, other = sorted(customers.survivor_of(connection, i) for i in each.pair)
        if one == other:
            continue
        try:
            merges.merge(
                connection,
                one,
                other,
                each.method,
                now,
                each.probability_ratio,
                each.reason,
            )
        except MergeError:
            # Somebody erased one of them since we looked.
            log.warning("merge_refused", survivor=one, merged=other)
        else:
            merged += 1
    return merged


def _of_survivors(
    connection: Connection, found: Iterable[Proposal]
) -> dict[Pair, Proposal]:
    """The proposals by who the customers are now, each pair once with its best."""
    survivors, apart = pairs.survivors(connection), pairs.apart(connection)
    today: dict[Pair, Proposal] = {}
    for each in sorted(found, key=lambda each: each.probability_ratio):
        ids = {survivors.get(i, i) for i in (each.low_id, each.high_id)}
        if len(ids) == 2 and apart.get(pair := (min(ids), max(ids)), True):
            today[pair] = replace(each, low_id=pair[0], high_id=pair[1])
    return today


def next_size(size: int, seconds: float) -> int:
    """How many merges the next write takes, after one of so many took so long."""
    if seconds > WRITE_SECONDS:
        return max(1, size // 2)
    return min(MERGES_PER_WRITE, size * 2) if seconds < WRITE_SECONDS / 2 else size


def _batches(found: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(found)
    while some := list(islice(rest, size)):
        yield some
