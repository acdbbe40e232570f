"""What a message means: fixed words first, then two linear models and their doubt.

Serving needs numpy alone; `bot.train` makes what is loaded here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot import artefact
from bot.artefact import Manifest, Thresholds
from bot.embedder import Embedder, make_embedder
from bot.tokens import character_features, detect_language, normalise, word_features
from bot.words import Kind, WordLists, load_words
from core.settings import ROOT

CANDIDATES = 3
NEAR_RATIO = 0.1  # of the best score; what is below would only confuse
WORDS_DIRECTORY = ROOT / "templates" / "bot"

Floats = NDArray[np.float32]


class Blend(StrEnum):
    """Which of the two models spoke; each has thresholds of its own."""

    BOTH = "both"
    WORDS = "words"
    MEANING = "meaning"


# The views that a blend adds up, each with the factor that training found.
BLENDS: Mapping[Blend, tuple[str, ...]] = {
    Blend.BOTH: (Blend.WORDS.value, Blend.MEANING.value),
    Blend.WORDS: (Blend.WORDS.value,),
    Blend.MEANING: (Blend.MEANING.value,),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An article and how probable it is."""

    article: str
    score: float


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a message is; `article` only where the bot may answer with it."""

    kind: Kind
    language: str | None  # None: the text doesn't say
    article: str | None = None
    score: float = 0.0
    candidates: tuple[Candidate, ...] = ()


class Vectoriser:
    """TF-IDF of one kind of feature, by an own vocabulary."""

    def __init__(
        self, analyse: Callable[[str], list[str]], vocabulary: Sequence[str]
    ) -> None:
        self._analyse = analyse
        self._places = {feature: place for place, feature in enumerate(vocabulary)}

    def weigh(self, text: str, idf: Floats) -> tuple[list[int], Floats]:
        """Places of known features and their weights, of length 1 together."""
        counts = Counter(
            place
            for feature in self._analyse(text)
            if (place := self._places.get(feature)) is not None
        )
        places = list(counts)
        frequency = np.fromiter(counts.values(), np.float32, len(counts))
        weights = (1 + np.log(frequency)) * idf[places]
        length = float(np.linalg.norm(weights))
        return places, weights / length if length else weights


class Model:
    """The two linear models, as plain arrays."""

    def __init__(
        self,
        manifest: Manifest,
        arrays: Mapping[str, NDArray[Any]],
        embedder: Embedder | None,
    ) -> None:
        self.manifest = manifest
        self._arrays = arrays
        self._embedder = embedder
        self._views = (
            ("word", Vectoriser(word_features, unpack(arrays["word_vocabulary"]))),
            (
                "character",
                Vectoriser(character_features, unpack(arrays["character_vocabulary"])),
            ),
        )

    def probabilities(
        self, text: str, language: str | None
    ) -> tuple[Blend, NDArray[np.float64]]:
        """How probable each article is, and which of the models say so."""
        plain = normalise(text)
        logits = {Blend.WORDS.value: self._by_words(plain)}
        if self._embedder is None:
            return Blend.WORDS, self._blend(Blend.WORDS, logits)
        logits[Blend.MEANING.value] = self._by_meaning(self._embedder, plain)
        meaning = self._blend(Blend.MEANING, logits)
        favourite = self.manifest.articles[int(meaning.argmax())]
        # Where an article has no wording in this language, words can't know it.
        if language and language not in self.manifest.languages[favourite]:
            return Blend.MEANING, meaning
        return Blend.BOTH, self._blend(Blend.BOTH, logits)

    def _blend(
        self, blend: Blend, logits: Mapping[str, NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        factors = self.manifest.sharpness[blend]
        summed = sum(logits[view] * factors[view] for view in BLENDS[blend])
        # Behind the articles stands "none of them", which is never shown.
        return softmax(np.asarray(summed))[: len(self.manifest.articles)]

    def _by_words(self, plain: str) -> NDArray[np.float64]:
        logits = self._arrays["words_intercept"].astype(np.float64)
        for name, vectoriser in self._views:
            places, weights = vectoriser.weigh(plain, self._arrays[f"{name}_idf"])
            if places:
                logits += weights @ self._arrays[f"{name}_coefficients"][places]
        return logits

    def _by_meaning(self, embedder: Embedder, plain: str) -> NDArray[np.float64]:
        vector = embedder.encode([plain])[0]
        return np.asarray(
            vector @ self._arrays["meaning_coefficients"]
            + self._arrays["meaning_intercept"],
            dtype=np.float64,
        )


class Understander:
    """Fixed words, then the model; without a model every question is UNREADY."""

    def __init__(self, words: WordLists, model: Model | None) -> None:
        self._words = words
        self._model = model

    @property
    def manifest(self) -> Manifest | None:
        """What the model is and how good, or None where there is none."""
        return self._model.manifest if self._model else None

    def understand(self, text: str, language_hint: str | None = None) -> Understanding:
        """What `text` means; the hint is used where the text shows no language."""
        language = detect_language(text)
        kind = self._words.kind_of(text)
        if kind is not None:
            # A command is written in no language.
            language = None if text.lstrip().startswith("/") else language
            return Understanding(kind, language, score=1.0)
        if self._model is None:
            return Understanding(Kind.UNREADY, language)
        return self._decide(self._model, text, language, language or language_hint)

    def _decide(
        self, model: Model, text: str, language: str | None, spoken: str | None
    ) -> Understanding:
        blend, probabilities = model.probabilities(text, spoken)
        thresholds = model.manifest.thresholds[blend]
        best = np.argsort(-probabilities, kind="stable")[:CANDIDATES]
        candidates = tuple(
            Candidate(model.manifest.articles[place], float(probabilities[place]))
            for place in best
        )
        top = candidates[0]
        kind = kind_of_score(top.score, thresholds)
        article = top.article if kind is Kind.ANSWER else None
        near = tuple(c for c in candidates if c.score >= NEAR_RATIO * top.score)
        return Understanding(kind, language, article, top.score, near)


def kind_of_score(score: float, thresholds: Thresholds) -> Kind:
    """Answer, ask, or own that the question was not understood."""
    if score >= thresholds.answer:
        return Kind.ANSWER
    return Kind.SUGGEST if score >= thresholds.suggest else Kind.UNKNOWN


def load_model(
    directory: Path | None,
    *,
    expected_sha256: str | None = None,
    words_directory: Path = WORDS_DIRECTORY,
) -> Understander:
    """An understander with the model of `directory` and its embedder.

    Takes about half a second, so a server calls it in a thread. None for
    `directory`: no model was trained yet.

    Raises
    ------
    DataError : if the model is missing, was changed, or has another format
    """
    words = load_words(words_directory)
    if directory is None:
        return Understander(words, None)
    manifest, arrays = artefact.load(directory, expected_sha256=expected_sha256)
    return Understander(
        words, Model(manifest, arrays, make_embedder(manifest.embedder))
    )


def pack(features: Sequence[str]) -> NDArray[np.uint8]:
    """Features as bytes: arrays of Python objects would need pickle."""
    return np.frombuffer("\n".join(features).encode(), dtype=np.uint8)


def unpack(stored: NDArray[np.uint8]) -> list[str]:
    """What `pack` was given."""
    text = stored.tobytes().decode()
    return text.split("\n") if text else []


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
