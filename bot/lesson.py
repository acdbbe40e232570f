"""What a training is given: wordings with their articles, labels and folds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.tokens import detect_language, normalise
from core.errors import DataError, Problem

SEED = 0
# More questions than this make three folds good enough, and five too slow.
LARGE_COUNT = 2000
FOLDS = 5
FOLDS_LARGE = 3

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to ask for an article; out of scope where `article` is None."""

    text: str
    article: str | None


@dataclass(frozen=True, slots=True)
class Task:
    """All that a training needs, as it travels to the child process."""

    wordings: tuple[Wording, ...]
    embedder: str = "use"
    wanted_precision_ratio: float = 0.95
    content_hash: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Task:
        """What `to_json` made."""
        wordings = tuple(Wording(**row) for row in values["wordings"])
        return cls(**{**values, "wordings": wordings})


@dataclass(frozen=True, slots=True)
class Lesson:
    """The wordings in the form that fitting needs.

    Out of scope is a class of its own behind all articles: it takes its share of the
    probability, and is never shown.
    """

    texts: list[str]
    labels: Integers
    articles: tuple[str, ...]
    languages: Mapping[str, tuple[str, ...]]
    folds: Integers

    @classmethod
    def of(cls, task: Task) -> Lesson:
        """The task's wordings with labels and folds."""
        counts: dict[str, int] = defaultdict(int)
        spoken: dict[str, set[str]] = defaultdict(set)
        for wording in task.wordings:
            if wording.article is not None:
                counts[wording.article] += 1
                spoken[wording.article].add(detect_language(wording.text) or "")
        _check(counts)
        articles = tuple(sorted(counts))
        places = {article: place for place, article in enumerate(articles)}
        labels = [
            places.get(wording.article or "", len(articles))
            for wording in task.wordings
        ]
        return cls(
            texts=[normalise(wording.text) for wording in task.wordings],
            labels=np.array(labels, dtype=np.int64),
            articles=articles,
            languages={key: tuple(sorted(spoken[key] - {""})) for key in articles},
            folds=_folds(np.array(labels, dtype=np.int64)),
        )

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows belong to an article."""
        return np.asarray(self.labels < len(self.articles))

    @property
    def classes_count(self) -> int:
        """Articles, and one more where there are examples of what is none."""
        return len(self.articles) + (0 if self.known.all() else 1)


def _folds(labels: Integers) -> Integers:
    """Rows of each label dealt out in turn, in a seeded order."""
    random = np.random.default_rng(SEED)
    rarest = int(np.bincount(labels).min())
    count = min(FOLDS_LARGE if len(labels) > LARGE_COUNT else FOLDS, rarest)
    folds = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        folds[rows] = (np.arange(len(rows)) + random.integers(count)) % count
    return folds


def _check(counts: Mapping[str, int]) -> None:
    if len(counts) < 2:
        raise DataError(Problem("at least two articles are expected", str(len(counts))))
    thin = [article for article, count in sorted(counts.items()) if count < 2]
    if thin:
        raise DataError(
            Problem("each article needs at least two wordings", ", ".join(thin))
        )
