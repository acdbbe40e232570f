"""Train the two linear models on an article's wordings, and measure their doubt.

Runs in a child process (`train_in_child`), so that a server never imports
scikit-learn: `python -m bot.train IN.json OUT_DIR` prints the report as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot import artefact
from bot.artefact import Manifest, Thresholds
from bot.embedder import Embedder, make_embedder
from bot.lesson import Integers, Lesson, Task, Wording
from bot.tokens import detect_language
from bot.understand import BLENDS, CANDIDATES, Blend, softmax
from bot.view import Floats, MeaningView, View, WordsView
from core.errors import DataError, Problem
from core.settings import ROOT

__all__ = ["Report", "Task", "Wording", "train", "train_in_child"]

log = logging.getLogger(__name__)

# Exact words keep a say even where cross-validation would do without them: names of
# products mean nothing to the sentence encoder.
FACTOR_BOUNDS = (float(np.log(0.25)), float(np.log(10.0)))
# With few articles cross-validation would allow almost any score; what is less probable
# than all the rest together is no answer, and titles nobody could mean are no help.
ANSWER_FLOOR = 0.5
SUGGEST_FLOOR = 0.1
NEVER = 1.01  # no probability reaches it


@dataclass(frozen=True, slots=True)
class Report:
    """What a training made: where, its hash and its cross-validated figures."""

    directory: str
    sha256: str
    metrics: Mapping[str, float]
    thresholds: Mapping[str, Thresholds]


def train_in_child(task: Task, directory: Path) -> Report:
    """Train in a process of its own; blocks, so a server calls it in a thread.

    Raises
    ------
    DataError : with what the child had to say
    """
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "task.json"
        source.write_text(json.dumps(task.to_json()), encoding="utf-8")
        child = subprocess.run(  # noqa: S603 our own module, our own arguments
            [sys.executable, "-m", "bot.train", str(source), str(directory.resolve())],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            # The server's own threads need the other cores.
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    if child.returncode != 0:
        last = child.stderr.strip().splitlines()[-1:]
        raise DataError(Problem("training the bot failed", "".join(last)))
    values = json.loads(child.stdout)
    thresholds = {key: Thresholds(**pair) for key, pair in values["thresholds"].items()}
    return Report(**{**values, "thresholds": thresholds})


def train(task: Task, directory: Path) -> Report:
    """Fit, cross-validate, choose thresholds, save.

    Raises
    ------
    DataError : if there are fewer than two articles, or an article with one wording
    """
    lesson = Lesson.of(task)
    embedder = make_embedder(task.embedder)
    if embedder is None and task.embedder != "none":
        log.warning("embedder_not_installed", extra={"embedder": task.embedder})
    views = _views(lesson, embedder)
    judged = {name: _out_of_fold(view, lesson) for name, view in views.items()}
    sharpness = {
        blend.value: _sharpness([judged[name] for name in BLENDS[blend]], lesson)
        for blend in BLENDS
        if set(BLENDS[blend]) <= set(judged)
    }
    scores = {
        blend: _blend([judged[name] for name in BLENDS[Blend(blend)]], factors, lesson)
        for blend, factors in sharpness.items()
    }
    thresholds = {
        blend: choose_thresholds(values, lesson.labels, task.wanted_precision_ratio)
        for blend, values in scores.items()
    }
    metrics = _metrics(scores, thresholds, lesson, task.wanted_precision_ratio)
    arrays: dict[str, NDArray[Any]] = {}
    for view in views.values():
        arrays.update(view.arrays(lesson))
    manifest = Manifest(
        articles=lesson.articles,
        languages=lesson.languages,
        embedder=embedder.name if embedder else "none",
        thresholds=thresholds,
        sharpness={
            blend: dict(zip(BLENDS[Blend(blend)], factors, strict=True))
            for blend, factors in sharpness.items()
        },
        metrics=metrics,
        content_hash=task.content_hash,
    )
    digest = artefact.save(directory, manifest, arrays)
    return Report(str(directory), digest, metrics, thresholds)


def _views(lesson: Lesson, embedder: Embedder | None) -> dict[str, View]:
    views: dict[str, View] = {Blend.WORDS.value: WordsView(lesson.texts)}
    if embedder is not None:
        views[Blend.MEANING.value] = MeaningView(lesson.texts, embedder)
    return views


def choose_thresholds(scores: Floats, labels: Integers, wanted: float) -> Thresholds:
    """The lowest scores that keep the promises, on rows the models had not seen.

    At or above `answer` a share `wanted` of all rows (out-of-scope ones count as
    wrong) has its right article on top; down to `suggest` the titles shown hold the
    right one more often than not. Where no score keeps the promise the bot never
    answers by itself.
    """
    top = scores.max(axis=1)
    right = scores.argmax(axis=1) == labels
    answer = max(_lowest_score(top, right, wanted), ANSWER_FLOOR)
    order = np.argsort(-scores, axis=1)[:, :CANDIDATES]
    shown = (order == labels[:, None]).any(axis=1)
    grey = top < answer
    suggest = _worth_asking(top[grey], shown[grey], answer)
    return Thresholds(answer, max(suggest, SUGGEST_FLOOR))


def _lowest_score(top: Floats, right: NDArray[np.bool_], wanted: float) -> float:
    order = np.argsort(-top, kind="stable")
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Rows of one score are taken or left together.
    last = np.append(np.diff(top[order]) < 0, True)[: len(order)]
    kept = np.flatnonzero((precision >= wanted) & last)
    return float(top[order][kept[-1]]) if len(kept) else NEVER


def _worth_asking(top: Floats, shown: NDArray[np.bool_], answer: float) -> float:
    order = np.argsort(-top, kind="stable")
    balance = np.cumsum(np.where(shown[order], 1, -1))
    if not len(order) or balance.max() <= 0:
        return answer
    return float(top[order][int(balance.argmax())])


def _out_of_fold(view: View, lesson: Lesson) -> Floats:
    """Logits of every row by models that did not see it."""
    found = np.zeros((len(lesson.labels), lesson.classes_count))
    for fold in range(int(lesson.folds.max()) + 1):
        test = np.flatnonzero(lesson.folds == fold)
        train = np.flatnonzero(lesson.folds != fold)
        found[test] = view.logits(train, test, lesson.labels)
    return found


def _sharpness(logits: Sequence[Floats], lesson: Lesson) -> tuple[float, ...]:
    """Factors on each view's logits that make their sum honest (least log loss)."""
    from scipy.optimize import minimize

    rows = np.arange(len(lesson.labels))

    def loss(exponents: Floats) -> float:
        summed = sum(
            part * factor
            for part, factor in zip(logits, np.exp(exponents), strict=True)
        )
        right = softmax(np.asarray(summed))[rows, lesson.labels]
        return float(-np.log(right + 1e-12).mean())

    start = np.zeros(len(logits))
    bounds = [FACTOR_BOUNDS] * len(logits)
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds)
    return tuple(float(factor) for factor in np.exp(found.x))


def _blend(
    logits: Sequence[Floats], factors: Sequence[float], lesson: Lesson
) -> Floats:
    """Probabilities of the articles; the share of "none of them" is left out."""
    summed = sum(part * factor for part, factor in zip(logits, factors, strict=True))
    return softmax(np.asarray(summed))[:, : len(lesson.articles)]


def _metrics(
    scores: Mapping[str, Floats],
    thresholds: Mapping[str, Thresholds],
    lesson: Lesson,
    wanted: float,
) -> dict[str, float]:
    best = Blend.BOTH.value if Blend.BOTH.value in scores else Blend.WORDS.value
    known = lesson.known
    metrics = {
        "articles": float(len(lesson.articles)),
        "wordings": float(known.sum()),
        "out_of_scope": float((~known).sum()),
        "wanted_precision": wanted,
    }
    for blend, values in scores.items():
        right = values.argmax(axis=1) == lesson.labels
        metrics[f"accuracy_{blend}"] = float(right[known].mean())
    metrics.update(_accuracy_per_language(scores[best], lesson))
    metrics["accuracy"] = metrics[f"accuracy_{best}"]
    metrics.update(_doubt(scores[best], thresholds[best], lesson))
    return metrics


def _accuracy_per_language(scores: Floats, lesson: Lesson) -> dict[str, float]:
    spoken = np.array([detect_language(text) or "" for text in lesson.texts])
    right = scores.argmax(axis=1) == lesson.labels
    return {
        f"accuracy_{language}": float(right[lesson.known & (spoken == language)].mean())
        for language in sorted(set(spoken[lesson.known]) - {""})
    }


def _doubt(scores: Floats, thresholds: Thresholds, lesson: Lesson) -> dict[str, float]:
    known = lesson.known
    top = scores.max(axis=1)
    right = scores.argmax(axis=1) == lesson.labels
    answered = top >= thresholds.answer
    figures = {
        "answered_ratio": float(answered[known].mean()),
        "suggested_ratio": float(
            ((top >= thresholds.suggest) & ~answered)[known].mean()
        ),
        "precision": float(right[answered].mean()) if answered.any() else 0.0,
    }
    if not known.all():
        figures["out_of_scope_auroc"] = auroc(top[known], top[~known])
        figures["out_of_scope_answered_ratio"] = float(answered[~known].mean())
    return figures


def auroc(positive: Floats, negative: Floats) -> float:
    """The chance that a positive row scores above a negative one; ties count half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([positive, negative]))
    above = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(positive) * len(negative)))


def main() -> int:
    """Entry of the child process."""
    source, directory = sys.argv[1:]
    task = Task.from_json(json.loads(Path(source).read_text(encoding="utf-8")))
    try:
        report = train(task, Path(directory))
    except DataError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
