"""The two ways to see a question: its words and its meaning, each with a regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.embedder import Embedder
from bot.lesson import LARGE_COUNT, Integers, Lesson
from bot.tokens import character_features, word_features
from bot.understand import Blend, pack

WORDS_C = 20.0
MEANING_C = 20.0

Floats = NDArray[np.float64]
Features = Callable[[str], list[str]]


class WordsView:
    """TF-IDF over words and characters, and a logistic regression on it."""

    name = Blend.WORDS
    parts: tuple[tuple[str, Features], ...] = (
        ("word", word_features),
        ("character", character_features),
    )

    def __init__(self, texts: list[str]) -> None:
        # Analysed once; the folds only count and weigh.
        self._analysed = {
            name: [features(text) for text in texts] for name, features in self.parts
        }

    def logits(self, train: Integers, test: Integers, labels: Integers) -> Floats:
        """Scores of the rows `test` by a model fitted on the rows `train`."""
        from scipy import sparse

        matrices = [self._weigh(name, train) for name, _ in self.parts]
        model = _regression(WORDS_C).fit(
            sparse.hstack([fitted for _, fitted in matrices], format="csr"),
            labels[train],
        )
        tested = [
            vectoriser.transform([self._analysed[name][row] for row in test])
            for (name, _), (vectoriser, _) in zip(self.parts, matrices, strict=True)
        ]
        return _decision(model, sparse.hstack(tested, format="csr"))

    def arrays(self, lesson: Lesson) -> dict[str, NDArray[Any]]:
        """The model fitted on all rows."""
        from scipy import sparse

        rows = np.arange(len(lesson.labels))
        matrices = [self._weigh(name, rows) for name, _ in self.parts]
        model = _regression(WORDS_C).fit(
            sparse.hstack([fitted for _, fitted in matrices], format="csr"),
            lesson.labels[rows],
        )
        coefficients, intercept = _two_sided(model)
        arrays: dict[str, NDArray[Any]] = {"words_intercept": intercept}
        start = 0
        for (name, _), (vectoriser, _) in zip(self.parts, matrices, strict=True):
            vocabulary = vectoriser.get_feature_names_out().tolist()
            end = start + len(vocabulary)
            arrays[f"{name}_vocabulary"] = pack(vocabulary)
            arrays[f"{name}_idf"] = vectoriser.idf_.astype(np.float32)
            arrays[f"{name}_coefficients"] = coefficients[start:end]
            start = end
        return arrays

    def _weigh(self, name: str, rows: Integers) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = TfidfVectorizer(
            analyzer=_as_it_is,
            sublinear_tf=True,
            dtype=np.float32,
            min_df=2 if len(rows) > LARGE_COUNT else 1,
        )
        return vectoriser, vectoriser.fit_transform(
            [self._analysed[name][row] for row in rows]
        )


class MeaningView:
    """Sentence vectors, and a logistic regression on them."""

    name = Blend.MEANING

    def __init__(self, texts: list[str], embedder: Embedder) -> None:
        self._vectors = embedder.encode(texts)

    def logits(self, train: Integers, test: Integers, labels: Integers) -> Floats:
        """Scores of the rows `test` by a model fitted on the rows `train`."""
        model = _regression(MEANING_C).fit(self._vectors[train], labels[train])
        return _decision(model, self._vectors[test])

    def arrays(self, lesson: Lesson) -> dict[str, NDArray[Any]]:
        """The model fitted on all rows."""
        model = _regression(MEANING_C).fit(self._vectors, lesson.labels)
        coefficients, intercept = _two_sided(model)
        return {
            "meaning_coefficients": coefficients,
            "meaning_intercept": intercept,
        }


View = WordsView | MeaningView


def _regression(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=1000, tol=1e-3)


def _decision(model: Any, rows: Any) -> Floats:
    found = np.asarray(model.decision_function(rows), dtype=np.float64)
    # Of two classes scikit-learn keeps one column, for the second.
    return np.stack([-found, found], axis=1) / 2 if found.ndim == 1 else found


def _two_sided(model: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    coefficients = model.coef_.T.astype(np.float32)
    intercept = model.intercept_.astype(np.float32)
    if coefficients.shape[1] == 1:
        coefficients = np.hstack([-coefficients, coefficients]) / 2
        intercept = np.hstack([-intercept, intercept]) / 2
    return np.ascontiguousarray(coefficients), intercept


def _as_it_is(features: Sequence[str]) -> Sequence[str]:
    return features
